"""Where branches meet: each join takes the shapes that its branches give, and gives one.

Every branch starts from the same data. A message names the branches and the shapes that clash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hwnorm.network.operators import Result
from hwnorm.network.shapes import DoesNotFit, Shape, bounded, shape_text


def _add(shapes: Sequence[Shape]) -> Result:
    for number, shape in enumerate(shapes, 1):
        if shape != shapes[0]:
            raise DoesNotFit(f"branch 1 gives {shape_text(shapes[0])}, branch {number} {shape_text(shape)}")
    return Result(shapes[0])


def _multiply(shapes: Sequence[Shape]) -> Result:
    """Element by element; a branch that is a vector has one number for each channel of the others."""
    largest = max(shapes, key=len)
    for number, shape in enumerate(shapes, 1):
        if shape not in (largest, largest[:1]):
            raise DoesNotFit(
                f"branch {number} gives {shape_text(shape)}; {shape_text(largest)} or {largest[0]} is needed"
            )
    return Result(largest)


def _concat(shapes: Sequence[Shape]) -> Result:
    for number, shape in enumerate(shapes, 1):
        if shape[1:] != shapes[0][1:]:
            raise DoesNotFit(
                f"branch 1 gives {shape_text(shapes[0])}, branch {number} {shape_text(shape)}: "
                "all but the channels must agree"
            )
    return Result(bounded((sum(shape[0] for shape in shapes), *shapes[0][1:])))


def _concat_tokens(shapes: Sequence[Shape]) -> Result:
    for number, shape in enumerate(shapes, 1):
        if len(shape) != 2 or shape[0] != shapes[0][0]:
            raise DoesNotFit(
                f"branch 1 gives {shape_text(shapes[0])}, branch {number} {shape_text(shape)}: "
                "tokens of the same number of features are needed"
            )
    return Result(bounded((shapes[0][0], sum(shape[1] for shape in shapes))))


def _matmul(shapes: Sequence[Shape]) -> Result:
    """The first branch's points, each times the matrix of the second (out x channels): a learned change of axes."""
    data, matrix = shapes[0], shapes[-1]
    if len(shapes) != 2 or len(data) != 2 or len(matrix) != 2 or matrix[1] != data[0]:
        found = " and ".join(shape_text(shape) for shape in shapes)
        raise DoesNotFit(f"takes two branches, CxL points and a KxC matrix, not {found}")
    return Result(bounded((matrix[0], data[1])), macs=matrix[0] * data[0] * data[1])


JOINS: dict[str, Callable[[Sequence[Shape]], Result]] = {
    "add": _add,
    "multiply": _multiply,
    "concat": _concat,
    "concat_tokens": _concat_tokens,
    "matmul": _matmul,
}
