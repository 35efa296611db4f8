"""What time and energy a Liberty cell takes: its tables, read when a netlist has the cell.

Delays and slews are in ns, loads in pF, energies in pJ: of one transition, without the half of C V^2 of the load.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from hwnorm.errors import InputError
from hwnorm.gates.liberty import LibertyCell, Library
from hwnorm.gates.liberty_syntax import Group, parse
from hwnorm.gates.logic import Function, function

LOADS = ("total_output_net_capacitance", "constrained_pin_transition")  # what our second axis is in a file


@dataclass(frozen=True, slots=True)
class Table:
    """Values over one or two axes, linear between the points and on beyond the last ones; no axis: a constant."""

    first: tuple[float, ...]  # the slew of the related pin
    second: tuple[float, ...]  # the load, or the slew of a constrained pin
    values: tuple[tuple[float, ...], ...]

    def __call__(self, x: float, y: float = 0.0) -> float:
        i, u = _place(self.first, x)
        j, v = _place(self.second, y)
        low = self.values[i]
        found = low[j] + v * (low[j + 1] - low[j]) if v else low[j]
        if not u:
            return found
        high = self.values[i + 1]
        return found + u * ((high[j] + v * (high[j + 1] - high[j]) if v else high[j]) - found)


def _place(axis: tuple[float, ...], x: float) -> tuple[int, float]:
    """The interval, and how far into it; beyond the ends the outermost one."""
    if len(axis) < 2:
        return 0, 0.0
    i = min(max(bisect_right(axis, x) - 1, 0), len(axis) - 2)
    return i, (x - axis[i]) / (axis[i + 1] - axis[i])


class Sense(Enum):
    """Which edge of an input makes an output rise."""

    POSITIVE = "positive_unate"
    NEGATIVE = "negative_unate"
    EITHER = "non_unate"


RISE, FALL = 0, 1
Edges = tuple[Table, Table]  # of a rising and a falling output (or data pin)


@dataclass(frozen=True, slots=True)
class Arc:
    """From an input, or a clock's active edge, to an output."""

    pin: str
    output: str
    sense: Sense
    clocked: bool
    delay: Edges
    slew: Edges


@dataclass(frozen=True, slots=True)
class Setup:
    pin: str
    time: Edges  # over the slews of clock and data


@dataclass(frozen=True, slots=True)
class Energy:
    """Inside the cell, when a pin changes; an output's because one of the related pins did."""

    pin: str
    related: tuple[str, ...]
    when: Function | None
    rise: Table
    fall: Table


@dataclass(frozen=True, slots=True)
class CellTables:
    arcs: tuple[Arc, ...]
    setups: tuple[Setup, ...]
    energies: tuple[Energy, ...]
    leakages_uw: tuple[tuple[Function, float], ...]  # by state, where it is told


@cache
def _none() -> Table:
    return Table((), (), ((0.0,),))


def tables_of(library: Library, name: str) -> CellTables:
    """InputError where a table of the cell is not what its template says."""
    return _Reader(library, library.cells[name]).read()


@dataclass(frozen=True)
class _Reader:
    library: Library
    cell: LibertyCell

    def read(self) -> CellTables:
        name = self.cell.name
        group = parse(f"cell ({name}) {{{self.cell.text}}}", f"{self.library.name}, cell {name}", unread=())
        arcs: list[Arc] = []
        setups: list[Setup] = []
        energies: list[Energy] = []
        for pin in group.of("pin"):
            for timing in pin.of("timing"):
                arcs += self._arcs(pin.arguments[0], timing)
                setups += self._setups(pin.arguments[0], timing)
            energies += [self._energy(pin.arguments[0], power) for power in pin.of("internal_power")]
        states = tuple(
            (function(state.attributes["when"]), self.library.units.leakage_uw * state.number("value"))
            for state in group.of("leakage_power")
            if "when" in state.attributes
        )
        return CellTables(tuple(arcs), tuple(setups), tuple(energies), states)

    def _arcs(self, output: str, timing: Group) -> Iterator[Arc]:
        kind = timing.attributes.get("timing_type", "combinational")
        clocked = kind in ("rising_edge", "falling_edge")
        found = {table.kind: table for table in timing.groups}
        if (kind == "combinational" or clocked) and {"cell_rise", "cell_fall"} <= found.keys():
            time = self.library.units.time_ns
            delay = (self._table(found["cell_rise"], time), self._table(found["cell_fall"], time))
            slew = (self._table(found["rise_transition"], time), self._table(found["fall_transition"], time))
            sense = Sense(timing.attributes.get("timing_sense", "non_unate"))
            for pin in timing.attributes["related_pin"].split():
                yield Arc(pin, output, sense, clocked, delay, slew)

    def _setups(self, pin: str, timing: Group) -> Iterator[Setup]:
        if timing.attributes.get("timing_type", "") in ("setup_rising", "setup_falling"):
            found = {table.kind: self._table(table, self.library.units.time_ns) for table in timing.groups}
            rise, fall = (found.get(f"{edge}_constraint", _none()) for edge in ("rise", "fall"))
            yield Setup(pin, (rise, fall))

    def _energy(self, pin: str, power: Group) -> Energy:
        found = {table.kind: self._table(table, self.library.units.energy_pj) for table in power.groups}
        both = found.get("power", _none())
        related = tuple(power.attributes.get("related_pin", "").split())
        when = function(power.attributes["when"]) if "when" in power.attributes else None
        return Energy(pin, related, when, found.get("rise_power", both), found.get("fall_power", both))

    def _table(self, group: Group, unit: float) -> Table:
        """As our axes stand, whatever order the file has them in."""
        kind = "power_lut_template" if group.kind.endswith("power") else "lu_table_template"
        template = self.library.templates.get((kind, group.arguments[0] if group.arguments else ""))
        known: Mapping[str, str] = template.attributes if template is not None else {}
        axes: list[tuple[str, tuple[float, ...]]] = []
        for n in ("1", "2"):
            text = group.attributes.get(f"index_{n}", known.get(f"index_{n}"))
            if text is not None and f"variable_{n}" in known:
                axes.append((known[f"variable_{n}"], self._numbers(text, 1.0)))
        flat = self._numbers(group.attributes.get("values", ""), unit)
        sizes = [len(axis) for _, axis in axes] + [1, 1]
        if len(flat) != sizes[0] * sizes[1] or "variable_3" in known:
            raise InputError(
                f"{self.library.name}, cell {self.cell.name}: a {group.kind} table of {len(flat)} values does not fit "
                f"its axes"
            )
        rows = tuple(flat[k * sizes[1] : (k + 1) * sizes[1]] for k in range(sizes[0]))
        names = [name for name, _ in axes]
        points = [self._axis(name, values) for name, values in axes] + [(), ()]
        if names and names[0] in LOADS:  # the load stands first
            return Table(points[1], points[0], tuple(zip(*rows, strict=True)))
        return Table(points[0], points[1], rows)

    def _axis(self, name: str, values: tuple[float, ...]) -> tuple[float, ...]:
        unit = self.library.units.capacitance_pf if "capacitance" in name else self.library.units.time_ns
        return tuple(value * unit for value in values)

    def _numbers(self, text: str, unit: float) -> tuple[float, ...]:
        try:
            return tuple(unit * float(word) for word in text.replace(",", " ").split())
        except ValueError:
            raise InputError(f"{self.library.name}, cell {self.cell.name}: {text!r} are no numbers") from None
