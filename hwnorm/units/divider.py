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
        from amaranth.hdl import Cat, signed

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import steps

        block = Block("divider")
        m = block.m
        start = block.input("start")
        dividend, divisor = block.input("n", shape_of(n)), block.input("d", shape_of(d))
        q = block.output("q", signed(self.width))

        digits, size = self._digits(n), d.width - d.signed
        step, _ = steps(block, start, digits + 1)  # the last one is q's
        rest, r = block.register("rest", digits), block.register("r", size + 1)
        live, first = block.register("live"), block.register("first", init=1)
        subtract = ~r[-1]
        # The first step is the sign's: r is 0 and d hidden, and r becomes -1 + (1 - b).
        addend = Cat(divisor[:size] & (~first).replicate(size), 0) ^ subtract.replicate(size + 1)
        carry = (subtract & ~first) | (first & ~rest[-1])
        total = (Cat(1, rest[-1] & ~first, r[:-1]) + Cat(carry, addend))[1 : size + 2]
        m.d.sync += live.eq(divisor.any())
        with m.If(step):
            m.d.sync += [r.eq(total), rest.eq(rest << 1), first.eq(0), q.eq(Cat(subtract & live, q))]
        with m.If(start):
            m.d.sync += [r.eq(0), rest.eq(dividend << self.frac), first.eq(1)]
        return block
