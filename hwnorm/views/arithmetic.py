"""What every operation of the graph does to integers: one node at a time, on arrays.

Every array has the narrowest dtype that its bounds allow; past 63 bits a value is a Python integer. A value is
``v * 2**-frac``, where frac is one number or, for scaled values, one a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, assert_never

import numpy as np

from hwnorm.fixed import Ints, integer_dtype, saturate, shift_right
from hwnorm.ir import Node, Op, Rate, Setting, is_flag
from hwnorm.precision import Fixed, Precision, Relative, Scaled, Types, Widened, quantise, quotient_shift
from hwnorm.units import Divider, Gain, Root, reciprocal_unit


class Value(NamedTuple):
    """Integers with their fraction bits. Shape (groups, 1) per group, (groups, elements) per element; 1 group stands
    for all."""

    v: Ints
    frac: int | Ints = 0

    def real(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        exponent = -np.asarray(self.frac, dtype=np.float64)
        return np.asarray(self.v.astype(np.float64) * np.exp2(exponent))

    def of(self, groups: slice) -> Value:
        """The same of some groups."""
        v = self.v if len(self.v) == 1 else self.v[groups]
        return Value(v, self.frac if isinstance(self.frac, int) or len(self.frac) == 1 else self.frac[groups])


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The operations of one program's graph, on values of its types."""

    types: Types
    precision: Precision

    def dtype(self, node: Node) -> np.dtype[Any]:
        """Per group int64 or Python integers; per element the narrowest that leaves a bit free for rounding."""
        kind = self.types[node]
        if node.rate is Rate.STAT:
            return np.dtype(np.int64 if kind.format.width < 62 else object)
        return integer_dtype(2 * kind.lo, 2 * kind.hi)

    def loaded(self, node: Node, setting: Setting) -> Value:
        """A register of the layer, as the host hands it over."""
        assert callable(node.value)
        v, frac = quantise(Fraction(node.value(setting)), self.precision.role(node.role))
        return Value(np.array([[v]], self.dtype(node)), frac)

    def evaluate(self, node: Node, args: list[Value]) -> Value:
        dtype = self.dtype(node)
        match node.op:
            case Op.CONST:
                return Value(np.array([[node.value]], dtype))
            case Op.ADD:
                a, b, frac = self.meet(node.args, args, dtype)
                return Value(a + b, frac)
            case Op.SUB:
                a, b, frac = self.meet(node.args, args, dtype)
                return Value(a - b, frac)
            case Op.MAX:
                a, b, frac = self.meet(node.args, args, dtype)
                return Value(np.maximum(a, b), frac)
            case Op.GT:
                a, b, _ = self.meet(node.args, args, self.common(node.args))
                return Value(a > b)
            case Op.EQ:
                a, b, _ = self.meet(node.args, args, self.common(node.args))
                return Value(a == b)
            case Op.MUL:
                a, b = (arg.v.astype(dtype, copy=False) for arg in args)
                return Value(a * b, args[0].frac + args[1].frac)
            case Op.SQUARE:
                a = args[0].v.astype(dtype, copy=False)
                return Value(a * a, args[0].frac + args[0].frac)
            case Op.ABS:
                return Value(np.abs(args[0].v.astype(dtype, copy=False)), args[0].frac)
            case Op.SIGN:
                return Value(np.sign(args[0].v))
            case Op.SELECT:
                return self._select(node, args, dtype)
            case Op.CAST:
                return self._cast(node, args[0], dtype)
            case Op.ALIGN:
                return self._align(node, args[0], args[1], dtype)
            case Op.DIV:
                frac = quotient_shift(node, self.types, self.precision)
                wide = np.int64 if self.types[node.args[0]].format.width + frac < 63 else object
                quotient = Divider(self.types[node].format.width, frac).compute(*(arg.v.astype(wide) for arg in args))
                return Value(quotient.astype(dtype), self.types[node].frac)
            case Op.SQRT:
                root, frac = Root(self._scaled(node).width).compute(args[0].v)
                return Value(root, frac + args[0].frac // 2)
            case Op.RECIP:
                width = self._scaled(node).width
                mantissa, frac = reciprocal_unit(self.precision.reciprocal, width, width).compute(args[0].v)
                return Value(mantissa, frac - args[0].frac)
            case Op.INPUT | Op.LAYER | Op.SUM | Op.RMAX | Op.RMIN | Op.FIRST | Op.LOG | Op.EXP:
                raise AssertionError(f"{node!r} is not a value of its operands alone")
            case _:
                assert_never(node.op)

    def _scaled(self, node: Node) -> Scaled:
        role = self.precision.role(node.role)
        assert isinstance(role, Scaled)
        return role

    def meet(self, nodes: tuple[Node, ...], values: list[Value], dtype: np.dtype[Any]) -> tuple[Ints, Ints, Any]:
        """Both at the finer one's fraction bits, which differ by a constant; a literal 0 has any scale."""
        (a, b), (left, right) = values, (self.types[n] for n in nodes)
        va, vb = a.v.astype(dtype, copy=False), b.v.astype(dtype, copy=False)
        if is_zero(nodes[0]) or is_zero(nodes[1]):
            return va, vb, b.frac if is_zero(nodes[0]) else a.frac
        if left.frac >= right.frac:
            return va, vb << (left.frac - right.frac) if left.frac > right.frac else vb, a.frac
        return va << (right.frac - left.frac), vb, b.frac

    def common(self, nodes: tuple[Node, ...]) -> np.dtype[Any]:
        """Wide enough for either operand of a comparison, at the finer one's fraction bits."""
        kinds = [self.types[n] for n in nodes]
        frac = max(kind.frac for kind in kinds)
        return integer_dtype(min(k.lo << (frac - k.frac) for k in kinds), max(k.hi << (frac - k.frac) for k in kinds))

    def _select(self, node: Node, args: list[Value], dtype: np.dtype[Any]) -> Value:
        flag = args[0].v
        if is_flag(node):
            return Value(np.where(flag, args[1].v != 0, args[2].v != 0))
        a, b, frac = self.meet(node.args[1:], args[1:], dtype)
        if dtype.kind == "O" or node.rate is Rate.STAT:
            return Value(np.where(flag, a, b), frac)
        # Several times faster than np.where on operands that broadcast.
        chosen = a * flag.view(np.int8) if is_zero(node.args[2]) else b + flag.view(np.int8) * (a - b)
        return Value(chosen, frac)

    def _cast(self, node: Node, a: Value, dtype: np.dtype[Any]) -> Value:
        match self.precision.role(node.role):
            case Fixed(frac, _, rounding):
                drop = _plain(a.frac - frac)
                moved = shift_right(_roomy(a.v, drop), drop, rounding)
                return Value(saturate(moved, self.types[node].format).astype(dtype, copy=False), frac)
            case Scaled(width, base, (lo, hi)):
                return Value(*Gain(width, base, lo, hi).compute(a.v, np.asarray(a.frac)))
            case Widened(frac, extra):
                left = np.clip(frac - np.asarray(a.frac), 0, extra)
                return Value(a.v.astype(dtype) << left, a.frac + left)
            case other:
                raise AssertionError(f"{node!r}: cannot round to {other}")

    def _align(self, node: Node, a: Value, like: Value, dtype: np.dtype[Any]) -> Value:
        role = self.precision.role(node.role) if node.role else Relative(0, 0)
        assert isinstance(role, Relative)
        frac = like.frac + role.guard
        drop = _plain(a.frac - frac)
        moved = shift_right(_roomy(a.v, drop), drop)
        if role.width:
            moved = saturate(moved, self.types[node].format)
        return Value(moved.astype(dtype, copy=False), frac)


def is_zero(node: Node) -> bool:
    return node.op is Op.CONST and node.value == 0


def _plain(shift: int | Ints) -> int | Ints:
    """One number where every group has the same: NumPy shifts by it faster."""
    if isinstance(shift, int):
        return shift
    first = int(shift.flat[0])
    return first if (shift == first).all() else shift


def _roomy(v: Ints, drop: int | Ints) -> Ints:
    """v in a dtype that holds it shifted left by the most that ``drop`` asks for."""
    left = -int(np.min(drop))
    if left <= 0 or v.dtype == object:
        return v
    reach = int(np.max(np.abs(v))).bit_length() + left
    return v.astype(object) if reach > 62 else v.astype(np.int64)
