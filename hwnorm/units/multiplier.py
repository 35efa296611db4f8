"""The multiplier of the values per group: one bit a cycle, no DSP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnorm.fixed import Format, Ints
from hwnorm.units.bits import Timing

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Multiplier:
    """``a * b``, exactly, in as many bits as both have together: signed if one of them is.

    The narrower operand stands at the adder. The wider one is shifted out bit by bit, the lowest first, and the
    product's low bits take its place. A sign's bit has a negative weight: the last step subtracts. Latency: the wider
    operand's bits and 1 cycle, interval the same.
    """

    def latency(self, a: Format, b: Format) -> int:
        return max(a.width, b.width) + 1

    def format(self, a: Format, b: Format) -> Format:
        return Format(a.width + b.width, a.frac + b.frac, a.signed or b.signed)

    def compute(self, a: Ints, b: Ints) -> Ints:
        """The caller chooses a dtype that holds the product."""
        return a * b

    def hardware(self, a: Format, b: Format) -> Block:
        """Inputs ``start``, ``a``, ``b``; output ``product``. No reset."""
        from amaranth.hdl import Cat, Const

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import steps

        block = Block("multiplier")
        m = block.m
        start = block.input("start")
        operands = [(block.input("a", shape_of(a)), a), (block.input("b", shape_of(b)), b)]
        (narrow, small), (wide, large) = sorted(operands, key=lambda operand: operand[1].width)
        product = block.output("product", shape_of(self.format(a, b)))
        step, last = steps(block, start, large.width)
        negative = last if large.signed else Const(0, 1)
        gated = narrow.as_unsigned() & product[0].replicate(small.width)
        # One bit more than the operand: the carry, or the sign.
        addend = Cat(gated, gated[-1] & small.signed) ^ negative.replicate(small.width + 1)
        high = product[large.width :]
        total = (Cat(1, high, high[-1] & small.signed) + Cat(negative, addend))[1 : small.width + 2]
        with m.If(step):
            m.d.sync += product.eq(Cat(product[1 : large.width], total))
        with m.If(start):
            m.d.sync += product.eq(wide.as_unsigned())
        return block

    # Bit by bit

    def timing(self, factor: Format, value: Format | None = None) -> Timing:
        return Timing(ready=2, bits=0, serial=True)

    def stream(self, factor: Format, start: int = 0) -> Block:
        """Inputs ``clear``, ``bit`` and the ``factor``, which stands still; output ``product``, bit by bit.

        One adder: where the bit is one the factor is added to a sum that moves down by one. Its lowest bit is the
        product's next.
        """
        from amaranth.hdl import Mux

        from hwnorm.units.hdl import Block, shape_of

        block = Block("multiplier")
        m = block.m
        clear, bit = block.input("clear"), block.input("bit")
        value, product = block.input("factor", shape_of(factor)), block.output("product")
        here = block.register("here")  # a bit at the gates of all the factor's has had a cycle to get there
        total = block.register("total", shape_of(Format(factor.width + 1, 0, factor.signed)))
        m.d.sync += [here.eq(bit), total.eq((total >> 1) + Mux(here, value, 0))]
        m.d.comb += product.eq(total[0])
        with m.If(clear):
            m.d.sync += [here.eq(0), total.eq(0)]
        return block
