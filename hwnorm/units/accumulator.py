"""The running sum of a group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwnorm.fixed import Format, Ints


@dataclass(frozen=True, slots=True)
class Accumulator:
    """``sum(values)`` of a group of at most ``elements`` values of one format, exactly: it cannot overflow.

    Width: that of ``elements`` values at either rail. One value a cycle; the first of a group overwrites, so that
    groups follow each other without a gap and reset is needed by nothing but the first. Latency one cycle.
    """

    operand: Format
    elements: int

    @property
    def latency(self) -> int:
        return 1

    @property
    def format(self) -> Format:
        return Format.holding(self.elements * self.operand.lo, self.elements * self.operand.hi, self.operand.frac)

    def compute(self, values: Ints) -> Ints:
        """values: shape (groups, elements). The running sums, so that every intermediate value can be looked at."""
        dtype = np.int64 if self.format.width < 64 else object
        return np.cumsum(values.astype(dtype), axis=-1)
