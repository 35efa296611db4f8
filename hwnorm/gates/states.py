"""In which states the cells of a mapped netlist stand, and how often: it weighs the conditions of a Liberty file.

A cell's state is the values of its inputs and, of a register, what it keeps; its clock is high half of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hwnorm.gates.celltypes import STATE, CellType
from hwnorm.gates.lanes import Words, ones
from hwnorm.gates.logic import Function, value
from hwnorm.gates.netlist import Cell

if TYPE_CHECKING:
    from hwnorm.gates.simulator import Simulator

ONE = np.ones(1, np.intp)  # the net that is always 1
Floats = npt.NDArray[np.float64]


class Space:
    """The states of a kind of cell, numbered: bit k is variable k."""

    def __init__(self, behaviour: CellType, inputs: Sequence[str]) -> None:
        self._behaviour = behaviour
        self._clock = behaviour.state.clock if behaviour.state else ""
        kept = [STATE] if behaviour.state else []
        self.variables = tuple(pin for pin in inputs if pin != self._clock) + tuple(kept)
        self.size = 1 << len(self.variables)
        self._all = (1 << self.size) - 1
        self._patterns = {
            name: sum(1 << state for state in range(self.size) if state >> k & 1)
            for k, name in enumerate(self.variables)
        }

        self._where: dict[Function, Floats] = {}
        self._sensitive: dict[tuple[str, str], Floats] = {}

    def where(self, condition: Function) -> Floats:
        """Of each state, how far a condition on pins holds: 0, 1, or half where it asks for the clock's level."""
        if condition not in self._where:
            levels = (0, self._all) if self._clock else (0,)
            found = [self._bits(self._value(condition, {**self._patterns, self._clock: level})) for level in levels]
            self._where[condition] = np.asarray(np.mean(found, axis=0))
        return self._where[condition]

    def sensitive(self, output: str, pin: str) -> Floats:
        """Of each state, whether the output changes with the pin."""
        if (output, pin) not in self._sensitive:
            f = self._behaviour.outputs[output]
            high, low = (self._value(f, {**self._patterns, pin: level}) for level in (self._all, 0))
            self._sensitive[output, pin] = self._bits(high ^ low)
        return self._sensitive[output, pin]

    def _value(self, f: Function, known: dict[str, int]) -> int:
        pins = [known[pin] if pin in known else self._value(self._behaviour.outputs[pin], known) for pin in f.pins]
        return value(f.expression, tuple(pins)) & self._all

    def _bits(self, pattern: int) -> Floats:
        return np.array([pattern >> state & 1 for state in range(self.size)], float)


class States:
    """Counts how often the cells of a library are in each state, in every ``every``-th cycle of a simulation."""

    def __init__(self, simulation: Simulator, every: int = 8) -> None:
        netlist = simulation.netlist
        assert netlist.library is not None
        self._library, self._simulation, self._every, self._cycle = netlist.library, simulation, every, 0
        kinds: dict[str, list[Cell]] = {}
        for cell in netlist.cells:
            if cell.type in self._library.cells:
                kinds.setdefault(cell.type, []).append(cell)
        self._spaces = {kind: self._space(kind) for kind in kinds}
        self._place = {cell.name: k for cells in kinds.values() for k, cell in enumerate(cells)}
        self._nets = {kind: np.array([self._of(cell) for cell in cells]).T for kind, cells in kinds.items()}
        self._counts = {kind: np.zeros((self.space(kind).size, len(c)), np.int64) for kind, c in kinds.items()}
        simulation.watch(self.look)

    def space(self, kind: str) -> Space:
        return self._spaces[kind]

    def _space(self, kind: str) -> Space:
        cell = self._library.cells[kind]
        assert cell.behaviour is not None
        return Space(cell.behaviour, tuple(cell.capacitance_pf))

    def chances(self, cell: Cell) -> Floats:
        """Of each state of a cell; they add up to 1."""
        counts = self._counts[cell.type][:, self._place[cell.name]]
        return np.asarray(counts / max(counts.sum(), 1))

    def look(self) -> None:
        """Called when all has settled."""
        self._cycle += 1
        if self._cycle % self._every:
            return
        for kind, counts in self._counts.items():
            inverted, nets = self._nets[kind]
            planes = self._simulation.values(nets) ^ self._simulation.values(inverted)
            _count(planes, None, counts, 0, self._simulation.values(ONE)[0])

    def _of(self, cell: Cell) -> list[tuple[int, int]]:
        """Of each variable the constant that turns what its net says into it, and the net."""
        found = []
        for name in self.space(cell.type).variables:
            if name == STATE:
                found.append(self._kept(cell))
            else:
                found.append((0, cell.pins[name][0] if cell.pins.get(name) else 0))
        return found or [(0, 0)]

    def _kept(self, cell: Cell) -> tuple[int, int]:
        """What shows the state of a register, and whether inverted."""
        behaviour = self._library.cells[cell.type].behaviour
        assert behaviour is not None
        for pin, shown in behaviour.outputs.items():
            if cell.pins.get(pin) and shown.pins == (STATE,):
                return 0 if shown.expression == 0 else 1, cell.pins[pin][0]
        return 0, 0


def _count(planes: Words, chosen: Words | None, counts: npt.NDArray[np.int64], state: int, live: Words) -> None:
    """Adds up the streams that are in each state; the last variable is decided first."""
    k = len(planes) - 1
    if counts.shape[0] == 1:
        counts[state] += ones(live)
        return
    high = planes[k] & live if chosen is None else planes[k] & chosen
    low = high ^ live if chosen is None else high ^ chosen
    for part, at in ((low, state), (high, state | 1 << k)):
        if k:
            _count(planes[:k], part, counts, at, live)
        else:
            counts[at] += ones(part)
