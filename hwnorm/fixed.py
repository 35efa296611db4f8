"""Fixed-point integers in NumPy: formats, rounding, saturation.

A fixed-point number is an integer ``v`` and a count of fraction bits: its value is ``v * 2**-frac``. Everything here
is exact but for the two places where bits are dropped, ``shift_right`` (rounds) and ``saturate`` (clips). Nothing
wraps: arrays are int64 where 63 bits are enough and Python integers (dtype object) where they are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[Any]
"""An array of integers: a NumPy integer dtype, or object with Python integers where values may pass 63 bits."""


class Rounding(Enum):
    HALF_UP = "half-up"  # floor(v + 1/2): one adder; unbiased but for exact ties
    FLOOR = "floor"  # drop the bits: an arithmetic shift


@dataclass(frozen=True, slots=True)
class Format:
    """An integer of ``width`` bits whose last ``frac`` bits are fraction (frac may be negative, or exceed width)."""

    width: int
    frac: int
    signed: bool = True

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be a positive integer, not {self.width}")

    @property
    def lo(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    @classmethod
    def holding(cls, lo: int, hi: int, frac: int = 0) -> Format:
        """The narrowest format that holds every integer from lo to hi."""
        signed = lo < 0
        width = max(max(hi, 0).bit_length(), (~lo).bit_length() if signed else 0) + signed
        return cls(max(width, 1), frac, signed)

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.width}.{self.frac}"


@cache
def integer_dtype(lo: int, hi: int) -> np.dtype[Any]:
    """The narrowest signed NumPy dtype that holds lo to hi; object (Python integers) past 63 bits."""
    bits = max(max(hi, 0).bit_length(), (~lo).bit_length() if lo < 0 else 0)
    for size in (1, 2, 4, 8):
        if bits < 8 * size:
            return np.dtype(f"i{size}")
    return np.dtype(object)


def shift_right(v: Ints, shift: int | Ints, rounding: Rounding = Rounding.HALF_UP) -> Ints:
    """``v * 2**-shift``, rounded; a negative shift multiplies, exactly.

    ``shift`` is one integer or an array that broadcasts against v. v must leave one bit of its dtype free for the
    half that is added (and the room that a left shift takes); the caller chooses the dtype by that.
    """
    if isinstance(shift, int):
        if shift <= 0:
            return v << -shift if shift else v
        if v.dtype != object:
            shift = min(shift, _far(v))
        if rounding is Rounding.FLOOR:
            return v >> shift
        raised = v + (1 << (shift - 1))
        raised >>= shift  # in place: this is the inner loop of the bit-true reference
        return raised
    right: Ints = np.maximum(shift, 0)
    if v.dtype != object:
        right = np.minimum(right, _far(v))
    right = right.astype(v.dtype)
    left: Ints = np.maximum(-shift, 0).astype(v.dtype)
    if left.any():
        v = v << left
    if rounding is Rounding.HALF_UP:
        v = v + ((right > 0).astype(v.dtype) << np.maximum(right - 1, 0))
    return np.asarray(v >> right)


def _far(v: Ints) -> int:
    """A shift that leaves nothing of a v with a bit free, but is still defined for its dtype."""
    return 8 * v.dtype.itemsize - 1


def saturate(v: Ints, fmt: Format) -> Ints:
    """v clipped to the format's range."""
    return np.clip(v, fmt.lo, fmt.hi)


def cast(v: Ints, frac: int | Ints, fmt: Format, rounding: Rounding = Rounding.HALF_UP) -> Ints:
    """An integer with ``frac`` fraction bits in another format: rounded, then saturated."""
    return saturate(shift_right(v, frac - fmt.frac, rounding), fmt)


def bit_length(v: Ints) -> Ints:
    """``int.bit_length`` of every element of a non-negative array, as int64."""
    if v.dtype == object:
        return np.asarray(np.frompyfunc(int.bit_length, 1, 1)(v), dtype=np.int64)
    exponent: Ints = np.frexp(v.astype(np.float64))[1].astype(np.int64)
    # A value just below a power of two may have been rounded up to it on the way to float64.
    over = (v >> np.maximum(exponent - 1, 0)) == 0
    return np.asarray(exponent - (over & (v > 0)))
