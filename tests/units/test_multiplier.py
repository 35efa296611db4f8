"""The serial multiplier against Python's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from simulator import check, check_stream, drawn, every

from hwnorm.fixed import Format
from hwnorm.units import Multiplier

SIGNS = list(product((True, False), repeat=2))


def hardware(a: Format, b: Format, values: tuple[np.ndarray, ...]) -> None:
    check(Multiplier(), {"a": a, "b": b}, ("product",), values)


@pytest.mark.parametrize(("a_signed", "b_signed"), SIGNS)
@pytest.mark.parametrize(("a", "b"), [(5, 6), (6, 5), (6, 6), (1, 3)])
def test_hardware_for_every_pair_of_six_bits(a: int, b: int, a_signed: bool, b_signed: bool) -> None:
    formats = Format(a, 0, a_signed), Format(b, 0, b_signed)
    hardware(*formats, every(*formats))


@pytest.mark.long
@pytest.mark.parametrize(("a_signed", "b_signed"), SIGNS)
@pytest.mark.parametrize(("a", "b"), list(product((1, 2, 4, 7, 9), repeat=2)))
def test_hardware_for_every_pair_of_nine_bits(a: int, b: int, a_signed: bool, b_signed: bool) -> None:
    formats = Format(a, 0, a_signed), Format(b, 0, b_signed)
    hardware(*formats, every(*formats))


@pytest.mark.parametrize(("a_signed", "b_signed"), SIGNS)
@pytest.mark.parametrize(("a", "b"), [(27, 12), (43, 20), (60, 60)])
def test_hardware_for_wide_pairs(a: int, b: int, a_signed: bool, b_signed: bool) -> None:
    formats = Format(a, 0, a_signed), Format(b, 0, b_signed)
    hardware(*formats, (drawn(formats[0], 2000, a), drawn(formats[1], 2000, b + 100)))


def streamed(factor: Format, value: Format) -> None:
    unit = Multiplier()
    factors, values = every(factor, value)
    expected = {"product": unit.compute(factors, values)}
    check_stream(unit.stream(factor), unit.timing(factor, value), values, {"factor": factors}, expected)


@pytest.mark.parametrize(("a_signed", "b_signed"), SIGNS)
def test_every_pair_of_six_bits_bit_by_bit(a_signed: bool, b_signed: bool) -> None:
    streamed(Format(6, 0, a_signed), Format(6, 0, b_signed))


@pytest.mark.long
@pytest.mark.parametrize(("a_signed", "b_signed"), SIGNS)
@pytest.mark.parametrize(("a", "b"), [(1, 12), (2, 11), (5, 9), (8, 8), (12, 1), (12, 5)])
def test_every_pair_bit_by_bit(a: int, b: int, a_signed: bool, b_signed: bool) -> None:
    streamed(Format(a, 0, a_signed), Format(b, 0, b_signed))


@pytest.mark.parametrize(("a_signed", "b_signed"), SIGNS)
def test_format_holds_every_product(a_signed: bool, b_signed: bool) -> None:
    for widths in product(range(1, 6), repeat=2):
        a, b = Format(widths[0], 3, a_signed), Format(widths[1], -1, b_signed)
        fmt = Multiplier().format(a, b)
        products = Multiplier().compute(*every(a, b))
        assert fmt.lo <= products.min() and products.max() <= fmt.hi
        assert fmt.frac == 2 and fmt.signed == (a_signed or b_signed)


def test_latency() -> None:
    assert Multiplier().latency(Format(27, 10), Format(12, 0, False)) == 28
    assert Multiplier().latency(Format(12, 10), Format(27, 0, False)) == 28
