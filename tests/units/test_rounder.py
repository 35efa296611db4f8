"""The rounder against Fractions, and its hardware."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest
from simulator import check, check_stream, drawn, every

from hwnorm.fixed import Format, Rounding
from hwnorm.units import Rounder

RANGES = [(0, 0), (3, 3), (-2, -2), (-3, 4), (2, 9)]
SIGNS = list(product((True, False), repeat=2))


@pytest.mark.parametrize("rounding", Rounding)
def test_compute(rounding: Rounding) -> None:
    half = Fraction(1, 2) if rounding is Rounding.HALF_UP else 0
    unit = Rounder(-3, 6, Format(5, 0), rounding)
    v, shift = every(Format(7, 0), Format.holding(-3, 6))
    expected = [
        min(max(floor(Fraction(int(a), 1) / Fraction(2) ** int(s) + half), -16), 15)
        for a, s in zip(v, shift, strict=True)
    ]
    assert unit.compute(v, shift).tolist() == expected


def hardware(unit: Rounder, v: Format, values: np.ndarray, shifts: np.ndarray) -> None:
    check(unit, {"v": v}, ("result",), (values, shifts))


@pytest.mark.parametrize(("v_signed", "signed"), SIGNS)
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("lo", "hi"), RANGES)
def test_hardware_for_every_value_of_six_bits(
    lo: int, hi: int, rounding: Rounding, v_signed: bool, signed: bool
) -> None:
    v = Format(6, 0, v_signed)
    values, shifts = (g.ravel() for g in np.meshgrid(np.arange(v.lo, v.hi + 1), np.arange(lo, hi + 1)))
    hardware(Rounder(lo, hi, Format(4, 0, signed), rounding), v, values, shifts)


@pytest.mark.long
@pytest.mark.parametrize(("v_signed", "signed"), SIGNS)
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("width", [1, 2, 5, 8, 12])
@pytest.mark.parametrize(("lo", "hi"), [*RANGES, (1, 1), (-4, -1), (0, 3), (1, 20), (-9, 12), (17, 17), (30, 50)])
def test_hardware_for_every_value_of_eight_bits(
    lo: int, hi: int, width: int, rounding: Rounding, v_signed: bool, signed: bool
) -> None:
    v = Format(8, 0, v_signed)
    values, shifts = (g.ravel() for g in np.meshgrid(np.arange(v.lo, v.hi + 1), np.arange(lo, hi + 1)))
    hardware(Rounder(lo, hi, Format(width, 0, signed), rounding), v, values, shifts)


@pytest.mark.parametrize(("v_signed", "signed"), SIGNS)
@pytest.mark.parametrize(("lo", "hi", "bits", "width"), [(8, 17, 33, 17), (-5, 40, 60, 20), (20, 30, 50, 24)])
def test_hardware_for_wide_values(lo: int, hi: int, bits: int, width: int, v_signed: bool, signed: bool) -> None:
    v = Format(bits, 0, v_signed)
    values = drawn(v, 3000, bits)
    shifts = (lo + np.arange(3000) * 7 % (hi - lo + 1)).astype(object)
    hardware(Rounder(lo, hi, Format(width, 0, signed)), v, values, shifts)


def streamed(unit: Rounder, v: Format) -> None:
    shift = Format.holding(unit.shift_lo, unit.shift_hi)
    values, shifts = (g.ravel() for g in np.meshgrid(np.arange(v.lo, v.hi + 1), np.arange(shift.lo, shift.hi + 1)))
    given = (unit.shift_lo <= shifts) & (shifts <= unit.shift_hi)
    values, shifts = values[given], shifts[given]
    expected = {"result": unit.compute(values, shifts)}
    check_stream(unit.stream(v, shift), unit.timing(v, shift), values, {"shift": shifts}, expected)


@pytest.mark.parametrize(("v_signed", "signed"), SIGNS)
def test_every_value_of_twelve_bits_bit_by_bit(v_signed: bool, signed: bool) -> None:
    streamed(Rounder(0, 9, Format(6, 0, signed)), Format(12, 0, v_signed))


def test_ones_up_to_the_top_are_no_sign() -> None:
    """The bits of an unsigned value from the result's sign on were all alike, and it was not seen to be too large."""
    streamed(Rounder(3, 3, Format(2, 0)), Format(6, 0, False))


@pytest.mark.long
@pytest.mark.parametrize(("v_signed", "signed"), SIGNS)
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("width", [2, 6, 13])
@pytest.mark.parametrize(("lo", "hi"), [(3, 3), (-3, 4), (0, 12), (9, 20)])
def test_every_value_and_shift_bit_by_bit(
    lo: int, hi: int, width: int, rounding: Rounding, v_signed: bool, signed: bool
) -> None:
    streamed(Rounder(lo, hi, Format(width, 0, signed), rounding), Format(12, 0, v_signed))


def test_latency() -> None:
    v, result = Format(33, 13), Format(17, 4)
    assert Rounder(8, 17, result).latency(v) == 12
    assert Rounder(8, 17, result, Rounding.FLOOR).latency(v) == 12
    assert Rounder(1, 40, result).latency(v) == 15  # four places a cycle first
    assert Rounder(9, 9, result).latency(v) == Rounder(-3, -3, result).latency(v) == 2


def test_the_range_is_checked() -> None:
    with pytest.raises(ValueError, match="shift_lo must be at most shift_hi, not 3 with 2"):
        Rounder(3, 2, Format(8, 0))
