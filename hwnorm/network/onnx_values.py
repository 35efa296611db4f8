"""What is known of the values of an ONNX graph, and the questions that shape rules ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwnorm.network.onnx_folding import Data
from hwnorm.network.onnx_graph import Node

Shape = tuple[int, ...]
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


def shape_of(inputs: Sequence[Value | None], position: int) -> Shape:
    value = inputs[position] if position < len(inputs) else None
    if value is None:
        raise ValueError(f"its input {position} is missing")
    if value.shape is None:
        raise UnknownShapeError(value.blocker)
    return value.shape


def numbers_of(node: Node, inputs: Sequence[Value | None], key: str, position: int) -> list[int] | None:
    """A list given as attribute by older operator sets, as input by newer ones; None where left out."""
    value = inputs[position] if position < len(inputs) else None
    if value is None:
        return node.integers(key)
    if value.data is None:
        raise UnknownShapeError(f"its {key!r} is not known, because of {value.blocker}")
    return [int(number) for number in value.data.reshape(-1)]


def ranked(shape: Shape, rank: int) -> Shape:
    if len(shape) != rank:
        raise ValueError(f"{list(shape)} where {rank} axes are needed")
    return shape


def axis_of(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of a tensor with {rank} axes")
    return axis % rank


def broadcast(shapes: Sequence[Shape]) -> Shape:
    rank = max(map(len, shapes))
    result = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ValueError(f"shapes {' and '.join(str(list(shape)) for shape in shapes)} do not fit together")
        result.append(wide.pop() if wide else 1)
    return tuple(result)
