"""The operators of a network file: what each takes, the shape it gives, the parameters and multiply-accumulates it has.

One function an operator; ``OPERATORS`` below is the vocabulary, and joins.py has the words for branches that meet.
Counted is what published totals count: every trainable number; and the multiply-accumulates of convolutions, of fully
connected layers and of the two matrix products inside attention, for one sample. Biases, norms, activations and pooling
are free of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import prod
from typing import Any

from hwnorm.network.model import Kind as NormKind
from hwnorm.network.model import Layer
from hwnorm.network.shapes import DoesNotFit, Shape, bounded, shape_text, slide, unslide, windows


class Want(Enum):
    """What a value must be; the text is what the message says of one that is not."""

    COUNT = "a positive integer"
    NATURAL = "an integer, 0 or more"
    FLAG = "true or false"
    NUMBER = "a number"
    COUNTS = "a positive integer, or a list of them"
    NATURALS = "an integer, 0 or more, or a list of them"
    WORD = "a word"


@dataclass(frozen=True, slots=True)
class Option:
    want: Want
    default: Any = None  # None: the operator knows what is best
    required: bool = False
    words: tuple[str, ...] = ()  # that a WORD may be


@dataclass(frozen=True, slots=True)
class Result:
    shape: Shape
    parameters: int = 0
    macs: int = 0
    layer: Layer | None = None  # of a normalization; its name is still empty


@dataclass(frozen=True, slots=True)
class Operator:
    """``apply(shape, **options)`` is the operator. ``main`` is the option that is written behind its own name."""

    apply: Callable[..., Result]
    main: str | None = None
    options: Mapping[str, Option] = field(default_factory=dict)


# Weights


def _conv(
    shape: Shape,
    out: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int] | None,
    dilation: int,
    groups: int,
    bias: bool,
) -> Result:
    size = slide(shape, kernel, stride, padding, dilation)
    _divides(groups, shape[0], out)
    weights = out * (shape[0] // groups) * prod(windows(shape, kernel, "kernel"))
    return Result(bounded((out, *size)), weights + bias * out, weights * prod(size))


def _conv_transpose(
    shape: Shape,
    out: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int] | None,
    output_padding: int,
    groups: int,
    bias: bool,
) -> Result:
    size = unslide(shape, kernel, stride, padding, output_padding)
    _divides(groups, shape[0], out)
    weights = shape[0] * (out // groups) * prod(windows(shape, kernel, "kernel"))
    return Result(bounded((out, *size)), weights + bias * out, weights * prod(shape[1:]))


def _linear(shape: Shape, out: int, bias: bool, shared: bool) -> Result:
    if len(shape) > 2:
        raise DoesNotFit(f"takes a vector or tokens, not an image of {shape_text(shape)}; 'flatten' or 'tokens' first")
    weights = out * shape[0]
    return Result(bounded((out, *shape[1:])), bias * out + (not shared) * weights, weights * prod(shape[1:]))


def _attention(shape: Shape, heads: int, kv_heads: int | None, bias: bool) -> Result:
    """Queries, keys, values and the output are linear layers; each head multiplies every query with every key, and
    the outcome with every value (a causal mask saves nothing here, as in published totals)."""
    features, length = _tokens_of(shape)
    if features % heads:
        raise DoesNotFit(f"{features} features are not divisible into {heads} heads")
    shared = heads if kv_heads is None else kv_heads
    if heads % shared:
        raise DoesNotFit(f"{heads} heads cannot share {shared} heads of keys and values evenly")
    keys = features // heads * shared
    weights = 2 * features * features + 2 * features * keys
    biases = bias * (2 * features + 2 * keys)
    return Result(shape, weights + biases, weights * length + 2 * features * length * length)


def _embed(shape: Shape, out: int, vocabulary: int) -> Result:
    if len(shape) != 1:
        raise DoesNotFit(f"takes the ids of tokens, a shape of one number, not {shape_text(shape)}")
    return Result(bounded((out, shape[0])), out * vocabulary)


def _weights(_: Shape, size: Sequence[int]) -> Result:
    return Result(bounded(tuple(size)), prod(size))


# Shapes


def _pool(shape: Shape, kernel: Sequence[int], stride: Sequence[int] | None, padding: Sequence[int] | None) -> Result:
    return Result(bounded((shape[0], *slide(shape, kernel, kernel if stride is None else stride, padding))))


def _global_pool(shape: Shape, of: str) -> Result:  # which one is for the reader: the shape is the same
    if len(shape) == 1:
        raise DoesNotFit(f"pools points or an image, not a vector of {shape[0]}")
    return Result(shape[:1])


def _upsample(shape: Shape, factor: Sequence[int]) -> Result:
    factors = windows(shape, factor, "upsample")
    return Result(bounded((shape[0], *(size * by for size, by in zip(shape[1:], factors, strict=True)))))


def _pad_channels(shape: Shape, channels: int) -> Result:
    if channels < shape[0]:
        raise DoesNotFit(f"{shape[0]} channels are more than the {channels} to pad to")
    return Result(bounded((channels, *shape[1:])))


def _reshape(shape: Shape, into: Sequence[int]) -> Result:
    if prod(into) != prod(shape) or len(into) > 3:
        raise DoesNotFit(f"{shape_text(shape)} does not fill {shape_text(tuple(into))}")
    return Result(tuple(into))


def _flatten(shape: Shape) -> Result:
    return Result((prod(shape),))


def _tokens(shape: Shape) -> Result:
    return Result((shape[0], prod(shape[1:])))


def _first_token(shape: Shape) -> Result:
    return Result((_tokens_of(shape)[0],))


def _same(shape: Shape) -> Result:
    return Result(shape)


# Normalizations


def _norm(shape: Shape, kind: NormKind, scale: bool, shift: bool, groups: int = 1, over: str = "channels") -> Result:
    if over == "sample":
        shape_of_norm: Shape = (prod(shape),)
    else:
        shape_of_norm = shape
    channels, height, width = (*shape_of_norm, 1, 1)[:3]
    if kind == "group_norm":
        _divides(groups, channels)
    layer = Layer("", kind, channels, height, width, groups, scale, shift)
    return Result(shape, (scale + shift) * channels, layer=layer)


def _norm_operator(kind: NormKind, scale: bool, shift: bool, main: str | None = None, **more: Option) -> Operator:
    def apply(shape: Shape, **options: Any) -> Result:
        return _norm(shape, kind, **options)

    return Operator(apply, main, {**more, "scale": Option(Want.FLAG, scale), "shift": Option(Want.FLAG, shift)})


def _divides(groups: int, *channels: int) -> None:
    for number in channels:
        if number % groups:
            raise DoesNotFit(f"{number} channels are not divisible into {groups} groups")


def _tokens_of(shape: Shape) -> tuple[int, int]:
    if len(shape) != 2:
        raise DoesNotFit(f"takes tokens, (features, length), not {shape_text(shape)}")
    return shape[0], shape[1]


_WINDOW = {"stride": Option(Want.COUNTS, (1,)), "padding": Option(Want.NATURALS)}
_GROUPS = {"groups": Option(Want.COUNT, 1), "bias": Option(Want.FLAG, False)}
_COUNT = Option(Want.COUNT, required=True)
_COUNTS = Option(Want.COUNTS, required=True)
_POOL = {"kernel": _COUNTS, "stride": Option(Want.COUNTS), "padding": Option(Want.NATURALS)}

ELEMENTWISE = (  # nothing of them is counted
    *("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softmax", "softplus"),
    *("hard_swish", "hard_sigmoid", "sign", "ternary", "identity", "dropout"),
)

OPERATORS: dict[str, Operator] = {
    "conv": Operator(
        _conv, "out", {"out": _COUNT, "kernel": _COUNTS, "dilation": Option(Want.COUNT, 1)} | _WINDOW | _GROUPS
    ),
    "conv_transpose": Operator(
        _conv_transpose,
        "out",
        {"out": _COUNT, "kernel": _COUNTS, "output_padding": Option(Want.NATURAL, 0)} | _WINDOW | _GROUPS,
    ),
    "linear": Operator(
        _linear, "out", {"out": _COUNT, "bias": Option(Want.FLAG, True), "shared": Option(Want.FLAG, False)}
    ),
    "attention": Operator(
        _attention, "heads", {"heads": _COUNT, "kv_heads": Option(Want.COUNT), "bias": Option(Want.FLAG, True)}
    ),
    "embed": Operator(_embed, "out", {"out": _COUNT, "vocabulary": _COUNT}),
    "weights": Operator(_weights, "size", {"size": _COUNTS}),
    "max_pool": Operator(_pool, "kernel", _POOL),
    "avg_pool": Operator(_pool, "kernel", _POOL),
    "global_pool": Operator(_global_pool, "of", {"of": Option(Want.WORD, "avg", words=("avg", "max"))}),
    "upsample": Operator(_upsample, "factor", {"factor": _COUNTS}),
    "pad_channels": Operator(_pad_channels, "channels", {"channels": _COUNT}),
    "reshape": Operator(_reshape, "into", {"into": _COUNTS}),
    "flatten": Operator(_flatten),
    "tokens": Operator(_tokens),
    "first_token": Operator(_first_token),
    "batch_norm": _norm_operator("batch_norm", scale=True, shift=True),
    "mean_only": _norm_operator("mean_only", scale=False, shift=True),
    "layer_norm": _norm_operator(
        "layer_norm", True, True, over=Option(Want.WORD, "channels", words=("channels", "sample"))
    ),
    "rms_norm": _norm_operator(
        "rms_norm", True, False, over=Option(Want.WORD, "channels", words=("channels", "sample"))
    ),
    "group_norm": _norm_operator("group_norm", True, True, "groups", groups=_COUNT),
    "instance_norm": _norm_operator("instance_norm", scale=True, shift=True),
    "shifted_relu": _norm_operator("shifted_relu", scale=False, shift=False),
    "constant_scale": _norm_operator("constant_scale", scale=False, shift=False),
    **{word: Operator(_same) for word in sorted(ELEMENTWISE)},
}
