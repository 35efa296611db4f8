"""A cell as Amaranth: the expression that it computes, from those of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

from amaranth.hdl import Cat, Const, Mux, Value

from hwnorm.rtl.cells import Cell, Kind
from hwnorm.units.hdl import shape_of


def literal(cell: Cell) -> Any:
    return Const(cell.param, shape_of(cell.format))


def wired(cell: Cell, value: Any) -> Any:
    """LEFT and RIGHT: the same bits elsewhere, cut to what the cell is known to hold."""
    value = Value.cast(value)
    moved = value.shift_left(cell.param) if cell.kind is Kind.LEFT else value.shift_right(cell.param)
    return fitted(moved, cell)


def fitted(value: Any, cell: Cell) -> Any:
    """A value in the cell's own format."""
    fmt = cell.format
    if len(value) > fmt.width:
        value = value[: fmt.width]
    return value.as_signed() if fmt.signed else value.as_unsigned()


def extended(value: Any, width: int) -> Any:
    """The same in so many bits, without a sign of their own."""
    value = Value.cast(value)
    if value.shape().signed:
        return Cat(value, value[-1].replicate(max(width - len(value), 0)))[:width]
    return Cat(value, Const(0, max(width - len(value), 0)))[:width]


def with_carry(carry: Any, a: Any, b: Any) -> Any:
    """a + b + carry in one carry chain, and the carry out of it."""
    return (Cat(carry, a) + Cat(carry, b))[1:]


def expression(cell: Cell, arg: Callable[[Cell], Any]) -> Any:
    """What stands in front of the cell's register, or is the cell's value where it has none."""
    a = [arg(x) for x in cell.args]
    match cell.kind:
        case Kind.ADD:
            return a[0] + a[1]
        case Kind.SUB:
            return a[0] - a[1]
        case Kind.MUL:
            return a[0] * a[1]
        case Kind.GT:
            return above(a[0], a[1])
        case Kind.EQ:
            return a[0] == a[1]
        case Kind.MAX:
            return Mux(above(a[0], a[1]), a[0], a[1])
        case Kind.MIN:
            return Mux(above(a[0], a[1]), a[1], a[0])
        case Kind.ABS:
            return Mux(a[0] < 0, -a[0], a[0])
        case Kind.NEGATE:  # inverted, and 1 added
            return (extended(a[1], cell.format.width) ^ a[0].replicate(cell.format.width)) + a[0]
        case Kind.SIGN:
            return Mux(a[0] > 0, 1, Mux(a[0] < 0, Const(-1), 0))
        case Kind.SELECT:
            return Mux(a[0], a[1], a[2])
        case Kind.POWER:
            return Cat(a[0] == bit + cell.param for bit in range(cell.hi.bit_length()))
        case Kind.SHIFT:
            return a[0] >> a[1]
        case Kind.SHIFT_LEFT:
            return a[0] << a[1]
        case Kind.SATURATE:
            return _saturated(a[0], cell)
        case (
            Kind.CONST
            | Kind.LAYER
            | Kind.FIELD
            | Kind.STREAM
            | Kind.CONTROL
            | Kind.LEFT
            | Kind.RIGHT
            | Kind.FIRST
            | Kind.RAMP
            | Kind.CLIP
            | Kind.SUM
            | Kind.RMAX
            | Kind.RMIN
            | Kind.UNIT
            | Kind.PORT
        ):
            raise AssertionError(f"{cell!r} is no expression")
        case _:
            assert_never(cell.kind)


def above(a: Any, b: Any) -> Any:
    """a > b as the sign of b - a: one carry chain and nothing behind it."""
    return (b - a)[-1]


def beyond(value: Any, cell: Cell) -> tuple[Any, Any]:
    """Whether a value lies above or below a SATURATE cell's format: seen at the bits above it where both have signs."""
    fmt, arg = cell.format, cell.args[0]
    if arg.format.signed and fmt.signed:
        upper = value[fmt.width - 1 :]
        return ~value[-1] & upper.any(), value[-1] & ~upper.all()
    return (value > fmt.hi if arg.hi > fmt.hi else Const(0, 1)), (value < fmt.lo if arg.lo < fmt.lo else Const(0, 1))


def chosen(which: Any, values: list[Any]) -> Any:
    """values[which]: a multiplexer a bit of ``which``."""
    for bit in range(len(which)):
        pairs = [values[n : n + 2] for n in range(0, len(values), 2)]
        values = [Mux(which[bit], *reversed(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
    return values[0]


def _saturated(value: Any, cell: Cell) -> Any:
    fmt, low = cell.format, value[: cell.format.width]
    low = low.as_signed() if fmt.signed else low
    over, under = beyond(value, cell)
    shape = shape_of(fmt)
    return Mux(over, Const(fmt.hi, shape), Mux(under, Const(fmt.lo, shape), low))
