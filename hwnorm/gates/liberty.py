"""A reader of Liberty files: of each cell its functions, its area, and what power needs of it as plain numbers.

Tables of delay and energy are read over at first: `hwnorm.gates.tables` reads those of the cells that a netlist has.
"""

from __future__ import annotations

import gzip
import re
import zlib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwnorm.errors import InputError
from hwnorm.gates.celltypes import STATE, CellType, State
from hwnorm.gates.liberty_syntax import Group, parse
from hwnorm.gates.logic import Expression, Function, function, negated

SPECIAL = ("dont_use", "is_isolation_cell", "is_level_shifter", "always_on", "is_macro_cell")
WATTS = {"pw": 1e-6, "nw": 1e-3, "uw": 1.0, "mw": 1e3}  # in microwatts
SECONDS = {"ps": 1e-3, "ns": 1.0, "us": 1e3}  # in nanoseconds
FARADS = {"ff": 1e-3, "pf": 1.0}
OHMS = {"ohm": 1e-3, "kohm": 1.0}  # in kilo-ohms: times pF, that is ns


@dataclass(frozen=True, slots=True)
class LibertyCell:
    name: str
    area: float
    leakage_uw: float  # the mean of the states
    capacitance_pf: Mapping[str, tuple[float, float]]  # of an input pin, as it rises and as it falls
    behaviour: CellType | None  # None: what it does is not said in functions, or not supported
    why: str = ""  # where it has none
    special: bool = False  # not for ordinary logic, the file says: other supplies, not to be used
    text: str = field(default="", repr=False)  # all that the file says of it


@dataclass(frozen=True, slots=True)
class Units:
    """What 1 of the file is in ours. An energy is a capacitance times the square of a voltage of 1."""

    capacitance_pf: float
    time_ns: float
    leakage_uw: float
    resistance_kohm: float

    @property
    def energy_pj(self) -> float:
        return self.capacitance_pf


@dataclass(frozen=True, slots=True)
class WireLoad:
    """The file's guess, before placement, at the wire of a net with so many readers."""

    capacitance_pf: float  # of a unit of length
    resistance_kohm: float
    slope: float  # units of length for each reader beyond the last that is told
    lengths: tuple[tuple[float, float], ...]  # readers and length, in order

    def length(self, readers: int) -> float:
        if not self.lengths or not readers:
            return 0.0
        counts = [count for count, _ in self.lengths]
        k = bisect_left(counts, readers)
        if k in (0, len(counts)):
            count, length = self.lengths[min(k, len(counts) - 1)]
            return length + self.slope * (readers - count)
        (a, before), (b, after) = self.lengths[k - 1], self.lengths[k]
        return before + (after - before) * (readers - a) / (b - a)


@dataclass(frozen=True, slots=True)
class Library:
    name: str
    cells: Mapping[str, LibertyCell]
    units: Units
    voltage: float
    templates: Mapping[tuple[str, str], Group] = field(repr=False)  # of tables, by kind and name
    wire: WireLoad  # of the file's default; none: wires are nothing

    @classmethod
    def from_file(cls, path: Path | str) -> Library:
        return cls.from_text(text_of(Path(path)), str(path))

    @classmethod
    def from_text(cls, text: str, origin: str = "liberty") -> Library:
        top = parse(text, origin)
        if top.kind != "library":
            raise InputError(f"{origin}: starts with {top.kind!r}, not with a library")
        units = _units(top, origin)
        cells = [_cell(group, units, text[group.start : group.end]) for group in top.of("cell")]
        templates = {(t.kind, t.arguments[0]): t for t in top.of("lu_table_template", "power_lut_template")}
        voltage, default = top.number("nom_voltage"), top.attributes.get("default_wire_load", "")
        wires = [group for group in top.of("wire_load") if group.arguments[:1] == (default,)]
        wire = _wire_load(wires[0], units, origin) if wires else WireLoad(0.0, 0.0, 0.0, ())
        return cls(top.arguments[0], {cell.name: cell for cell in cells}, units, voltage, templates, wire)


def text_of(path: Path) -> str:
    """Of a Liberty file, compressed or not; InputError where it cannot be read."""
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as fault:
        raise InputError(f"{path}: cannot be read: {getattr(fault, 'strerror', None) or fault}") from None


