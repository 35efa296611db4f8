"""The elements of one sweep as cells.

The half that rounding adds costs no adder an element where it can be added to a value per group instead: y =
(K*x + B + half) >> sh takes B + half, dx takes it through its select into Bp and Bn. ``offset`` pushes it there.
"""

from __future__ import annotations

from hwnorm.fixed import Rounding
from hwnorm.ir import Node, Op, Rate, is_flag
from hwnorm.precision import Fixed
from hwnorm.rtl.cells import Cell
from hwnorm.rtl.lower import Lowering

AT_DX = "dx"  # the role of what is rounded to dx's last bit


class Elements:
    """What one sweep evaluates of an element. Streams are what it reads."""

    def __init__(self, lowering: Lowering, streams: dict[Node, Cell]) -> None:
        self.of, self.cells, self.types = lowering, lowering.cells, lowering.types
        self._found = dict(streams)

    def value(self, node: Node) -> Cell:
        if node.rate is Rate.STAT:
            return self.of.stat(node)
        if node not in self._found:
            cell, kind = self._make(node), self.types[node]
            self._found[node] = self.cells.bounded(cell, kind.lo, kind.hi, node.name)
        return self._found[node]

    def _make(self, node: Node) -> Cell:
        c = self.cells
        match node.op:
            case Op.MUL:
                a, b = (self.value(a) for a in node.args)
                return self._scaled_by_constant(a, b) or c.multiply(a, b)
            case Op.SQUARE:
                a = self.value(node.args[0])
                return c.multiply(a, a)
            case Op.FIRST:
                return c.first(self.value(node.args[0]))
            case Op.CAST:
                return self._cast(node)
            case Op.ALIGN:
                return self._align(node, None)
            case _:
                return self.of.simple(node, [self.value(a) for a in node.args])

    def _scaled_by_constant(self, a: Cell, b: Cell) -> Cell | None:
        for value, factor in ((a, b), (b, a)):
            if factor.is_const and factor.param > 0 and factor.param & (factor.param - 1) == 0:
                return self.cells.left(value, factor.param.bit_length() - 1)
        return None

    def _cast(self, node: Node) -> Cell:
        (arg,), c = node.args, self.cells
        role = self.of.precision.role(node.role)
        assert isinstance(role, Fixed), f"{node!r}: an element's value has a fixed point"
        shift = self._over_dx(arg) if node.role == AT_DX else c.sub(self.of.frac(self.types[arg]), c.const(role.frac))
        raised = self._raised(arg, shift) if role.rounding is Rounding.HALF_UP else self.value(arg)
        moved = c.shift(raised, shift) if not shift.is_const or shift.param > 0 else c.left(raised, -shift.param)
        return c.saturate(moved, self.types[node].format)

    def _over_dx(self, arg: Node) -> Cell:
        """How far a value lies below dx's last bit."""
        kind = self.types[arg]
        for source in kind.scale:
            self.of.exponent(source)
        if len(kind.scale) == 1 and kind.scale[0] in self.of.over_dx:
            return self.cells.add(self.of.over_dx[kind.scale[0]], self.cells.const(kind.frac))
        return self.cells.sub(self.of.frac(kind), self.of.dx_frac())

    def _align(self, node: Node, further: Cell | None) -> Cell:
        """``further`` is added to the result: in front of the shift, with the half that rounds."""
        c = self.cells
        shift, fmt = self.of.align_shift(node)
        assert shift.is_const, f"{node!r}: an element's value is aligned by a constant"
        drop = shift.param
        assert further is None or drop >= 0
        add = c.const(1 << (drop - 1) if drop > 0 else 0)
        if further is not None:
            add = c.add(add, c.left(further, drop))
        moved = c.left(self.offset(node.args[0], add), -drop)
        return c.saturate(moved, fmt) if further is None and node.role else moved

    def _raised(self, node: Node, shift: Cell) -> Cell:
        """The value and half of the last bit that stays after ``shift``."""
        c = self.cells
        if shift.is_const:
            return self.offset(node, c.const(1 << (shift.param - 1))) if shift.param > 0 else self.value(node)
        assert shift.lo > 0, f"{node!r}: a shift that may be none has no half"
        return self.offset(node, c.power(shift, 1))

    # Adding a value per group where it costs least

    def offset(self, node: Node, by: Cell) -> Cell:
        c = self.cells
        if by.is_const and by.param == 0:
            return self.value(node)
        if node.rate is Rate.STAT:
            return c.add(self.value(node), by)
        if self._absorbs(node):
            match node.op:
                case Op.ADD | Op.SUB:
                    return self._offset_sum(node, by)
                case Op.SELECT:
                    a, b = (self.offset(branch, by) for branch in node.args[1:])
                    return c.select(self.value(node.args[0]), a, b)
                case Op.ALIGN:
                    return self._align(node, by)
                case _:
                    raise AssertionError(f"{node!r} absorbs nothing")
        return c.add(self.value(node), by)

    def _offset_sum(self, node: Node, by: Cell) -> Cell:
        c, (a, b) = self.cells, node.args
        shifts = self.of.met_shifts(node)
        into_b = not self._takes(a, shifts[0]) or (a.rate is Rate.ELEM and self._takes(b, shifts[1]))
        minus = node.op is Op.SUB
        if into_b:
            left = c.left(self.value(a), shifts[0])
            right = self._offset_met(b, shifts[1], c.sub(c.const(0), by) if minus else by)
        else:
            left = self._offset_met(a, shifts[0], by)
            right = c.left(self.value(b), shifts[1])
        return c.sub(left, right) if minus else c.add(left, right)

    def _offset_met(self, node: Node, shift: int, by: Cell) -> Cell:
        if node.rate is Rate.STAT:
            return self.cells.add(self.cells.left(self.value(node), shift), by)
        return self.offset(node, by)

    def _takes(self, node: Node, shift: int) -> bool:
        return node.rate is Rate.STAT or (shift == 0 and self._absorbs(node))

    def _absorbs(self, node: Node) -> bool:
        """Whether a value per group can be added inside, at no cost an element."""
        match node.op:
            case _ if node.rate is Rate.STAT:
                return True
            case Op.ADD | Op.SUB:
                return any(self._takes(a, s) for a, s in zip(node.args, self.of.met_shifts(node), strict=True))
            case Op.SELECT:
                shifts = self.of.met_shifts(node)
                return not is_flag(node) and shifts == (0, 0) and all(self._absorbs(a) for a in node.args[1:])
            case Op.ALIGN:
                shift, _ = self.of.align_shift(node)
                return not node.role and shift.is_const and shift.param >= 0 and self._absorbs(node.args[0])
            case _:
                return False
