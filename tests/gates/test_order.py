"""Parts behind what drives them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from hwnorm.gates.order import as_needed, in_order

READS = [[12], [1, 13], [10, 10, 5], [10]]  # of nets 10, 11, 12, 13, each driven by one
DRIVES = [[10], [11], [12], [13]]


def test_each_stands_behind_what_drives_it() -> None:
    assert in_order([[10], [5], [10, 11]], [[11], [10], [12]]) == [1, 0, 2]
    assert as_needed([[10], [5], [10, 11]], [[11], [10], [12]]) == [1, 0, 2]


def test_what_waits_for_each_other_is_left_out() -> None:
    """And what waits for those: 0 and 2 drive each other, 3 reads one of them, 1 that."""
    assert in_order(READS, DRIVES) == []
    assert in_order([[5], *READS[1:]], DRIVES) == [0, 2, 3, 1]


def test_what_only_one_needs_stands_in_front_of_it() -> None:
    """Two chains, a step of either in turn: one goes on with what is ready, the other ends one chain first."""
    reads, drives = [[1], [1], [10], [20]], [[10], [20], [11], [21]]
    assert in_order([*reads, [11], [21]], [*drives, [12], [22]]) == [0, 1, 2, 3, 4, 5]
    assert as_needed([[11], [21], *reads], [[12], [22], *drives]) == [2, 4, 0, 3, 5, 1]


@pytest.mark.parametrize("order", [in_order, as_needed])
def test_at_random(order: Callable[..., list[int]]) -> None:
    random = Random(0)
    places = random.sample(range(300), 300)  # a part reads nets of those that come before it here
    drives = [[2 * k, 2 * k + 1] for k in places]
    reads = [[random.randrange(-5, 2 * k) for _ in range(random.randrange(4))] if k else [] for k in places]
    found = order(reads, drives)
    at = {index: n for n, index in enumerate(found)}
    driver = {net: index for index, nets in enumerate(drives) for net in nets}
    assert sorted(found) == list(range(300))
    assert all(at[driver[net]] < at[k] for k in found for net in reads[k] if net in driver)
