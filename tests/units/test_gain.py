"""The gain against Fractions: nearest mantissa, clamps on both sides, mirror images."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from hwnorm.units import Gain

UNITS = [Gain(4, 0, 2, 6), Gain(6, 3, 2, 5), Gain(8, 5, 3, 12), Gain(12, 5, 3, 12)]


def truth(product: int, frac: int, unit: Gain) -> tuple[int, int]:
    """(K, fraction bits) from the docstring."""
    if product == 0:
        return 0, unit.base + unit.shift_hi
    value = Fraction(abs(product)) / Fraction(2) ** frac
    bits = 0  # fraction bits with which the rounded magnitude has its top bit at width - 1
    while value * Fraction(2) ** bits >= 1 << unit.width:
        bits -= 1
    while value * Fraction(2) ** bits < 1 << (unit.width - 1):
        bits += 1
    if floor(value * Fraction(2) ** bits + Fraction(1, 2)) >> unit.width:
        bits -= 1
    sh = bits - unit.base
    if sh < unit.shift_lo:
        mantissa, sh = (1 << unit.width) - 1, unit.shift_lo
    else:
        sh = min(sh, unit.shift_hi)
        mantissa = floor(value * Fraction(2) ** (sh + unit.base) + Fraction(1, 2))
    return (-mantissa if product < 0 else mantissa), sh + unit.base


@pytest.mark.parametrize("dtype", [np.int64, object])
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_every_product_of_ten_bits(unit: Gain, dtype: type) -> None:
    products = list(range(-512, 512))
    for frac in range(-4, 26):
        K, bits = unit.compute(np.array(products, dtype=dtype), np.asarray(frac))
        assert list(zip(K.tolist(), bits.tolist(), strict=True)) == [truth(p, frac, unit) for p in products], frac


def test_a_fraction_for_each_group() -> None:
    rng = np.random.default_rng(3)
    unit = Gain(12, 5, 3, 12)
    products = [
        int(p) >> int(s)
        for p, s in zip(rng.integers(-(1 << 61), 1 << 61, 3000), rng.integers(0, 60, 3000), strict=True)
    ]
    fracs = rng.integers(-5, 70, 3000)
    expected = [truth(p, int(f), unit) for p, f in zip(products, fracs, strict=True)]
    for dtype in (np.int64, object):
        K, bits = unit.compute(np.array(products, dtype=dtype), fracs)
        assert list(zip(K.tolist(), bits.tolist(), strict=True)) == expected


def test_long_python_integers() -> None:
    unit = Gain(12, 5, 3, 12)
    products = [5 << 100, -(5 << 100), (1 << 103) - 1]
    K, bits = unit.compute(np.array(products, dtype=object), np.array([110, 110, 110]))
    assert list(zip(K.tolist(), bits.tolist(), strict=True)) == [truth(p, 110, unit) for p in products]


def test_edges() -> None:
    unit = Gain(8, 5, 3, 12)
    products = np.array([0, 1 << 20, -(1 << 20), 255, 256, 511, 1, -1])
    K, frac = unit.compute(products, np.asarray(8))
    #  zero, two of 4096, 255/256 just fits, 1 and more clamp, 1/256 has its top bit set
    assert K.tolist() == [0, 255, -255, 255, 255, 255, 128, -128]
    assert frac.tolist() == [17, 8, 8, 8, 8, 8, 15, 15]


def test_too_small_loses_low_bits_and_then_everything() -> None:
    unit = Gain(8, 5, 3, 12)
    K, frac = unit.compute(np.array([3, 3, 3, 3]), np.array([12, 17, 18, 19]))
    assert K.tolist() == [96, 3, 2, 1] and frac.tolist() == [17, 17, 17, 17]
    K, _ = unit.compute(np.array([1, 1]), np.array([18, 19]))
    assert K.tolist() == [1, 0]


def test_negative_gains_mirror() -> None:
    unit = Gain(6, 3, 2, 5)
    products = np.arange(1, 5000)
    for frac in (0, 5, 12):
        up, down = unit.compute(products, np.asarray(frac)), unit.compute(-products, np.asarray(frac))
        assert (up[0] == -down[0]).all() and (up[1] == down[1]).all()
    assert unit.latency == 2
