"""Shapes behind operators that move data: join, cut, turn, repeat, resample."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor, prod

from hwnorm.network.onnx_folding import NotFoldedError, slices
from hwnorm.network.onnx_graph import Node
from hwnorm.network.onnx_values import (
    Shapes,
    UnknownShapeError,
    Value,
    axis_of,
    broadcast,
    numbers_of,
    ranked,
    shape_of,
)


def concat(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shapes = [shape_of(inputs, at) for at in range(len(inputs))]
    axis = axis_of(node.integer("axis", 1), len(shapes[0]))
    rest = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(rest) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise ValueError(f"shapes {' and '.join(str(list(shape)) for shape in shapes)} do not fit along axis {axis}")
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def reshape(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    target = numbers_of(node, inputs, "shape", 1)
    if target is None:
        raise ValueError("its target shape is missing")
    copies = not node.integer("allowzero", 0)
    if any(size == 0 and copies and at >= len(shape) for at, size in enumerate(target)) or target.count(-1) > 1:
        raise ValueError(f"{list(shape)} cannot become {target}")
    sizes = [shape[at] if size == 0 and copies else size for at, size in enumerate(target)]
    known = prod(size for size in sizes if size != -1)
    if -1 in sizes and known:
        sizes[sizes.index(-1)] = prod(shape) // known
    if prod(sizes) != prod(shape) or any(size < 0 for size in sizes):
        raise ValueError(f"{list(shape)} cannot become {target}")
    return [tuple(sizes)]


def flatten(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    axis = node.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise ValueError(f"axis {axis} of a tensor with {len(shape)} axes")
    axis = axis + len(shape) if axis < 0 else axis
    return [(prod(shape[:axis]), prod(shape[axis:]))]


def transpose(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    order = node.integers("perm") or list(range(len(shape)))[::-1]
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"the order {order} of a tensor with {len(shape)} axes")
    return [tuple(shape[axis] for axis in order)]


def squeeze(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    axes = numbers_of(node, inputs, "axes", 1)
    drop = (
        {at for at, size in enumerate(shape) if size == 1} if axes is None else {axis_of(a, len(shape)) for a in axes}
    )
    if any(shape[at] != 1 for at in drop):
        raise ValueError(f"axes {sorted(drop)} of {list(shape)} are not of size 1")
    return [tuple(size for at, size in enumerate(shape) if at not in drop)]


def unsqueeze(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    axes = numbers_of(node, inputs, "axes", 1) or []
    rank = len(shape) + len(axes)
    new = {axis_of(axis, rank) for axis in axes}
    if len(new) < len(axes):
        raise ValueError(f"the axes {axes} name one axis twice")
    rest = iter(shape)
    return [tuple(1 if at in new else next(rest) for at in range(rank))]


def gather(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape, index = shape_of(inputs, 0), shape_of(inputs, 1)
    axis = axis_of(node.integer("axis", 0), len(shape))
    return [shape[:axis] + index + shape[axis + 1 :]]


def gather_nd(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape, index = shape_of(inputs, 0), shape_of(inputs, 1)
    batched = node.integer("batch_dims", 0)
    if not index or batched < 0:
        raise ValueError(f"an index of {list(index)}")
    return [index[:-1] + shape[batched + index[-1] :]]


def second(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [shape_of(inputs, 1)]


def slice(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    data = [None if value is None else value.data for value in inputs]
    if any(value is not None and value.data is None for value in inputs[1:]):
        raise UnknownShapeError("its starts, ends, axes or steps are computed from data")
    try:
        taken = slices(node, data, len(shape))
    except NotFoldedError as error:
        raise UnknownShapeError(str(error)) from None
    return [tuple(len(range(*part.indices(size))) for part, size in zip(taken, shape, strict=True))]


def split(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    axis = axis_of(node.integer("axis", 0), len(shape))
    sizes = numbers_of(node, inputs, "split", 1)
    count = len(node.outputs)
    if sizes is None:
        part = -(-shape[axis] // count)
        sizes = [part] * (count - 1) + [shape[axis] - part * (count - 1)]
    if len(sizes) != count or sum(sizes) != shape[axis]:
        raise ValueError(f"{list(shape)} cannot be split into {sizes} along axis {axis}")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def pad(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    pads = numbers_of(node, inputs, "pads", 1) or node.integers("paddings") or []
    axes = numbers_of(node, inputs, "axes", 3) if len(inputs) > 3 and inputs[3] is not None else None
    over = list(range(len(shape))) if axes is None else [axis_of(axis, len(shape)) for axis in axes]
    if len(pads) != 2 * len(over):
        raise ValueError(f"{len(pads)} pads for {len(over)} axes")
    sizes = list(shape)
    for at, axis in enumerate(over):
        sizes[axis] += pads[at] + pads[at + len(over)]
    return [tuple(sizes)]


def expand(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    target = numbers_of(node, inputs, "shape", 1) or []
    return [broadcast([shape_of(inputs, 0), tuple(target)])]


def tile(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    times = numbers_of(node, inputs, "repeats", 1)
    if times is None or len(times) != len(shape):
        raise ValueError(f"{list(shape)} repeated {times} times")
    return [tuple(size * count for size, count in zip(shape, times, strict=True))]


def resize(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    axes = [axis_of(axis, len(shape)) for axis in node.integers("axes") or range(len(shape))]
    before = [shape[axis] for axis in axes]
    if len(inputs) > 3 and inputs[3] is not None:
        sizes = numbers_of(node, inputs, "sizes", 3) or []
        if len(sizes) != len(axes):
            raise ValueError(f"{list(shape)} resized to {sizes}")
        policy = node.text("keep_aspect_ratio_policy", "stretch")
        after = sizes if policy == "stretch" else _in_proportion(before, sizes, policy)
    else:
        scales = _scales(node, inputs)
        if not scales or len(scales) != len(axes) or not all(0 < scale < 1e6 for scale in scales):
            raise ValueError(f"{list(shape)} scaled by {scales}")
        after = [int(size * scale) for size, scale in zip(before, scales, strict=True)]
    result = list(shape)
    for axis, size in zip(axes, after, strict=True):
        result[axis] = size
    return [tuple(result)]


def _in_proportion(before: Sequence[int], sizes: Sequence[int], policy: str) -> list[int]:
    """The largest that is "not_larger" than the sizes, or the smallest that is "not_smaller", halves rounded up."""
    if 0 in before:
        raise ValueError(f"{list(before)} resized in proportion to {list(sizes)}")
    ratios = [Fraction(wanted, size) for wanted, size in zip(sizes, before, strict=True)]
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [floor(size * ratio + Fraction(1, 2)) for size in before]


def _scales(node: Node, inputs: Sequence[Value | None]) -> list[float] | None:
    position = 2 if node.op == "Resize" and node.version > 10 else 1
    value = inputs[position] if position < len(inputs) else None
    if value is None:
        return node.numbers("scales")
    if value.data is None:
        raise UnknownShapeError("its scales are computed from data")
    return [float(scale) for scale in value.data.reshape(-1)]


def depth_to_space(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    n, c, h, w = ranked(shape_of(inputs, 0), 4)
    block = node.integer("blocksize", 0)
    if block < 1:
        raise ValueError(f"a blocksize of {block}")
    if node.op == "DepthToSpace":
        return [(n, c // (block * block), h * block, w * block)]
    return [(n, c * block * block, h // block, w // block)]
