"""Sum of the lanes of one beat: a balanced tree of two-input adders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwnorm.fixed import Ints


@dataclass(frozen=True, slots=True)
class AdderTree:
    """``sum(lanes)``, exactly.

    ``lanes - 1`` adders in ``ceil(log2(lanes))`` levels, each level one bit wider and one register deep; a lane without
    a partner passes through its level's register. A new beat may enter every cycle. One lane: no adder, no latency.
    """

    lanes: int
    width: int

    def __post_init__(self) -> None:
        if self.lanes < 1:
            raise ValueError(f"lanes must be a positive integer, not {self.lanes}")

    @property
    def latency(self) -> int:
        return (self.lanes - 1).bit_length()

    @property
    def sum_width(self) -> int:
        return self.width + self.latency

    def compute(self, values: Ints) -> Ints:
        """values: shape (..., lanes). The tree itself, level by level, so that it can be checked against ``sum``."""
        while values.shape[-1] > 1:
            paired = values.shape[-1] & ~1
            sums = values[..., 0:paired:2] + values[..., 1:paired:2]
            values = np.concatenate([sums, values[..., paired:]], axis=-1)
        return values[..., 0]
