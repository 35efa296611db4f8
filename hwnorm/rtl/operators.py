"""The elementary operations of L1BN's Table IV, and the serial units, each alone in a module: to be measured.

Sign, abs, square and their like stand between registers, one operand a cycle; root and reciprocal are the serial units
of hwnorm.units, one operand an interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Mux, signed, unsigned

from hwnorm.fixed import Format
from hwnorm.rtl import verilog
from hwnorm.units import Divider, Gain, Multiplier, RestoringReciprocal, Root, Rounder
from hwnorm.units.hdl import Block

SIGNED, UNSIGNED = True, False


@dataclass(frozen=True, slots=True)
class Operator:
    """``cycles`` from operand to result; ``interval`` from one operand to the next."""

    name: str
    bits: int
    text: str
    cycles: int
    interval: int


@dataclass(frozen=True, slots=True)
class UnitCase:
    """A serial unit with the formats of its operands; ``serial``: it reads bit by bit."""

    kind: str
    unit: Any
    formats: tuple[Format, ...]
    serial: bool

    @property
    def text(self) -> str:
        if not self.serial:
            block = self.unit.hardware(*self.formats)
        elif isinstance(self.unit, Multiplier):
            block = self.unit.stream(self.formats[0])
        elif isinstance(self.unit, RestoringReciprocal):
            block = self.unit.stream(self.formats[0], start=0)
        else:
            block = self.unit.stream(*self.formats)
        return verilog.text(block, "")


def _sign(x: Any) -> Any:
    return Mux(x > 0, Const(1, signed(2)), Mux(x < 0, Const(-1, signed(2)), 0))


COMBINATIONAL: dict[str, tuple[Callable[[Any], Any], Callable[[int], Any]]] = {
    "sign": (_sign, lambda bits: signed(2)),
    "abs": (lambda x: Mux(x < 0, -x, x), unsigned),
    "square": (lambda x: x * x, lambda bits: unsigned(2 * bits - 1)),
}
OPERATORS = (*COMBINATIONAL, "root", "reciprocal")


def operator(name: str, bits: int) -> Operator:
    if name in COMBINATIONAL:
        return _between_registers(name, bits)
    operand = Format(bits, 0, UNSIGNED)
    unit: Any = Root(bits) if name == "root" else RestoringReciprocal(bits, bits)
    latency = unit.latency(operand)
    return Operator(name, bits, verilog.text(unit.hardware(operand), ""), latency, latency)


def _between_registers(name: str, bits: int) -> Operator:
    compute, shape = COMBINATIONAL[name]
    block = Block(name)
    x, y = block.input("x", signed(bits)), block.output("y", shape(bits))
    held = block.register("held", signed(bits))
    block.m.d.sync += [held.eq(x), y.eq(compute(held))]
    return Operator(name, bits, verilog.text(block, ""), 1, 1)


def unit_cases(widths: tuple[int, ...]) -> list[UnitCase]:
    """Every serial unit at every width, as the engines use them."""
    found = []
    for width in widths:
        value, wide = Format(width, 0, UNSIGNED), Format(2 * width, 0, UNSIGNED)
        number = Format(width, 0, SIGNED)
        frac = Format.holding(0, 2 * width)
        found += [
            UnitCase("multiplier", Multiplier(), (number,), True),
            UnitCase("multiplier", Multiplier(), (value,), True),
            UnitCase("divider", Divider(width, 4), (number, value), False),
            UnitCase("divider", Divider(width, 4), (Format(width + 6, 0, SIGNED), Format(6, 0, UNSIGNED)), False),
            UnitCase("root", Root(width), (wide,), False),
            UnitCase("root", Root(width), (value,), False),
            UnitCase("reciprocal", RestoringReciprocal(width, width), (wide,), True),
            UnitCase("reciprocal", RestoringReciprocal(width, width), (Format(3 * width, 0, UNSIGNED),), True),
            UnitCase("gain", Gain(width, 0, 3, width), (wide, frac), True),
            UnitCase("gain", Gain(width, 4, 2, width), (Format(3 * width, 0, UNSIGNED), frac), True),
            UnitCase("rounder", Rounder(0, width, number), (Format(2 * width, 0, SIGNED), frac), True),
            UnitCase("rounder", Rounder(4, 2 * width, number), (Format(3 * width, 0, SIGNED), frac), True),
        ]
    return found
