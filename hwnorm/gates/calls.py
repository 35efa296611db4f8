"""A program's steps as NumPy calls on fixed arrays: a cycle costs these calls and nothing else.

The pins of a group are gathered into a scratch area that stays in the cache, and its function is evaluated there; the
last operation writes the results where they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from hwnorm.gates.lanes import WORD, Words
from hwnorm.gates.logic import OUT, operations
from hwnorm.gates.program import Group, Lookup, Rows

Call = Callable[[], object]
LookUp = Callable[[int, int], Words]
"""What a read port of a memory finds now."""


def bind(steps: Sequence[Group | Lookup], values: Words, results: Words, look_up: LookUp) -> list[Call]:
    """Calls that evaluate steps one after another; the results of all stand in one array, one step behind the other."""
    planes = (operations(step.expression)[1] * step.out.size for step in steps if isinstance(step, Group))
    scratch = np.empty((max(planes, default=0), values.shape[1]), WORD)
    calls: list[Call] = []
    first = 0
    for step in steps:
        out = results[first : first + step.out.size]
        first += step.out.size
        match step:
            case Group():
                calls += group_calls(step, values, scratch, out)
            case Lookup(memory, port):
                calls.append(partial(_look_up, look_up, memory, port, out))
    return calls


def _look_up(look_up: LookUp, memory: int, port: int, out: Words) -> None:
    out[:] = look_up(memory, port)


def group_calls(group: Group, values: Words, scratch: Words, out: Words) -> list[Call]:
    """Calls that evaluate a group into ``out``; ``scratch`` is free before and after."""
    found, count = operations(group.expression)
    size = group.out.size
    if not found[0][1]:
        return [partial(out.fill, 0 if found[0][0] is np.bitwise_and else 0xFFFFFFFFFFFFFFFF)]
    planes = scratch[: count * size].reshape(count, size, values.shape[1])
    if found[0][0] is np.positive:
        return [_gather(values, group.pins[0], out)]
    pins = _gather(values, group.pins.reshape(-1), planes[: len(group.pins)].reshape(-1, values.shape[1]))
    views = {OUT: out, **dict(enumerate(planes))}
    return [pins, *(partial(ufunc, *(views[s] for s in sources), out=views[to]) for ufunc, sources, to in found)]


def _gather(values: Words, rows: Rows, out: Words) -> Call:
    return partial(values.take, np.ascontiguousarray(rows), axis=0, out=out, mode="clip")  # "raise" would copy twice
