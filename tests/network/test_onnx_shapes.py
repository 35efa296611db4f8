"""Shapes and folded constants against ONNX's own reference evaluator, which runs each operator on numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_graphs import node

from hwnorm.errors import InputError
from hwnorm.network.onnx_folding import tensor_data
from hwnorm.network.onnx_program import Program, build
from hwnorm.network.onnx_values import Value

F, I = np.float32, np.int64  # noqa: E741 - the two types of the table


def model_of(one: Any, arrays: dict[str, Any], opset: int, open_inputs: set[str]) -> Any:
    kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in arrays.items()}
    inputs = [
        helper.make_tensor_value_info(name, kinds[name], arrays[name].shape) for name in arrays if name in open_inputs
    ]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name not in open_inputs]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in one.output if name]
    graph = helper.make_graph([one], "g", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def program_of(one: Any, arrays: dict[str, Any], opset: int, open_inputs: set[str]) -> Program:
    model = model_of(one, arrays, opset, open_inputs)
    return build(model, {name: Value(arrays[name].shape) for name in open_inputs}, {})


def truth(one: Any, arrays: dict[str, Any], opset: int) -> list[Any]:
    return list(ReferenceEvaluator(model_of(one, arrays, opset, set(arrays))).run(None, arrays))


def ints(*values: int) -> Any:
    return np.array(values, dtype=I)


X = np.arange(2 * 6 * 8 * 10, dtype=F).reshape(2, 6, 8, 10)

SHAPES: list[tuple[str, dict[str, Any], dict[str, Any], int]] = [
    ("Conv", {"x": X, "w": np.ones((4, 3, 3, 2), F)}, {"group": 2, "strides": [2, 1], "pads": [1, 0, 0, 2]}, 17),
    ("Conv", {"x": X, "w": np.ones((4, 6, 3, 3), F)}, {"dilations": [2, 3], "auto_pad": "VALID"}, 17),
    ("Conv", {"x": X, "w": np.ones((4, 6, 3, 3), F)}, {"strides": [3, 2], "auto_pad": "SAME_UPPER"}, 17),
    ("Conv", {"x": X[:, :, 0], "w": np.ones((4, 6, 3), F)}, {"strides": [2]}, 11),
    ("ConvTranspose", {"x": X, "w": np.ones((6, 4, 3, 3), F)},
     {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, 17),
    ("ConvTranspose", {"x": X, "w": np.ones((6, 4, 4, 3), F)}, {"strides": [1, 3], "dilations": [2, 1]}, 17),
    ("MaxPool", {"x": X}, {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1}, 17),
    ("MaxPool", {"x": X}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 12),
    ("AveragePool", {"x": X}, {"kernel_shape": [2, 2], "strides": [2, 2]}, 17),
    ("GlobalAveragePool", {"x": X}, {}, 17),
    ("Gemm", {"x": X[0, 0], "w": np.ones((8, 3), F)}, {"transA": 1}, 17),
    ("Gemm", {"x": X[0, 0], "w": np.ones((3, 10), F)}, {"transB": 1}, 17),
    ("MatMul", {"x": X, "w": np.ones((10, 3), F)}, {}, 17),
    ("MatMul", {"x": X[0, 0], "w": np.ones(10, F)}, {}, 17),
    ("MatMul", {"x": X[0, 0, 0], "w": np.ones((4, 10, 2), F)}, {}, 17),
    ("Concat", {"x": X, "z": X}, {"axis": -2}, 17),
    ("Reshape", {"x": X, "s": ints(0, -1, 4)}, {}, 17),
    ("Flatten", {"x": X}, {"axis": 2}, 17),
    ("Flatten", {"x": X}, {"axis": 0}, 17),
    ("Flatten", {"x": X}, {"axis": -1}, 17),
    ("Transpose", {"x": X}, {"perm": [2, 0, 3, 1]}, 17),
    ("Transpose", {"x": X}, {}, 17),
    ("Squeeze", {"x": X[:1, :, :1], "a": ints(0, -2)}, {}, 17),
    ("Squeeze", {"x": X[:1, :, :1]}, {}, 17),
    ("Squeeze", {"x": X[:1]}, {"axes": [0]}, 11),
    ("Unsqueeze", {"x": X[0], "a": ints(0, -1)}, {}, 17),
    ("Unsqueeze", {"x": X[0], "a": ints(-1, 1)}, {}, 17),
    ("ReduceMean", {"x": X}, {"axes": [-1, 1], "keepdims": 0}, 17),
    ("ReduceMean", {"x": X, "a": ints(2)}, {}, 18),
    ("ReduceMean", {"x": X}, {"keepdims": 0}, 18),
    ("ReduceMean", {"x": X}, {"noop_with_empty_axes": 1}, 18),
    ("ArgMax", {"x": X}, {"axis": 2, "keepdims": 0}, 17),
    ("Gather", {"x": X, "i": ints(1, 2, 0)}, {"axis": 1}, 17),
    ("Gather", {"x": X, "i": np.array(3, I)}, {"axis": -1}, 17),
    ("GatherElements", {"x": X, "i": np.zeros((2, 3, 8, 10), I)}, {"axis": 1}, 17),
    ("GatherND", {"x": X, "i": np.zeros((3, 2), I)}, {}, 17),
    ("Slice", {"x": X, "s": ints(1, -1), "e": ints(-1, -(1 << 62)), "a": ints(1, 3), "t": ints(2, -3)}, {}, 17),
    ("Slice", {"x": X, "s": ints(0), "e": ints(1 << 62)}, {}, 17),
    ("Split", {"x": X, "s": ints(2, 4)}, {"axis": 1}, 17),
    ("Split", {"x": X}, {"axis": 1, "num_outputs": 2}, 18),
    ("Split", {"x": X}, {"axis": 3, "split": [3, 7]}, 11),
    ("Pad", {"x": X, "p": ints(0, 1, 2, 3, 0, 0, 1, 4)}, {}, 17),
    ("Pad", {"x": X, "p": ints(1, 2), "c": np.array(0, F), "a": ints(-1)}, {}, 18),
    ("Expand", {"x": X[:, :1], "s": ints(3, 1, 6, 1, 1)}, {}, 17),
    ("Tile", {"x": X, "r": ints(1, 2, 1, 3)}, {}, 17),
    ("Resize", {"x": X, "r": np.array([], F), "s": np.array([1, 1, 2.5, 0.5], F)}, {"mode": "nearest"}, 17),
    ("Resize", {"x": X, "r": np.array([], F), "s": np.array([], F), "n": ints(2, 6, 5, 7)}, {"mode": "linear"}, 17),
    ("Resize", {"x": X, "r": np.array([], F), "s": np.array([0.5, 2], F)}, {"axes": [1, 3]}, 18),
    ("Resize", {"x": X, "r": np.array([], F), "s": np.array([], F), "n": ints(6, 7)}, {"axes": [2, 3]}, 18),
    ("DepthToSpace", {"x": X[:, :4]}, {"blocksize": 2}, 17),
    ("SpaceToDepth", {"x": X}, {"blocksize": 2}, 17),
    ("OneHot", {"x": ints(0, 1, 2), "d": np.array(5, I), "v": np.array([0, 1], F)}, {"axis": 0}, 17),
    ("TopK", {"x": X, "k": ints(3)}, {"axis": 1}, 17),
    ("Einsum", {"x": X, "w": np.ones((8, 10, 5), F)}, {"equation": "nchw,hwd->dnc"}, 17),
    ("Einsum", {"x": X[0, 0], "w": np.ones((10, 5), F)}, {"equation": "ab,bc"}, 17),
    ("Where", {"c": X > 1, "x": X[:, :1], "z": X[0]}, {}, 17),
    ("Add", {"x": X, "z": X[0, :, :1, :1]}, {}, 17),
    ("Max", {"x": X, "z": X[0, 0], "y2": X[:, :, :, :1]}, {}, 17),
    ("LSTM", {"x": np.ones((7, 2, 3), F), "w": np.ones((1, 20, 3), F), "r": np.ones((1, 20, 5), F)},
     {"hidden_size": 5}, 17),
    ("BatchNormalization", {"x": X, **{name: np.ones(6, F) for name in "sbmv"}}, {}, 17),
    ("LayerNormalization", {"x": X, "s": np.ones(10, F)}, {}, 17),
    ("Clip", {"x": X}, {}, 17),
    ("Softmax", {"x": X}, {}, 17),
]  # fmt: skip

OUTPUTS = {"Split": 2, "TopK": 2, "LSTM": 3}


@pytest.mark.parametrize(
    ("op", "arrays", "attributes", "opset"), SHAPES, ids=[f"{at}-{one[0]}" for at, one in enumerate(SHAPES)]
)
def test_shape(op: str, arrays: dict[str, Any], attributes: dict[str, Any], opset: int) -> None:
    names = [name if array.size or op != "Resize" else "" for name, array in arrays.items()]
    one = node(op, names, [f"y{at}" for at in range(OUTPUTS.get(op, 1))], **attributes)
    given = {name: array for name, array in arrays.items() if name in names}
    expected = [array.shape for array in truth(one, given, opset)]
    data = {name for name in given if (name in ("x", "z", "c") and name == next(iter(arrays))) or name in ("x", "z")}
    program = program_of(one, given, opset, data)
    assert [program.values[name].shape for name in one.output] == expected


@pytest.mark.parametrize(
    ("policy", "sizes", "expected"),
    [
        ("stretch", (9, 7), (9, 7)),
        ("not_larger", (16, 16), (13, 16)),  # 12.8
        ("not_larger", (5, 16), (5, 6)),  # 6.25
        ("not_smaller", (16, 16), (16, 20)),
        ("not_smaller", (5, 9), (7, 9)),  # 7.2
        ("not_smaller", (4, 15), (12, 15)),
        ("not_larger", (5, 5), (4, 5)),
        ("not_larger", (2, 10), (2, 3)),  # 2.5: halves up
    ],
)
def test_resize_in_proportion(policy: str, sizes: tuple[int, int], expected: tuple[int, int]) -> None:
    """ONNX's formula, worked out by hand: its reference evaluator passes over the policy."""
    one = node("Resize", ["x", "", "", "n"], ["y"], axes=[2, 3], keep_aspect_ratio_policy=policy)
    program = program_of(one, {"x": X, "n": ints(*sizes)}, 18, {"x"})
    assert program.values["y"].shape == (2, 6, *expected)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE])
