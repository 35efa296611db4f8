"""What a mapped netlist's activity costs, by the tables of its Liberty file.

Four parts, each of them a cell's:

- leakage, by the states that the cell stands in;
- switching: half of C V^2 for every change of a net that the cell reads, with C its pin and its branch of the wire. So
  what drives a net is not asked: a port, a memory and a cell are the same;
- internal energy: of every change of an output, by the table of the input that brought it about (inputs share the
  changes as often as they change and the output would follow), and of inputs by the state that they find;
- clock: the same two at the clock pins of registers. A clock tree's buffers and wires come with placement; they are not
  in it.

Rising and falling changes are equally many. Memories that are no cells of the library are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnorm.gates.liberty import Library
from hwnorm.gates.logic import Function
from hwnorm.gates.netlist import Cell, Netlist
from hwnorm.gates.states import Floats, Space, States
from hwnorm.gates.tables import CellTables, Energy, tables_of
from hwnorm.gates.timing import Timing, Wires, library_of
from hwnorm.gates.toggles import Toggles


@dataclass(frozen=True)
class CellEnergy:
    """Energies in pJ of all cycles and streams together that toggles were counted in."""

    cell: Cell
    leakage_uw: float
    switching_pj: float
    internal_pj: float
    clock_pj: float

    @property
    def dynamic_pj(self) -> float:
        return self.switching_pj + self.internal_pj + self.clock_pj


def energies(netlist: Netlist, timing: Timing, toggles: Toggles, states: States) -> list[CellEnergy]:
    """Of each cell of the library, in the netlist's order."""
    library = library_of(netlist)
    tables = {kind: tables_of(library, kind) for kind in {c.type for c in netlist.cells} if kind in library.cells}
    account = _Account(library, Wires.of(netlist), timing, toggles, states, tables)
    return [account.of(cell) for cell in netlist.cells if cell.type in tables]


@dataclass(frozen=True)
class _Account:
    library: Library
    wires: Wires
    timing: Timing
    toggles: Toggles
    states: States
    tables: dict[str, CellTables]

    def of(self, cell: Cell) -> CellEnergy:
        known, tables = self.library.cells[cell.type], self.tables[cell.type]
        space, chances = self.states.space(cell.type), self.states.chances(cell)
        clock_pin = known.behaviour.state.clock if known.behaviour and known.behaviour.state else ""
        switching = {pin: self._switching(cell, pin) for pin in known.capacitance_pf if cell.pins.get(pin)}
        clock = switching.pop(clock_pin, 0.0)
        internal = 0.0
        for pin in dict.fromkeys(energy.pin for energy in tables.energies):
            groups = [energy for energy in tables.energies if energy.pin == pin]
            if not cell.pins.get(pin):
                continue
            if pin == clock_pin:
                clock += self._of_input(cell, groups, space, chances)
            elif pin in known.capacitance_pf:
                internal += self._of_input(cell, groups, space, chances)
            else:
                internal += self._of_output(cell, groups, space, chances)
        leakage = self._leakage(cell, space, chances)
        return CellEnergy(cell, leakage, sum(switching.values()), internal, clock)

    def _leakage(self, cell: Cell, space: Space, chances: Floats) -> float:
        found, left = 0.0, 1.0
        for when, uw in self.tables[cell.type].leakages_uw:
            share = float(space.where(when) @ chances)
            found, left = found + share * uw, left - share
        return found + max(left, 0.0) * self.library.cells[cell.type].leakage_uw

    def _switching(self, cell: Cell, pin: str) -> float:
        net = cell.pins[pin][0]
        farads = sum(self.library.cells[cell.type].capacitance_pf[pin]) / 2 + self.wires.branches[net][1]
        return self.toggles.of(net) * farads * self.library.voltage**2 / 2

    def _of_input(self, cell: Cell, groups: Sequence[Energy], space: Space, chances: Floats) -> float:
        net = cell.pins[groups[0].pin][0]
        slew = self.timing.slew_ns.get(net, 0.0)
        each = [(e.rise(slew) + e.fall(slew)) / 2 for e in groups]
        return self.toggles.of(net) * float(np.dot(each, [w @ chances for w in _conditions(groups, space)]))

    def _of_output(self, cell: Cell, groups: Sequence[Energy], space: Space, chances: Floats) -> float:
        output = groups[0].pin
        rise, fall = self.wires.load_pf[cell.pins[output][0]]
        weights, each = [], []
        clock = self.library.cells[cell.type].behaviour
        for pin in dict.fromkeys(pin for e in groups for pin in e.related if cell.pins.get(pin)):
            mine = [e for e in groups if pin in e.related]
            net = cell.pins[pin][0]
            slew = self.timing.slew_ns.get(net, 0.0)
            clocked = clock is not None and clock.state is not None
            follows = np.ones(space.size) if clocked else space.sensitive(output, pin)
            for e, where in zip(mine, _conditions(mine, space), strict=True):
                weights.append(self.toggles.of(net) * float((where * follows) @ chances))
                each.append((e.rise(slew, rise) + e.fall(slew, fall)) / 2)
        total = sum(weights)
        shares = [weight / total for weight in weights] if total else [1 / len(weights)] * len(weights)
        return self.toggles.of(cell.pins[output][0]) * float(np.dot(each, shares))


def _conditions(groups: Sequence[Energy], space: Space) -> list[Floats]:
    """Where each group holds; one without a condition holds where none of the others does."""
    told: list[Function] = [e.when for e in groups if e.when is not None]
    left = np.maximum(1.0 - sum((space.where(when) for when in told), np.zeros(space.size)), 0.0)
    return [left if e.when is None else space.where(e.when) for e in groups]
