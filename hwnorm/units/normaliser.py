"""A non-negative value as a mantissa of fixed width with its top bit set, and a count of bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnorm.fixed import Format, Ints, bit_length, shift_right

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Normaliser:
    """(Dn, e): D = Dn * 2**(e - width) with Dn rounded half up to ``width`` bits; a Dn that rounds to 2**width is
    halved. D = 0 gives (0, 0).

    D's bits are read from the top, a zero nibble a cycle until there is a one, then a bit a cycle until Dn and the bit
    to round by are there: the register is as wide as Dn, not as D. Latency: D's nibbles, ``width`` and 7 cycles,
    interval the same.
    """

    width: int

    def latency(self, d: Format) -> int:
        return -(-(d.width - d.signed) // 4) + self.width + 7

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        e = bit_length(d)
        mantissa = shift_right(d, e - self.width)
        over = (mantissa >> self.width) != 0
        return np.where(over, mantissa >> 1, mantissa).astype(np.int64), e + over

    def hardware(self, d: Format, offset: int = 0) -> Block:
        """Inputs ``start``, ``d``; outputs ``mantissa``, ``exponent`` (e + offset), and ``ready``: low from the cycle
        after start until both are there; it stays low where D = 0. No reset."""
        from amaranth.hdl import Cat, Mux, unsigned

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import leading

        block = Block("normaliser")
        m = block.m
        size = d.width - d.signed
        start, value = block.input("start"), block.input("d", shape_of(d))
        mantissa, ready = block.output("mantissa", unsigned(self.width)), block.output("ready")
        exponent = block.output("exponent", shape_of(Format.holding(min(offset, 0), offset + size + 1)))
        window = block.register("window", self.width + 1)  # and the bit to round by
        most = 4 * -(-size // 4) + self.width + 1  # what e is before the first bit
        e = block.register("e", shape_of(Format.holding(min(offset, 0), offset + most)))
        over, there = block.register("over"), block.register("there")
        bit, fed, skipped, seen = leading(block, start, value[:size], stop=window[-1])
        with m.If(fed | skipped):
            m.d.sync += e.eq(e - Mux(skipped, 4, 1))
        with m.If(fed):
            m.d.sync += window.eq(Cat(bit, window))
        rounded = window[1:] + window[0]
        m.d.sync += [
            mantissa.eq(Cat(rounded[: self.width - 1], rounded[self.width - 1 :].any())),
            over.eq(window.all()),
            exponent.eq(Mux(seen, e + over, offset)),
            there.eq(window[-1]),
            ready.eq(there),
        ]
        with m.If(start):
            m.d.sync += [window.eq(0), e.eq(offset + most), there.eq(0), ready.eq(0)]
        return block
