"""The square root: non-restoring, one result bit a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from hwnorm.fixed import Format, Ints, bit_length

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Root:
    """``floor(sqrt(V * 2**t))`` with t even and as large as keeps V * 2**t within 2 * width bits.

    The result has ``width`` bits with the top one set, and t / 2 fraction bits (negative where V is wider than
    2 * width): the root of every V > 0 has the same relative precision, 2**-(width-1), truncated. V = 0 gives 0.
    Latency: V's pairs of bits and width + 2 cycles, interval the same.

    Non-restoring, a result bit a pair p of V's bits (Li and Chu, FPL 1997). With q the root so far, r the remainder,

        r <- 4 r + p - (4 q + 1) if r >= 0, else 4 r + p + (4 q + 3);  q <- 2 q + (r >= 0)

    In two's complement both addends end in 11: the one is q inverted, the other q. Nothing is normalised beforehand:
    leading pairs of zeros leave q zero, and the steps end where q's top bit is set, a pair of V each.
    """

    width: int

    def latency(self, v: Format) -> int:
        return _pairs(v) + self.width + 2

    def compute(self, v: Ints) -> tuple[Ints, Ints]:
        """(root, fraction bits of the root)."""
        half = (2 * self.width - bit_length(v)) >> 1
        wide = 2 * self.width > 62 or v.dtype == object
        operand = v.astype(object) if wide else v
        radicand = (operand << 2 * np.maximum(half, 0)) >> 2 * np.maximum(-half, 0)
        if wide:
            return np.frompyfunc(isqrt, 1, 1)(radicand).astype(np.int64), half
        root = np.sqrt(radicand.astype(np.float64)).astype(np.int64)
        root -= root * root > radicand  # float64 may land one off on either side
        root += (root + 1) * (root + 1) <= radicand
        return root, half

    def hardware(self, v: Format) -> Block:
        """Inputs ``start``, ``v``; outputs ``mantissa``, ``exponent``. No reset."""
        from amaranth.hdl import Cat, signed, unsigned

        from hwnorm.units.hdl import Block, shape_of

        block = Block("root")
        m = block.m
        start, value = block.input("start"), block.input("v", shape_of(v))
        pairs = _pairs(v)
        # q is a step behind r, whose sign is its next bit. So that the first one is 0, r starts at -1, which is as good
        # as 0: 4 (-1) + p + 3 = 4 * 0 + p - 1. ``taken`` counts the pairs, less all of V's.
        q = block.output("mantissa", unsigned(self.width))
        span = Format.holding(-pairs - 1, self.width)
        exponent = block.output("exponent", shape_of(span), init=self.width)
        taken = block.register("taken", shape_of(span), init=-pairs - 1)
        rest, r = block.register("rest", 2 * pairs), block.register("r", signed(self.width + 2), init=-1)
        subtract = ~r[-1]
        addend = Cat(1, 1, 0, q[:-1] ^ subtract.replicate(self.width - 1))
        total = (Cat(rest[-2:], r[:-2]) + addend)[: self.width + 2]
        m.d.sync += exponent.eq(taken)
        with m.If(~q[-1]):
            m.d.sync += [r.eq(total), q.eq(Cat(subtract, q)), rest.eq(rest << 2), taken.eq(taken + 1)]
            m.d.sync += exponent.eq(self.width)  # V = 0, as far as is known
        with m.If(start):
            m.d.sync += [r.eq(-1), q.eq(0), rest.eq(value), taken.eq(-pairs - 1)]
        return block


def _pairs(v: Format) -> int:
    return (v.width - v.signed + 1) // 2
