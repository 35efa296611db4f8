"""PyTorch networks: ``package.module:callable``, run once on the meta device, where tensors have shapes but no numbers.

The callable is an ``nn.Module`` class, a function that returns a module, or a module. It runs in inference mode; norms
that only training reaches (auxiliary heads) are named in a warning. A module that is called twice counts twice.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from math import prod
from typing import Any

from hwnorm.errors import InputError, MissingTool, did_you_mean
from hwnorm.network.model import Network
from hwnorm.network.norm_shapes import looks_like_norm

_REGISTER = "a tensor that the module keeps in a list, a dict or the like must be a buffer (register_buffer)"
_HOW = "set it where the network is defined, e.g. input_shape = (3, 224, 224), one sample without the batch"


def require_torch() -> Any:
    """The torch package, or one line that says how to get it."""
    try:
        import torch
    except ImportError as error:
        raise MissingTool(
            f"reading PyTorch modules needs the package torch ({error}): pip install hwnorm[torch]"
        ) from None
    return torch


def read_torch(spec: str, input_shape: tuple[int, ...] | None, batch: int | None) -> Network:
    """The network that ``spec`` names. ``input_shape`` is one sample's, without the batch; without it the module's
    attribute of that name is taken, then that of the callable, then that of the Python module around it."""
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be a positive integer, not {batch}")
    torch = require_torch()
    place, _, attribute = spec.partition(":")
    if not place or not attribute:
        raise InputError(f"{spec}: a PyTorch network is named package.module:callable")
    with _current_folder(), redirect_stdout(sys.stderr):  # what a network prints is no result of ours
        holder = _imported(spec, place)
        target = _attribute(spec, place, holder, attribute)
        module, own = _module(torch, spec, target)
        _refuse_compiled(torch, spec, module)
        shape = _input_shape(torch, spec, input_shape, module, target, holder)
        return _read(torch, spec, module, own, shape, batch or 1)


@contextmanager
def _current_folder() -> Iterator[None]:
    """The current folder can be imported from, as with ``python -m``."""
    sys.path.insert(0, "")
    try:
        yield
    finally:
        if "" in sys.path:
            sys.path.remove("")


def _line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:300]}" if words else type(error).__name__


def _imported(spec: str, place: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise InputError(
                f"{spec}: there is no module {error.name!r} in the current folder or on Python's path"
            ) from None
        raise InputError(f"{spec}: importing {place!r} raised {_line(error)}") from None
    except (Exception, SystemExit) as error:
        raise InputError(f"{spec}: importing {place!r} raised {_line(error)}") from None


def _attribute(spec: str, place: str, holder: Any, attribute: str) -> Any:
    target = holder
    for name in attribute.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            known = [one for one in dir(target) if not one.startswith("_")]
            raise InputError(f"{spec}: {place!r} has no {name!r}; {did_you_mean(name, known)}") from None
    return target


def _module(torch: Any, spec: str, target: Any) -> tuple[Any, bool]:
    """The module, and whether it was made here: then nobody minds what becomes of it."""
    if isinstance(target, torch.nn.Module):
        return target, False
    if not callable(target):
        raise InputError(f"{spec}: is {_a(target)}, no torch.nn.Module and no function that returns one")
    try:
        module = _without_weights(torch, target)
    except (Exception, SystemExit) as error:
        raise InputError(f"{spec}: calling it without arguments raised {_line(error)}") from None
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{spec}: returns {_a(module)}, no torch.nn.Module")
    return module, True


def _refuse_compiled(torch: Any, spec: str, module: Any) -> None:
    for path, one in module.named_modules():
        if isinstance(one, torch.jit.ScriptModule):
            where = f"its module {path!r}" if path else "it"
            raise InputError(
                f"{spec}: {where} is compiled code (TorchScript), which cannot be watched; name the original"
            )


def _a(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _without_weights(torch: Any, target: Callable[[], Any]) -> Any:
    """Makes a module whose weights are never allocated.

    Where a constructor computes numbers (rates spread over the blocks with ``linspace(...).item()``), only the
    uninitialised tensors, which weights are, go to the meta device.
    """
    try:
        with torch.device("meta"):
            return target()
    except RuntimeError:
        from torch.overrides import TorchFunctionMode

        class EmptyOnMeta(TorchFunctionMode):  # type: ignore[misc]
            def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                kwargs = dict(kwargs or {})
                if func in (torch.empty, torch.empty_like):
                    kwargs["device"] = "meta"
                return func(*args, **kwargs)

        with EmptyOnMeta():
            return target()


def _input_shape(torch: Any, spec: str, given: Any, module: Any, target: Any, holder: Any) -> tuple[int, ...]:
    places = (getattr(place, "input_shape", None) for place in (module, target, holder))
    shape = given if given is not None else next((one for one in places if one is not None), None)
    if shape is None:
        first = next((one for one in module.modules() if any(True for _ in one.parameters(recurse=False))), None)
        if isinstance(first, torch.nn.Linear):
            return (int(first.in_features),)
        raise InputError(f"{spec}: the shape of its input is not known; {_HOW}")
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = (shape,)
    if not sizes or not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        raise InputError(f"{spec}: input_shape must be positive integers, not {shape!r}; {_HOW}")
    return sizes


def _read(torch: Any, spec: str, module: Any, own: bool, shape: tuple[int, ...], batch: int) -> Network:
    from hwnorm.network.torch_trace import trace

    first = next((one for one in module.modules() if any(True for _ in one.parameters(recurse=False))), None)
    kind = torch.long if isinstance(first, torch.nn.Embedding) else torch.float32
    with torch.device("meta"):
        sample = torch.zeros((batch, *shape), dtype=kind)

    modes = [(one, one.training) for one in module.modules()]
    called: set[int] = set()
    handles = [one.register_forward_pre_hook(lambda inner, _: called.add(id(inner))) for one in module.modules()]
    try:
        _to_inference(module)
        watched = trace(module, _run(torch, module, own, sample), batch)
    except InputError as error:
        raise InputError(f"{spec}: {error}") from None
    except (Exception, SystemExit) as error:
        way_out = f"; {_REGISTER}" if "expected device meta" in str(error) else ""
        raise InputError(
            f"{spec}: its forward, with an input of {list(sample.shape)}, raised {_line(error)}{way_out}"
        ) from None
    finally:
        for handle in handles:
            handle.remove()
        for one, training in modes:
            one.training = training
    idle = [
        path
        for path, one in module.named_modules()
        if looks_like_norm(type(one).__name__) and id(one) not in called and not any(True for _ in one.children())
    ]
    warnings = list(watched.warnings)
    if idle:
        some = ", ".join(idle[:3]) + (", ..." if len(idle) > 3 else "")
        warnings.append(f"{len(idle)} normalizations were not reached at inference and are not counted: {some}")
    return Network(
        name=spec.partition(":")[2],
        source=spec,
        input=shape,
        batch=batch,
        layers=tuple(watched.layers),
        parameters=sum(prod(parameter.shape) for parameter in module.parameters()),
        macs=watched.macs,
        warnings=tuple(warnings),
    )


def _to_inference(module: Any) -> None:
    try:
        module.eval()
    except NotImplementedError:  # what torch.export made stays in the mode that it was exported in
        for one in module.modules():
            one.training = False


def _run(torch: Any, module: Any, own: bool, sample: Any) -> Callable[[], Any]:
    """One forward on the meta device; tensors of a module that is not ours are replaced meanwhile."""
    if own:
        module.to("meta")

    def run() -> Any:
        with torch.device("meta"), _attributes_on_meta(torch, module):
            if own:
                return module(sample)
            weights = {name: _on_meta(torch, value) for name, value in module.named_parameters()}
            weights |= {name: _on_meta(torch, value) for name, value in module.named_buffers()}
            return torch.func.functional_call(module, weights, (sample,))

    return run


@contextmanager
def _attributes_on_meta(torch: Any, module: Any) -> Iterator[None]:
    """Tables that a module keeps as plain attributes. Single numbers work with tensors of every device as they are."""
    kept = [
        (vars(one), name, value)
        for one in module.modules()
        for name, value in vars(one).items()
        if isinstance(value, torch.Tensor) and value.dim()
    ]
    try:
        for attributes, name, value in kept:
            attributes[name] = _on_meta(torch, value)
        yield
    finally:
        for attributes, name, value in kept:
            attributes[name] = value


def _on_meta(torch: Any, value: Any) -> Any:
    if isinstance(value, torch.nn.Parameter):
        return torch.nn.Parameter(value.detach().to("meta"), requires_grad=value.requires_grad)
    return value.to("meta")
