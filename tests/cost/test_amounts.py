"""Amounts against what stands in the Verilog: multipliers, memory, and registers of units."""

from __future__ import annotations

import pytest

from hwnorm.cost.amounts import amounts, room
from hwnorm.cost.amounts_frame import memories
from hwnorm.cost.amounts_sweep import adder, levels
from hwnorm.cost.blocks import ECP5
from hwnorm.cost.experiments import checked_on
from hwnorm.rtl.inventory import inventory

ENGINES = checked_on()[::7]


@pytest.mark.parametrize("experiment", ENGINES, ids=lambda e: e.name)
def test_memory_is_what_the_inventory_says(experiment) -> None:  # type: ignore[no-untyped-def]
    plan = experiment.design().plan
    assert sum(memory.words * memory.width for _, memory in memories(plan)) == inventory(plan)["memory_bits"]


@pytest.mark.parametrize("experiment", ENGINES, ids=lambda e: e.name)
def test_a_lane_more_is_a_lane_more(experiment) -> None:  # type: ignore[no-untyped-def]
    """Multipliers are a lane's, and every instance has a room and no negative amount."""
    plan = experiment.design().plan
    found = amounts(plan, ECP5)
    for instance, own in found.items():
        assert room(instance) in ("sweeps", "stages", "frame")
        assert all(number >= 0 for number in own.values()), instance
    multipliers = sum(own["multipliers"] for own in found.values())
    assert multipliers % experiment.lanes == 0 or plan.tabulated
    assert multipliers >= inventory(plan)["multipliers"]


def test_a_short_sum_is_no_chain() -> None:
    assert adder(4) == {"short_adder_bits": 4}
    assert adder(7) == {"adder_bits": 8, "chains": 1}


@pytest.mark.parametrize(("lanes", "deep"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (64, 6)])
def test_levels_of_a_tree(lanes: int, deep: int) -> None:
    assert levels(lanes) == deep
