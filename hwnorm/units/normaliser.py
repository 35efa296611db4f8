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

    One place a cycle, until the top bit is set. Latency: D's bits and 2 cycles, interval the same.
    """

    width: int

    def latency(self, d: Format) -> int:
        return d.width - d.signed + 2

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        e = bit_length(d)
        mantissa = shift_right(d, e - self.width)
        over = (mantissa >> self.width) != 0
        return np.where(over, mantissa >> 1, mantissa).astype(np.int64), e + over

    def hardware(self, d: Format, offset: int = 0) -> Block:
        """Inputs ``start``, ``d``; outputs ``mantissa``, ``exponent`` (e + offset), and ``ready``: low from the cycle
        after start until both are there; it stays low where D = 0. No reset."""
        from amaranth.hdl import Cat, unsigned

        from hwnorm.units.hdl import Block, shape_of

        block = Block("normaliser")
        m = block.m
        size = d.width - d.signed
        start, value = block.input("start"), block.input("d", shape_of(d))
        mantissa, ready = block.output("mantissa", unsigned(self.width)), block.output("ready")
        exponent = block.output("exponent", shape_of(Format.holding(min(offset, 0), offset + size + 1)), init=offset)
        e = block.register("e", exponent.shape(), init=offset + size)
        rest = block.register("rest", max(size, self.width + 1))
        over, there = block.register("over"), block.register("there")
        window = rest[-self.width - 1 :]  # Dn and the bit to round by
        with m.If(~rest[-1]):
            m.d.sync += [rest.eq(rest << 1), e.eq(e - 1)]
        rounded = window[1:] + window[0]
        m.d.sync += [
            mantissa.eq(Cat(rounded[: self.width - 1], rounded[self.width - 1 :].any())),
            over.eq(window.all()),
            there.eq(rest[-1]),
            ready.eq(there),
        ]
        with m.If(there):
            m.d.sync += exponent.eq(e + over)
        with m.Else():  # D = 0, as far as is known
            m.d.sync += exponent.eq(offset)
        with m.If(start):
            m.d.sync += [rest.eq(value << (len(rest) - size)), e.eq(offset + size), there.eq(0), ready.eq(0)]
        return block
