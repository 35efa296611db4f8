"""The tree against Python's ``sum``."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from simulator import Simulator

from hwnorm.fixed import Format
from hwnorm.units import AdderTree


@pytest.mark.parametrize("lanes", range(1, 6))
def test_every_input_of_three_bits(lanes: int) -> None:
    width = 3 if lanes < 5 else 2
    values = list(product(range(-1 << (width - 1), 1 << (width - 1)), repeat=lanes))
    for dtype in (np.int64, object):
        assert AdderTree(lanes, width).compute(np.array(values, dtype=dtype)).tolist() == [sum(v) for v in values]


@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 8, 9, 31, 64, 100])
def test_rails_need_the_stated_width(lanes: int) -> None:
    tree = AdderTree(lanes, 8)
    lowest = int(tree.compute(np.full((1, lanes), -128))[0])
    assert lowest == -128 * lanes >= -1 << (tree.sum_width - 1)
    assert tree.sum_width == 8 + tree.latency()
    assert 1 << tree.latency() >= lanes > (1 << tree.latency()) >> 1  # levels = ceil(log2(lanes))
    if lanes & (lanes - 1) == 0:
        assert lowest == -1 << (tree.sum_width - 1)  # reached


def test_axes_before_the_lanes_stay() -> None:
    values = np.random.default_rng(1).integers(-9, 9, (3, 4, 5))
    assert (AdderTree(5, 5).compute(values) == values.sum(axis=-1)).all()


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 16, 33])
def test_hardware(lanes: int, signed: bool) -> None:
    """A beat a cycle; the sum ``latency`` cycles later."""
    fmt, tree = Format(6, 0, signed), AdderTree(lanes, 6)
    values = np.random.default_rng(lanes).integers(fmt.lo, fmt.hi + 1, (300, lanes))
    values[:50] = fmt.lo
    values[50:60] = fmt.hi
    found = Simulator(tree.hardware(signed)).stream(**{f"value_{i}": values[:, i] for i in range(lanes)})["sum"]
    assert (found[tree.latency() :] == values.sum(axis=1)[: 300 - tree.latency()]).all()


def test_lanes_are_checked() -> None:
    with pytest.raises(ValueError, match="lanes must be a positive integer, not 0"):
        AdderTree(0, 8)
