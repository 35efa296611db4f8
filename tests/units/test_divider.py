"""The mean's divider against ``floor`` of a Fraction."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from simulator import check, drawn, every

from hwnorm.fixed import Format
from hwnorm.units import Divider


@pytest.mark.parametrize("dtype", [np.int64, object])
@pytest.mark.parametrize("frac", [0, 1, 5])
def test_every_ten_bit_sum_and_count(frac: int, dtype: type) -> None:
    """All n of ten bits, signed; d of ten bits: all in int64, the small ones and the edges as Python integers."""
    counts = range(1, 1024) if dtype is np.int64 else [*range(1, 34), 63, 64, 65, 511, 512, 513, 1022, 1023]
    n = np.array(range(-512, 512), dtype=dtype)
    unit = Divider(10 + frac, frac)
    for d in counts:
        found = unit.compute(n, np.array([d], dtype=dtype))
        # floor by Euclid: a quotient is the floor exactly if the remainder is in [0, d)
        remainder = n * 2**frac - found * d
        assert (remainder >= 0).all() and (remainder < d).all(), d
    for d in (1, 3, 7, 1000):
        expected = [floor(Fraction(int(v) << frac, d)) for v in n]
        assert unit.compute(n, np.array([d], dtype=dtype)).tolist() == expected


def test_toward_minus_infinity() -> None:
    unit = Divider(8, 0)
    assert unit.compute(np.array([-1, -7, -8, -9, 7]), np.array([8])).tolist() == [-1, -1, -1, -2, 0]
    assert Divider(12, 4).compute(np.array([-1]), np.array([3])).tolist() == [-6]  # -5.33


@pytest.mark.parametrize("dtype", [np.int64, object])
def test_zero_divisor_gives_zero(dtype: type) -> None:
    found = Divider(8, 3).compute(np.array([-5, 0, 5], dtype=dtype), np.array([0, 0, 0], dtype=dtype))
    assert found.tolist() == [0, 0, 0]


def test_python_integers_go_past_63_bits() -> None:
    n = (1 << 90) - 12345
    assert Divider(80, 40).compute(np.array([n, -n], dtype=object), np.array([97], dtype=object)).tolist() == [
        (n << 40) // 97,
        -(n << 40) // 97,
    ]


def test_a_mean_fits_its_width() -> None:
    """|n| <= d * 2**(width - frac - 1), as a sum of b-bit integers is by its count: the quotient fits."""
    for m in (1, 2, 3, 7, 49, 1000):
        unit = Divider(8 + 5, 5)
        found = unit.compute(np.array([-128 * m, 127 * m]), np.array([m]))
        assert found.tolist() == [-(1 << 12), 127 << 5]


def hardware(unit: Divider, n: Format, d: Format, values: tuple[np.ndarray, ...]) -> None:
    """All pairs whose quotient fits."""
    limit = 1 << (unit.width - 1)
    fits = (values[1] == 0) | (
        (-limit * values[1] <= values[0] << unit.frac) & (values[0] << unit.frac < limit * values[1])
    )
    check(unit, {"n": n, "d": d}, ("q",), tuple(v[fits & (values[1] >= 0)] for v in values))


FORMATS = [(8, True, 5, False), (5, True, 8, False), (8, False, 6, False), (6, True, 6, True), (1, True, 1, False)]


@pytest.mark.parametrize(("n", "n_signed", "d", "d_signed"), FORMATS)
@pytest.mark.parametrize(("width", "frac"), [(8, 0), (12, 4), (4, 3)])
def test_hardware_for_every_small_pair(n: int, n_signed: bool, d: int, d_signed: bool, width: int, frac: int) -> None:
    formats = Format(n, 0, n_signed), Format(d, 0, d_signed)
    hardware(Divider(width, frac), *formats, every(*formats))


@pytest.mark.long
@pytest.mark.parametrize("n_signed", [True, False])
@pytest.mark.parametrize(("width", "frac"), [(12, 0), (14, 3), (24, 12)])
def test_hardware_for_every_pair_of_twelve_and_eight_bits(n_signed: bool, width: int, frac: int) -> None:
    formats = Format(12, 0, n_signed), Format(8, 0, False)
    hardware(Divider(width, frac), *formats, every(*formats))


@pytest.mark.long
@pytest.mark.parametrize("n_signed", [True, False])
def test_hardware_for_every_pair_of_twelve_bits(n_signed: bool) -> None:
    """A part of the divisors at a time: there are sixteen million pairs."""
    n, d = Format(12, 0, n_signed), Format(12, 0, False)
    for divisors in np.array_split(np.arange(d.hi + 1), 16):
        pairs = np.meshgrid(np.arange(n.lo, n.hi + 1), divisors)
        hardware(Divider(13, 0), n, d, tuple(values.ravel() for values in pairs))


@pytest.mark.parametrize(("n", "d", "width", "frac"), [(18, 11, 21, 13), (26, 11, 37, 21), (40, 21, 30, 10)])
def test_hardware_for_wide_pairs(n: int, d: int, width: int, frac: int) -> None:
    formats = Format(n, 0), Format(d, 0, False)
    hardware(Divider(width, frac), *formats, (drawn(formats[0], 3000, n), drawn(formats[1], 3000, d)))


def test_latency() -> None:
    count = Format(11, 0, False)
    assert Divider(21, 13).latency(Format(18, 0), count) == 33
    assert Divider(21, 13).latency(Format(17, 0, False), count) == 33  # with the sign that it gets
    assert Divider(21, 0).latency(Format(18, 0), count) == 24
