"""The running sum against ``itertools.accumulate``."""

from __future__ import annotations

from itertools import accumulate, product

import numpy as np
import pytest

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


def test_one_cycle() -> None:
    assert Accumulator(Format(8, 0), 3).latency == 1
