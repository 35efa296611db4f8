"""The mean's divider: restoring, one quotient bit a cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwnorm.fixed import Ints


@dataclass(frozen=True, slots=True)
class Divider:
    """``floor(n * 2**frac / d)`` for any n of either sign and any d > 0; d = 0 gives 0.

    The quotient must fit ``width`` bits, which it does where |n| <= d * 2**(width - frac - 1): a sum divided by its
    count. Rounding is toward minus infinity, so a negative sum keeps its floor (an unsigned divider after a sign would
    round it the other way). Latency ``width`` cycles, interval the same.
    """

    width: int
    frac: int

    @property
    def latency(self) -> int:
        return self.width

    def compute(self, n: Ints, d: Ints) -> Ints:
        divisor = np.where(d == 0, 1, d)
        return np.where(d == 0, 0, (n << self.frac) // divisor)
