"""The shape of what an operator makes, from the shapes of what it reads.

``onnx.shape_inference`` is not used: it gives up behind computed pads, and a hostile file reaches C++ through it.
Every size is a number here, the batch too, so a shape is known as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from hwnorm.network.onnx_folding import Data, NotFoldedError, slices
from hwnorm.network.onnx_graph import Node
from hwnorm.network.onnx_windows import Shape, convolution, pool, transposed_convolution

Shapes = list[Shape | None]


@dataclass(slots=True)
class Value:
    """What is known of a value before anything runs."""

    shape: Shape | None
    data: Data | None = None
    stored: frozenset[str] | None = (
        None  # the initializers that it is made of alone, none for a constant; None: it depends on the input
    )
    blocker: str = ""  # why the shape is not known


class UnknownShapeError(Exception):
    """The shape depends on data, or on an operator that is not known; the message says why."""


def output_shapes(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    """One shape an output. Raises ``UnknownShapeError``, or ``ValueError`` where the inputs do not fit together."""
    rule = _RULES.get(node.op) if node.standard or node.domain in _KNOWN_DOMAINS else None
    if rule is None:
        runs = node.op in ("If", "Loop", "Scan") and node.standard
        raise UnknownShapeError("what it runs depends on data" if runs else "its operator is not known")
    return rule(node, inputs)


_KNOWN_DOMAINS = ("com.microsoft", "ai.onnx.contrib", "ai.onnx.ml")


def _shape(inputs: Sequence[Value | None], position: int) -> Shape:
    value = inputs[position] if position < len(inputs) else None
    if value is None:
        raise ValueError(f"its input {position} is missing")
    if value.shape is None:
        raise UnknownShapeError(value.blocker)
    return value.shape


def _numbers(node: Node, inputs: Sequence[Value | None], key: str, position: int) -> list[int] | None:
    """A list given as attribute by older operator sets, as input by newer ones; None where left out."""
    value = inputs[position] if position < len(inputs) else None
    if value is None:
        return node.integers(key)
    if value.data is None:
        raise UnknownShapeError(f"its {key!r} is not known, because of {value.blocker}")
    return [int(number) for number in value.data.reshape(-1)]


def _ranked(shape: Shape, rank: int) -> Shape:
    if len(shape) != rank:
        raise ValueError(f"{list(shape)} where {rank} axes are needed")
    return shape


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of a tensor with {rank} axes")
    return axis % rank


def _broadcast(shapes: Sequence[Shape]) -> Shape:
    rank = max(map(len, shapes))
    result = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ValueError(f"shapes {' and '.join(str(list(shape)) for shape in shapes)} do not fit together")
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def _same(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    return [shape, *[None] * (len(node.outputs) - 1)]


def _same_all(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [_shape(inputs, 0)] * len(node.outputs)


def _elementwise(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [_broadcast([_shape(inputs, at) for at, value in enumerate(inputs) if value is not None])]


def _old_elementwise(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    """Before opset 7 the second input could be laid along any axis of the first."""
    if node.version < 7 and node.integer("broadcast", 0):
        return [_shape(inputs, 0)]
    return _elementwise(node, inputs)


def _batch_norm(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    return [shape, *[shape[1:2]] * (len(node.outputs) - 1)]


def _conv(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    position = 3 if node.op == "QLinearConv" else 1
    return convolution(node, _shape(inputs, 0), _shape(inputs, position))


def _conv_transpose(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return transposed_convolution(node, _shape(inputs, 0), _shape(inputs, 1))


def _pool(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return pool(node, _shape(inputs, 0))


def _global_pool(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    return [(*shape[:2], *[1] * (len(shape) - 2))]


def _gemm(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    a, b = _shape(inputs, 0), _shape(inputs, 1)
    if len(a) != 2 or len(b) != 2:
        raise ValueError(f"the product of {list(a)} and {list(b)}, where matrices are needed")
    rows, inner = a[::-1] if node.integer("transA", 0) else a
    inner_b, columns = b[::-1] if node.integer("transB", 0) else b
    if inner != inner_b:
        raise ValueError(f"the product of {list(a)} and {list(b)}, whose inner sizes differ")
    return [(rows, columns)]


def _matmul(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    a, b = _shape(inputs, 0), _shape(inputs, 3 if node.op == "QLinearMatMul" else 1)
    if not a or not b:
        raise ValueError("the product of a scalar")
    left, right = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    if left[-1] != right[-2]:
        raise ValueError(f"the product of {list(a)} and {list(b)}, whose inner sizes differ")
    outer = _broadcast([left[:-2], right[:-2]])
    return [outer + left[-2:-1] * (len(a) > 1) + right[-1:] * (len(b) > 1)]


def _concat(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shapes = [_shape(inputs, at) for at in range(len(inputs))]
    axis = _axis(node.integer("axis", 1), len(shapes[0]))
    rest = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(rest) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise ValueError(f"shapes {' and '.join(str(list(shape)) for shape in shapes)} do not fit along axis {axis}")
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def _reshape(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    target = _numbers(node, inputs, "shape", 1)
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


def _flatten(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    axis = node.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise ValueError(f"axis {axis} of a tensor with {len(shape)} axes")
    axis = axis + len(shape) if axis < 0 else axis
    return [(prod(shape[:axis]), prod(shape[axis:]))]


def _transpose(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    order = node.integers("perm") or list(range(len(shape)))[::-1]
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"the order {order} of a tensor with {len(shape)} axes")
    return [tuple(shape[axis] for axis in order)]


def _squeeze(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    axes = _numbers(node, inputs, "axes", 1)
    drop = {at for at, size in enumerate(shape) if size == 1} if axes is None else {_axis(a, len(shape)) for a in axes}
    if any(shape[at] != 1 for at in drop):
        raise ValueError(f"axes {sorted(drop)} of {list(shape)} are not of size 1")
    return [tuple(size for at, size in enumerate(shape) if at not in drop)]


def _unsqueeze(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    axes = _numbers(node, inputs, "axes", 1) or []
    rank = len(shape) + len(axes)
    new = {_axis(axis, rank) for axis in axes}
    rest = iter(shape)
    return [tuple(1 if at in new else next(rest) for at in range(rank - len(axes) + len(new)))]


def _reduce(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    axes = reduced_axes(node, inputs)
    kept = bool(node.integer("keepdims", 1))
    return [tuple(1 if at in axes else size for at, size in enumerate(shape) if kept or at not in axes)]


def reduced_axes(node: Node, inputs: Sequence[Value | None]) -> tuple[int, ...]:
    """The axes that a reduction runs over, from zero and in order."""
    rank = len(_shape(inputs, 0))
    axes = _numbers(node, inputs, "axes", 1)
    if not axes:
        return () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({_axis(axis, rank) for axis in axes}))


def _arg_reduce(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    axis = _axis(node.integer("axis", 0), len(shape))
    return [(*shape[:axis], *([1] if node.integer("keepdims", 1) else []), *shape[axis + 1 :])]


def _gather(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape, index = _shape(inputs, 0), _shape(inputs, 1)
    axis = _axis(node.integer("axis", 0), len(shape))
    return [shape[:axis] + index + shape[axis + 1 :]]


def _gather_nd(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape, index = _shape(inputs, 0), _shape(inputs, 1)
    batched = node.integer("batch_dims", 0)
    if not index or batched < 0:
        raise ValueError(f"an index of {list(index)}")
    return [index[:-1] + shape[batched + index[-1] :]]


def _second(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [_shape(inputs, 1)]


def _slice(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    data = [None if value is None else value.data for value in inputs]
    if any(value is not None and value.data is None for value in inputs[1:]):
        raise UnknownShapeError("its starts, ends, axes or steps are computed from data")
    try:
        taken = slices(node, data, len(shape))
    except NotFoldedError as error:
        raise UnknownShapeError(str(error)) from None
    return [tuple(len(range(*part.indices(size))) for part, size in zip(taken, shape, strict=True))]


def _split(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    axis = _axis(node.integer("axis", 0), len(shape))
    sizes = _numbers(node, inputs, "split", 1)
    count = len(node.outputs)
    if sizes is None:
        part = -(-shape[axis] // count)
        sizes = [part] * (count - 1) + [shape[axis] - part * (count - 1)]
    if len(sizes) != count or sum(sizes) != shape[axis]:
        raise ValueError(f"{list(shape)} cannot be split into {sizes} along axis {axis}")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def _pad(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    pads = _numbers(node, inputs, "pads", 1) or node.integers("paddings") or []
    axes = _numbers(node, inputs, "axes", 3) if len(inputs) > 3 and inputs[3] is not None else None
    over = list(range(len(shape))) if axes is None else [_axis(axis, len(shape)) for axis in axes]
    if len(pads) != 2 * len(over):
        raise ValueError(f"{len(pads)} pads for {len(over)} axes")
    sizes = list(shape)
    for at, axis in enumerate(over):
        sizes[axis] += pads[at] + pads[at + len(over)]
    return [tuple(sizes)]


def _expand(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    target = _numbers(node, inputs, "shape", 1) or []
    return [_broadcast([_shape(inputs, 0), tuple(target)])]


def _tile(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    times = _numbers(node, inputs, "repeats", 1)
    if times is None or len(times) != len(shape):
        raise ValueError(f"{list(shape)} repeated {times} times")
    return [tuple(size * count for size, count in zip(shape, times, strict=True))]


def _resize(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    if len(inputs) > 3 and inputs[3] is not None:
        sizes = _numbers(node, inputs, "sizes", 3) or []
        axes = [_axis(axis, len(shape)) for axis in node.integers("axes") or range(len(shape))]
        if len(sizes) != len(axes):
            raise ValueError(f"{list(shape)} resized to {sizes}")
        result = list(shape)
        for axis, size in zip(axes, sizes, strict=True):
            result[axis] = size
        return [tuple(result)]
    position = 2 if node.op == "Resize" and node.version > 10 else 1
    value = inputs[position] if position < len(inputs) else None
    scales = node.numbers("scales") if value is None else None
    if value is not None:
        if value.data is None:
            raise UnknownShapeError("its scales are computed from data")
        scales = [float(scale) for scale in value.data.reshape(-1)]
    if not scales or len(scales) != len(shape) or not all(0 < scale < 1e6 for scale in scales):
        raise ValueError(f"{list(shape)} scaled by {scales}")
    return [tuple(int(size * scale) for size, scale in zip(shape, scales, strict=True))]


def _depth_to_space(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    n, c, h, w = _ranked(_shape(inputs, 0), 4)
    block = node.integer("blocksize", 0)
    if block < 1:
        raise ValueError(f"a blocksize of {block}")
    if node.op == "DepthToSpace":
        return [(n, c // (block * block), h * block, w * block)]
    return [(n, c * block * block, h // block, w // block)]


def _one_hot(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    depth = (_numbers(node, inputs, "depth", 1) or [0])[0]
    axis = _axis(node.integer("axis", -1), len(shape) + 1)
    return [(*shape[:axis], depth, *shape[axis:])]


def _top_k(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = _shape(inputs, 0)
    count = (_numbers(node, inputs, "k", 1) or [node.integer("k", 0)])[0] if len(inputs) > 1 else node.integer("k", 0)
    axis = _axis(node.integer("axis", -1), len(shape))
    return [(*shape[:axis], count, *shape[axis + 1 :])] * len(node.outputs)


def _recurrent(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    first, second, _ = _ranked(_shape(inputs, 0), 3)
    hidden = node.integer("hidden_size", 0)
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    if node.integer("layout", 0):
        return [(first, second, directions, hidden), *[(first, directions, hidden)] * (len(node.outputs) - 1)]
    return [(first, directions, second, hidden), *[(directions, second, hidden)] * (len(node.outputs) - 1)]


def _einsum(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    equation = node.text("equation", "").replace(" ", "")
    terms, arrow, result = equation.partition("->")
    sizes: dict[str, int] = {}
    if "." in equation:
        raise UnknownShapeError("its equation leaves axes open")
    for at, term in enumerate(terms.split(",")):
        shape = _shape(inputs, at)
        if len(term) != len(shape):
            raise ValueError(f"the equation {equation!r} does not fit {list(shape)}")
        for letter, size in zip(term, shape, strict=True):
            if sizes.get(letter, 1) not in (1, size) and size != 1:
                raise ValueError(f"the equation {equation!r} has two sizes for {letter!r}")
            sizes[letter] = max(size, sizes.get(letter, 1))
    letters = [letter for letter in terms if letter != ","]
    order = result if arrow else "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return [tuple(sizes[letter] for letter in order)]


def _attention(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    query, value = _shape(inputs, 0), _shape(inputs, 2)
    if len(query) == 4:
        return [(*query[:3], value[-1]), *[None] * (len(node.outputs) - 1)]
    query_heads, value_heads = node.integer("q_num_heads", 1), node.integer("kv_num_heads", 1)
    if query_heads < 1 or value_heads < 1:
        raise ValueError("no heads")
    return [(*query[:2], value[-1] // value_heads * query_heads), *[None] * (len(node.outputs) - 1)]


def _like_attribute(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [tuple(node.integers("shape") or [])]


def _eye_like(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [_shape(inputs, 0)]


def _constant_of_shape(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [tuple(_numbers(node, inputs, "shape", 0) or [])]


def _words(rule: Callable[[Node, Sequence[Value | None]], Shapes], names: str) -> dict[str, Callable[..., Shapes]]:
    return dict.fromkeys(names.split(), rule)


_RULES: dict[str, Callable[[Node, Sequence[Value | None]], Shapes]] = {
    **_words(
        _same,
        "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh CumSum DequantizeLinear "
        "Elu Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LRN LeakyRelu Log LogSoftmax "
        "LpNormalization MeanVarianceNormalization Mish Neg Not PRelu QuantizeLinear Reciprocal Relu Round Selu Shrink "
        "Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu Bernoulli "
        "RandomNormalLike RandomUniformLike ScatterElements Scatter ScatterND ReverseSequence RotaryEmbedding "
        "InstanceNormalization GroupNormalization LayerNormalization RMSNormalization GroupNorm FastGelu QuickGelu "
        "BiasGelu SimplifiedLayerNormalization Normalizer "
        "TensorScatter BitShift ImageScaler Affine ParametricSoftplus ScaledTanh",
    ),
    **_words(_same_all, "Dropout SkipLayerNormalization SkipSimplifiedLayerNormalization"),
    **_words(_batch_norm, "BatchNormalization"),
    **_words(_old_elementwise, "Add Sub Mul Div Pow And Or Xor Equal Greater Less"),
    **_words(
        _elementwise,
        "Max Min Mean Sum Mod Where GreaterOrEqual LessOrEqual BitwiseAnd BitwiseOr BitwiseXor",
    ),
    **_words(_conv, "Conv ConvInteger QLinearConv FusedConv"),
    **_words(_conv_transpose, "ConvTranspose"),
    **_words(_pool, "MaxPool AveragePool LpPool"),
    **_words(_global_pool, "GlobalAveragePool GlobalMaxPool GlobalLpPool"),
    **_words(_gemm, "Gemm"),
    **_words(_matmul, "MatMul MatMulInteger QLinearMatMul"),
    **_words(_concat, "Concat"),
    **_words(_reshape, "Reshape"),
    **_words(_flatten, "Flatten"),
    **_words(_transpose, "Transpose"),
    **_words(_squeeze, "Squeeze"),
    **_words(_unsqueeze, "Unsqueeze"),
    **_words(
        _reduce,
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp "
        "ReduceSumSquare",
    ),
    **_words(_arg_reduce, "ArgMax ArgMin"),
    **_words(_gather, "Gather"),
    **_words(_second, "GatherElements"),
    **_words(_gather_nd, "GatherND"),
    **_words(_slice, "Slice"),
    **_words(_split, "Split"),
    **_words(_pad, "Pad"),
    **_words(_expand, "Expand"),
    **_words(_tile, "Tile"),
    **_words(_resize, "Resize Upsample"),
    **_words(_depth_to_space, "DepthToSpace SpaceToDepth"),
    **_words(_one_hot, "OneHot"),
    **_words(_top_k, "TopK"),
    **_words(_recurrent, "LSTM GRU RNN"),
    **_words(_einsum, "Einsum"),
    **_words(_attention, "Attention"),
    **_words(_like_attribute, "RandomNormal RandomUniform"),
    **_words(_eye_like, "EyeLike"),
    **_words(_constant_of_shape, "ConstantOfShape"),
}