def _units(top: Group, origin: str) -> Units:
    load = top.attributes.get("capacitive_load_unit", "1,pf").replace(" ", "").lower().split(",")

    def told(key: str, default: str, scale: Mapping[str, float]) -> float:
        found = re.fullmatch(r"([\d.]+)\s*([a-z]+)", top.attributes.get(key, default).lower())
        return float(found[1]) * scale[found[2]] if found else scale[""]

    try:
        if float(top.attributes.get("voltage_unit", "1V").lower().strip("v")) != 1:
            raise KeyError("unit")
        return Units(
            float(load[0]) * FARADS[load[-1]],
            told("time_unit", "1ns", SECONDS),
            told("leakage_power_unit", "1nw", WATTS),
            told("pulling_resistance_unit", "1kohm", OHMS),
        )
    except (KeyError, ValueError):
        raise InputError(f"{origin}: its units are not understood") from None


def _wire_load(group: Group, units: Units, origin: str) -> WireLoad:
    try:
        pairs = [tuple(float(word) for word in row.split(",")) for row in group.rows]
        lengths = sorted((count, length) for count, length, *_ in pairs)
    except ValueError:
        raise InputError(f"{origin}: wire_load {group.arguments[0]}: a fanout_length is no two numbers") from None
    capacitance_pf = units.capacitance_pf * group.number("capacitance")
    resistance_kohm = units.resistance_kohm * group.number("resistance")
    return WireLoad(capacitance_pf, resistance_kohm, group.number("slope"), tuple(lengths))


def _cell(group: Group, units: Units, text: str) -> LibertyCell:
    name = group.arguments[0]
    leakages = [state.number("value") for state in group.of("leakage_power")]
    leakage = group.number("cell_leakage_power") or sum(leakages) / max(len(leakages), 1)
    pins = list(group.of("pin"))
    capacitance = {
        pin.arguments[0]: (
            units.capacitance_pf * pin.number("rise_capacitance", pin.number("capacitance")),
            units.capacitance_pf * pin.number("fall_capacitance", pin.number("capacitance")),
        )
        for pin in pins
        if pin.attributes.get("direction") == "input"
    }
    try:
        behaviour, why = _behaviour(group, pins), ""
    except InputError as fault:
        behaviour, why = None, str(fault)
    special = any(group.attributes.get(key, "").lower() == "true" for key in SPECIAL)
    leakage_uw = units.leakage_uw * leakage
    return LibertyCell(name, group.number("area"), leakage_uw, capacitance, behaviour, why, special, text)


def _behaviour(group: Group, pins: list[Group]) -> CellType:
    for kind in ("statetable", "ff_bank", "latch_bank"):
        if any(group.of(kind)):
            raise InputError(f"a cell with a {kind} is not supported")
    outputs, state = {}, None
    flops = list(group.of("ff"))
    names = flops[0].arguments if flops else ()
    for pin in pins:
        if pin.attributes.get("direction") == "output":
            if "three_state" in pin.attributes or "function" not in pin.attributes:
                raise InputError(f"output {pin.arguments[0]} has no plain function")
            outputs[pin.arguments[0]] = _of_state(pin.attributes["function"], names)
    if any(group.of("latch")):
        return CellType({}, latch=True)
    if flops:
        state = _state(flops[0], names)
    return CellType(outputs, state)


def _state(flop: Group, names: tuple[str, ...]) -> State:
    """Clear wins over preset where both are active and ``clear_preset_var1`` is L (or not given)."""
    clock = function(flop.attributes.get("clocked_on", "0"))
    rising = clock.expression == 0
    if not rising and clock.expression != ("!", 0):
        raise InputError("clocked_on is not one pin")
    clear, preset = (flop.attributes.get(key) for key in ("clear", "preset"))
    shown = STATE
    if clear and preset:
        wins = flop.attributes.get("clear_preset_var1", "L")
        shown = f"({STATE}&!({clear}))|({preset})" if wins == "H" else f"({STATE}|({preset}))&!({clear})"
        if wins not in ("L", "H"):
            raise InputError(f"clear_preset_var1 {wins} is not supported")
    elif clear or preset:
        shown = f"{STATE}&!({clear})" if clear else f"{STATE}|({preset})"
    next_state = _of_state(flop.attributes.get("next_state", ""), names)
    return State(clock.pins[0], rising, next_state, function(shown) if shown != STATE else None)


def _of_state(text: str, names: tuple[str, ...]) -> Function:
    """A function in which the state has our name for it, and its complement is a complement."""
    read = function(text)
    if not set(names) & set(read.pins):
        return read
    pins = tuple(dict.fromkeys(STATE if pin in names else pin for pin in read.pins))

    def renamed(a: Expression) -> Expression:
        if isinstance(a, tuple):
            inner = tuple(renamed(b) for b in a[1:])
            return negated(inner[0]) if a[0] == "!" else (a[0], *inner)
        pin = read.pins[a]
        plain = pins.index(STATE if pin in names else pin)
        return ("!", plain) if pin in names[1:2] else plain

    return Function(pins, renamed(read.expression))
