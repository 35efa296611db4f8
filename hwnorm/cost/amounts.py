"""What an engine is made of, in amounts that its cost is proportional to: from a plan alone, before anything is built.

Three rooms of an engine are counted, and fitted, apart: the sweeps (lanes, trees, tables), the scalar stages (serial
units), and the frame (controls, memories, queues). ``multipliers``, ``block_cells`` and ``distributed_cells`` are
exact.
"""

from __future__ import annotations

from collections import Counter

from hwnorm.cost.amounts_arrival import arrival_amounts
from hwnorm.cost.amounts_frame import bank_amounts, frame_amounts, memories, memory_amounts
from hwnorm.cost.amounts_stage import stage_amounts
from hwnorm.cost.amounts_sweep import sweep_amounts
from hwnorm.cost.blocks import Family
from hwnorm.rtl.plan import Plan

Amounts = Counter[str]
ROOMS = ("sweeps", "stages", "frame")


def amounts(plan: Plan, family: Family) -> dict[str, Amounts]:
    """By instance; ``frame`` is everything that is neither a sweep nor a stage."""
    found = {f"sweep_{s.number}": sweep_amounts(plan, s, family) for s in plan.sweeps}
    for number, stage in plan.stages.items():
        found[f"stage_{number}"] = stage_amounts(stage, bool(plan.results) and stage.puts_results)
    found["frame"] = frame_amounts(plan)
    for sweep in plan.sweeps[1:] if not plan.shape.external else []:
        found[f"sweep_{sweep.number}"].update(bank_amounts(plan, sweep.number))
    for sweep in plan.sweeps:
        frame, here = arrival_amounts(plan, sweep, family)
        found["frame"].update(frame)
        found[f"sweep_{sweep.number}"].update(here)
    for instance, memory in memories(plan):
        found[instance].update(memory_amounts(memory, family))
    return found


def room(instance: str) -> str:
    """Which of the rooms an instance belongs to."""
    return {"sweep": "sweeps", "stage": "stages"}.get(instance.partition("_")[0], "frame")
