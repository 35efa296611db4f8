"""PyTorch's elementary functions, told to the recogniser of norms in pieces."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from hwnorm.network.pieces import Pieces

_RENAMING = (
    "to", "float", "double", "half", "bfloat16", "type", "type_as", "contiguous", "clone", "detach", "expand",
    "expand_as", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "requires_grad_",
    "dropout_", "broadcast_to",
)  # fmt: skip

# How Python's operators and PyTorch's aliases are called, and what leaves the same mark as another function; True: the
# operands stand the other way round.
_WORDS = {
    "rsub": ("sub", True), "subtract": ("sub", False), "rdiv": ("div", True), "rtruediv": ("div", True),
    "truediv": ("div", False), "true_divide": ("div", False), "divide": ("div", False), "multiply": ("mul", False),
    "rmul": ("mul", True), "radd": ("add", True), "vector_norm": ("norm", False), "clamp_min": ("clamp", False),
    "maximum": ("clamp", False), "clip": ("clamp", False), "reshape_as": ("view", False), "view_as": ("view", False),
    "reshape": ("view", False), "unsqueeze": ("view", False), "squeeze": ("view", False), "flatten": ("view", False),
    "unflatten": ("view", False), "getitem": ("view", False), "float_power": ("pow", False), "absolute": ("abs", False),
    "negative": ("neg", False),
}  # fmt: skip


def is_renaming(name: str) -> bool:
    """Whether a function gives its first argument again, in another type, place or frame (dropout: at inference)."""
    return name in _RENAMING


def feed(
    pieces: Pieces,
    where: str,
    name: str,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    operands: Sequence[Hashable],
    outs: Sequence[Hashable],
    results: Sequence[Any],
) -> None:
    """``operands`` are the keys of ``args``, ``outs`` those of the tensors among the results; ``where``: the module."""
    if not operands:
        return
    word, swapped = _WORDS.get(_plain(name), (_plain(name), False))
    out, a = outs[0], operands[0]
    b = operands[1] if len(operands) > 1 else None
    if swapped and b is not None:
        a, b = b, a
    if is_renaming(name):
        pieces.same(out, a)
        return
    match word:
        case "sub" | "add" if kwargs.get("alpha", 1) != 1:
            pass
        case "sub" if b is not None:
            pieces.sub(out, a, b)
        case "add" if b is not None:
            pieces.add(out, a, b)
        case "mul" if b is not None:
            pieces.mul(where, out, a, b)
        case "div" if b is not None:
            pieces.div(where, out, a, b)
        case "addcmul" if len(operands) > 2 and kwargs.get("value", 1) == 1:
            pieces.mul(where, (out, "product"), operands[1], operands[2])
            pieces.add(out, a, (out, "product"))
        case "pow" if len(args) > 1 and isinstance(args[1], int | float):
            pieces.power(out, a, float(args[1]))
        case "square":
            pieces.square(out, a)
        case "sqrt":
            pieces.sqrt(out, a)
        case "rsqrt":
            pieces.rsqrt(out, a)
        case "reciprocal":
            pieces.reciprocal(out, a)
        case "clamp":
            pieces.clamp(out, a)
        case "view":
            pieces.reshape(out, tuple(args[0].shape), tuple(results[0].shape), a)
        case "abs":
            pieces.absolute(out, a)
        case "neg":
            pieces.negate(out, a)
        case "mean":
            pieces.mean(out, a, tuple(args[0].shape), _axes(args, kwargs, 1))
        case "sum":
            pieces.sum(out, a, tuple(args[0].shape), _axes(args, kwargs, 1))
        case "adaptive_avg_pool1d" | "adaptive_avg_pool2d" | "adaptive_avg_pool3d":
            axes = tuple(range(args[0].dim())[-int(word[-2]) :])
            if all(results[0].shape[axis] == 1 for axis in axes):
                pieces.mean(out, a, tuple(args[0].shape), axes)
        case "var" | "std":
            pieces.variance(out, a, tuple(args[0].shape), _axes(args, kwargs, 1), root=word == "std")
        case "var_mean" | "std_mean":
            axes = _axes(args, kwargs, 1)
            pieces.variance(out, a, tuple(args[0].shape), axes, root=word == "std_mean")
            pieces.mean(outs[1], a, tuple(args[0].shape), axes)
        case "norm" if _order(args, kwargs) in (2, 2.0, None, "fro"):
            pieces.length(out, a, tuple(args[0].shape), _axes(args, kwargs, 2))


def _plain(name: str) -> str:
    """The word in ``__rsub__``, ``linalg_vector_norm``, ``add_``."""
    plain = name.strip("_").removeprefix("linalg_")
    return plain.removeprefix("i") if name.startswith("__i") else plain


def _order(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    return args[1] if len(args) > 1 else kwargs.get("p", kwargs.get("ord"))


def _axes(args: Sequence[Any], kwargs: dict[str, Any], position: int) -> tuple[int, ...]:
    rank = args[0].dim()
    axes = args[position] if position < len(args) else kwargs.get("dim", kwargs.get("axis"))
    if axes is None or isinstance(axes, bool):
        return tuple(range(rank))
    chosen = (axes,) if isinstance(axes, int) else tuple(axes)
    return tuple(sorted(axis % rank for axis in chosen))
