"""Pseudo-random bits: a linear feedback shift register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block

# Exponents of a primitive polynomial for each width, but for the 1 (Xilinx XAPP 052, P. Alfke 1996, table 3; those of 4
# terms are his choice too where no trinomial is primitive). A test runs through the period of all.
TAPS = {
    **{4: (4, 3), 5: (5, 3), 6: (6, 5), 7: (7, 6), 8: (8, 6, 5, 4), 9: (9, 5), 10: (10, 7), 11: (11, 9)},
    **{12: (12, 6, 4, 1), 13: (13, 4, 3, 1), 14: (14, 5, 3, 1), 15: (15, 14), 16: (16, 15, 13, 4), 17: (17, 14)},
    **{18: (18, 11), 19: (19, 6, 2, 1), 20: (20, 17), 21: (21, 19), 22: (22, 21), 23: (23, 18), 24: (24, 23, 22, 17)},
    **{25: (25, 22), 26: (26, 6, 2, 1), 27: (27, 5, 2, 1), 28: (28, 25), 29: (29, 27), 30: (30, 6, 4, 1)},
    **{31: (31, 28), 32: (32, 22, 2, 1)},
}


@dataclass(frozen=True, slots=True)
class Lfsr:
    """state <- (state << 1) + parity(state & taps), in ``width`` bits: every state but 0, which stays, once a period.

    Period 2**width - 1. One step a cycle.
    """

    width: int

    def __post_init__(self) -> None:
        if self.width not in TAPS:
            raise ValueError(f"width must be an integer from {min(TAPS)} to {max(TAPS)}, not {self.width}")

    @property
    def mask(self) -> int:
        return sum(1 << (tap - 1) for tap in TAPS[self.width])

    def compute(self, state: int, steps: int = 1) -> int:
        for _ in range(steps):
            state = (state << 1 | (state & self.mask).bit_count() & 1) & ((1 << self.width) - 1)
        return state

    def hardware(self, seed: int = 1) -> Block:
        """Input ``enable``; output ``state``, a register, which a reset sets to ``seed``: it is control."""
        from amaranth.hdl import unsigned

        from hwnorm.units.hdl import Block

        if not 0 < seed < 1 << self.width:
            raise ValueError(f"seed must be an integer from 1 to {(1 << self.width) - 1}, not {seed}")
        block = Block("lfsr")
        enable, state = block.input("enable"), block.output("state", unsigned(self.width), init=seed)
        register = block.register("register", unsigned(self.width), init=seed, reset_less=False)
        block.m.d.comb += state.eq(register)
        with block.m.If(enable):
            block.m.d.sync += register.eq(self.following(register))
        return block

    def following(self, state: Any) -> Any:
        """What comes after a state, as an Amaranth value of ``width`` bits."""
        from amaranth.hdl import Cat

        return Cat((state & self.mask).xor(), state[: self.width - 1])