def test_numbers_of_every_width(kind: int, raw: bool) -> None:
    given = helper.make_tensor("t", kind, [2, 2], [1.0, -0.5, 65280.0, 2.0**-14])
    expected = numpy_helper.to_array(given)
    tensor = given
    if raw:
        tensor = TensorProto(data_type=kind, dims=[2, 2], raw_data=expected.tobytes())
    data = tensor_data(tensor)
    assert data is not None
    np.testing.assert_array_equal(data.astype(np.float64), expected.astype(np.float64))


V = ints(5, -3, 8, 2)

BOTH_SIGNS = ("Add", "Sub", "Mul", "Div", "Mod", "Equal", "Greater", "Less")
POSITIVE = ("Min", "Max", "Sum", "GreaterOrEqual", "LessOrEqual", "Pow")
REAL = ("Sqrt", "Floor", "Ceil", "Round", "Exp", "Log", "Reciprocal")
ALONE = ("Neg", "Abs", "Sign", "Identity", "ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")

FOLDED: list[tuple[str, dict[str, Any], dict[str, Any], int]] = [
    *[(op, {"x": V, "z": ints(2, 2, -3, 5)}, {}, 17) for op in BOTH_SIGNS],
    *[(op, {"x": V, "z": ints(5, 0, 9, 1)}, {}, 17) for op in POSITIVE],
    *[(op, {"x": np.array([0.25, 1.5, 2.5, 4.0], F)}, {}, 17) for op in REAL],
    *[(op, {"x": V}, {}, 17) for op in ALONE],
    ("Mod", {"x": V, "z": ints(3, 2, -3, 5)}, {"fmod": 1}, 17),
    ("Div", {"x": np.array([5, 3], F), "z": np.array([2, 4], F)}, {}, 17),
    ("And", {"x": V > 2, "z": V > 6}, {}, 17),
    ("Xor", {"x": V > 2, "z": V > 6}, {}, 17),
    ("Not", {"x": V > 2}, {}, 17),
    ("Cast", {"x": np.array([1.7, -2.7], F)}, {"to": 7}, 17),
    ("Cast", {"x": np.array([1.5, -2.0], F)}, {"to": 10}, 17),
    ("CastLike", {"x": V, "z": np.array([1.0], F)}, {}, 17),
    ("Where", {"x": V > 2, "y2": V, "z": ints(0)}, {}, 17),
    ("Gather", {"x": V.reshape(2, 2), "i": ints(-1, 0)}, {"axis": 1}, 17),
    ("Concat", {"x": V, "z": V}, {"axis": -1}, 17),
    ("Slice", {"x": V, "s": ints(-1), "e": ints(-(1 << 63)), "a": ints(0), "t": ints(-1)}, {}, 17),
    ("Slice", {"x": V}, {"starts": [1], "ends": [3]}, 9),
    ("Squeeze", {"x": V.reshape(1, 4), "a": ints(0)}, {}, 17),
    ("Unsqueeze", {"x": V, "a": ints(1)}, {}, 17),
    ("Reshape", {"x": V, "s": ints(2, -1)}, {}, 17),
    ("Transpose", {"x": V.reshape(2, 2)}, {"perm": [1, 0]}, 17),
    ("Expand", {"x": V, "s": ints(3, 1)}, {}, 17),
    ("Tile", {"x": V, "r": ints(2)}, {}, 17),
    ("Range", {"x": np.array(9, I), "z": np.array(1, I), "t": np.array(-3, I)}, {}, 17),
    ("ConstantOfShape", {"x": ints(2, 3)}, {"value": helper.make_tensor("", 7, [1], [4])}, 17),
    ("NonZero", {"x": ints(0, 3, 0, 1)}, {}, 17),
    ("CumSum", {"x": V, "a": np.array(0, I)}, {}, 17),
    ("ScatterND", {"x": V, "i": np.array([[2], [0]], I), "u": ints(9, 7)}, {}, 17),
    ("Shape", {"x": X}, {"start": 1, "end": -1}, 17),
    ("Size", {"x": X}, {}, 17),
    ("Flatten", {"x": V.reshape(2, 2)}, {"axis": 0}, 17),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "arrays", "attributes", "opset"), FOLDED, ids=[f"{at}-{one[0]}" for at, one in enumerate(FOLDED)]
)
def test_fold(op: str, arrays: dict[str, Any], attributes: dict[str, Any], opset: int) -> None:
    one = node(op, list(arrays), ["y"], **attributes)
    (expected,) = truth(one, arrays, opset)
    program = program_of(one, arrays, opset, set())
    data = program.values["y"].data
    assert data is not None
    assert data.shape == np.shape(expected)
    np.testing.assert_allclose(data, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "arrays", "attributes", "words"),
    [
        ("Conv", {"x": X, "w": np.ones((4, 5, 3, 3), F)}, {}, "6 input channels do not fit"),
        ("Conv", {"x": X, "w": np.ones((4, 6, 9, 3), F)}, {}, "window of 9 is larger"),
        ("Conv", {"x": X, "w": np.ones((4, 6, 3, 3), F)}, {"strides": [0, 1]}, "'strides' must be 2 integers"),
        ("Add", {"x": X, "w": np.ones(7, F)}, {}, "do not fit together"),
        ("MatMul", {"x": X, "w": np.ones((7, 3), F)}, {}, "inner sizes differ"),
        ("Reshape", {"x": X, "w": ints(7, -1)}, {}, "cannot become"),
        ("Concat", {"x": X, "w": X[:1]}, {"axis": 1}, "do not fit along axis 1"),
        ("Gather", {"x": X, "w": ints(0)}, {"axis": 4}, "axis 4 of a tensor with 4 axes"),
        ("Pad", {"x": X, "w": ints(1, 1)}, {}, "2 pads for 4 axes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(op: str, arrays: dict[str, Any], attributes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=rf"node 'here' \({op}\): .*{words}"):
        program_of(node(op, list(arrays), ["y"], "here", **attributes), arrays, 17, {"x"})
