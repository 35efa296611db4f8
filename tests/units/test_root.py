"""The root against ``math.isqrt``."""

from __future__ import annotations

from math import isqrt

import numpy as np
import pytest
from simulator import check, drawn, every

from hwnorm.fixed import Format
from hwnorm.units import Root


def truth(v: int, width: int) -> tuple[int, int]:
    """From the docstring: t even, the largest with V * 2**t in 2*width bits; for t < 0 V loses bits, rounded down."""
    if v == 0:
        return 0, -1
    t = next(t for t in range(2 * width, -2 * v.bit_length() - 4, -2) if v.bit_length() + t <= 2 * width)
    return isqrt(v << t if t >= 0 else v >> -t), t // 2


@pytest.mark.parametrize("dtype", [np.int64, object])
@pytest.mark.parametrize("width", [4, 5, 6, 8, 12, 20, 31, 32, 36])
def test_every_value_of_twelve_bits(width: int, dtype: type) -> None:
    values = range(1, 4096)
    root, frac = Root(width).compute(np.array(values, dtype=dtype))
    assert list(zip(root.tolist(), frac.tolist(), strict=True)) == [truth(v, width) for v in values]


@pytest.mark.parametrize("width", [8, 12, 16, 28, 30, 31, 32])
def test_squares_and_their_neighbours(width: int) -> None:
    """Where float64's root may land on the wrong side."""
    values = sorted(
        {
            max(k * k + d, 1)
            for k in (1, 2, 3, 255, 256, 257, 46340, 65535, 2**26 - 1, 2**30, 3 * 2**29 - 1)
            for d in (-1, 0, 1)
        }
    )
    values += [(1 << 62) - 1, (1 << 62) - 2**31, (1 << 61) + 1]
    for dtype in (np.int64, object):
        root, frac = Root(width).compute(np.array(values, dtype=dtype))
        assert list(zip(root.tolist(), frac.tolist(), strict=True)) == [truth(v, width) for v in values]


def test_random_operands_fill_every_width() -> None:
    rng = np.random.default_rng(2)
    for width in range(8, 33):
        values = [
            int(v) >> int(s) for v, s in zip(rng.integers(1, 1 << 62, 200), rng.integers(0, 60, 200), strict=True)
        ]
        values = [max(v, 1) for v in values]
        root, frac = Root(width).compute(np.array(values, dtype=np.int64))
        assert list(zip(root.tolist(), frac.tolist(), strict=True)) == [truth(v, width) for v in values]
        assert (root >> (width - 1) == 1).all()  # the top bit is set: the same relative precision for all


def test_long_python_integers() -> None:
    values = [3 << 150, (1 << 151) - 1, 1 << 151]
    root, frac = Root(12).compute(np.array(values, dtype=object))
    assert list(zip(root.tolist(), frac.tolist(), strict=True)) == [truth(v, 12) for v in values]


@pytest.mark.parametrize("dtype", [np.int64, object])
def test_root_of_zero_is_zero(dtype: type) -> None:
    assert Root(12).compute(np.array([0], dtype=dtype))[0].tolist() == [0]


def hardware(width: int, v: Format, values: np.ndarray) -> None:
    check(Root(width), {"v": v}, ("mantissa", "exponent"), (values,))


@pytest.mark.parametrize("width", [2, 5, 8])
@pytest.mark.parametrize("bits", [7, 12])
def test_hardware_for_every_value_of_twelve_bits(width: int, bits: int) -> None:
    hardware(width, Format(bits, 0, False), *every(Format(bits, 0, False)))


@pytest.mark.long
@pytest.mark.parametrize("width", range(2, 13))
@pytest.mark.parametrize("bits", [8, 9, 10, 11, 12])
def test_hardware_for_every_value_up_to_twelve_bits(width: int, bits: int) -> None:
    hardware(width, Format(bits, 0, False), *every(Format(bits, 0, False)))


@pytest.mark.parametrize(("width", "bits", "signed"), [(12, 35, False), (20, 51, False), (28, 60, True)])
def test_hardware_for_wide_operands(width: int, bits: int, signed: bool) -> None:
    fmt = Format(bits, 0, signed)
    hardware(width, fmt, np.abs(drawn(fmt, 2000, width)) & fmt.hi)


def test_latency() -> None:
    assert [Root(12).latency(Format(bits, 0, False)) for bits in (12, 34, 35)] == [20, 31, 32]
    assert Root(12).latency(Format(35, 0)) == 31  # its sign is 0
