"""The normaliser against Fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from simulator import check, drawn, every

from hwnorm.fixed import Format
from hwnorm.units import Normaliser


def normalised(d: int, width: int) -> tuple[int, int]:
    """(Dn, e) from the docstring: half up to ``width`` bits; one that reaches 2**width is halved."""
    e = d.bit_length()
    dn = floor(Fraction(d) * Fraction(2) ** (width - e) + Fraction(1, 2))
    return (dn, e) if dn < 1 << width else (dn // 2, e + 1)


@pytest.mark.parametrize("dtype", [np.int64, object])
@pytest.mark.parametrize("width", [2, 5, 8, 10, 12, 16, 30])
def test_compute(width: int, dtype: type) -> None:
    values = [*range(4097), 65535, 65536, 65537, (1 << 40) - 1, (1 << 61) + 1]
    dn, e = Normaliser(width).compute(np.array(values, dtype=dtype))
    assert list(zip(dn.tolist(), e.tolist(), strict=True)) == [normalised(v, width) for v in values]


def hardware(width: int, d: Format, values: np.ndarray) -> None:
    check(Normaliser(width), {"d": d}, ("mantissa", "exponent"), (values,))


@pytest.mark.parametrize("width", [2, 5, 8])
@pytest.mark.parametrize("bits", [1, 7, 8])
def test_hardware_for_every_value_of_eight_bits(width: int, bits: int) -> None:
    hardware(width, Format(bits, 0, False), *every(Format(bits, 0, False)))


@pytest.mark.long
@pytest.mark.parametrize("width", range(2, 13))
@pytest.mark.parametrize("bits", [9, 10, 11, 12])
def test_hardware_for_every_value_up_to_twelve_bits(width: int, bits: int) -> None:
    hardware(width, Format(bits, 0, False), *every(Format(bits, 0, False)))


@pytest.mark.parametrize(("width", "bits", "signed"), [(12, 28, False), (20, 36, True), (28, 60, False)])
def test_hardware_for_wide_operands(width: int, bits: int, signed: bool) -> None:
    fmt = Format(bits, 0, signed)
    hardware(width, fmt, np.abs(drawn(fmt, 3000, width)) & fmt.hi)


def test_latency() -> None:
    assert [Normaliser(12).latency(Format(bits, 0, False)) for bits in (12, 28, 29)] == [14, 30, 31]
