"""How many words a memory has: what the plan knows of it before any hardware is there."""

from __future__ import annotations

BLOCK_WORDS = 512  # of a block RAM at its widest: larger memories are rounded up to as many, smaller to a power of two


def rounded_depth(beats: int) -> int:
    """Words of a memory that holds so many beats, and one: an address that wanders leaves one out."""
    power = 1 << beats.bit_length()
    return power if power <= BLOCK_WORDS else -(-(beats + 1) // BLOCK_WORDS) * BLOCK_WORDS
