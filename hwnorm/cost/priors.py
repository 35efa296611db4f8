"""What a coefficient is where nothing is measured yet: LUTs and flip-flops an amount, in round numbers."""

from __future__ import annotations

from collections.abc import Mapping


def _read(table: str) -> dict[str, float]:
    """A value a line, and the amounts that have it."""
    lines = [line.split() for line in table.splitlines() if line.strip()]
    return {name: float(value) for value, *names in lines for name in names}


CARRY = _read("""
    1     adder_bits abs_bits multiplier_bits divider_bits counted_bits counter_bits
    2     chains multiplier
""")
LOGIC = _read("""
    0.35  equal_bits
    0.5   compared_lanes
    0.7   ram_selected_bits
    0.7   moved_bits
    0.9   wide_selected_bits
    1     mux_bits clip_bits kept_bits decoded_bits selected_bits feed_bits rounder_bits abs_bits
    1     shifted_bits short_adder_bits flag_bits flags sliced_bits memory_register_bits reciprocal_bits
    1.35  deep_selected_bits
    2     deep_ram_selected_bits aligner
    2     shift_bits serial_sums divider_bits root_bits compared_times counted_bits soft_product_bits
    3     gain_bits
    4     stage
    8     rounder
    10    controls
""")
FF = _read("""
    1     delay_bits result_bits operand_bits beat_bits sum_bits told_bits read_register_bits captured_bits held_bits
    1     filling_bits looked_up_bits
    1     feed_bits collected_bits constant_bits late_bits counted_bits time_bits near_bits flags address_bits
    1     space_bits beat_counter_bits lane_counter_bits layer_bits counter_bits exponent_bits multiplier_bits
    1     divider_bits divider_held_bits root_bits root_held_bits rounder_bits memory_register_bits
    2     multiplier serial_sums
    5     reciprocal_bits gain_bits gain rounder divider root
    6     controls
    10    reciprocal
""")
PRIORS: Mapping[str, Mapping[str, float]] = {"carry": CARRY, "logic": LOGIC, "ff": FF}
# Where carry chains are made of the same cells as logic, or cost nothing of their own.
TOGETHER: Mapping[str, float] = {**LOGIC, "adder_bits": 1, "multiplier_bits": 1, "multiplier": 2}

# Of standard cells only the proportions: a flip-flop is as large as two or three gates, and the clock is theirs alone.
_CELLS = {name: TOGETHER.get(name, 0.0) + 2 * FF.get(name, 0.0) for name in {**TOGETHER, **FF}}
SHAPES: Mapping[str, Mapping[str, float]] = {"area": _CELLS, "ff": FF, "clock": FF, "active": _CELLS}

# Amounts that a carry chain may be part of.
IN_CHAINS = frozenset(
    _read("""
    1     adder_bits chains short_adder_bits sum_bits abs_bits sliced_bits soft_product_bits flag_bits counter_bits
    1     multiplier multiplier_bits divider divider_bits root root_bits reciprocal reciprocal_bits gain gain_bits
    1     rounder exponent_bits counted_bits time_bits static_bits feeds stage
    1     engine controls queues layers space_bits address_bits wrapped_bits beat_counter_bits
""")
)
