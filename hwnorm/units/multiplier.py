"""The multiplier of the values per group: one bit a cycle, no DSP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnorm.fixed import Format, Ints

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Multiplier:
    """``a * b``, exactly, in as many bits as both have together: signed if one of them is.

    The narrower operand stands at the adder, the wider one is read bit by bit, the lowest first: the sum moves right
    under it, and the product's low bits fall out. A sign's bit has a negative weight: the last step subtracts.
    Latency: the wider operand's bits and 2 cycles, interval the same.
    """

    def latency(self, a: Format, b: Format) -> int:
        return max(a.width, b.width) + 2

    def format(self, a: Format, b: Format) -> Format:
        return Format(a.width + b.width, a.frac + b.frac, a.signed or b.signed)

    def compute(self, a: Ints, b: Ints) -> Ints:
        """The caller chooses a dtype that holds the product."""
        return a * b

    def hardware(self, a: Format, b: Format) -> Block:
        """Inputs ``start``, ``a``, ``b``; output ``product``. No reset."""
        from amaranth.hdl import Cat, Const

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import read

        block = Block("multiplier")
        m = block.m
        start = block.input("start")
        operands = [(block.input("a", shape_of(a)), a), (block.input("b", shape_of(b)), b)]
        (narrow, small), (wide, large) = sorted(operands, key=lambda operand: operand[1].width)
        product = block.output("product", shape_of(self.format(a, b)))
        digit, step, last = read(block, start, [*reversed(wide)])
        negative = last if large.signed else Const(0, 1)
        high = product[large.width :]
        gated = narrow.as_unsigned() & digit.replicate(small.width)
        # One bit more than the operand: the carry, or the sign.
        addend = Cat(gated, gated[-1] & small.signed) ^ negative.replicate(small.width + 1)
        total = (Cat(1, high, high[-1] & small.signed) + Cat(negative, addend))[1 : small.width + 2]
        with m.If(step):
            m.d.sync += product.eq(Cat(product[1 : large.width], total))
        with m.If(start):
            m.d.sync += high.eq(0)
        return block
