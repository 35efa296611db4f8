"""How fast a mapped netlist is: arrival times and slews summed over a Liberty file's tables, as static timing does.

This is before placement: wires are what the file's default wire load makes of them, or nothing; the clock is ideal.
Paths run from register to register; those from and to ports and memories are not timed. At every net the latest arrival
and the slowest slew of all arcs into it go on, whichever arc they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from hwnorm.errors import InputError
from hwnorm.gates.liberty import Library
from hwnorm.gates.netlist import Cell, Netlist
from hwnorm.gates.order import in_order
from hwnorm.gates.tables import FALL, RISE, Arc, CellTables, Sense, tables_of

Point = tuple[int, int]  # a net and an edge of it
Load = tuple[float, float]  # when it rises, when it falls
NO_LOAD = (0.0, 0.0)


@dataclass(frozen=True)
class Timing:
    """``period_ns``: the shortest, None where no register feeds another. ``path``: its nets, from a register's output
    to a register's data pin; ``into``: the output of that one. ``load_pf``: of a net, its pins and its wire;
    ``slew_ns``: of a net, the mean of its edges."""

    period_ns: float | None
    path: tuple[int, ...]
    into: int | None
    load_pf: Mapping[int, Load]
    slew_ns: Mapping[int, float]

    @property
    def fmax_mhz(self) -> float | None:
        return None if self.period_ns is None else 1e3 / self.period_ns


def library_of(netlist: Netlist) -> Library:
    if netlist.library is None:
        raise InputError(f"{netlist.name}: a netlist without a Liberty file has no times and energies")
    return netlist.library


@dataclass(frozen=True)
class Wires:
    """What stands on each net, as the library's default wire load has it: balanced, a branch to every reader. A clock's
    wire is left to its tree."""

    load_pf: Mapping[int, Load]  # pins and wire
    branches: Mapping[int, tuple[float, float]]  # the resistance and the capacitance of one, in kilo-ohm and pF

    @classmethod
    def of(cls, netlist: Netlist) -> Wires:
        library, clocks = library_of(netlist), netlist.program.clocks
        pins = {net: NO_LOAD for cell in netlist.cells for nets in cell.pins.values() for net in nets}
        readers = dict.fromkeys(pins, 0)
        for cell in netlist.cells:
            known = library.cells.get(cell.type)
            inputs = known.capacitance_pf if known else dict.fromkeys(set(cell.pins) - cell.outputs, NO_LOAD)
            for pin, (rise, fall) in inputs.items():
                for net in cell.pins.get(pin, ()):
                    pins[net] = (pins[net][RISE] + rise, pins[net][FALL] + fall)
                    readers[net] += 1
        for net in (net for bits in netlist.outputs.values() for net in bits if net in readers):
            readers[net] += 1
        load, branches = {}, {}
        for net, (rise, fall) in pins.items():
            length = 0.0 if net in clocks else library.wire.length(readers[net])
            wire_pf, each = library.wire.capacitance_pf * length, max(readers[net], 1)
            load[net] = (rise + wire_pf, fall + wire_pf)
            branches[net] = (library.wire.resistance_kohm * length / each, wire_pf / each)
        return cls(load, branches)

    def delay_ns(self, net: int, pin_pf: float) -> float:
        """To a pin of a net (Elmore's)."""
        kohm, farads = self.branches[net]
        return kohm * (farads + pin_pf)


def analyse(netlist: Netlist) -> Timing:
    """InputError for a combinational loop, for a clock both of whose edges store something (a path from one to the
    other has half a period), and where the netlist has no library."""
    library, wires = library_of(netlist), Wires.of(netlist)
    edges = [commit.edge for commit in netlist.program.commits]
    if len({edge.clock for edge in edges}) < len(edges):
        raise InputError(f"{netlist.name}: registers at both edges of a clock, whose half periods are not timed")
    kinds = {cell.type for cell in netlist.cells if cell.type in library.cells}
    tables = {kind: tables_of(library, kind) for kind in kinds}
    order = _in_order([cell for cell in netlist.cells if cell.type in tables], tables, netlist.name)
    arrival: dict[Point, float] = {}
    slew: dict[Point, float] = {}
    before: dict[Point, Point] = {}
    for cell in order:
        pins = library.cells[cell.type].capacitance_pf
        for arc in tables[cell.type].arcs:
            for source, target in _points(cell, arc):
                at = 0.0
                if not arc.clocked:
                    at = arrival.get(source, -inf) + wires.delay_ns(source[0], pins[arc.pin][source[1]])
                ramp, farads = slew.get(source, 0.0), wires.load_pf[target[0]][target[1]]
                slew[target] = max(slew.get(target, 0.0), arc.slew[target[1]](ramp, farads))
                if at > -inf:
                    later = at + arc.delay[target[1]](ramp, farads)
                    if later > arrival.get(target, -inf):
                        arrival[target] = later
                        before[target] = source
    period, end, into = None, None, None
    for cell in order:
        for setup in tables[cell.type].setups:
            for net in cell.pins.get(setup.pin, ()):
                for edge in (RISE, FALL):
                    point = (net, edge)
                    if point in arrival:
                        wire = wires.delay_ns(net, library.cells[cell.type].capacitance_pf[setup.pin][edge])
                        needed = arrival[point] + wire + setup.time[edge](0.0, slew.get(point, 0.0))
                        if period is None or needed > period:
                            period, end = needed, point
                            into = next(
                                (cell.pins[pin][0] for pin in outputs(cell, tables) if cell.pins.get(pin)), None
                            )
    path: list[int] = []
    while end is not None and end in before:
        path.append(end[0])
        end = before[end]
    nets = {net for net, _ in slew}
    means = {net: (slew.get((net, RISE), 0.0) + slew.get((net, FALL), 0.0)) / 2 for net in nets}
    return Timing(period, tuple(reversed(path)), into, wires.load_pf, means)


def outputs(cell: Cell, tables: Mapping[str, CellTables]) -> tuple[str, ...]:
    """In the order of the Liberty file."""
    return tuple(dict.fromkeys(arc.output for arc in tables[cell.type].arcs))


def _points(cell: Cell, arc: Arc) -> list[tuple[Point, Point]]:
    """The edges of the input that bring about those of the output."""
    sources, targets = cell.pins.get(arc.pin, ()), cell.pins.get(arc.output, ())
    if not sources or not targets:
        return []
    source, target = sources[0], targets[0]
    if arc.clocked:  # the clock's active edge brings both about; an ideal clock has no slew
        return [((source, RISE), (target, RISE)), ((source, RISE), (target, FALL))]
    found = []
    if arc.sense is not Sense.NEGATIVE:
        found += [((source, RISE), (target, RISE)), ((source, FALL), (target, FALL))]
    if arc.sense is not Sense.POSITIVE:
        found += [((source, FALL), (target, RISE)), ((source, RISE), (target, FALL))]
    return found


def _in_order(cells: list[Cell], tables: Mapping[str, CellTables], name: str) -> list[Cell]:
    """Every cell behind those that drive its combinational inputs."""
    inputs = {
        kind: {arc.pin for arc in found.arcs if not arc.clocked and not found.setups} for kind, found in tables.items()
    }
    order = in_order(
        [[net for pin in inputs[cell.type] for net in cell.pins.get(pin, ())] for cell in cells],
        [[net for pin in outputs(cell, tables) for net in cell.pins.get(pin, ())] for cell in cells],
    )
    if len(order) < len(cells):
        raise InputError(f"{name}: a combinational loop, which cannot be timed")
    return [cells[index] for index in order]
