"""Rounding and saturation against APyTypes, exhaustively at small widths; the rest against Python's integers."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from hwnorm.fixed import Format, Rounding, bit_length, cast, integer_dtype, saturate, shift_right

try:
    import apytypes
except ImportError:
    apytypes = None

needs_apytypes = pytest.mark.skipif(apytypes is None, reason="apytypes is not installed: pip install apytypes")
DTYPES = [np.int8, np.int16, np.int32, np.int64, object]
HALF = Fraction(1, 2)


def by_fractions(v: int, shift: int, rounding: Rounding) -> int:
    return floor(Fraction(v) / Fraction(2) ** shift + (HALF if rounding is Rounding.HALF_UP else 0))


def by_apytypes(values: range, width: int, frac: int, to: Format, rounding: Rounding) -> list[int]:
    """Integers of ``width`` bits, ``frac`` of them fraction, in the format ``to``."""
    modes = {
        Rounding.HALF_UP: apytypes.QuantizationMode.TIES_POS,  # AC_RND
        Rounding.FLOOR: apytypes.QuantizationMode.TO_NEG,  # AC_TRN
    }
    exact = apytypes.APyFixedArray(list(values), bits=width, frac_bits=frac)
    found = exact.cast(
        bits=to.width, frac_bits=to.frac, quantization=modes[rounding], overflow=apytypes.OverflowMode.SAT
    )
    return [v - (1 << to.width) if v >> (to.width - 1) else v for v in found.to_bits()]


@needs_apytypes
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("width", range(1, 9))
def test_cast_is_that_of_apytypes(width: int, rounding: Rounding) -> None:
    fmt = Format(width, 0)
    values = range(fmt.lo, fmt.hi + 1)
    v = np.array(values, dtype=np.int64)
    for to_width in range(1, width + 3):
        for drop in range(-3, width + 4):
            to = Format(to_width, 2)
            expected = by_apytypes(values, width, 2 + drop, to, rounding)
            assert cast(v, 2 + drop, to, rounding).tolist() == expected, (to_width, drop)


@needs_apytypes
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rounding", Rounding)
def test_cast_in_every_dtype(dtype: type, rounding: Rounding) -> None:
    values = range(-64, 64)
    v = np.array(values, dtype=dtype)
    for drop in range(9):
        assert cast(v, drop, Format(5, 0), rounding).tolist() == by_apytypes(values, 7, drop, Format(5, 0), rounding)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rounding", Rounding)
def test_shift_right_by_one_number(dtype: type, rounding: Rounding) -> None:
    values = list(range(-64, 64))  # one bit of int8 is left free for the half
    v = np.array(values, dtype=dtype)
    for shift in range(0, 40):
        found = shift_right(v, shift, rounding)
        assert found.tolist() == [by_fractions(a, shift, rounding) for a in values], shift
        assert found.dtype == v.dtype
    assert v.tolist() == values  # the operand stays


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rounding", Rounding)
def test_shift_right_by_an_array(dtype: type, rounding: Rounding) -> None:
    values, shifts = list(range(-15, 16)), [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 31, 63, 64, 100, 10_000]
    found = shift_right(np.array(values, dtype=dtype)[:, None], np.array(shifts)[None, :], rounding)
    expected = [[by_fractions(a, s, rounding) for s in shifts] for a in values]
    assert found.tolist() == expected
    assert found.dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [np.int64, object])
def test_shift_right_near_63_bits(dtype: type) -> None:
    """A bit is left free for the half, and nothing else."""
    values = [s * ((1 << 62) - d) for s in (-1, 1) for d in (1, 2, 3)] + [-(1 << 62)]
    for shift in range(1, 66):
        for rounding in Rounding:
            expected = [by_fractions(a, shift, rounding) for a in values]
            assert shift_right(np.array(values, dtype=dtype), shift, rounding).tolist() == expected
            if shift <= 62 or dtype is object:
                shifts = np.full(len(values), shift)
                assert shift_right(np.array(values, dtype=dtype), shifts, rounding).tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_negative_shift_multiplies(dtype: type) -> None:
    v = np.array([-7, -1, 0, 1, 7], dtype=dtype)
    for rounding in Rounding:
        assert shift_right(v, -3, rounding).tolist() == [-56, -8, 0, 8, 56]
        assert shift_right(v, np.array([-3, -3, -3, -3, -3]), rounding).tolist() == [-56, -8, 0, 8, 56]
        assert shift_right(v, np.array([-4, 0, 5, 1, -1]), rounding).tolist()[0] == -112


def test_python_integers_shift_left_past_63_bits() -> None:
    v = np.array([3, -5], dtype=object)
    assert shift_right(v, -100).tolist() == [3 << 100, -5 << 100]
    assert shift_right(v, np.array([-100, -70])).tolist() == [3 << 100, -5 << 70]
    assert shift_right(np.array([(1 << 100) + (1 << 99)], dtype=object), 100).tolist() == [2]


def test_the_shift_trap() -> None:
    """-1/2 is rounded up to 0, -1 >> 5 is not 0, and a sum just below zero has its mean below zero."""
    assert shift_right(np.array([-1, -3, 1, 3]), 1).tolist() == [0, -1, 1, 2]
    assert shift_right(np.array([-1]), 5, Rounding.FLOOR).tolist() == [-1]
    assert shift_right(np.array([-1]), 5).tolist() == [0]
    assert shift_right(np.array([-16, -17]), 5).tolist() == [0, -1]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, object])
def test_saturate(dtype: type) -> None:
    values = list(range(-300, 300))
    for width in range(1, 11):
        for signed in (True, False):
            fmt = Format(width, 0, signed)
            found = saturate(np.array(values, dtype=dtype), fmt).tolist()
            assert found == [min(max(v, fmt.lo), fmt.hi) for v in values]


def test_format_ends() -> None:
    assert (Format(8, 0).lo, Format(8, 0).hi) == (-128, 127)
    assert (Format(8, 3, signed=False).lo, Format(8, 3, signed=False).hi) == (0, 255)
    assert (Format(1, 0).lo, Format(1, 0).hi) == (-1, 0)
    assert str(Format(8, 5)) == "s8.5" and str(Format(3, -1, signed=False)) == "u3.-1"
    with pytest.raises(ValueError, match="width must be a positive integer, not 0"):
        Format(0, 0)


def test_holding_is_the_narrowest() -> None:
    for lo in range(-70, 71):
        for hi in range(lo, 71):
            fmt = Format.holding(lo, hi)
            assert fmt.lo <= lo and hi <= fmt.hi
            if fmt.width > 1:
                narrower = Format(fmt.width - 1, 0, fmt.signed)
                assert lo < narrower.lo or hi > narrower.hi


@pytest.mark.parametrize("bits", [7, 8, 15, 16, 31, 32, 63, 64, 65])
def test_integer_dtype_at_the_edges(bits: int) -> None:
    top = 1 << (bits - 1)
    sizes = [np.dtype(f"i{size}") for size in (1, 2, 4, 8) if 8 * size >= bits]
    expected = sizes[0] if sizes else np.dtype(object)
    assert integer_dtype(-top, top - 1) == expected
    assert integer_dtype(0, top - 1) == expected
    past = [np.dtype(f"i{size}") for size in (1, 2, 4, 8) if 8 * size >= bits + 1]
    assert integer_dtype(-top - 1, 0) == integer_dtype(0, top) == (past[0] if past else np.dtype(object))


@pytest.mark.parametrize("dtype", [np.int64, object])
def test_bit_length(dtype: type) -> None:
    values = list(range(5000))
    for k in range(2, 63):
        values += [(1 << k) - 1, 1 << k, (1 << k) + 1]
    values = [v for v in values if v < 1 << 63]
    found = bit_length(np.array(values, dtype=dtype))
    assert found.tolist() == [v.bit_length() for v in values] and found.dtype == np.int64


def test_bit_length_in_narrow_dtypes_and_of_long_integers() -> None:
    for dtype in (np.int8, np.int16, np.int32):
        top = np.iinfo(dtype).max
        values = [0, 1, 2, 3, 4, top - 1, top]
        assert bit_length(np.array(values, dtype=dtype)).tolist() == [v.bit_length() for v in values]
    assert bit_length(np.array([1 << 200, (1 << 200) - 1], dtype=object)).tolist() == [201, 200]
