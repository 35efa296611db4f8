"""The shape of what an operator makes, from the shapes of what it reads.

``onnx.shape_inference`` is not used: it gives up behind computed pads, and a hostile file reaches C++ through it.
Every size is a number here, the batch too, so a shape is known as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hwnorm.network import onnx_moves
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
from hwnorm.network.onnx_windows import convolution, pool, transposed_convolution


def output_shapes(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    """One shape an output. Raises ``UnknownShapeError``, or ``ValueError`` where the inputs do not fit together."""
    rule = _RULES.get(node.op) if node.standard or node.domain in _KNOWN_DOMAINS else None
    if rule is None:
        runs = node.op in ("If", "Loop", "Scan") and node.standard
        raise UnknownShapeError("what it runs depends on data" if runs else "its operator is not known")
    return rule(node, inputs)


_KNOWN_DOMAINS = ("com.microsoft", "ai.onnx.contrib", "ai.onnx.ml")


def _same(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    return [shape, *[None] * (len(node.outputs) - 1)]


def _same_all(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [shape_of(inputs, 0)] * len(node.outputs)


def _elementwise(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [broadcast([shape_of(inputs, at) for at, value in enumerate(inputs) if value is not None])]


def _old_elementwise(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    """Before opset 7 the second input could be laid along any axis of the first."""
    if node.version < 7 and node.integer("broadcast", 0):
        return [shape_of(inputs, 0)]
    return _elementwise(node, inputs)


def _batch_norm(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    return [shape, *[shape[1:2]] * (len(node.outputs) - 1)]


def _conv(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    position = 3 if node.op == "QLinearConv" else 1
    return convolution(node, shape_of(inputs, 0), shape_of(inputs, position))


def _conv_transpose(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return transposed_convolution(node, shape_of(inputs, 0), shape_of(inputs, 1))


def _pool(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return pool(node, shape_of(inputs, 0))


def _global_pool(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    return [(*shape[:2], *[1] * (len(shape) - 2))]


def _gemm(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    a, b = shape_of(inputs, 0), shape_of(inputs, 1)
    if len(a) != 2 or len(b) != 2:
        raise ValueError(f"the product of {list(a)} and {list(b)}, where matrices are needed")
    rows, inner = a[::-1] if node.integer("transA", 0) else a
    inner_b, columns = b[::-1] if node.integer("transB", 0) else b
    if inner != inner_b:
        raise ValueError(f"the product of {list(a)} and {list(b)}, whose inner sizes differ")
    return [(rows, columns)]


def _matmul(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    a, b = shape_of(inputs, 0), shape_of(inputs, 3 if node.op == "QLinearMatMul" else 1)
    if not a or not b:
        raise ValueError("the product of a scalar")
    left, right = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    if left[-1] != right[-2]:
        raise ValueError(f"the product of {list(a)} and {list(b)}, whose inner sizes differ")
    outer = broadcast([left[:-2], right[:-2]])
    return [outer + left[-2:-1] * (len(a) > 1) + right[-1:] * (len(b) > 1)]


def _reduce(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    axes = reduced_axes(node, inputs)
    kept = bool(node.integer("keepdims", 1))
    return [tuple(1 if at in axes else size for at, size in enumerate(shape) if kept or at not in axes)]


def reduced_axes(node: Node, inputs: Sequence[Value | None]) -> tuple[int, ...]:
    """The axes that a reduction runs over, from zero and in order."""
    rank = len(shape_of(inputs, 0))
    axes = numbers_of(node, inputs, "axes", 1)
    if not axes:
        return () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({axis_of(axis, rank) for axis in axes}))


def _arg_reduce(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    axis = axis_of(node.integer("axis", 0), len(shape))
    return [(*shape[:axis], *([1] if node.integer("keepdims", 1) else []), *shape[axis + 1 :])]


def _one_hot(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    depth = (numbers_of(node, inputs, "depth", 1) or [0])[0]
    axis = axis_of(node.integer("axis", -1), len(shape) + 1)
    return [(*shape[:axis], depth, *shape[axis:])]


def _top_k(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    shape = shape_of(inputs, 0)
    count = (numbers_of(node, inputs, "k", 1) or [node.integer("k", 0)])[0] if len(inputs) > 1 else node.integer("k", 0)
    axis = axis_of(node.integer("axis", -1), len(shape))
    return [(*shape[:axis], count, *shape[axis + 1 :])] * len(node.outputs)


def _recurrent(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    first, second, _ = ranked(shape_of(inputs, 0), 3)
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
        shape = shape_of(inputs, at)
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
    query, value = shape_of(inputs, 0), shape_of(inputs, 2)
    if len(query) == 4:
        return [(*query[:3], value[-1]), *[None] * (len(node.outputs) - 1)]
    query_heads, value_heads = node.integer("q_num_heads", 1), node.integer("kv_num_heads", 1)
    if query_heads < 1 or value_heads < 1:
        raise ValueError("no heads")
    return [(*query[:2], value[-1] // value_heads * query_heads), *[None] * (len(node.outputs) - 1)]


def _like_attribute(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [tuple(node.integers("shape") or [])]


def _eye_like(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [shape_of(inputs, 0)]


def _constant_of_shape(node: Node, inputs: Sequence[Value | None]) -> Shapes:
    return [tuple(numbers_of(node, inputs, "shape", 0) or [])]


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
    **_words(onnx_moves.concat, "Concat"),
    **_words(onnx_moves.reshape, "Reshape"),
    **_words(onnx_moves.flatten, "Flatten"),
    **_words(onnx_moves.transpose, "Transpose"),
    **_words(onnx_moves.squeeze, "Squeeze"),
    **_words(onnx_moves.unsqueeze, "Unsqueeze"),
    **_words(
        _reduce,
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp "
        "ReduceSumSquare",
    ),
    **_words(_arg_reduce, "ArgMax ArgMin"),
    **_words(onnx_moves.gather, "Gather"),
    **_words(onnx_moves.second, "GatherElements"),
    **_words(onnx_moves.gather_nd, "GatherND"),
    **_words(onnx_moves.slice, "Slice"),
    **_words(onnx_moves.split, "Split"),
    **_words(onnx_moves.pad, "Pad"),
    **_words(onnx_moves.expand, "Expand"),
    **_words(onnx_moves.tile, "Tile"),
    **_words(onnx_moves.resize, "Resize Upsample"),
    **_words(onnx_moves.depth_to_space, "DepthToSpace SpaceToDepth"),
    **_words(_one_hot, "OneHot"),
    **_words(_top_k, "TopK"),
    **_words(_recurrent, "LSTM GRU RNN"),
    **_words(_einsum, "Einsum"),
    **_words(_attention, "Attention"),
    **_words(_like_attribute, "RandomNormal RandomUniform"),
    **_words(_eye_like, "EyeLike"),
    **_words(_constant_of_shape, "ConstantOfShape"),
}
