"""The running sum against ``itertools.accumulate``."""

from __future__ import annotations

from itertools import accumulate, product

import numpy as np
import pytest
from simulator import Simulator

from hwnorm.fixed import Format
from hwnorm.units import Accumulator


def test_every_group_of_four() -> None:
    groups = list(product(range(-4, 4), repeat=4))
    unit = Accumulator(Format(3, 0), 4)
    for dtype in (np.int64, object):
        assert unit.compute(np.array(groups, dtype=dtype)).tolist() == [list(accumulate(g)) for g in groups]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("elements", [1, 2, 3, 7, 8, 1000, 1024, 401408])
def test_rails_fill_the_register(elements: int, signed: bool) -> None:
    """The format holds both rails; one bit less would not."""
    unit = Accumulator(Format(8, 2, signed), elements)
    fmt, rails = unit.format, [unit.operand.lo, unit.operand.hi]
    ends = unit.compute(np.array([[r] * elements for r in rails]))
    assert [int(e) for e in ends[:, -1]] == [r * elements for r in rails]
    assert fmt.lo <= ends.min() and ends.max() <= fmt.hi and fmt.frac == 2
    narrower = Format(fmt.width - 1, 2, signed)
    assert ends.min() < narrower.lo or ends.max() > narrower.hi


def test_past_63_bits_nothing_wraps() -> None:
    unit = Accumulator(Format(62, 0), 8)
    top = unit.operand.hi
    assert unit.compute(np.full((1, 8), top)).tolist() == [[top * k for k in range(1, 9)]]


@pytest.mark.parametrize("signed", [True, False])
def test_hardware(signed: bool) -> None:
    """Groups of any length up to the most, back to back and with pauses."""
    rng = np.random.default_rng(4)
    unit = Accumulator(Format(5, 0, signed), 9)
    value, valid = rng.integers(unit.operand.lo, unit.operand.hi + 1, 2000), rng.integers(0, 4, 2000) > 0
    first, run = np.zeros(2000, dtype=bool), 9
    for cycle in np.flatnonzero(valid):
        first[cycle] = run >= 9 or rng.integers(6) == 0
        run = 1 if first[cycle] else run + 1
    found = Simulator(unit.hardware()).stream(valid=valid, first=first, value=value)["sum"]
    total = None
    for cycle in range(2000):
        assert total is None or found[cycle] == total
        if valid[cycle]:
            total = value[cycle] if first[cycle] else total + value[cycle]


def test_one_cycle() -> None:
    assert Accumulator(Format(8, 0), 3).latency() == 1
