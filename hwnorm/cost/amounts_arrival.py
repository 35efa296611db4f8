"""What stands between a memory, or a port, and the first cell of a lane that reads an element, where a family has shift
registers of LUTs: as many as three registers in a row that nobody reads between are one of them.

Distributed RAM is followed by three registers, block RAM by two, a port by one; the last is the beat's, in the sweep,
behind which an element waits until it is read. A multiplier that alone reads the beat's register has it inside.
"""

from __future__ import annotations

from collections import Counter

from hwnorm.cost.amounts_lane import LEAST_SHIFT, inside_multiplier, read_at
from hwnorm.cost.blocks import Family, mapped
from hwnorm.rtl.plan import FROM_REPLAY, Plan, SweepPlan

Amounts = Counter[str]


def arrival_amounts(plan: Plan, sweep: SweepPlan, family: Family) -> tuple[Amounts, Amounts]:
    """What is to be added to the frame, and to the sweep; most of it is taken off."""
    frame, here = Amounts(), Amounts()
    if not family.shifts or (plan.tabulated and sweep is plan.sweeps[-1]):
        return frame, here
    distributed, registers = _in_front(plan, sweep, family)
    read = read_at(sweep)
    for cell in sweep.arriving.values():
        bits, first = cell.format.width * plan.shape.lanes, min(read.get(cell, [0]))
        inside = inside_multiplier(sweep, cell, family)
        shifted = registers + first - inside >= LEAST_SHIFT
        if shifted:
            here["shifted_bits"] += bits
            frame["replayed_bits"] -= bits * (registers > 1)
        else:
            here["delay_bits"] += first * bits
        if shifted or inside:
            here["beat_bits"] -= bits
        if distributed:
            frame["read_register_bits"] -= bits * (1 + shifted)
    return frame, here


def _in_front(plan: Plan, sweep: SweepPlan, family: Family) -> tuple[bool, int]:
    """Whether distributed RAM is, and how many registers in a row, the beat's among them. What chooses one of several
    memories stands in front of the last."""
    if sweep.number == 1 or plan.shape.external or sweep.issue_latency <= FROM_REPLAY:
        return False, 1
    (words, *more), width = plan.replay_banks(sweep.number), plan.replay_width(sweep.number)
    if more:
        return False, 1
    distributed = mapped(family, words, width).kind == "distributed"
    return distributed, 3 if distributed else 2
