"""A reader of Liberty files: of each cell its functions, its area, and what power needs of it as plain numbers.

Tables of delay and energy are read over. Units are those of the file's header (``capacitance_pf`` is converted).
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwnorm.errors import InputError
from hwnorm.gates.celltypes import STATE, CellType, State
from hwnorm.gates.logic import Expression, Function, function, negated

TOKEN = re.compile(
    r'\s+|/\*.*?\*/|//[^\n]*|\\\r?\n|"((?:[^"\\]|\\.)*)"|([^\s"(){}:;,/\\]+|[/\\])|([(){}:;,])', re.DOTALL
)
PUNCTUATION = 3  # the token's group
BRACE = re.compile(r'"[^"]*"|[{}]')
UNREAD = ("timing", "internal_power", "lu_table_template", "power_lut_template", "operating_conditions", "wire_load")


@dataclass
class Group:
    """``kind (arguments) { attributes, groups }``; of an attribute that stands twice the last counts."""

    kind: str
    arguments: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def of(self, *kinds: str) -> Iterator[Group]:
        return (group for group in self.groups if group.kind in kinds)

    def number(self, key: str, default: float = 0.0) -> float:
        try:
            return float(self.attributes.get(key, default))
        except ValueError:
            raise InputError(f"{self.kind} {self.arguments}: {key} is no number") from None


@dataclass(frozen=True, slots=True)
class LibertyCell:
    name: str
    area: float
    leakage: float  # the mean of the states, in the library's unit
    capacitance_pf: Mapping[str, float]  # of an input pin
    behaviour: CellType | None  # None: what it does is not said in functions, or not supported
    why: str = ""  # where it has none


@dataclass(frozen=True, slots=True)
class Library:
    name: str
    cells: Mapping[str, LibertyCell]
    leakage_unit: str

    @classmethod
    def from_file(cls, path: Path | str) -> Library:
        path = Path(path)
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8", "replace")
        except (OSError, EOFError) as fault:
            raise InputError(f"{path}: cannot be read: {getattr(fault, 'strerror', None) or fault}") from None
        return cls.from_text(text, str(path))

    @classmethod
    def from_text(cls, text: str, origin: str = "liberty") -> Library:
        top = parse(text, origin)
        if top.kind != "library":
            raise InputError(f"{origin}: starts with {top.kind!r}, not with a library")
        unit = top.attributes.get("capacitive_load_unit", "1,pf").replace(" ", "").lower().split(",")
        scale = float(unit[0]) * {"ff": 1e-3, "pf": 1.0}[unit[-1]]
        cells = [_cell(group, scale) for group in top.of("cell")]
        return cls(
            top.arguments[0], {cell.name: cell for cell in cells}, top.attributes.get("leakage_power_unit", "1nW")
        )


def parse(text: str, origin: str) -> Group:
    """The outermost group. A statement ends at its semicolon, or at the end of a line where that is left out."""
    stack, statement, position, ended = [Group("file", ())], list[str](), 0, False
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise InputError(
                f"{origin}: line {text.count(chr(10), 0, position) + 1}: {text[position]!r} was not expected"
            )
        position = match.end()
        token = match[match.lastindex] if match.lastindex else None
        if token is None:
            ended = ended or "\n" in match[0]
        elif match.lastindex != PUNCTUATION or token not in "{};":
            complete = statement[-1:] == [")"] or (":" in statement[:-1])
            if ended and complete and match.lastindex != PUNCTUATION:
                _attribute(stack[-1], statement)
                statement = []
            statement.append(token)
            ended = False
        elif token == "{":
            words = [word for word in statement if word not in ("(", ")", ",")] or [""]
            if words[0] in UNREAD:
                position = _behind(text, position)
            else:
                stack.append(Group(words[0], tuple(words[1:])))
                stack[-2].groups.append(stack[-1])
            statement = []
        else:
            _attribute(stack[-1], statement)
            statement = []
            if token == "}":
                if len(stack) == 1:
                    raise InputError(f"{origin}: a closing brace too many")
                stack.pop()
    if len(stack) > 1:
        raise InputError(
            f"{origin}: the group {stack[-1].kind} {' '.join(stack[-1].arguments)} is not closed: a cut file?"
        )
    if not stack[0].groups:
        raise InputError(f"{origin}: is no Liberty file")
    return stack[0].groups[0]


def _behind(text: str, position: int) -> int:
    """Where a group ends that is not read."""
    depth = 1
    for match in BRACE.finditer(text, position):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return len(text)


def _attribute(group: Group, statement: list[str]) -> None:
    if len(statement) > 1:
        words = [word for word in statement[1:] if word not in ("(", ")", ":")]
        group.attributes[statement[0]] = " ".join(words).replace(" , ", ",")


def _cell(group: Group, scale_pf: float) -> LibertyCell:
    name = group.arguments[0]
    leakages = [state.number("value") for state in group.of("leakage_power")]
    leakage = group.number("cell_leakage_power") or sum(leakages) / max(len(leakages), 1)
    pins = list(group.of("pin"))
    capacitance = {
        pin.arguments[0]: scale_pf * pin.number("capacitance")
        for pin in pins
        if pin.attributes.get("direction") == "input"
    }
    try:
        behaviour, why = _behaviour(group, pins), ""
    except InputError as fault:
        behaviour, why = None, str(fault)
    return LibertyCell(name, group.number("area"), leakage, capacitance, behaviour, why)


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
