"""The gain against Fractions: nearest mantissa, clamps on both sides, mirror images."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from simulator import check, check_stream, drawn, every

from hwnorm.fixed import Format
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


def hardware(unit: Gain, product: Format, frac: Format, values: tuple[np.ndarray, ...]) -> None:
    check(unit, {"product": product, "frac": frac}, ("mantissa", "exponent"), values)


@pytest.mark.parametrize(("bits", "signed"), [(8, True), (7, False), (1, True)])
@pytest.mark.parametrize("unit", [*UNITS, Gain(5, -9, -2, 1)], ids=str)
def test_hardware_for_every_product_of_eight_bits(unit: Gain, signed: bool, bits: int) -> None:
    formats = Format(bits, 0, signed), Format(6, 0)
    hardware(unit, *formats, every(*formats))


@pytest.mark.long
@pytest.mark.parametrize("bits", [9, 10, 11, 12])
@pytest.mark.parametrize("width", range(1, 13))
def test_hardware_for_every_product_up_to_twelve_bits(width: int, bits: int) -> None:
    for signed in (True, False):
        formats = Format(bits, 0, signed), Format(6, 0)
        hardware(Gain(width, 3, 2, 9), *formats, every(*formats))


@pytest.mark.parametrize(
    ("unit", "bits", "frac"), [(Gain(12, 5, 3, 12), 39, 7), (Gain(20, 12, 3, 20), 63, 7), (Gain(4, 0, 0, 3), 55, 8)]
)
def test_hardware_for_wide_products(unit: Gain, bits: int, frac: int) -> None:
    """Also runs of ones and zeros below the bit that rounds, where a negative product differs from its complement."""
    formats = Format(bits, 0), Format(frac, 0)
    runs = [s * (((1 << a) - (1 << b) << c) + e) for a in range(1, 10) for b in range(a) for c in range(0, bits - 10, 3)
            for s in (1, -1) for e in (-1, 0, 1)]  # fmt: skip
    products = np.array([*drawn(formats[0], 4000, bits), *runs], dtype=object)
    fracs = drawn(formats[1], len(products), frac).astype(np.int64)
    hardware(unit, *formats, (products, fracs))
    near = np.array([int(abs(p)).bit_length() - unit.width - unit.base for p in products]) + unit.shift_hi
    near = np.clip(near + np.arange(len(products)) % 7 - 3, formats[1].lo, formats[1].hi)
    hardware(unit, *formats, (products, near))


def streamed(unit: Gain, product: Format, frac: Format) -> None:
    products, fracs = every(product, frac)
    expected = dict(zip(("mantissa", "exponent"), unit.compute(products, fracs), strict=True))
    check_stream(unit.stream(product, frac), unit.timing(product, frac), products, {"frac": fracs}, expected)


@pytest.mark.parametrize("unit", [Gain(8, 2, 2, 9), Gain(5, -9, -2, 1)], ids=str)
def test_every_product_of_twelve_bits_bit_by_bit(unit: Gain) -> None:
    streamed(unit, Format(12, 0, False), Format(5, 0))


@pytest.mark.long
@pytest.mark.parametrize("bits", [1, 7, 11, 12])
@pytest.mark.parametrize("width", [2, 3, 5, 8, 12])
def test_every_product_and_fraction_bit_by_bit(width: int, bits: int) -> None:
    streamed(Gain(width, 3, 2, 9), Format(bits, 0, False), Format(6, 0))


def test_latency() -> None:
    frac = Format(7, 0)
    assert Gain(12, 5, 3, 12).latency(Format(39, 0), frac) == 57
    assert Gain(20, 12, 3, 20).latency(Format(63, 0), frac) == 89
