"""One run of a PyTorch network on the meta device, watched: its norms, and its multiply-accumulates.

Every call of a function with tensors passes a ``TorchFunctionMode``, whether a module or the network's own ``forward``
makes it, so a norm is found by the function that computes it and named by the module around it. Below it a
``TorchDispatchMode`` counts products, and sees what no function above it announced (compiled code): a norm function is
refused there, all else is observed likewise.
Meta tensors hold no numbers; all of them are kept until the end, so that an ``id`` names one tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from hwnorm.errors import InputError
from hwnorm.network.marks import Found
from hwnorm.network.model import Layer
from hwnorm.network.norm_shapes import channel_layer, looks_like_norm, vector_layer
from hwnorm.network.pieces import Pieces
from hwnorm.network.torch_pieces import feed, is_renaming
from hwnorm.network.torch_products import macs

# Norm functions: where each takes its weight and bias, in torch.nn.functional and in torch itself.
_NORMS = {
    "batch_norm": ((3, 4), (1, 2)),
    "instance_norm": ((3, 4), (1, 2)),
    "layer_norm": ((2, 3), (2, 3)),
    "group_norm": ((2, 3), (2, 3)),
    "rms_norm": ((2,), (2,)),
    "native_batch_norm": ((1, 2), (1, 2)),
    "native_layer_norm": ((2, 3), (2, 3)),
}
_NOT_COUNTED = ("local_response_norm", "normalize")

_PASSING_CLASSES = ("normalize", "normalizer", "denormalize")  # of images, by fixed numbers: no layer of a network


@dataclass(slots=True)
class Trace:
    """What a run showed. ``layers`` are in the order of the run."""

    layers: list[Layer] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    macs: int = 0


def trace(module: nn.Module, run: Callable[[], Any], batch: int) -> Trace:
    """Watches ``run``, which calls the module once with ``batch`` samples."""
    watcher = _Watcher(batch)
    handles = []
    for path, inner in module.named_modules():
        handles.append(inner.register_forward_pre_hook(watcher.entered(path)))
        handles.append(inner.register_forward_hook(watcher.left(path)))
    products = _Products(watcher)
    handles.append(module.register_forward_pre_hook(products.know))
    try:
        with torch.no_grad(), products, watcher:
            run()
    except RuntimeError:
        if products.refused is not None:  # compiled code raises its own in the place of what it met
            raise products.refused from None
        raise
    finally:
        for handle in handles:
            handle.remove()
    result = watcher.result()
    result.macs = products.macs // batch
    return result


class _Watcher(TorchFunctionMode):  # type: ignore[misc]
    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.inside = False  # a norm function is running
        self.running = False  # any function is: what it calls is its own affair
        self.pieces = Pieces(self._parameter, self._scalar, self._shape)
        self.found: list[Layer | Found] = []
        self.not_counted: list[tuple[str, Hashable]] = []
        self._path: list[str] = []
        self._norm_path: list[str] = []
        self._starts: list[int] = []
        self._names: dict[str, int] = {}
        self._alive: list[Any] = []
        self._versions: dict[int, int] = {}
        self._tensors: dict[Hashable, Any] = {}
        self._stored: set[Hashable] = set()

    # Names of tensors: a tensor changed in place is another value.

    def key(self, value: Any) -> Hashable:
        if not isinstance(value, torch.Tensor):
            return ("number", value) if isinstance(value, int | float) else ("other", id(value))
        if id(value) not in self._versions:
            self._versions[id(value)] = 0
            self._alive.append(value)
        key = (id(value), self._versions[id(value)])
        self._tensors[key] = value
        return key

    def _changed(self, value: Any) -> Hashable:
        self._versions[id(value)] = self._versions.get(id(value), 0) + 1
        return self.key(value)

    def constants(self, buffers: Iterable[Any]) -> None:
        """Single numbers that a formula has: an epsilon that is kept as a buffer."""
        self._stored |= {self.key(one) for one in buffers}

    def _parameter(self, key: Hashable) -> int | None:
        tensor = self._tensors.get(key)
        if tensor is None or not self._is_stored(key):
            return None
        return int(tensor.numel()) if tensor.numel() > 1 else None

    def _shape(self, key: Hashable) -> tuple[int, ...] | None:
        tensor = self._tensors.get(key)
        return None if tensor is None else tuple(tensor.shape)

    def _scalar(self, key: Hashable) -> float | None:
        if isinstance(key, tuple) and key[0] == "number":
            return float(key[1])
        tensor = self._tensors.get(key)
        return float("nan") if tensor is not None and self._is_stored(key) and tensor.numel() == 1 else None

    def _is_stored(self, key: Hashable) -> bool:
        return key in self._stored or isinstance(self._tensors.get(key), nn.Parameter)

    # Modules: their names, and whether one that is called a norm is one.

    def entered(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, _args: Any) -> None:
            self._path.append(path)
            self._starts.append(self._events())
            if looks_like_norm(type(module).__name__):
                self._norm_path.append(path)

        return hook

    def left(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, _args: Any, _out: Any) -> None:
            start = self._starts.pop()
            self._path.pop()
            name = type(module).__name__
            if looks_like_norm(name):
                self._norm_path.pop()
                on_weights = all(self._is_stored(self.key(value)) for value in _tensors(_out))
                if self._events() == start and name.lower() not in _PASSING_CLASSES and not on_weights:
                    raise InputError(
                        f"the module {path!r} ({name}) looks like a normalization that hwnorm does not know"
                    )

        return hook

    def _events(self) -> int:
        return len(self.found) + len(self.not_counted)

    def _name(self, function: str) -> str:
        """The innermost module that is called a norm, or the module at work and the function."""
        path = self._path[-1] if self._path else ""
        if self._norm_path and (path == self._norm_path[-1] or path.startswith(f"{self._norm_path[-1]}.")):
            name = self._norm_path[-1]
        else:
            name = f"{path}.{function}" if path else function
        self._names[name] = self._names.get(name, 0) + 1
        return name if self._names[name] == 1 else f"{name}:{self._names[name]}"

    # Functions.

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.running:
            return func(*args, **kwargs)
        with self.busy():
            return self._call(func, args, kwargs)

    @contextmanager
    def busy(self) -> Iterator[None]:
        before, self.running = self.running, True
        try:
            yield
        finally:
            self.running = before

    def _call(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = str(getattr(func, "__name__", func)).split(".")[0]  # "mean.dim" in what torch.export made
        if name in _NORMS or name in _NOT_COUNTED:
            return self._norm(func, name, args, kwargs)
        if looks_like_norm(name):
            raise InputError(f"the function {name} looks like a normalization that hwnorm does not know")
        out = func(*args, **kwargs)
        if isinstance(out, torch.Tensor | tuple | list) and name not in ("__set__", "size", "shape"):
            self.observe(name, args, kwargs, out)
        return out

    def observe(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        """Takes note of what a plain function made."""
        tensors, results = _tensors((args, kwargs)), _tensors(out)
        if not results or not tensors:
            return
        if all(self._is_stored(self.key(value)) for value in tensors):
            self._stored |= {self.key(value) for value in results}
            return
        in_place = any(out is value for value in tensors)
        if in_place and is_renaming(name):
            return
        args = (*args, *(kwargs[word] for word in ("input", "other", "exponent") if word in kwargs))
        operands = [self.key(value) for value in args]
        outs = [self._changed(out)] if in_place else [self.key(value) for value in results]
        before = len(self.pieces.found)
        where = self._path[-1] if self._path else ""
        feed(self.pieces, where or name, name, args, kwargs, operands, outs, results)
        for norm in self.pieces.found[before:]:
            norm.name = self._name("norm")
            self.found.append(norm)

    def _norm(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        x = args[0] if args else kwargs["input"]
        source = self.key(x)
        self.inside = True
        try:
            out = func(*args, **kwargs)
        finally:
            self.inside = False
        if self._is_stored(source):  # weights that are normalized before they are used
            self._stored |= {self.key(value) for value in _tensors(out)}
            return out
        if name in _NOT_COUNTED:
            if name == "normalize" and _argument(args, kwargs, 1, "p", 2.0) == 2:
                axis = int(_argument(args, kwargs, 2, "dim", 1))
                source = self.pieces.unit(self.key(out), source, tuple(x.shape), (axis % x.dim(),))
            self.not_counted.append((self._name(name), source))
        else:
            functional = getattr(func, "__module__", None) == "torch.nn.functional"
            self.found.append(self._layer(name, functional, x, args, kwargs))
        return out

    def _layer(self, function: str, functional: bool, x: Any, args: Any, kwargs: Any) -> Layer:
        positions = _NORMS[function][0 if functional else 1]
        weight = _argument(args, kwargs, positions[0], "weight", None)
        bias = _argument(args, kwargs, positions[1], "bias", None) if len(positions) > 1 else None
        affine = {"scale": weight is not None, "shift": bias is not None}
        kind = function.removeprefix("native_")
        name = self._name(function)
        shape = tuple(x.shape)
        match kind:
            case "batch_norm" | "instance_norm":
                return channel_layer(name, cast(Any, kind), shape, self.batch, **affine)
            case "group_norm":
                groups = int(_argument(args, kwargs, 1, "num_groups", 1))
                return channel_layer(name, "group_norm", shape, self.batch, channel_groups=groups, **affine)
            case _:
                rank = len(tuple(_argument(args, kwargs, 1, "normalized_shape", ())))
                axes = tuple(range(len(shape) - rank, len(shape)))
                return vector_layer(name, cast(Any, kind), shape, axes, self.batch, **affine)

    def result(self) -> Trace:
        layers = [one.layer(self.batch) if isinstance(one, Found) else one for one in self.found]
        counted = {one.source for one in self.found if isinstance(one, Found)}
        warnings = [
            f"{name!r} was not counted: it trains nothing and keeps no statistics"
            for name, source in self.not_counted
            if source not in counted
        ]
        return Trace(layers, warnings + self.pieces.warnings())


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [inner for one in value.values() for inner in _flat(one)]
    if isinstance(value, list | tuple):
        return [inner for one in value for inner in _flat(one)]
    return [value]


def _tensors(value: Any) -> list[Any]:
    return [one for one in _flat(value) if isinstance(one, torch.Tensor)]


def _argument(args: Sequence[Any], kwargs: dict[str, Any], position: int, name: str, default: Any) -> Any:
    return args[position] if position < len(args) else kwargs.get(name, default)


class _Products(TorchDispatchMode):  # type: ignore[misc]
    """Counts the multiply-accumulates of convolutions and matrix products, of all samples together.

    Products of weights with weights (a spectral norm, a table of places) are none of a sample's, and not counted.
    """

    def __init__(self, watcher: _Watcher) -> None:
        super().__init__()
        self.macs = 0
        self.refused: InputError | None = None
        self._watcher = watcher
        self._stored = WeakTensorKeyDictionary()  # a set: weights, and what is made of them alone

    def know(self, module: nn.Module, _args: Any) -> None:
        for weight in (*module.parameters(), *module.buffers()):
            self._stored[weight] = None
        self._watcher.constants(one for one in module.buffers() if one.numel() == 1)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        announced = self._watcher.running
        if announced and torch.is_inference_mode_enabled() and func is not torch.ops.prim.device.default:
            # there, what a function is made of does not come by
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        with self._watcher.busy():
            out = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        fused = name == "_transformer_encoder_layer_fwd"
        if (fused or (looks_like_norm(name) and name.endswith(_FUSED))) and not self._watcher.inside:
            self.refused = InputError(
                f"the operator {name} normalizes within compiled code, where hwnorm cannot see it"
            )
            raise self.refused
        if not announced:
            self._watcher.observe(name, args, kwargs, out)
        if not self._of_weights(name, (args, kwargs), out):
            self.macs += macs(name, args, out)
        return out

    def _of_weights(self, name: str, given: Any, out: Any) -> bool:
        """Whether it is done once, whatever the samples are. Weights that are expanded are every sample's own: queries
        that are learned, for one."""
        read = _tensors(given)
        stored = name not in ("expand", "repeat") and bool(read) and all(one in self._stored for one in read)
        for one in _tensors(out):
            if stored:
                self._stored[one] = None
            else:
                self._stored.pop(one, None)  # changed in place
        return stored


_FUSED = ("batch_norm", "layer_norm", "group_norm", "rms_norm", "_legit", "_no_training", "_impl_index", "_update")
