"""How many words a memory has: what the plan knows of it before any hardware is there."""

from __future__ import annotations

LATE_SPACE = 4  # promises unknown to a count that is two cycles late and asked another one later, and one
BLOCK_WORDS, BLOCK_WIDTH = 512, 36  # of a block RAM at its widest; twice the words have half the width


def rounded_depth(beats: int, width: int) -> int:
    """Words of a memory that holds so many beats, and one: an address that wanders leaves one out, and comes by a power
    of two. Large memories are rounded up to that where it takes no block RAM more."""
    power = 1 << beats.bit_length()
    least = -(-(beats + 1) // BLOCK_WORDS) * BLOCK_WORDS
    return power if power <= BLOCK_WORDS or _blocks(power, width) <= _blocks(least, width) else least


def _blocks(words: int, width: int) -> int:
    """Of one shape, or as many of the widest as the words fill."""
    shaped = -(-width // max(BLOCK_WIDTH * BLOCK_WORDS >> (words - 1).bit_length(), 1))
    return min(shaped, -(-words // BLOCK_WORDS) * -(-width // BLOCK_WIDTH))
