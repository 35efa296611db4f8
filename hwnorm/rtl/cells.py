"""What hardware is made of: a graph's values as integers, every shift and exponent written out.

A graph says ``y = round(K * x + B)`` and leaves it to the types that K's exponent differs from group to group. A cell
is one piece of hardware: an adder, a comparator, a serial unit; a scaled value is two cells, mantissa and exponent, and
wiring shifts are cells too. Cells know widths and latencies, and nothing of Amaranth: the plan, the cycle formula and
the predicted inventory are read off them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hwnorm.fixed import Format
from hwnorm.ir import Rate


class Kind(Enum):
    # leaves
    CONST = "const"  # a literal; param is its value
    LAYER = "layer"  # a register of the layer
    FIELD = "field"  # what a group is handed with
    STREAM = "stream"  # one value an element
    CONTROL = "control"  # what a sweep's control knows of the group: its beats, its last beat's elements, its faults
    # wiring
    LEFT = "left"  # shifted left by param
    RIGHT = "right"  # shifted right by param, rounded down
    # combinational, with a register behind it where latency is 1
    ADD = "add"
    SUB = "sub"
    GT = "gt"
    EQ = "eq"
    MAX = "max"
    MIN = "min"
    ABS = "abs"
    NEGATE = "negate"  # -b where a is set, else b
    SIGN = "sign"
    SELECT = "select"
    POWER = "power"  # 1 << (a - param)
    SHIFT = "shift"  # a >> b, rounded down
    SHIFT_LEFT = "shift_left"  # a << b
    SATURATE = "saturate"  # clipped to the cell's format
    CLIP = "clip"  # a >> (drop + stride * b), clipped to the cell's format; param is (drop, stride)
    MUL = "mul"
    FIRST = "first"
    RAMP = "ramp"  # of an element x that counts up from its least value: c + (x - least) * b, a running sum
    # over a group
    SUM = "sum"
    RMAX = "rmax"
    RMIN = "rmin"
    # serial
    UNIT = "unit"  # a unit of hwnorm.units; its results are PORTs
    PORT = "port"  # param names the result


REDUCTIONS = frozenset({Kind.SUM, Kind.RMAX, Kind.RMIN})
WIRING = frozenset({Kind.LEFT, Kind.RIGHT})


@dataclass(frozen=True, eq=False)
class Cell:
    """One piece of hardware. Two cells are the same only if they are one object."""

    kind: Kind
    args: tuple[Cell, ...] = ()
    lo: int = 0  # the least and the largest value
    hi: int = 0
    rate: Rate = Rate.STAT
    latency: int = 0  # registers behind it; of a UNIT its cycles
    param: Any = None
    name: str = ""
    level: int = 0  # the sweep after which it is known
    static: bool = False  # only a layer's registers decide it

    @property
    def format(self) -> Format:
        return Format.holding(self.lo, self.hi)

    @property
    def is_const(self) -> bool:
        return self.kind is Kind.CONST

    def __repr__(self) -> str:
        return f"<{self.kind.value} {self.name or self.param or ''}>"


MULTIPLY_LATENCY = 2  # operands in registers of their own, product in one: what a DSP block has inside
FACTOR_BITS = 18  # of a signed factor of one DSP block
CHAIN_BITS = 18  # of a sum in one cycle, where there is one every cycle
LOOP_BITS = 14  # of one that is added to itself in the next cycle, whose registers cannot move towards its operands
SHIFT_STEP = 2  # bits of a shift amount that one register stage of a barrel shifter uses up


class Cells:
    """Makes cells: folds what is constant, and makes no cell twice."""

    def __init__(self) -> None:
        self._made: dict[Any, Cell] = {}

    def const(self, value: int) -> Cell:
        return self._make(Kind.CONST, (), value, value, param=value)

    def leaf(self, kind: Kind, name: str, lo: int, hi: int, rate: Rate = Rate.STAT, level: int = 0) -> Cell:
        return self._make(kind, (), lo, hi, rate=rate, name=name, level=level)

    def add(self, a: Cell, b: Cell, name: str = "") -> Cell:
        if a.is_const and b.is_const:
            return self.const(a.param + b.param)
        if _zero(b) or _zero(a):
            return self.named(a if _zero(b) else b, name)
        if b.kind is Kind.SUB and _zero(b.args[0]):
            return self.sub(a, b.args[1], name)
        lo, hi = a.lo + b.lo, a.hi + b.hi
        return self._make(Kind.ADD, (a, b), lo, hi, latency=_halves(lo, hi, a, b), name=name)

    def sub(self, a: Cell, b: Cell, name: str = "") -> Cell:
        if a.is_const and b.is_const:
            return self.const(a.param - b.param)
        if _zero(b):
            return self.named(a, name)
        lo, hi = a.lo - b.hi, a.hi - b.lo
        return self._make(Kind.SUB, (a, b), lo, hi, latency=_halves(lo, hi, a, b), name=name)

    def greater(self, a: Cell, b: Cell, name: str = "") -> Cell:
        if a.is_const and b.is_const:
            return self.const(int(a.param > b.param))
        return self._make(Kind.GT, (a, b), 0, 1, latency=1, name=name)

    def equal(self, a: Cell, b: Cell, name: str = "") -> Cell:
        return self._make(Kind.EQ, (a, b), 0, 1, latency=1, name=name)

    def larger(self, a: Cell, b: Cell, name: str = "") -> Cell:
        if a.is_const and b.is_const:
            return self.const(max(a.param, b.param))
        if Rate.ELEM not in (a.rate, b.rate):
            chosen = self.select(self.greater(a, b), a, b)
            return self.bounded(chosen, max(a.lo, b.lo), max(a.hi, b.hi), name)
        return self._make(Kind.MAX, (a, b), max(a.lo, b.lo), max(a.hi, b.hi), latency=1, name=name)

    def smaller(self, a: Cell, b: Cell) -> Cell:
        if a.is_const and b.is_const:
            return self.const(min(a.param, b.param))
        if Rate.ELEM not in (a.rate, b.rate):
            return self.bounded(self.select(self.greater(a, b), b, a), min(a.lo, b.lo), min(a.hi, b.hi))
        return self._make(Kind.MIN, (a, b), min(a.lo, b.lo), min(a.hi, b.hi), latency=1)

    def select(self, flag: Cell, a: Cell, b: Cell, name: str = "") -> Cell:
        """Where b is 0 the register is cleared: its own reset, and no logic."""
        return self._make(Kind.SELECT, (flag, a, b), min(a.lo, b.lo), max(a.hi, b.hi), latency=1, name=name)

    def negate_if(self, flag: Cell, a: Cell, name: str = "") -> Cell:
        lo, hi = min(a.lo, -a.hi), max(a.hi, -a.lo)
        return self._make(Kind.NEGATE, (flag, a), lo, hi, latency=1, name=name)

    def absolute(self, a: Cell, name: str = "") -> Cell:
        return self._make(Kind.ABS, (a,), 0, max(abs(a.lo), abs(a.hi)), latency=1, name=name)

    def sign(self, a: Cell, name: str = "") -> Cell:
        return self._make(Kind.SIGN, (a,), -1, 1, latency=1, name=name)

    def first(self, a: Cell, name: str = "") -> Cell:
        return self._make(Kind.FIRST, (a,), 0, 1, latency=1, name=name)

    def left(self, a: Cell, by: int, name: str = "") -> Cell:
        """a * 2**by, rounded down where by is negative."""
        if by == 0:
            return self.named(a, name)
        kind, amount = (Kind.LEFT, by) if by > 0 else (Kind.RIGHT, -by)
        lo, hi = (a.lo << by, a.hi << by) if by > 0 else (a.lo >> -by, a.hi >> -by)
        if a.is_const:
            return self.const(lo)
        return self._make(kind, (a,), lo, hi, param=amount, name=name)

    def power(self, a: Cell, less: int = 0) -> Cell:
        """1 << (a - less)."""
        if a.is_const:
            return self.const(1 << (a.param - less))
        return self._make(Kind.POWER, (a,), 1 << (a.lo - less), 1 << (a.hi - less), latency=1, param=less)

    def shift(self, a: Cell, by: Cell) -> Cell:
        """a >> by for by >= 0, rounded down: a register after every two bits of the amount."""
        assert by.lo >= 0, "a barrel shifter shifts one way"
        if by.is_const:
            return self.left(a, -by.param)
        amount = self.sub(by, self.const(by.lo))  # the part that every group has is wiring
        a = self.left(a, -by.lo)
        steps = -(-amount.format.width // SHIFT_STEP)
        return self._make(Kind.SHIFT, (a, amount), min(a.lo, a.lo >> amount.hi), a.hi, latency=steps)

    def shift_left(self, a: Cell, by: Cell, lo: int, hi: int, name: str = "") -> Cell:
        if by.is_const:
            return self.left(a, by.param, name)
        return self._make(Kind.SHIFT_LEFT, (a, by), lo, hi, latency=1, name=name)

    def saturate(self, a: Cell, fmt: Format, name: str = "") -> Cell:
        if a.lo >= fmt.lo and a.hi <= fmt.hi:
            return self.named(a, name)
        steps = 2 if a.rate is Rate.ELEM else 1  # there it is first found out whether, then done
        return self._make(Kind.SATURATE, (a,), max(a.lo, fmt.lo), min(a.hi, fmt.hi), latency=steps, name=name)

    def multiply(self, a: Cell, b: Cell, name: str = "") -> Cell:
        """A product a cycle, of which one factor at least is an element's."""
        corners = [p * q for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
        lo = 0 if a is b else min(corners)
        count = len(parts(max(a.format.width, b.format.width)))
        # Each part's product is added to those below it. They share the other factor: it comes from a register then.
        latency = MULTIPLY_LATENCY + (count if count > 1 else 0)
        return self._make(Kind.MUL, (a, b), lo, max(corners), latency=latency, name=name)

    def ramp(self, x: Cell, step: Cell, start: Cell, lo: int, hi: int, name: str = "") -> Cell:
        """What a sum of a product with x is where all values of x come in order."""
        return self._make(Kind.RAMP, (x, step, start), lo, hi, latency=_halves(lo, hi, x, step), name=name)

    def clip(self, like: Cell, a: Cell, which: Cell, drop: int, stride: int) -> Cell:
        """a >> (drop + stride * which) saturated, as ``like`` is. ``which`` is of a group."""
        return self._make(Kind.CLIP, (a, which), like.lo, like.hi, latency=2, param=(drop, stride), name=like.name)

    def rebuilt(self, cell: Cell, args: tuple[Cell, ...]) -> Cell:
        """The same piece, fed by others."""
        if args == cell.args:
            return cell
        return self._make(cell.kind, args, cell.lo, cell.hi, cell.rate, cell.latency, cell.param, cell.name)

    def reduce(self, kind: Kind, a: Cell, lo: int, hi: int, name: str, level: int) -> Cell:
        return self._make(kind, (a,), lo, hi, rate=Rate.STAT, name=name, level=level)

    def unit(self, unit: Any, args: tuple[Cell, ...], name: str) -> Cell:
        """A serial unit; its result is read through ``port``."""
        latency = unit.latency(*(a.format for a in args))
        return self._make(Kind.UNIT, args, latency=latency, param=unit, name=name)

    def port(self, unit: Cell, port: str, lo: int, hi: int, name: str = "") -> Cell:
        return self._make(Kind.PORT, (unit,), lo, hi, param=port, name=name)

    def bounded(self, a: Cell, lo: int, hi: int, name: str = "") -> Cell:
        """The same piece under a name, and within bounds that are known to be tighter: wiring of no bits."""
        lo, hi = max(a.lo, lo), min(a.hi, hi)
        if a.is_const or (lo, hi, name or a.name) == (a.lo, a.hi, a.name):
            return a
        return self._make(Kind.LEFT, (a,), lo, hi, param=0, name=name or a.name)

    def named(self, a: Cell, name: str) -> Cell:
        return self.bounded(a, a.lo, a.hi, name) if name else a

    def _make(
        self,
        kind: Kind,
        args: tuple[Cell, ...],
        lo: int = 0,
        hi: int = 0,
        rate: Rate | None = None,
        latency: int = 0,
        param: Any = None,
        name: str = "",
        level: int | None = None,
    ) -> Cell:
        if rate is None:
            rate = Rate.ELEM if any(a.rate is Rate.ELEM for a in args) else Rate.STAT
        if level is None:
            level = max((a.level for a in args), default=0)
        key = (kind, args, lo, hi, rate, latency, param, name, level)
        if key not in self._made:
            static = kind in (Kind.CONST, Kind.LAYER) or (bool(args) and all(a.static for a in args))
            self._made[key] = Cell(kind, args, lo, hi, rate, latency, param, name, level, static)
        return self._made[key]


def _halves(lo: int, hi: int, *args: Cell) -> int:
    """The latency of a sum: per element a long one takes two cycles, for its lower and its upper half."""
    return 2 if Format.holding(lo, hi).width > CHAIN_BITS and any(a.rate is Rate.ELEM for a in args) else 1


def parts(width: int) -> list[tuple[int, int]]:
    """(first bit, end) of the parts in which a factor is multiplied: those below the top have no sign."""
    found, low = [], 0
    while width - low > FACTOR_BITS:
        found.append((low, low + FACTOR_BITS - 1))
        low += FACTOR_BITS - 1
    return [*found, (low, width)]


def _zero(a: Cell) -> bool:
    return a.is_const and a.param == 0


def topological(wanted: Iterable[Cell], stop: Iterable[Cell] = (), through: Rate | None = None) -> list[Cell]:
    """Everything that the wanted cells are made of, arguments first; nothing in front of ``stop``, and with ``through``
    nothing in front of a cell of another rate."""
    ends, seen, order = set(stop), set(), []
    todo = [(c, False) for c in reversed(list(wanted))]
    while todo:
        cell, ready = todo.pop()
        if ready:
            order.append(cell)
        elif cell not in seen:
            seen.add(cell)
            todo.append((cell, True))
            if cell not in ends and through in (None, cell.rate):
                todo.extend((a, False) for a in reversed(cell.args) if a not in seen)
    return order
