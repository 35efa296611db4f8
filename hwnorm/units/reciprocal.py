"""1 / D as a mantissa and an exponent: three units, one contract.

    e  = bitlength(D)
    Dn = D rounded to ``operand_width`` bits, so 2**(w-1) <= Dn < 2**w         (normalise)
    R  ~ 2**(w + width - 1) / Dn, at most 2**width - 1                         (the unit)
    1/D ~ R * 2**-(width - 1 + e)

R has its top bit set for every D > 0, so its relative error is at most half a unit of 2**-(width-1) for the restoring
unit (which rounds), and the stated number of units for the others. D = 0 gives R = 0: a group without variance.

All three are exact integer functions: a table is part of the definition, not an approximation of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np

from hwnorm.fixed import Ints, bit_length, shift_right


class Reciprocal(Protocol):
    """What the three have in common."""

    @property
    def width(self) -> int: ...

    @property
    def latency(self) -> int: ...

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        """(R, fraction bits of R) for every D >= 0."""
        ...


def normalise(d: Ints, width: int) -> tuple[Ints, Ints]:
    """(Dn, e): D = Dn * 2**(e - width) with Dn rounded half up to ``width`` bits; a Dn that rounds to 2**width is
    halved."""
    e = bit_length(d)
    mantissa = shift_right(d, e - width)
    over = (mantissa >> width) != 0
    return np.where(over, mantissa >> 1, mantissa).astype(np.int64), e + over


def _scaled(r: Ints, e: Ints, live: Ints, width: int) -> tuple[Ints, Ints]:
    """The clamp at 2**width - 1 (D a power of two) and the dead group, the same for every unit."""
    return np.where(live, np.minimum(r, (1 << width) - 1), 0).astype(np.int64), e + (width - 1)


@dataclass(frozen=True, slots=True)
class RestoringReciprocal:
    """R = min(round(2**(w + width - 1) / Dn), 2**width - 1): the mean's divider once more, rounded half up.

    One quotient bit a cycle and one more to round by: latency ``width + 1`` cycles (and one to normalise), interval the
    same. Truncated, R would be too small by half a unit on average, and all outputs with it.
    """

    operand_width: int
    width: int

    @property
    def latency(self) -> int:
        return self.width + 2

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        dn, e = normalise(d, self.operand_width)
        live = dn > 0
        numerator = 1 << (self.operand_width + self.width - 1)
        divisor = np.where(live, dn, 1)
        if numerator >= 1 << 62:
            divisor = divisor.astype(object)
        return _scaled((numerator + (divisor >> 1)) // divisor, e, live, self.width)


@dataclass(frozen=True, slots=True)
class TableReciprocal:
    """A piecewise-linear table over 2**index_bits segments of the mantissa, two words a segment.

    Dn = (1, i, t): i the next ``index_bits`` bits after the leading one, t the ``rest_bits`` that remain.
    R = (A[i] - (B[i] * t >> rest_bits)) >> 4: the chord between the segment's ends, lowered by half of the most by
    which it passes above the curve. With h = 2**-index_bits that is h**2 / 8 of full scale at the left end of the
    range, half a unit with index_bits = ceil((width - 2) / 2). Rounding adds a half, the words' last bits two
    sixteenths: R is within 1 1/8 units of the exact value (a test tries every D of 12 bits; the worst met is 1.088).
    Latency 3 cycles, a new D every cycle.
    """

    operand_width: int
    width: int

    @property
    def index_bits(self) -> int:
        return min(self.operand_width - 1, -(-(self.width - 2) // 2))

    @property
    def latency(self) -> int:
        return 3

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        dn, e = normalise(d, self.operand_width)
        live = dn > 0
        rest_bits = self.operand_width - 1 - self.index_bits
        fraction = np.where(live, dn, 1 << (self.operand_width - 1)) - (1 << (self.operand_width - 1))
        index, rest = fraction >> rest_bits, fraction & ((1 << rest_bits) - 1)
        offsets, slopes = _table(self.index_bits, self.width)
        line = offsets[index] - (slopes[index] * rest >> rest_bits)
        return _scaled(line >> _GUARD, e, live, self.width)


_GUARD = 4  # fraction bits of the table's words below the result's last bit


@cache
def _table(index_bits: int, width: int) -> tuple[Ints, Ints]:
    """The words A and B of TableReciprocal, in integers alone: every machine makes the same table."""
    segments = 1 << index_bits
    scale = segments << (width + _GUARD)  # R is 2**width for Dn = 2**(w-1), and falls to half of it
    offsets, slopes = [], []
    for left in range(segments, 2 * segments):
        start, middle, end = scale // left, 2 * scale // (2 * left + 1), scale // (left + 1)
        sag = (start + end) // 2 - middle  # how far the chord runs above the curve
        offsets.append(start - sag // 2 + (1 << (_GUARD - 1)))
        slopes.append(start - end)
    return np.array(offsets, dtype=np.int64), np.array(slopes, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class NewtonReciprocal:
    """A table's seed of 10 bits and two Newton steps: for wide operands, where a table alone would be large.

    r <- r * (2 - d * r) with d in [1/2, 1) and r in (1, 2], each product truncated to width + 2 fraction bits. The
    seed's error 2**-9 becomes 2**-18, then 2**-36, so that truncation is all that is left: R is within two units of the
    exact value for width up to 32. Four multiplications, latency 3 + 4 * 2 cycles, a new D every cycle.
    """

    operand_width: int
    width: int

    @property
    def latency(self) -> int:
        return 11

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        dn, e = normalise(d, self.operand_width)
        live = dn > 0
        mantissa = np.where(live, dn, 1 << (self.operand_width - 1))
        frac = max(self.width + 2, 10)  # the seed has to fit
        if frac + self.operand_width + 2 >= 62:
            mantissa = mantissa.astype(object)
        seed_width = 10
        top = shift_right(mantissa, self.operand_width - seed_width)
        top = np.minimum(top, (1 << seed_width) - 1).astype(np.int64)
        seed, _ = TableReciprocal(seed_width, seed_width).compute(top)
        r = seed.astype(mantissa.dtype) << (frac - seed_width + 1)
        for _ in range(2):
            gap = (2 << frac) - ((mantissa * r) >> self.operand_width)
            r = (r * gap) >> frac if mantissa.dtype == object else _wide_multiply(r, gap, frac)
        return _scaled(shift_right(r, frac - self.width + 1), e, live, self.width)


def _wide_multiply(a: Ints, b: Ints, shift: int) -> Ints:
    """(a * b) >> shift where the product may pass 63 bits: through Python integers only then."""
    if 2 * shift + 3 < 63:
        return (a * b) >> shift
    return ((a.astype(object) * b) >> shift).astype(np.int64)


def reciprocal_unit(kind: str, operand_width: int, width: int) -> Reciprocal:
    """The unit that ``--reciprocal`` names."""
    match kind:
        case "restoring":
            return RestoringReciprocal(operand_width, width)
        case "pwl":
            return TableReciprocal(operand_width, width)
        case "newton":
            return NewtonReciprocal(operand_width, width)
        case _:
            raise ValueError(f"reciprocal must be restoring, pwl or newton, not {kind!r}")
