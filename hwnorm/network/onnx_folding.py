"""Constants that shapes are computed from: the few operators that exporters compute them with, in NumPy.

A value above ``LARGEST`` elements is data, not a shape: it is not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnorm.network.onnx_graph import Node

Data = NDArray[Any]

LARGEST = 1 << 14
_MOST_AXES = 32  # NumPy's limit before version 2

# TensorProto.DataType -> NumPy; bfloat16 (16), which NumPy lacks, as the float32 that has all of its values. Anything
# else (float8, strings, 4 bits) makes no shapes.
TYPES: dict[int, Any] = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64, 16: np.float32,
}  # fmt: skip

_FIELDS = {1: "float_data", 2: "int32_data", 3: "int32_data", 4: "int32_data", 5: "int32_data", 6: "int32_data",
           7: "int64_data", 9: "int32_data", 10: "int32_data", 11: "double_data", 12: "uint64_data",
           13: "uint64_data", 16: "int32_data"}  # fmt: skip

_FLOAT16, _BFLOAT16 = 10, 16  # whose bits a file holds as integers


class NotFoldedError(Exception):
    """The operator is none that shapes are computed with, or its constants do not fit."""


def tensor_data(tensor: Any) -> Data | None:
    """The numbers of a ``TensorProto``; None where they are missing, elsewhere, too many or do not fit its shape."""
    kind = TYPES.get(tensor.data_type)
    size = prod(tensor.dims)
    fits = size <= LARGEST and len(tensor.dims) <= _MOST_AXES and all(0 <= one <= LARGEST for one in tensor.dims)
    if kind is None or tensor.data_location == 1 or not fits:
        return None
    held = np.dtype(np.uint16 if tensor.data_type in (_FLOAT16, _BFLOAT16) else kind)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != size * held.itemsize:
            return None
        flat = np.frombuffer(tensor.raw_data, held.newbyteorder("<")).astype(held)
    else:
        try:
            flat = np.array(getattr(tensor, _FIELDS[tensor.data_type]), held)
        except OverflowError:
            return None
    if flat.size != size:
        return None
    if tensor.data_type == _FLOAT16:
        flat = flat.view(np.float16)
    elif tensor.data_type == _BFLOAT16:
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(tuple(tensor.dims))


def fold(node: Node, inputs: Sequence[Data | None]) -> list[Data]:
    """What a standard operator makes of constants. Raises ``NotFoldedError`` where it cannot be known."""
    try:
        with np.errstate(all="ignore"):
            results = _fold(node, inputs)
    except NotFoldedError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError, MemoryError) as error:
        raise NotFoldedError(str(error)) from None
    if any(result.size > LARGEST for result in results):
        raise NotFoldedError("too large for a shape")
    return results


def _need(inputs: Sequence[Data | None], position: int) -> Data:
    data = inputs[position] if position < len(inputs) else None
    if data is None:
        raise NotFoldedError("an input is missing")
    return data


def _integers(node: Node, inputs: Sequence[Data | None], key: str, position: int) -> list[int] | None:
    """A list that older operator sets give as attribute and newer ones as input."""
    if position < len(inputs) and inputs[position] is not None:
        return [int(number) for number in _need(inputs, position).reshape(-1)]
    return node.integers(key)


def _limited(size: int) -> None:
    if not 0 <= size <= LARGEST:
        raise NotFoldedError("too large for a shape")


def _fold(node: Node, inputs: Sequence[Data | None]) -> list[Data]:
    a = _need(inputs, 0)
    match node.op:
        case "Identity" | "Dropout":
            return [a]
        case "Cast":
            kind = TYPES.get(node.integer("to", 0))
            if kind is None:
                raise NotFoldedError("cast to a type that makes no shapes")
            return [a.astype(kind)]
        case "CastLike":
            return [a.astype(_need(inputs, 1).dtype)]
        case "Neg" | "Abs" | "Sqrt" | "Floor" | "Ceil" | "Round" | "Not" | "Sign" | "Exp" | "Log" | "Reciprocal":
            return [_unary(node.op, a)]
        case "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Equal" | "Greater" | "Less" | "GreaterOrEqual":
            return [_binary(node, a, _need(inputs, 1))]
        case "LessOrEqual" | "And" | "Or" | "Xor":
            return [_binary(node, a, _need(inputs, 1))]
        case "Min" | "Max" | "Sum":
            combine = {"Min": np.minimum, "Max": np.maximum, "Sum": np.add}[node.op]
            result: Data = a
            for position in range(1, len(inputs)):
                result = combine(result, _need(inputs, position))
            return [result]
        case "Where":
            return [np.where(a, _need(inputs, 1), _need(inputs, 2))]
        case "Shape":
            raise NotFoldedError("made from the shape alone")
        case "Gather":
            index = _need(inputs, 1)
            axis = node.integer("axis", 0)
            _limited(a.size // max(1, a.shape[axis]) * index.size)
            return [np.take(a, np.where(index < 0, index + a.shape[axis], index), axis=axis)]
        case "Concat":
            return [np.concatenate([_need(inputs, at) for at in range(len(inputs))], axis=node.integer("axis", 0))]
        case "Slice":
            return [a[slices(node, inputs, a.ndim)]]
        case "Squeeze":
            axes = _integers(node, inputs, "axes", 1)
            return [np.squeeze(a, axis=None if axes is None else tuple(axes))]
        case "Unsqueeze":
            axes = _integers(node, inputs, "axes", 1) or []
            return [np.expand_dims(a, tuple(axes))]
        case "Reshape":
            target = _integers(node, inputs, "shape", 1) or []
            return [a.reshape([a.shape[at] if size == 0 else size for at, size in enumerate(target)])]
        case "Flatten":
            axis = node.integer("axis", 1)
            return [a.reshape(prod(a.shape[:axis]), -1)]
        case "Transpose":
            return [np.transpose(a, node.integers("perm"))]
        case "Expand":
            target = _integers(node, inputs, "shape", 1) or []
            _limited(prod(np.broadcast_shapes(a.shape, tuple(target))))
            return [np.broadcast_to(a, np.broadcast_shapes(a.shape, tuple(target)))]
        case "Tile":
            times = _integers(node, inputs, "repeats", 1) or []
            _limited(a.size * prod(times))
            return [np.tile(a, times)]
        case "Range":
            start, limit, step = (_need(inputs, at).reshape(-1)[0] for at in range(3))
            _limited(int((limit - start) // step))
            return [np.arange(start, limit, step, dtype=a.dtype)]
        case "ConstantOfShape":
            target = [int(size) for size in a.reshape(-1)]
            _limited(prod(target))
            filler = node.tensor("value")
            value = None if filler is None else tensor_data(filler)
            if filler is not None and value is None:
                raise NotFoldedError("its value cannot be read")
            return [np.full(target, np.float32(0) if value is None else value.reshape(-1)[0])]
        case "ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin":
            reduce: Any = {"ReduceProd": np.prod, "ReduceSum": np.sum, "ReduceMax": np.max, "ReduceMin": np.min}[
                node.op
            ]
            axes = _integers(node, inputs, "axes", 1)
            over = None if axes is None else tuple(axes)
            kept = bool(node.integer("keepdims", 1))
            return [np.asarray(reduce(a, axis=over, keepdims=kept), dtype=a.dtype)]
        case "NonZero":
            return [np.array(np.nonzero(a), dtype=np.int64)]
        case "CumSum":
            return [np.cumsum(a, axis=int(_need(inputs, 1)), dtype=a.dtype)]
        case "ScatterND":
            result = a.copy()
            result[tuple(np.moveaxis(_need(inputs, 1), -1, 0))] = _need(inputs, 2)
            return [result]
        case "Split":
            axis = node.integer("axis", 0)
            sizes = _integers(node, inputs, "split", 1)
            parts = sizes or [-(-a.shape[axis] // len(node.outputs))] * len(node.outputs)
            return list(np.split(a, np.cumsum(parts)[:-1], axis=axis))
        case _:
            raise NotFoldedError("no operator that shapes are computed with")


def _unary(op: str, a: Data) -> Data:
    match op:
        case "Neg":
            return np.asarray(-a)
        case "Not":
            return np.logical_not(a)
        case "Ceil" | "Floor" | "Abs" | "Sign" | "Sqrt" | "Exp" | "Log":
            return np.asarray(getattr(np, op.lower())(a), dtype=a.dtype)
        case "Round":
            return np.asarray(np.round(a))
        case _:
            return np.asarray(1 / a, dtype=a.dtype)


def _binary(node: Node, a: Data, b: Data) -> Data:
    whole = np.issubdtype(a.dtype, np.integer)
    match node.op:
        case "Add":
            return np.asarray(a + b)
        case "Sub":
            return np.asarray(a - b)
        case "Mul":
            return np.asarray(a * b)
        case "Div" if whole:
            if np.any(b == 0):
                raise NotFoldedError("a division by zero")
            return np.asarray(np.trunc(np.true_divide(a, b)), dtype=a.dtype)
        case "Div":
            return np.asarray(a / b)
        case "Mod":
            if np.any(b == 0):
                raise NotFoldedError("a division by zero")
            return np.asarray(np.fmod(a, b) if node.integer("fmod", 0) else np.mod(a, b))
        case "Pow":
            return np.asarray(np.power(a.astype(np.float64), b), dtype=a.dtype)
        case "Equal" | "Greater" | "Less":
            return np.asarray(getattr(np, node.op.lower())(a, b))
        case "GreaterOrEqual":
            return np.asarray(a >= b)
        case "LessOrEqual":
            return np.asarray(a <= b)
        case _:
            return np.asarray({"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}[node.op](a, b))


def slices(node: Node, inputs: Sequence[Data | None], rank: int) -> tuple[slice, ...]:
    """What ``Slice`` takes of every axis, as Python slices."""
    starts = _integers(node, inputs, "starts", 1)
    ends = _integers(node, inputs, "ends", 2)
    if starts is None or ends is None:
        raise NotFoldedError("starts and ends are not known")
    axes = _integers(node, inputs, "axes", 3)
    steps = _integers(node, inputs, "steps", 4) or [1] * len(starts)
    result = [slice(None)] * rank
    for axis, start, end, step in zip(axes or range(len(starts)), starts, ends, steps, strict=True):
        backwards_to_front = step < 0 and end < -(1 << 31)
        result[axis] = slice(start, None if backwards_to_front else end, step)
    return tuple(result)
