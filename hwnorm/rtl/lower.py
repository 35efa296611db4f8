"""A typed graph as cells: fraction bits become wiring, exponents small adders, roundings a half and a shift.

Here, all that is known per group; hwnorm.rtl.lower_elements does the elements.
"""

from __future__ import annotations

from collections import Counter
from typing import assert_never

from hwnorm.fixed import Format, Rounding
from hwnorm.ir import Graph, Node, Op, Rate, Setting, is_constant, is_flag
from hwnorm.precision import Fixed, Relative, Scaled, Type, Widened, quotient_shift
from hwnorm.rtl.cells import Cell, Cells, Kind
from hwnorm.units import Divider, Gain, Multiplier, Root, Rounder, reciprocal_unit
from hwnorm.views.int_ref import Program, constants

DX_FRAC = "dx_frac"  # the scale of dx: the one scale that is a field of the group
WIDENS = "dx_gain"  # the roles that depend on it

Range = tuple[int, int]


class Lowering:
    """The cells of one program. ``baked``: the setting whose registers are built in; None: they are loaded.

    ``settings`` are the layers that loaded registers have to hold; ``ranges`` the exponents of values that an earlier
    program saved.
    """

    def __init__(
        self, program: Program, baked: Setting | None, settings: list[Setting], ranges: dict[Node, Range]
    ) -> None:
        self.program, self.types, self.precision = program, program.types, program.precision
        self.cells = Cells()
        self.constants = [constants(program, one) for one in ([baked] if baked else settings)]
        self.is_baked = baked is not None
        self.given_ranges = ranges
        self.exponents: dict[Node, Cell] = {}
        self.fields: dict[str, Cell] = {}  # of a group
        self.registers: dict[str, Cell] = {}  # of a layer
        self.register_nodes: dict[str, Node] = {}
        self._stat: dict[Node, Cell] = {}
        self.over_dx: dict[Node, Cell] = {}  # of a value widened for dx: its fraction bits above dx's
        for node in fields_of(program.graph):
            if self.types[node].scale:
                self.stat(node)
        self._level = {n: k for k, s in enumerate(program.schedule.sweeps, 1) for n in s.reduces}

    # What another program needs to know

    def ranges(self) -> dict[Node, Range]:
        return {node: (cell.lo, cell.hi) for node, cell in self.exponents.items()}

    # Values per group

    def stat(self, node: Node) -> Cell:
        """The mantissa of a value per group."""
        if node not in self._stat:
            cell, kind = self._make_stat(node), self.types[node]
            name = node.name if node.op is not Op.CONST else ""
            self._stat[node] = self.cells.bounded(cell, kind.lo, kind.hi, name)
        return self._stat[node]

    def exponent(self, source: Node) -> Cell:
        """The fraction bits of a scaled value, but for the constant part in its type."""
        if source not in self.exponents:
            self.stat(source)
        return self.exponents[source]

    def frac(self, kind: Type) -> Cell:
        """All fraction bits of a value."""
        total = self.cells.const(kind.frac)
        for source in kind.scale:
            total = self.cells.add(self.exponent(source), total)
        return total

    def _make_stat(self, node: Node) -> Cell:
        c, args = self.cells, node.args
        if is_constant(node) and node.op is not Op.CONST and node.role != WIDENS:
            return self._constant(node)
        match node.op:
            case Op.CONST:
                assert isinstance(node.value, int)
                return c.const(node.value)
            case Op.INPUT:
                return self._field(node)
            case Op.SUM | Op.RMAX | Op.RMIN:
                raise AssertionError(f"{node!r} is lowered with its sweep")
            case Op.DIV:
                return self._divide(node)
            case Op.MUL:
                return self._product(self.stat(args[0]), self.stat(args[1]), node.name)
            case Op.SQUARE:
                return self._product(self.stat(args[0]), self.stat(args[0]), node.name)
            case Op.SQRT:
                return self._root(node)
            case Op.RECIP:
                return self._reciprocal(node)
            case Op.CAST:
                return self._stat_cast(node)
            case Op.ALIGN:
                return self._stat_align(node)
            case _:
                return self.simple(node, [self.stat(a) for a in args])

    def _constant(self, node: Node) -> Cell:
        """What does not change while a layer runs is computed on the host: built in, or a register that is loaded."""
        c, kind = self.cells, self.types[node]
        values = [found[node] for found in self.constants]
        sources = [s for s in kind.scale if s not in self.exponents]
        if self.is_baked or node.role == "momentum":
            for source in sources:
                self.exponents[source] = c.const(values[0][1])
            return c.const(values[0][0])
        name = node.name or f"constant_{len(self.registers)}"
        for source in sources:
            fracs = [frac for _, frac in values]
            register = c.leaf(Kind.LAYER, f"{name}_frac", min(fracs), max(fracs))
            self.exponents[source] = self.registers[f"{name}_frac"] = register
        self.registers[name] = c.leaf(Kind.LAYER, name, kind.lo, kind.hi)
        self.register_nodes[name] = node
        return self.registers[name]

    def _field(self, node: Node) -> Cell:
        kind = self.types[node]
        for source in kind.scale:
            if source not in self.exponents:
                lo, hi = self.given_ranges.get(source) or self._span(kind)
                field = self.cells.leaf(Kind.FIELD, f"{node.name}_frac", lo, hi)
                self.exponents[source] = self.fields[f"{node.name}_frac"] = field
        self.fields[node.name] = self.cells.leaf(Kind.FIELD, node.name, kind.lo, kind.hi)
        return self.fields[node.name]

    @staticmethod
    def _span(kind: Type) -> Range:
        assert kind.exponent is not None, "an exponent of unknown range"
        return kind.exponent

    def dx_frac(self) -> Cell:
        lo, hi = self.precision.dx_frac_range
        return self.fields.setdefault(DX_FRAC, self.cells.leaf(Kind.FIELD, DX_FRAC, lo, hi))

    def _product(self, a: Cell, b: Cell, name: str) -> Cell:
        for value, factor in ((a, b), (b, a)):
            if factor.is_const:
                if factor.param == 0:
                    return self.cells.const(0)
                if factor.param & (factor.param - 1) == 0 and factor.param > 0:
                    return self.cells.left(value, factor.param.bit_length() - 1)
        unit = self.cells.unit(Multiplier(), (a, b), f"times_{name}" if name else "times")
        corners = [p * q for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
        return self.cells.port(unit, "product", 0 if a is b else min(corners), max(corners))

    def _divide(self, node: Node) -> Cell:
        frac = quotient_shift(node, self.types, self.precision)
        n, d, kind = self.stat(node.args[0]), self.stat(node.args[1]), self.types[node]
        if d.is_const and d.param & (d.param - 1) == 0:
            return self.cells.left(n, frac - (d.param.bit_length() - 1))
        unit = self.cells.unit(Divider(kind.format.width, frac), (n, d), f"divide_{node.name}")
        return self.cells.port(unit, "q", kind.lo, kind.hi)

    def _root(self, node: Node) -> Cell:
        v, width = self.stat(node.args[0]), self._scaled(node).width
        unit = self.cells.unit(Root(width), (v,), f"root_{node.name}")
        half = self.cells.port(unit, "exponent", (2 * width - v.format.width) >> 1, width)
        given = self.types[node.args[0]].frac // 2
        self.exponents[node] = self.cells.add(half, self.cells.const(given), f"{node.name or 'root'}_frac")
        return self.cells.port(unit, "mantissa", 0, (1 << width) - 1)

    def _reciprocal(self, node: Node) -> Cell:
        d, width = self.stat(node.args[0]), self._scaled(node).width
        kind = reciprocal_unit(self.precision.reciprocal, width, width)
        unit = self.cells.unit(kind, (d,), "reciprocal")
        exponent = self.cells.port(unit, "exponent", width - 1, d.format.width + width)
        self.exponents[node] = self.cells.sub(exponent, self.frac(self.types[node.args[0]]), "R_frac")
        return self.cells.port(unit, "mantissa", 0, (1 << width) - 1)

    def _scaled(self, node: Node) -> Scaled:
        role = self.precision.role(node.role)
        assert isinstance(role, Scaled)
        return role

    def _stat_cast(self, node: Node) -> Cell:
        (arg,), c = node.args, self.cells
        source = self.types[arg]
        match self.precision.role(node.role):
            case Fixed(frac, _, rounding):
                shift = c.sub(self.frac(source), c.const(frac))
                return self._rounded(self.stat(arg), shift, self.types[node].format, rounding, node.name)
            case Scaled(width, base, (lo, hi)):
                magnitude, negative = self._magnitude(arg)
                unit = c.unit(Gain(width, base, lo, hi), (magnitude, self.frac(source)), f"gain_{node.name}")
                self.exponents[node] = c.port(unit, "exponent", base + lo, base + hi, f"{node.name}_frac")
                mantissa = c.port(unit, "mantissa", 0, (1 << width) - 1)
                return mantissa if negative is None else c.negate_if(negative, mantissa)
            case Widened(_, extra):
                over = c.sub(self.frac(source), self.dx_frac())
                least = c.const(self.precision.guard)
                self.over_dx[node] = c.larger(over, least)
                left = c.sub(self.over_dx[node], over)
                left = c.bounded(left, 0, extra)
                self.exponents[node] = c.add(self.over_dx[node], self.dx_frac(), f"{node.name}_frac")
                kind = self.types[node]
                return c.shift_left(self.stat(arg), left, kind.lo, kind.hi, node.name)
            case other:
                raise AssertionError(f"{node!r}: cannot round to {other}")

    def _magnitude(self, node: Node) -> tuple[Cell, Cell | None]:
        """A product by its factors' magnitudes, and whether it is negative: the sign is put back behind the gain."""
        c = self.cells
        if node.op is Op.MUL and not node.name:
            (a, a_negative), (b, b_negative) = (self._magnitude(arg) for arg in node.args)
            flags = [f for f in (a_negative, b_negative) if f is not None]
            assert len(flags) < 2, f"{node!r} has two signed factors"
            return self._product(a, b, ""), flags[0] if flags else None
        value = self.stat(node)
        if value.lo >= 0:
            return value, None
        return c.absolute(value), c.greater(c.const(0), value)

    def _stat_align(self, node: Node) -> Cell:
        shift, fmt = self.align_shift(node)
        return self._rounded(self.stat(node.args[0]), shift, fmt, Rounding.HALF_UP, node.name)

    def align_shift(self, node: Node) -> tuple[Cell, Format]:
        """How far the value moves right, and what it saturates to."""
        a, like = (self.types[arg] for arg in node.args)
        role = self.precision.role(node.role) if node.role else Relative(0, 0)
        assert isinstance(role, Relative)
        shift = self._difference(a, like, a.frac - like.frac - role.guard)
        return shift, self.types[node].format

    def _difference(self, a: Type, b: Type, constant: int) -> Cell:
        """The fraction bits of a less those of b, what both have in common left out."""
        ours, theirs = Counter(a.scale), Counter(b.scale)
        total = self.cells.const(constant)
        for source in (ours - theirs).elements():
            total = self.cells.add(self.exponent(source), total)
        for source in (theirs - ours).elements():
            total = self.cells.sub(total, self.exponent(source))
        return total

    def _rounded(self, v: Cell, shift: Cell, result: Format, rounding: Rounding, name: str) -> Cell:
        """Of a value per group: one adder where the shift is known, else a serial unit."""
        c = self.cells
        if shift.is_const:
            if shift.param > 0 and rounding is Rounding.HALF_UP:
                v = c.add(v, c.const(1 << (shift.param - 1)))
            return c.saturate(c.left(v, -shift.param), result)
        if v.is_const and v.param == 0:
            return v
        unit = c.unit(Rounder(shift.lo, shift.hi, result, rounding), (v, shift), f"round_{name}" if name else "round")
        return c.port(unit, "result", result.lo, result.hi)

    # Operations that are the same at both rates

    def simple(self, node: Node, args: list[Cell]) -> Cell:
        c = self.cells
        match node.op:
            case Op.ADD:
                a, b = self._met(node, args)
                return c.add(a, b)
            case Op.SUB:
                a, b = self._met(node, args)
                return c.sub(a, b)
            case Op.MAX:
                a, b = self._met(node, args)
                return c.larger(a, b)
            case Op.GT:
                a, b = self._met(node, args)
                return c.greater(a, b)
            case Op.EQ:
                a, b = self._met(node, args)
                return c.equal(a, b)
            case Op.SELECT:
                a, b = (args[1], args[2]) if is_flag(node) else self._met(node, args)
                return c.select(args[0], a, b)
            case Op.ABS:
                return c.absolute(args[0])
            case Op.SIGN:
                return c.sign(args[0])
            case (
                Op.INPUT
                | Op.LAYER
                | Op.CONST
                | Op.MUL
                | Op.DIV
                | Op.SQUARE
                | Op.SQRT
                | Op.RECIP
                | Op.LOG
                | Op.EXP
                | Op.FIRST
                | Op.SUM
                | Op.RMAX
                | Op.RMIN
                | Op.CAST
                | Op.ALIGN
            ):
                raise AssertionError(f"{node!r} is lowered elsewhere")
            case _:
                assert_never(node.op)

    def _met(self, node: Node, args: list[Cell]) -> tuple[Cell, Cell]:
        """Both operands at the finer one's fraction bits, which differ by a constant."""
        left, right = self.met_shifts(node)
        return self.cells.left(args[-2], left), self.cells.left(args[-1], right)

    def met_shifts(self, node: Node) -> tuple[int, int]:
        pair = node.args[-2:]
        if any(n.op is Op.CONST and n.value == 0 for n in pair):
            return 0, 0
        fracs = [self.types[n].frac for n in pair]
        return max(fracs) - fracs[0], max(fracs) - fracs[1]

    # What a sweep gives back

    def reduction(self, node: Node, cell: Cell) -> Cell:
        """The cell of a SUM, RMAX or RMIN over ``cell``; from now on ``stat`` knows it."""
        kind = {Op.SUM: Kind.SUM, Op.RMAX: Kind.RMAX, Op.RMIN: Kind.RMIN}[node.op]
        bound = self.types[node]
        name = node.name or f"{kind.value}_{len(self._stat)}"
        self._stat[node] = self.cells.reduce(kind, cell, bound.lo, bound.hi, name, self._level[node])
        return self._stat[node]


def fields_of(graph: Graph) -> list[Node]:
    """What a group is handed with."""
    return [n for n in graph if n.op is Op.INPUT and n.rate is Rate.STAT]
