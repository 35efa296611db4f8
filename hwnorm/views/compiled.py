"""A sweep as one loop over the elements, in machine code: the same integers as in blocks, several times as fast.

``printed_loop`` prints it, numba compiles it when it is first called. Values per group stay with ``arithmetic``, and so
do sweeps with a value past 63 bits, or with a shift to the left, which no datapath has per element so far.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnorm.errors import MissingTool
from hwnorm.fixed import Ints
from hwnorm.ir import Node, Op, Rate
from hwnorm.precision import Fixed, Relative
from hwnorm.views.printed_loop import NAMES, Loop

if TYPE_CHECKING:
    from hwnorm.views.int_ref import Run

SHORT = 256  # elements in a row, from which on a stream is read where it lies


def sweep(run: Run, nodes: tuple[Node, ...], results: dict[Node, Ints]) -> bool:
    """Adds what a sweep finds to ``results``; False, and nothing done, where it cannot be compiled."""
    loop = _loop(run, nodes, tuple(results))
    shifts = [_shift(run, node) for node in loop.rounded] if loop.fits else []
    if not loop.fits or any(np.min(shift) < 0 for shift in shifts):
        return False
    function = _compiled(loop.text)
    held = [*(run.values[node].v for node in loop.per_group), *shifts]
    columns = [np.broadcast_to(np.asarray(v, np.int64).reshape(-1), run.groups) for v in held]
    length = _length_in_place([run.inputs[node.name].v for node in loop.streams])
    for groups in [slice(0, run.groups)] if length else run.together():
        inputs = [run.inputs[n.name].of(groups) if length else run.rows(n, groups) for n in loop.streams]
        streams = [_pieces(stream.v, groups, length or run.elements) for stream in inputs]
        found = [
            v[groups] if node.rate is Rate.STAT else _pieces(v[groups], groups, length or run.elements)
            for node, v in results.items()
        ]
        function(*streams, *(column[groups] for column in columns), *found)
    return True


def _loop(run: Run, nodes: tuple[Node, ...], results: tuple[Node, ...]) -> Loop:
    """Printed once a program."""
    printed = run.program.printed
    if results not in printed:
        printed[results] = Loop(run.arithmetic, nodes, results)
    return printed[results]


@cache
def _compiled(text: str) -> Callable[..., None]:
    try:
        from numba import njit
    except ImportError:
        raise MissingTool("compiled=True needs numba: pip install 'hwnorm[fast]'") from None
    names: dict[str, Any] = dict(NAMES)
    exec(text, names)
    function: Callable[..., None] = njit(names["sweep"])
    return function


def _pieces(rows: Ints, groups: slice, length: int) -> Ints:
    """(groups, pieces, length), of the same memory; one row stands for all groups."""
    pieces = rows.reshape(len(rows), -1, length)
    return pieces if len(pieces) > 1 else np.broadcast_to(pieces, (groups.stop - groups.start, *pieces.shape[1:]))


def _length_in_place(streams: list[Ints]) -> int | None:
    """How many elements lie one behind the other in every stream; None where one of them is better copied."""
    whole, lengths = streams[0][0].size, set()
    for v in streams:
        length, axes = 1, [axis for axis in zip(v.shape[1:], v.strides[1:], strict=True) if axis[0] > 1]
        while axes and axes[-1][1] == length * v.itemsize:
            length *= axes.pop()[0]
        if len(axes) > 1 or length < min(SHORT, whole):
            return None
        lengths.add(length)
    return min(lengths) if lengths <= {min(lengths), whole} else None


def _shift(run: Run, node: Node) -> Any:
    """How far a CAST or an ALIGN moves its operand to the right: one number, or one a group."""
    role = run.precision.role(node.role) if node.role else Relative(0, 0)
    match node.op, role:
        case Op.CAST, Fixed():
            return _frac(run, node.args[0]) - role.frac
        case Op.ALIGN, Relative():
            return _frac(run, node.args[0]) - _frac(run, node.args[1]) - role.guard
        case _:
            raise AssertionError(f"{node!r} is not rounded per element")


def _frac(run: Run, node: Node) -> Any:
    """Of a scaled value the sum of its exponents, each read off a value per group that has it alone."""
    kind = run.types[node]
    alone = {run.types[n].scale: value.frac - run.types[n].frac for n, value in run.values.items()}
    return kind.frac + sum(alone[source,] for source in kind.scale)
