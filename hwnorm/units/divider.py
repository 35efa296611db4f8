"""The mean's divider: one quotient bit a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnorm.fixed import Format, Ints

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Divider:
    """``floor(n * 2**frac / d)`` for any n of either sign and any d > 0; d = 0 gives 0.

    The quotient must fit ``width`` bits, which it does where |n| <= d * 2**(width - frac - 1): a sum divided by its
    count. Rounding is toward minus infinity, so a negative sum keeps its floor (an unsigned divider after a sign would
    round it the other way). Latency max(bits of n with its sign + frac, width + 1) + 2 cycles, interval the same.

    Non-restoring. With r the remainder so far (at first 0, or -1 where n < 0) and b the next bit of n * 2**frac,

        r <- 2 r + b - d if r >= 0, else 2 r + b + d;  -d <= r < d

    The quotient is the sum of the digits 1 and -1, less 1 where the last r is negative. Written out, its bits are
    ``r >= 0`` after each step, the first of them inverted: two's complement, and the floor, with no correction.
    """

    width: int
    frac: int

    def latency(self, n: Format, d: Format) -> int:
        return self._digits(n) + 2

    def _digits(self, n: Format) -> int:
        """Of n * 2**frac with its sign; one more at least than q has bits, so that the inverted one falls out of q."""
        return max(n.width + (not n.signed) + self.frac, self.width + 1)

    def compute(self, n: Ints, d: Ints) -> Ints:
        divisor = np.where(d == 0, 1, d)
        return np.where(d == 0, 0, (n << self.frac) // divisor)

    def hardware(self, n: Format, d: Format) -> Block:
        """Inputs ``start``, ``n``, ``d``; output ``q``. No reset."""
        from amaranth.hdl import Cat, Const, signed

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import read

        block = Block("divider")
        m = block.m
        start = block.input("start")
        dividend, divisor = block.input("n", shape_of(n)), block.input("d", shape_of(d))
        q = block.output("q", signed(self.width))

        sign = dividend[-1] if n.signed else Const(0, 1)
        rest = dividend[:-1] if n.signed else dividend
        padding = self._digits(n) - self.frac - len(rest)
        size = d.width - d.signed
        digit, step, _ = read(block, start, [*Const(0, self.frac), *rest, *sign.replicate(padding)])

        live, first, r = block.register("live"), block.register("first"), block.register("r", size + 1)
        subtract = ~r[-1]
        # The first step is the sign's: r is 0 and d hidden, and r becomes -1 + (1 - b).
        addend = Cat(divisor[:size] & (~first).replicate(size), 0) ^ subtract.replicate(size + 1)
        carry = (subtract & ~first) | (first & ~digit)
        total = (Cat(1, digit & ~first, r[:-1]) + Cat(carry, addend))[1 : size + 2]
        m.d.sync += live.eq(divisor.any())
        with m.If(step):
            m.d.sync += [r.eq(total), first.eq(0), q.eq(Cat(~total[-1] & live, q))]
        with m.If(start):
            m.d.sync += [r.eq(0), first.eq(1)]
        return block
