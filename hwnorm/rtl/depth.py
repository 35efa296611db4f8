"""How many words a memory has: what the plan knows of it before any hardware is there."""

from __future__ import annotations

BLOCK_WORDS = 512  # of a block RAM at its widest: larger memories are rounded up to as many, smaller to a power of two


def rounded_depth(beats: int) -> int:
    power = 1 << (beats - 1).bit_length()
    return power if power <= BLOCK_WORDS else -(-beats // BLOCK_WORDS) * BLOCK_WORDS
