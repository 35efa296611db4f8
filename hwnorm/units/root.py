"""The square root: non-restoring, one result bit a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from hwnorm.fixed import Ints, bit_length


@dataclass(frozen=True, slots=True)
class Root:
    """``floor(sqrt(V * 2**t))`` with t even and as large as keeps V * 2**t within 2 * width bits.

    The result has ``width`` bits with the top one set, and t / 2 fraction bits (negative where V is wider than
    2 * width): the root of every V > 0 has the same relative precision, 2**-(width-1), truncated. V = 0 gives 0.
    Latency width + 1 cycles (normalise, then a bit a cycle), interval the same.
    """

    width: int

    @property
    def latency(self) -> int:
        return self.width + 1

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
