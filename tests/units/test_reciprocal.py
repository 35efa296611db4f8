"""Three reciprocals against Fractions: the stated error, the same in both dtypes."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from simulator import check, check_stream, drawn, every
from test_normaliser import normalised

from hwnorm.fixed import Format
from hwnorm.units import NewtonReciprocal, RestoringReciprocal, TableReciprocal, reciprocal_unit

UNITS = {
    "restoring": Fraction(0),
    "pwl": Fraction(9, 8),
    "newton": Fraction(2),
}  # units of the last bit from the exact quotient by Dn
CASES = [(kind, width) for kind in UNITS for width in range(8, 33) if kind != "pwl" or width <= 24]
"""A table for more than 24 bits would have more than 2048 entries: newton takes those widths."""


def exact(dn: int, operand_width: int, width: int) -> Fraction:
    """R without rounding, at most what fits."""
    return min(Fraction(1 << (operand_width + width - 1), dn), Fraction((1 << width) - 1))


def rounded(quotient: Fraction) -> int:
    return floor(quotient + Fraction(1, 2))


@pytest.mark.parametrize("width", [5, 8, 10, 12])
def test_restoring_is_the_quotient_rounded_half_up(width: int) -> None:
    for operand_width in (width, width - 2, 10):
        for dtype in (np.int64, object):
            r, frac = RestoringReciprocal(operand_width, width).compute(np.array(range(1, 4096), dtype=dtype))
            for d, found, bits in zip(range(1, 4096), r.tolist(), frac.tolist(), strict=True):
                dn, e = normalised(d, operand_width)
                assert found == rounded(exact(dn, operand_width, width)) and bits == width - 1 + e


@pytest.mark.parametrize(("kind", "width"), CASES)
def test_stated_error_for_every_operand_of_twelve_bits(kind: str, width: int) -> None:
    """restoring rounds and nothing else; pwl within 1 1/8 units, newton within two."""
    d = np.arange(1, 4096)
    r, frac = reciprocal_unit(kind, width, width).compute(d)
    worst = Fraction(0)
    for value, found, bits in zip(d.tolist(), r.tolist(), frac.tolist(), strict=True):
        dn, e = normalised(value, width)
        quotient = exact(dn, width, width)
        error = abs(rounded(quotient) - found) if kind == "restoring" else abs(quotient - found)
        worst = max(worst, Fraction(error))
        assert bits == width - 1 + e
        assert found >> (width - 1) == 1, "the top bit is set"
    assert worst <= UNITS[kind], float(worst)


@pytest.mark.parametrize(("kind", "width"), CASES)
def test_stated_error_of_full_mantissas(kind: str, width: int) -> None:
    """Operands with all ``width`` bits: the ends of the range, and 3000 drawn with a fixed seed."""
    low, high = 1 << (width - 1), 1 << width
    drawn = np.random.default_rng(width).integers(low, high, 3000).tolist()
    values = [*range(low, min(low + 300, high)), *range(max(high - 300, low), high), *drawn]
    r, _ = reciprocal_unit(kind, width, width).compute(np.array(values))
    for value, found in zip(values, r.tolist(), strict=True):
        quotient = exact(value, width, width)
        assert abs(quotient - found) <= max(UNITS[kind], 1)
        assert kind != "restoring" or found == rounded(quotient)


@pytest.mark.parametrize("width", [8, 12, 20, 24])
@pytest.mark.parametrize("kind", UNITS)
def test_error_against_the_operand_itself(kind: str, width: int) -> None:
    """What a user sees: 1/D within half a unit for the rounding of D, and the unit's own error."""
    values = [*range(1, 3000), (1 << 30) + 12345, (1 << 45) - 1, (1 << 61) + (1 << 33)]
    r, frac = reciprocal_unit(kind, width, width).compute(np.array(values))
    for d, found, bits in zip(values, r.tolist(), frac.tolist(), strict=True):
        relative = abs(Fraction(found) / Fraction(2) ** bits * d - 1)
        assert relative <= (1 + max(UNITS[kind], 1)) * Fraction(2) ** (1 - width)


@pytest.mark.parametrize("kind", UNITS)
def test_both_dtypes_agree(kind: str) -> None:
    values = [0, 1, 2, 3, 255, 256, 257, (1 << 50) - 1, 1 << 50, *range(1000, 1100)]
    for width in (8, 12, 18, 24, 29, 32):
        if (kind, width) not in CASES:
            continue
        unit = reciprocal_unit(kind, width, width)
        narrow, wide = unit.compute(np.array(values)), unit.compute(np.array(values, dtype=object))
        assert narrow[0].tolist() == wide[0].tolist() and narrow[1].tolist() == wide[1].tolist()
        long = unit.compute(np.array([d << 40 for d in values], dtype=object))
        assert long[0].tolist() == narrow[0].tolist()  # a mantissa does not see the exponent
        assert [a - b for a, b, d in zip(long[1].tolist(), narrow[1].tolist(), values, strict=True) if d] == [40] * (
            len(values) - 1
        )


