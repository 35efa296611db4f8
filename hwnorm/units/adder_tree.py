"""Sum of the lanes of one beat: a balanced tree of two-input adders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnorm.fixed import Format, Ints

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


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

    def latency(self) -> int:
        return (self.lanes - 1).bit_length()

    @property
    def sum_width(self) -> int:
        return self.width + self.latency()

    def compute(self, values: Ints) -> Ints:
        """values: shape (..., lanes). The tree itself, level by level, so that it can be checked against ``sum``."""
        while values.shape[-1] > 1:
            paired = values.shape[-1] & ~1
            sums = values[..., 0:paired:2] + values[..., 1:paired:2]
            values = np.concatenate([sums, values[..., paired:]], axis=-1)
        return values[..., 0]

    def hardware(self, signed: bool) -> Block:
        """Inputs ``value_0`` to ``value_{lanes-1}``; output ``sum``: a register, or with one lane the value itself."""
        from hwnorm.units.hdl import Block, shape_of

        block = Block("adder_tree")
        values = [block.input(f"value_{i}", shape_of(Format(self.width, 0, signed))) for i in range(self.lanes)]
        total = block.output("sum", shape_of(Format(self.sum_width, 0, signed)))
        for level in range(1, self.latency() + 1):
            shape = shape_of(Format(self.width + level, 0, signed))
            pairs = [values[i : i + 2] for i in range(0, len(values), 2)]
            values = [block.register(f"level_{level}_{i}", shape) for i in range(len(pairs))]
            block.m.d.sync += [value.eq(sum(pair[1:], pair[0])) for value, pair in zip(values, pairs, strict=True)]
        block.m.d.comb += total.eq(values[0])
        return block
