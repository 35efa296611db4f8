"""Shapes behind operators that slide a window: convolutions, their transposes and pools."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from hwnorm.network.onnx_graph import Node
from hwnorm.network.onnx_values import Shape


def _per_axis(node: Node, key: str, rank: int, default: int, lowest: int) -> list[int]:
    values = node.integers(key)
    if not values:
        return [default] * rank
    if len(values) != rank or any(value < lowest for value in values):
        raise ValueError(f"its attribute {key!r} must be {rank} integers of at least {lowest}, not {values}")
    return values


def _pads(node: Node, rank: int) -> list[int]:
    values = node.integers("pads")
    if not values:
        return [0] * (2 * rank)
    if len(values) != 2 * rank:
        raise ValueError(f"its attribute 'pads' must be {2 * rank} integers, not {values}")
    return values


def window(node: Node, spatial: Sequence[int], kernel: Sequence[int], ceil_mode: bool) -> list[int]:
    """The plane behind a convolution or pool."""
    rank = len(spatial)
    strides = _per_axis(node, "strides", rank, 1, 1)
    dilations = _per_axis(node, "dilations", rank, 1, 1)
    automatic = node.text("auto_pad", "NOTSET")
    pads = _pads(node, rank) if automatic in ("NOTSET", "") else [0] * (2 * rank)
    result = []
    for axis, size in enumerate(spatial):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        if automatic in ("SAME_UPPER", "SAME_LOWER"):
            result.append(-(-size // strides[axis]))
            continue
        if automatic not in ("NOTSET", "VALID", ""):
            raise ValueError(f"its attribute 'auto_pad' is {automatic!r}")
        free = size + pads[axis] + pads[axis + rank] - reach
        if free < 0:
            raise ValueError(f"its window of {reach} is larger than the padded input of {free + reach}")
        steps = free // strides[axis]
        if ceil_mode:
            up = -(-free // strides[axis])
            # a window must start inside the input or the padding in front of it
            steps = up if up * strides[axis] < size + pads[axis] else steps
        result.append(steps + 1)
    return result


def convolution(node: Node, x: Shape, weight: Shape) -> list[Shape | None]:
    rank = len(x) - 2
    if rank < 1 or len(weight) != len(x):
        raise ValueError(f"an input of {list(x)} does not fit a weight of {list(weight)}")
    group = node.integer("group", 1)
    if group < 1 or weight[1] * group != x[1] or weight[0] % group:
        raise ValueError(f"{x[1]} input channels do not fit a weight of {list(weight)} in {group} groups")
    kernel = _kernel(node, weight[2:])
    return [(x[0], weight[0], *window(node, x[2:], kernel, False))]


def transposed_convolution(node: Node, x: Shape, weight: Shape) -> list[Shape | None]:
    rank = len(x) - 2
    if rank < 1 or len(weight) != len(x):
        raise ValueError(f"an input of {list(x)} does not fit a weight of {list(weight)}")
    group = node.integer("group", 1)
    if group < 1 or weight[0] != x[1]:
        raise ValueError(f"{x[1]} input channels do not fit a weight of {list(weight)}")
    kernel = _kernel(node, weight[2:])
    channels = weight[1] * group
    given = node.integers("output_shape")
    if given:
        return [(x[0], channels, *given[-rank:])]
    strides = _per_axis(node, "strides", rank, 1, 1)
    dilations = _per_axis(node, "dilations", rank, 1, 1)
    extra = _per_axis(node, "output_padding", rank, 0, 0)
    automatic = node.text("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        return [(x[0], channels, *(size * stride for size, stride in zip(x[2:], strides, strict=True)))]
    pads = _pads(node, rank)
    plane = [
        strides[axis] * (x[axis + 2] - 1) + extra[axis] + dilations[axis] * (kernel[axis] - 1) + 1
        - pads[axis] - pads[axis + rank]
        for axis in range(rank)
    ]  # fmt: skip
    return [(x[0], channels, *plane)]


def _kernel(node: Node, weight: Sequence[int]) -> Sequence[int]:
    kernel = node.integers("kernel_shape")
    if kernel and list(kernel) != list(weight):
        raise ValueError(f"its kernel_shape {kernel} is not that of its weight, {list(weight)}")
    return weight


def pool(node: Node, x: Shape) -> list[Shape | None]:
    rank = len(x) - 2
    kernel = node.integers("kernel_shape")
    if rank < 1 or not kernel or len(kernel) != rank or any(size < 1 for size in kernel):
        raise ValueError(f"an input of {list(x)} does not fit a window of {kernel}")
    shape = (x[0], x[1], *window(node, x[2:], kernel, bool(node.integer("ceil_mode", 0))))
    return [shape] * max(1, len(node.outputs))


def convolution_macs(node: Node, weight: Shape, x: Shape, out: Shape) -> int:
    """Multiply-accumulates of the whole tensor; a transposed convolution spends them per input element."""
    if node.op == "ConvTranspose":
        return prod(x) * prod(weight[1:])
    return prod(out) * prod(weight[1:])