@pytest.mark.parametrize("kind", UNITS)
def test_edges(kind: str) -> None:
    """D = 0 gives R = 0; a power of two the largest mantissa, to the unit's error, and never one bit more."""
    for width in (8, 12, 16, 24):
        r, frac = reciprocal_unit(kind, width, width).compute(np.array([0, *(1 << k for k in range(40))]))
        assert r[0] == 0
        top = (1 << width) - 1
        assert (r[1:] <= top).all() and (r[1:] >= top - UNITS[kind]).all() and len(set(r[1:].tolist())) == 1
        assert frac[1:].tolist() == [width + k for k in range(40)]


def test_restoring_at_powers_of_two_is_the_clamp() -> None:
    r, frac = RestoringReciprocal(12, 12).compute(np.array([1, 2, 1 << 30]))
    assert r.tolist() == [4095] * 3 and frac.tolist() == [12, 13, 42]


def test_units_by_name() -> None:
    assert isinstance(reciprocal_unit("restoring", 12, 12), RestoringReciprocal)
    assert isinstance(reciprocal_unit("pwl", 12, 12), TableReciprocal)
    assert isinstance(reciprocal_unit("newton", 12, 12), NewtonReciprocal)
    with pytest.raises(ValueError, match="reciprocal must be restoring, pwl or newton, not 'magic'"):
        reciprocal_unit("magic", 12, 12)


def hardware(kind: str, widths: tuple[int, int], d: Format, values: np.ndarray) -> None:
    check(reciprocal_unit(kind, *widths), {"d": d}, ("mantissa", "exponent"), (values,))


@pytest.mark.parametrize("widths", [(4, 4), (8, 8), (10, 5), (6, 9)])
@pytest.mark.parametrize("kind", UNITS)
def test_hardware_for_every_operand_of_twelve_bits(kind: str, widths: tuple[int, int]) -> None:
    hardware(kind, widths, Format(12, 0, False), *every(Format(12, 0, False)))


@pytest.mark.long
@pytest.mark.parametrize("bits", [5, 8, 9, 10, 11, 12])
@pytest.mark.parametrize("width", range(3, 13))
@pytest.mark.parametrize("kind", UNITS)
def test_hardware_for_every_operand_up_to_twelve_bits(kind: str, width: int, bits: int) -> None:
    hardware(kind, (width, width), Format(bits, 0, False), *every(Format(bits, 0, False)))


@pytest.mark.parametrize(("kind", "width"), [("restoring", 12), ("restoring", 28), ("pwl", 16), ("newton", 24)])
@pytest.mark.parametrize(("bits", "signed"), [(28, False), (60, True)])
def test_hardware_for_wide_operands(kind: str, width: int, bits: int, signed: bool) -> None:
    fmt = Format(bits, 0, signed)
    hardware(kind, (width, width), fmt, np.abs(drawn(fmt, 2000, width)) & fmt.hi)


def streamed(widths: tuple[int, int], d: Format, start: int) -> None:
    """``start``: what the time is with D's first bit."""
    unit = RestoringReciprocal(*widths)
    (values,) = every(d)
    block, timing = unit.stream(d, start), unit.timing(d)
    expected = dict(zip(("mantissa", "exponent"), unit.compute(values), strict=True))
    check_stream(block, timing, values, {}, expected, start)


@pytest.mark.parametrize(("widths", "start"), [((12, 12), 0), ((8, 8), 5), ((10, 5), 30), ((6, 9), 17)])
def test_every_operand_of_twelve_bits_bit_by_bit(widths: tuple[int, int], start: int) -> None:
    streamed(widths, Format(12, 0, False), start)


@pytest.mark.long
@pytest.mark.parametrize("bits", [1, 7, 11, 12])
@pytest.mark.parametrize("width", range(2, 13))
def test_every_operand_bit_by_bit(width: int, bits: int) -> None:
    streamed((width, width), Format(bits, 0, False), 3 * width)


def test_latency() -> None:
    assert [reciprocal_unit(kind, 12, 12).latency(Format(28, 0, False)) for kind in UNITS] == [43, 33, 41]


def test_pwl_at_eight_bits_has_32_entries() -> None:
    """NUMERICS: 32 entries for 8-bit data, whose reciprocal has 12 bits with the default guard."""
    assert 1 << TableReciprocal(12, 12).index_bits == 32
