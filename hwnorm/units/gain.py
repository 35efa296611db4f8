"""The group's gain K = gamma / sigma as a mantissa and a shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwnorm.fixed import Ints, bit_length, shift_right


@dataclass(frozen=True, slots=True)
class Gain:
    """``product * 2**-frac`` as K * 2**-(base + sh): |K| a mantissa of ``width`` bits, sh in [shift_lo, shift_hi].

    The magnitude is rounded half up to ``width`` bits with the top bit set, the sign put back behind it, so that a
    gain and its negative are mirror images.

    - too large (sh would be below shift_lo): |K| = 2**width - 1, sh = shift_lo. The gain clamps.
    - too small (sh would be above shift_hi): K loses its low bits instead, sh = shift_hi.
    - zero: K = 0, sh = shift_hi.

    ``base`` is the fraction bits of the output: the shift that apply does is sh itself. Latency 2 cycles (leading-one
    detector and shift, then round).
    """

    width: int
    base: int
    shift_lo: int
    shift_hi: int

    @property
    def latency(self) -> int:
        return 2

    def compute(self, product: Ints, frac: Ints) -> tuple[Ints, Ints]:
        """(K, fraction bits of K)."""
        magnitude = np.abs(product)
        drop = bit_length(magnitude) - self.width
        carried = (shift_right(magnitude, drop) >> self.width) != 0
        sh = frac - drop - carried - self.base
        sh = np.where(magnitude == 0, self.shift_hi, sh)
        clamped = sh < self.shift_lo
        sh = np.minimum(sh, self.shift_hi)
        mantissa = shift_right(magnitude, np.where(clamped, drop, frac - self.base - sh)).astype(np.int64)
        mantissa = np.where(clamped, (1 << self.width) - 1, mantissa)
        sh = np.where(clamped, self.shift_lo, sh)
        return np.where(product < 0, -mantissa, mantissa), (sh + self.base).astype(np.int64)
