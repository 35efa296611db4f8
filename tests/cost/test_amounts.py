"""Amounts against what stands in the Verilog: multipliers, memory, and registers of units."""

from __future__ import annotations

import pytest

from hwnorm.cost.amounts import amounts, room
from hwnorm.cost.amounts_frame import memories
from hwnorm.cost.amounts_lane import adder
from hwnorm.cost.blocks import ECP5, ICE40_UP, XILINX_7, Family, product_slices, sliced
from hwnorm.cost.experiments import Experiment, checked_on
from hwnorm.rtl.cells import Kind
from hwnorm.rtl.inventory import inventory

ENGINES = checked_on()[::7]


@pytest.mark.parametrize("experiment", ENGINES, ids=lambda e: e.name)
def test_memory_is_what_the_inventory_says(experiment) -> None:  # type: ignore[no-untyped-def]
    plan = experiment.design().plan
    assert sum(memory.words * memory.width for _, memory in memories(plan)) == inventory(plan)["memory_bits"]


@pytest.mark.parametrize("family", [ECP5, ICE40_UP, XILINX_7], ids=["ecp5", "ice40", "xilinx"])
@pytest.mark.parametrize("experiment", ENGINES, ids=lambda e: e.name)
def test_a_lane_more_is_a_lane_more(experiment, family) -> None:  # type: ignore[no-untyped-def]
    """Multipliers are a lane's, and every instance has a room and no negative amount."""
    plan = experiment.design().plan
    found = amounts(plan, family)
    for instance, own in found.items():
        assert room(instance) in ("sweeps", "stages", "frame")
        assert all(number >= 0 for number in own.values()), instance
    multipliers = sum(own["multipliers"] for own in found.values())
    assert multipliers % experiment.lanes == 0 or plan.tabulated
    assert multipliers >= inventory(plan)["multipliers"] or family is not ECP5  # others build small ones of logic


def test_a_short_sum_is_no_chain() -> None:
    assert adder(4) == {"short_adder_bits": 4}
    assert adder(7) == {"adder_bits": 7, "chains": 1}


@pytest.mark.parametrize(
    ("family", "a", "b", "soft"),
    [
        (ECP5, 18, 18, 0),  # one block
        (ECP5, 19, 18, 18),  # and a bit, times the other factor
        (ECP5, 20, 18, 0),  # two bits are worth a block
        (ECP5, 37, 20, 20),  # two slices and a bit of it; the other factor's two bits have blocks
        (ICE40_UP, 16, 16, 0),
        (ICE40_UP, 18, 7, 14),  # a product of 9 bits is worth none
        (XILINX_7, 25, 18, 0),
    ],
)
def test_what_slices_leave_over_is_built_of_logic(family: Family, a: int, b: int, soft: int) -> None:
    assert sliced(family, a, b).soft == soft == sliced(family, b, a).soft


def test_a_bit_that_is_cut_off_is_no_zero() -> None:
    """gamma has 19 signed bits, one more than a block; what an unsigned part is extended by is nothing."""
    (sweep,) = (s for s in Experiment("rms", "one-pass", "forward", 14, 4, 784).design().plan.sweeps if s.writes)
    first, second = (c for c in sweep.cells if c.kind is Kind.MUL)
    assert [slices.soft for *_, slices in product_slices(first, ECP5)] == [0, 0]
    assert [slices.soft for *_, slices in product_slices(second, ECP5)] == [18, 3]


def test_blocks_of_xilinx_add() -> None:
    """Of squares summed over four lanes the first sums are inside."""
    plan = Experiment("l2", "one-pass", "forward", 10, 4, 1024).design().plan
    inside, outside = (amounts(plan, family)["sweep_1"] for family in (XILINX_7, ECP5))
    assert outside["chains"] - inside["chains"] == 2
    assert outside["result_bits"] - inside["result_bits"] == 2 * 20


def test_values_that_wait_long_are_in_shift_registers_of_xilinx() -> None:
    """gamma and beta, 17 bits each, in every lane, as yosys has it; and x, 12 bits, which it takes into multipliers."""
    plan = Experiment("rms", "one-pass", "forward", 12, 3, 784).design().plan
    assert amounts(plan, XILINX_7)["sweep_2"]["shifted_bits"] == 3 * (17 + 17 + 12)
    assert amounts(plan, ECP5)["sweep_2"]["shifted_bits"] == 0


def test_what_follows_a_product_is_added_in_its_block() -> None:
    """Where it is short enough for one cycle, and one block multiplies."""
    for bits, inside in ((5, True), (12, False)):
        plan = Experiment("l1", "positive-part", "inference", bits, 10, 49).design().plan
        assert (amounts(plan, XILINX_7)["sweep_1"]["chains"] == 0) == inside
        assert amounts(plan, ICE40_UP)["sweep_1"]["chains"] > 0
