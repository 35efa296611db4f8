"""What stands around sweeps and stages: controls, memories and their addresses, queues, registers of a layer.

Read off the plan, as the hardware is (hwnorm/rtl/control.py, replay.py, engine.py). Memories are mapped exactly
(hwnorm/cost/blocks.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from hwnorm.cost.blocks import MACRO, REGISTERS, Family, mapped
from hwnorm.rtl.plan import FROM_REPLAY, TABLES, Plan
from hwnorm.units.lfsr import TAPS

Amounts = Counter[str]


@dataclass(frozen=True, slots=True)
class Memory:
    words: int
    width: int
    block: bool = False  # whether it is asked for a block RAM, however small it is


def memories(plan: Plan) -> Iterator[tuple[str, Memory]]:
    """With the instance that their outputs' multiplexers end up in, which is that of the register behind them: replays
    before a sweep have it themselves but where a table near by is looked up, tables in the last sweep, queues behind
    those that write."""
    lanes = plan.shape.lanes
    for sweep in plan.sweeps:
        here = f"sweep_{sweep.number}"
        looked_up = plan.tabulated and sweep is plan.sweeps[-1]
        if sweep.number > 1 and not plan.shape.external:
            for words in plan.replay_banks(sweep.number):
                memory = Memory(words, plan.replay_width(sweep.number))
                yield here if looked_up and not plan.shape.spread else "frame", memory
        if sweep.writes:
            word = sum(c.format.width for c in sweep.writes.values())
            told = 1 + ((lanes - 1).bit_length() if plan.shape.partial else 0)
            yield "frame", Memory(plan.output_depth(sweep.number), word * lanes + told, block=True)
            if looked_up:
                for _ in range(lanes):
                    yield here, Memory(TABLES * plan.table_size, word, block=True)


def bank_amounts(plan: Plan, number: int) -> Amounts:
    """What chooses one of a replay's banks: in front of the registers of the sweep behind it."""
    ways = len(plan.replay_banks(number))
    return Amounts({_selected(ways): (ways - 1) * plan.replay_width(number)})


def memory_amounts(memory: Memory, family: Family) -> Amounts:
    cells = mapped(family, memory.words, memory.width, memory.block)
    ways = cells.ways if cells.ways > 1 else 0
    found = Amounts({f"{cells.kind}_cells": cells.cells, "ways": ways})
    found["macro_bits" if cells.kind == MACRO else "memory_register_bits"] += cells.bits
    found[_selected(cells.ways, cells.kind == "distributed")] += cells.selected
    if cells.kind in ("distributed", REGISTERS):  # read at once, and so through registers of its own
        found["read_register_bits"] += 2 * memory.width
    elif cells.ways > 1 or cells.kind == MACRO:  # the register behind it is not the block's own
        found["read_register_bits"] += memory.width
    return found


def _selected(ways: int, distributed: bool = False) -> str:
    """Multiplexers by their kind: what one of many ways costs grows with the ways."""
    if ways < 3:
        return "selected_bits"
    if distributed:
        return "ram_selected_bits" if ways <= 4 else "deep_ram_selected_bits"
    return "wide_selected_bits" if ways <= 8 else "deep_selected_bits"


def _wanders(bits: int) -> bool:
    """Whether a shift register with feedback counts, whose LUTs are few."""
    return bits in TAPS


def frame_amounts(plan: Plan) -> Amounts:
    shape, found = plan.shape, Amounts(engine=1)
    lanes, beats = shape.lanes, max(shape.max_beats - 1, 1).bit_length()
    for sweep in plan.sweeps:
        found["controls"] += 1
        counted = "told_bits" if shape.fixed and _wanders(shape.max_beats.bit_length()) else "beat_counter_bits"
        found[counted] += beats
        if shape.partial:
            found["lane_counter_bits"] += (lanes - 1).bit_length()
        if sweep.number > 1 and not shape.external:
            depth = plan.replay_words(sweep.number)
            bits = (depth - 1).bit_length()
            found["told_bits" if depth == 1 << bits and _wanders(bits) else "address_bits"] += 2 * bits
            found["wrapped_bits"] += 2 * (depth - 1).bit_length() if depth & (depth - 1) else 0
            found["space_bits"] += bits if plan.may_fill(sweep.number) else 0
            banks = len(plan.replay_banks(sweep.number))
            found["told_bits"] += 2 * (banks - 1).bit_length()
            if sweep.issue_latency > FROM_REPLAY:  # behind the memory, where the block has no register of its own
                found["replayed_bits"] += banks * plan.replay_width(sweep.number)
        if sweep.writes:
            bits = (plan.output_depth(sweep.number) - 1).bit_length()
            found["told_bits" if _wanders(bits) else "address_bits"] += 2 * bits
            found["space_bits"] += bits
            found["queues"] += 1
            if shape.partial:
                found["kept_lanes"] += lanes
    if shape.partial and not shape.fixed:
        found["kept_lanes"] += lanes
    found["layer_bits"] = sum(c.format.width for c in plan.lowering.registers.values())
    found["layers"] = int(bool(plan.lowering.registers))
    return found
