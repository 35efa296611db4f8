"""The running sum of a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnorm.fixed import Format, Ints

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Accumulator:
    """``sum(values)`` of a group of at most ``elements`` values of one format, exactly: it cannot overflow.

    Width: that of ``elements`` values at either rail. One value a cycle; the first of a group overwrites, so that
    groups follow each other without a gap and nothing needs a reset. Latency one cycle.
    """

    operand: Format
    elements: int

    def latency(self) -> int:
        return 1

    @property
    def format(self) -> Format:
        return Format.holding(self.elements * self.operand.lo, self.elements * self.operand.hi, self.operand.frac)

    def compute(self, values: Ints) -> Ints:
        """values: shape (groups, elements). The running sums, so that every intermediate value can be looked at."""
        dtype = np.int64 if self.format.width < 64 else object
        return np.cumsum(values.astype(dtype), axis=-1)

    def hardware(self) -> Block:
        """Inputs ``valid``, ``first``, ``value``; output ``sum``, a register: it stays where ``valid`` is low."""
        from amaranth.hdl import Mux

        from hwnorm.units.hdl import Block, shape_of

        block = Block("accumulator")
        valid, first = block.input("valid"), block.input("first")
        value, total = block.input("value", shape_of(self.operand)), block.output("sum", shape_of(self.format))
        with block.m.If(valid):
            block.m.d.sync += total.eq(Mux(first, 0, total) + value)
        return block
