"""An ONNX file as a message, without its weights.

The graph of a network of any size is small; its weights may be larger than memory. So the file is mapped, and copied
field by field with the payload of every weight above 1 KiB and of every constant above 64 KiB left out: shapes and
small constants remain. Tensors that lie in other files are never looked for, whatever their path says.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hwnorm.errors import InputError, MissingTool

_WEIGHT_BYTES = 1 << 10  # initializers above this lose their payload; those that make shapes are far below
_CONSTANT_BYTES = 1 << 16  # so do constants above this; a vector of ones in the place of a gamma is below
_GRAPH_BYTES = 1 << 26  # what may remain: some 400,000 nodes

# Field numbers of onnx.proto3: where tensors hang. None marks a payload.
_TENSOR: dict[int, Any] = dict.fromkeys((4, 5, 6, 7, 9, 10, 11))  # float, int32, string, int64, raw, double, uint64
_WEIGHT = dict(_TENSOR)
_SPARSE = {1: _TENSOR, 2: _TENSOR}
_ATTRIBUTE: dict[int, Any] = {5: _TENSOR, 10: _TENSOR, 22: _SPARSE, 23: _SPARSE}
_NODE = {5: _ATTRIBUTE}
_GRAPH = {1: _NODE, 5: _WEIGHT, 15: _SPARSE}
_ATTRIBUTE |= {6: _GRAPH, 11: _GRAPH}
_MODEL = {7: _GRAPH, 25: {7: _NODE}}

_DEEPEST = 90  # below the nesting limit of protobuf itself


class _NotWholeError(ValueError):
    """The bytes are not a protobuf message."""


def require_onnx() -> Any:
    """The onnx package, or one line that says how to get it."""
    try:
        import onnx
    except ImportError as error:
        raise MissingTool(f"reading ONNX needs the package onnx ({error}): pip install hwnorm[onnx]") from None
    return onnx


def read_model(path: Path) -> Any:
    """The ``ModelProto`` of a file, its large tensors declared but empty."""
    onnx = require_onnx()
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise InputError(f"{path}: the file is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                content = b"".join(_copied(view, 0, len(view), _MODEL, 0))
    except _NotWholeError as error:
        raise InputError(f"{path}: no whole ONNX file ({error})") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path}: cannot be read ({reason})") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, by a name that differs between its implementations
        raise InputError(f"{path}: no ONNX file ({' '.join(str(error).split())})") from None
    if not model.HasField("graph") or not model.graph.node:
        raise InputError(f"{path}: no ONNX file, or one without a graph")
    for holder in (model.graph, *model.functions):
        if any(isinstance(text, bytes) for text in _texts(holder)):  # how protobuf gives what is no UTF-8
            raise InputError(f"{path}: no whole ONNX file (a name in it is no text)")
    return model


def _texts(holder: Any) -> Iterator[str | bytes]:
    """Every name in a graph or function, its subgraphs included."""
    yield holder.name
    for node in holder.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
            for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") or attribute.graphs else ():
                yield from _texts(graph)
    if hasattr(holder, "initializer"):
        yield from (one.name for one in holder.initializer)
        yield from (one.values.name for one in holder.sparse_initializer)
        for one in (*holder.input, *holder.output, *holder.value_info):
            yield one.name
            yield from (dim.dim_param for dim in one.type.tensor_type.shape.dim)
    else:
        yield from (holder.domain, *holder.input, *holder.output, *holder.attribute)


def _copied(view: memoryview, start: int, end: int, kinds: dict[int, Any], depth: int) -> list[bytes]:
    """The message between two offsets, in pieces, without the payloads that ``kinds`` marks."""
    if depth > _DEEPEST:
        raise _NotWholeError("nested too deeply")
    limit = _WEIGHT_BYTES if kinds is _WEIGHT or kinds is _GRAPH else _CONSTANT_BYTES
    pieces: list[bytes] = []
    at = kept = start
    while at < end:
        key, content = _varint(view, at, end)
        number, wire = key >> 3, key & 7
        match wire:
            case 0:
                _, at_next = _varint(view, content, end)
            case 1:
                at_next = content + 8
            case 2:
                length, content = _varint(view, content, end)
                at_next = content + length
            case 5:
                at_next = content + 4
            case _:
                raise _NotWholeError(f"a field of unknown type at byte {at}")
        if at_next > end:
            raise _NotWholeError(f"it ends within a field that starts at byte {at}")
        if wire == 2 and number in kinds and at_next - content > limit:
            pieces.append(bytes(view[kept:at]))
            kind = kinds[number]
            if kind is not None:
                inner = _copied(view, content, at_next, kind, depth + 1)
                pieces += [_encoded(key), _encoded(sum(map(len, inner))), *inner]
            kept = at_next
        at = at_next
        if at - kept > _GRAPH_BYTES:
            break
    pieces.append(bytes(view[kept : min(at, end)]))
    if sum(map(len, pieces)) > _GRAPH_BYTES:
        raise _NotWholeError(f"more than {_GRAPH_BYTES >> 20} MiB beside its weights")
    return pieces


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = view[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise _NotWholeError(f"it ends within a number at byte {at}")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
