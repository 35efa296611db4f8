"""How many words a memory has: what the plan knows of it before any hardware is there."""

from __future__ import annotations

LATE_SPACE = 4  # promises until it is known that there are as many as there may be
BLOCK_WORDS, BLOCK_WIDTH = 512, 36  # of a block RAM at its widest; twice the words have half the width
SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


def rounded_depth(beats: int, width: int) -> int:
    """Words of a memory that holds so many beats, and one: an address that wanders leaves one out, and comes by a power
    of two. Large memories are rounded up to that where it takes no block RAM more, and beyond the words of the deepest
    block in any case: many parts of few words would have to be chosen from."""
    power = 1 << beats.bit_length()
    least = -(-(beats + 1) // BLOCK_WORDS) * BLOCK_WORDS
    return power if power <= BLOCK_WORDS or _blocks(power, width) <= _blocks(least, width) else least


def banks(depth: int, width: int) -> list[int]:
    """Words of the parts of a memory that is deeper than a block RAM of the shape that suits it best: each part has the
    block's own register behind it, and what selects one of them comes after that."""
    words, _ = min(
        reversed(SHAPES), key=lambda shape: -(-depth // shape[0]) * -(-width // shape[1])
    )  # the deepest best
    full, rest = divmod(depth, words)
    return [words] * full + [rest] * (rest > 0)


def _blocks(words: int, width: int) -> int:
    """Of one shape, or as many of the widest as the words fill."""
    shaped = -(-width // max(BLOCK_WIDTH * BLOCK_WORDS >> (words - 1).bit_length(), 1))
    return min(shaped, -(-words // BLOCK_WORDS) * -(-width // BLOCK_WIDTH))
