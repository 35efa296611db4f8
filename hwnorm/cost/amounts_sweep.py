"""What a sweep is made of, in amounts that its cost is proportional to: bits of adders, of multiplexers, of registers.

Read off the plan, as the hardware is (hwnorm/rtl/sweep.py, table.py); a lane is counted apart (amounts_lane.py).
"""

from __future__ import annotations

from collections import Counter

from hwnorm.cost.amounts_lane import adder, lane_amounts, one_block
from hwnorm.cost.blocks import Family
from hwnorm.rtl.cells import Cell, Kind
from hwnorm.rtl.plan import TABLES, Plan, SweepPlan, halved
from hwnorm.units.lfsr import TAPS

Amounts = Counter[str]


def sweep_amounts(plan: Plan, sweep: SweepPlan, family: Family) -> Amounts:
    lanes, tabulated = plan.shape.lanes, plan.tabulated and sweep is plan.sweeps[-1]
    copies = 1 if tabulated else lanes
    found = Amounts({name: amount * copies for name, amount in lane_amounts(sweep, family).items()})
    found["operand_bits"] += sum(c.format.width for c, _ in sweep.operands)
    if tabulated:
        found.update(_table(plan, sweep, family))
        return found
    found["beat_bits"] += sum(c.format.width for c in sweep.arriving.values()) * lanes
    found.update(_reductions(plan, sweep, family))
    found.update(_chains(plan, sweep))
    for cell in sweep.cells:
        if cell.kind is Kind.FIRST:
            found["flag_bits"] += 3 * lanes
    return found


def _reductions(plan: Plan, sweep: SweepPlan, family: Family) -> Amounts:
    found, lanes = Amounts(), plan.shape.lanes
    for cell in sweep.reductions:
        (arg,) = cell.args
        width, total = arg.format.width, cell.format.width
        if plan.shape.partial:
            found.update(_kept(plan, width))
        if cell.kind is Kind.SUM:
            found.update(_tree(width, lanes, inside=not plan.shape.partial and one_block(arg, family)))
            found.update(_accumulator(cell))
        else:
            found["adder_bits"] += (lanes + 1) * (width + 1)
            found["chains"] += lanes + 1
            found["mux_bits"] += lanes * width
            found["result_bits"] += (lanes - 1) * (3 * width + 1) + width
        found["sum_bits"] += total
        waits = sweep.sums_at - 1 - halved(cell) - sweep.beat_at(cell)
        found["delay_bits"] += waits * (width + (lanes - 1).bit_length())
    return found


def _accumulator(cell: Cell) -> Amounts:
    """A long one in halves, of which the lower stands in a register more, and what is added to the upper as well."""
    width, more = cell.format.width, int(halved(cell))
    return Amounts(adder_bits=width + more, chains=1 + more, result_bits=(width + 1) * more)


def _tree(width: int, lanes: int, inside: bool) -> Amounts:
    """``inside`` multiplier blocks: its first sums."""
    found, left, level = Amounts(), lanes, 0
    while left > 1:
        sums, left, level = left // 2, -(-left // 2), level + 1
        if level > 1 or not inside:
            each = adder(width + level) + Amounts(result_bits=width + level)
            found += Amounts({name: amount * sums for name, amount in each.items()})
            found["result_bits"] += (left - sums) * (width + level)
    return found


def _kept(plan: Plan, width: int) -> Amounts:
    """Lanes that may be empty in a group's last beat add nothing there. Which, is built in or has to be compared."""
    lanes = plan.shape.lanes
    if plan.shape.fixed:
        return Amounts(kept_bits=width * (lanes - 1 - (plan.shape.max_elements - 1) % lanes))
    return Amounts(kept_bits=width * (lanes - 1), compared_lanes=lanes * (lanes - 1).bit_length())


def _chains(plan: Plan, sweep: SweepPlan) -> Amounts:
    """What tells a beat's validity, its group's beginning and end, its last lane, along the pipeline."""
    ends = [sweep.sums_at] if sweep.reductions else []
    sums = ends.copy()
    if sweep.writes:
        ends.append(sweep.writes_at)
    written = ends[-1:] if sweep.writes else []
    if sweep.passes:
        ends.append(sweep.passes_at)
    fresh = 1 + any(halved(c) for c in sweep.reductions) if sweep.reductions else 0
    found = Amounts(told_bits=max(ends, default=0) + sweep.released_at + max([*sums, *written], default=0) + fresh)
    if plan.shape.partial:
        tail = (plan.shape.lanes - 1).bit_length()
        reduced = {sweep.ready[c.args[0]] for c in sweep.reductions}
        found["told_bits"] += tail * max([*written, *(depth - 1 for depth in reduced)], default=0)
        if not plan.shape.fixed:
            found["told_bits"] += (plan.shape.lanes - 1) * len(reduced)
    return found


def _table(plan: Plan, sweep: SweepPlan, family: Family) -> Amounts:
    """A lane that fills, and a copy of the table a lane. What comes from a replay stands in the memory's own register
    (amounts_frame adds one where it has none), unless the tables stand in more than one place."""
    (stream,), lanes = sweep.arriving.values(), plan.shape.lanes
    width, spread = stream.format.width, plan.shape.spread
    word = sum(c.format.width for c in sweep.writes.values())
    filling = 2 * (sweep.writes_at + spread) + sweep.released_at + 1
    tail = (plan.shape.lanes - 1).bit_length() if plan.shape.partial else 0
    found = Amounts(filling_bits=filling + (2 + tail) * (plan.shape.lookup_latency + 1), tables=1)
    if sweep.number == 1 or plan.shape.external or spread:
        found["beat_bits"] = width * lanes
    if not family.packed:
        addressed = not found["beat_bits"] and len(plan.replay_banks(sweep.number)) == 1
        found["looked_up_bits"] = (word + width * addressed) * lanes
    if spread:
        found["result_bits"] = word * lanes + spread * (width + (TABLES - 1).bit_length() + word)
    counted = any(c.kind is not Kind.RAMP and arg.kind is Kind.STREAM for c in sweep.cells for arg in c.args)
    found["counter_bits"] = width * (1 + counted) + 3 * TABLES.bit_length()
    found["filling_bits"] += max(width + 1, min(TAPS))
    if not plan.shape.fixed:  # a length waits with every table
        length = plan.shape.beat_bits + (plan.shape.lane_bits if plan.shape.partial else 0)
        found["filling_bits"] += TABLES * length
        found["mux_bits"] += (TABLES - 1) * length
        found["counter_bits"] += (TABLES - 1).bit_length()
    return found
