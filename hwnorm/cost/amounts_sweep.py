"""What a sweep is made of, in amounts that its cost is proportional to: bits of adders, of multiplexers, of registers.

Read off the plan, as the hardware is (hwnorm/rtl/sweep.py, lane.py, table.py). Everything is linear in the lanes but
the adder tree, so ``lanes`` may be an array: one plan then serves all numbers of lanes that share its timing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from hwnorm.cost.blocks import Family, multipliers, product_parts
from hwnorm.ir import Rate
from hwnorm.rtl.cells import LOOP_BITS, SHIFT_STEP, WIRING, Cell, Kind, parts
from hwnorm.rtl.plan import TABLES, Plan, SweepPlan, halved
from hwnorm.units.lfsr import TAPS

SHORT = 5  # bits of a sum that is worth a carry chain
SUMS = (Kind.ADD, Kind.SUB)
Amounts = Counter[str]  # values may be arrays over lanes


def levels(lanes: Any) -> Any:
    """Of a tree over so many lanes."""
    return np.ceil(np.log2(lanes)).astype(np.int64)


def even(bits: Any) -> Any:
    """Two bits share a carry cell."""
    return bits + bits % 2


def adder(bits: int) -> Amounts:
    """A carry chain, or a few gates where it is short."""
    return Amounts(adder_bits=even(bits), chains=1) if bits >= SHORT else Amounts(short_adder_bits=bits)


def sweep_amounts(plan: Plan, sweep: SweepPlan, lanes: Any, family: Family) -> Amounts:
    """``least_product``: bits of the narrowest product that the family's multipliers take."""
    tabulated = plan.tabulated and sweep is plan.sweeps[-1]
    copies = 1 if tabulated else lanes
    found = Amounts()
    for name, amount in _lane(sweep, family).items():
        found[name] += amount * copies
    found["operand_bits"] += sum(c.format.width for c, _ in sweep.operands)
    if tabulated:
        found.update(_table(plan, sweep, lanes, family))
        return found
    found["beat_bits"] += sum(c.format.width for c in sweep.arriving.values()) * lanes
    found.update(_reductions(plan, sweep, lanes))
    found.update(_chains(plan, sweep))
    for cell in sweep.cells:
        if cell.kind is Kind.FIRST:
            found["flag_bits"] += 3 * lanes
    return found


# One lane


def _lane(sweep: SweepPlan, family: Family) -> Amounts:
    found, dropped = Amounts(), _dropped(sweep)
    for cell in sweep.cells:
        one = _operator(cell, family)
        one["result_bits"] -= dropped[cell] * (2 if cell.latency > 1 else 1)
        found.update(one)
    for cell in sweep.cells:  # of a sum in two halves the upper ones are read later
        if cell.kind in SUMS and cell.latency > 1:
            for arg in cell.args:
                if arg.rate is Rate.ELEM:
                    found["delay_bits"] += max(arg.format.width - cell.format.width // 2, 0)
    for cell, last in _last_use(sweep).items():
        if cell.kind not in (Kind.CONST, Kind.LAYER) and cell.rate is Rate.ELEM:
            found["delay_bits"] += max(last - sweep.ready[cell], 0) * (cell.format.width - dropped[cell])
    return found


def _operator(cell: Cell, family: Family) -> Amounts:
    """One cell of a lane: its logic, and the registers of its own."""
    width = cell.format.width
    match cell.kind:
        case Kind.ADD | Kind.SUB:
            return _sum(cell)
        case Kind.GT:
            return adder(max(a.format.width for a in cell.args) + 1) + Amounts(result_bits=1)
        case Kind.EQ:
            return Amounts(equal_bits=max(a.format.width for a in cell.args), result_bits=1)
        case Kind.MAX | Kind.MIN:
            return adder(width + 1) + Amounts(mux_bits=width, result_bits=width)
        case Kind.ABS:
            return Amounts(abs_bits=width, result_bits=width)
        case Kind.SIGN:
            return Amounts(equal_bits=cell.args[0].format.width, result_bits=width)
        case Kind.SELECT:
            constant = any(a.is_const for a in cell.args[1:])
            return Amounts({"mask_bits" if constant else "mux_bits": width, "result_bits": width})
        case Kind.POWER:
            return Amounts(decoded_bits=width, result_bits=width)
        case Kind.SHIFT:
            return _barrel(cell)
        case Kind.SATURATE:
            (arg,) = cell.args
            beyond = max(arg.format.width - width, 0) + 1
            return Amounts(equal_bits=2 * beyond, clip_bits=width, result_bits=2 * width + 2)
        case Kind.CLIP:
            (arg, which), (drop, stride) = cell.args, cell.param
            beyond = max(arg.format.width - drop - width, 0) + 1 + stride * which.hi
            chosen = Amounts(mux_bits=width * which.hi)
            return chosen + Amounts(equal_bits=2 * beyond, clip_bits=width, result_bits=2 * width + 2)
        case Kind.MUL:
            return _product(cell, family)
        case Kind.RAMP:
            return Amounts(adder_bits=even(width), chains=cell.latency, result_bits=width + width // 2)
        case _:
            return Amounts()


def _sum(cell: Cell) -> Amounts:
    """Bits below the other operand's lowest are no adder's."""
    width, low = cell.format.width, low_zeros(cell)
    if cell.latency == 1:
        return adder(width - low) + Amounts(result_bits=width)
    half = width // 2
    lower, upper = max(half - low, 0), width - max(half, low)
    return adder(lower + 1) + adder(upper + 1) + Amounts(result_bits=width + 1 + half)


def low_zeros(cell: Cell) -> int:
    """Low bits in which one operand is 0; of a difference it has to be what is taken off."""
    operands = cell.args if cell.kind is Kind.ADD else cell.args[1:]
    return max(_zeros(a) for a in operands)


def _zeros(cell: Cell) -> int:
    if cell.is_const:
        value: int = cell.param
        return (value & -value).bit_length() - 1 if value else 0
    return cell.param if cell.kind is Kind.LEFT else 0


def _barrel(cell: Cell) -> Amounts:
    """Its largest steps first, each as wide as what the later ones have left over."""
    value, amount = cell.args
    found, top = Amounts(), amount.format.width
    for step in range(cell.latency):
        low = max(top - SHIFT_STEP, 0) if step < cell.latency - 1 else 0
        remaining = min((1 << low) - 1, amount.hi)
        lowest = min(value.lo, value.lo >> (amount.hi - remaining))
        width = Cell(Kind.CONST, lo=lowest, hi=value.hi).format.width
        found["shift_bits" if top - low > 1 else "mux_bits"] += width
        found["result_bits"] += width
        top = low
    return found


def _product(cell: Cell, family: Family) -> Amounts:
    """In blocks where the family has them, in parts where one is too narrow."""
    a, b = sorted(x.format.width for x in cell.args)
    found = Amounts(factor_bits=a + b if cell.args[0] is not cell.args[1] else a)
    ends = [end for _, end in parts(b)]
    for number, ((narrow, wide), end) in enumerate(zip(product_parts(cell), ends, strict=True)):
        blocks = multipliers(family, wide, narrow, cell.format.width if len(ends) == 1 else 0)
        found["multipliers"] += blocks
        found["product_bits" if blocks else "soft_product_bits"] += narrow + wide if blocks else narrow * wide
        if blocks > 1:
            found["sliced_bits"] += (blocks - 1) * (narrow + wide)
        if number:  # added to those below; it has waited for their sum
            found["adder_bits"] += even(narrow + wide)
            found["chains"] += 1
            found["result_bits"] += narrow + end + (number - 1) * (narrow + wide)
    return found


def _dropped(sweep: SweepPlan) -> Counter[Cell]:
    """Low bits of a value that nobody reads: registers that are not made."""
    users: dict[Cell, list[int]] = {}
    for cell in sweep.cells:
        for arg in cell.args:
            users.setdefault(arg, []).append(cell.param if cell.kind is Kind.RIGHT else 0)
    for cell in (*sweep.writes.values(), *(c for _, c in sweep.passes), *(r.args[0] for r in sweep.reductions)):
        users.setdefault(cell, []).append(0)
    return Counter({cell: min(drops) for cell, drops in users.items() if cell.kind in SUMS})


def _last_use(sweep: SweepPlan) -> dict[Cell, int]:
    found: dict[Cell, int] = {}
    for cell, depth in _uses(sweep):
        found[cell] = max(found.get(cell, 0), depth)
    return found


def waiting_bits(sweep: SweepPlan) -> int:
    """Of an element that arrives: those that nobody reads at once."""
    first: dict[Cell, int] = {}
    for cell, depth in _uses(sweep):
        first[cell] = min(first.get(cell, depth), depth)
    return sum(cell.format.width for cell in sweep.arriving.values() if first.get(cell, 0) > 0)


def _uses(sweep: SweepPlan) -> Iterator[tuple[Cell, int]]:
    """The depths at which values are read, seen through wiring."""

    def source(cell: Cell) -> Cell:
        while cell.kind in WIRING:
            cell = cell.args[0]
        return cell

    for cell in sweep.cells:
        if cell.kind in WIRING:
            continue
        depth = sweep.depth(cell)
        late = int(cell.kind is Kind.MUL and len(parts(max(a.format.width for a in cell.args))) > 1)
        for arg in cell.args:
            if arg.rate is Rate.ELEM:
                yield source(arg), depth + late
    for cell in sweep.writes.values():
        yield source(cell), sweep.writes_at
    for _, cell in sweep.passes:
        yield source(cell), sweep.passes_at


# All lanes together


def _reductions(plan: Plan, sweep: SweepPlan, lanes: Any) -> Amounts:
    found, deep = Amounts(), levels(lanes)
    for cell in sweep.reductions:
        (arg,) = cell.args
        width, total = arg.format.width, cell.format.width
        if plan.shape.partial:
            found.update(_kept(plan, width, lanes))
        if cell.kind is Kind.SUM:
            found.update(_tree(width, lanes))
            found.update(_accumulator(cell, lanes))
        else:
            found["adder_bits"] += (lanes + 1) * even(width + 1)
            found["chains"] += lanes + 1
            found["mux_bits"] += lanes * width
            found["result_bits"] += (lanes - 1) * (3 * width + 1) + width
        found["sum_bits"] += total
        waits = sweep.sums_at - 1 - halved(cell) - sweep.beat_at(cell)
        found["delay_bits"] += waits * (width + deep)
    return found


def _accumulator(cell: Cell, lanes: Any) -> Amounts:
    """A long one in halves, of which the lower stands in a register more, and what is added to the upper as well."""
    width = cell.format.width
    if not halved(cell):
        return Amounts(adder_bits=even(width), chains=1)
    added = np.minimum(cell.args[0].format.width + levels(lanes), LOOP_BITS)
    half = np.maximum(width // 2, added)
    return Amounts(adder_bits=even(half + 1) + even(width - half), chains=2, result_bits=width + 1)


def _tree(width: int, lanes: Any) -> Amounts:
    found: Counter[str] = Counter()
    left: Any = np.asarray(lanes)
    above: Any = 0  # registers
    for level in range(1, int(np.max(levels(lanes))) + 1):
        sums, left = left // 2, -(-left // 2)
        bits = width + level
        for name, amount in adder(bits).items():
            found[name] += amount * sums
        above = above + np.where(sums > 0, left, 0) * bits
    found["result_bits"] = above
    return found


def _kept(plan: Plan, width: int, lanes: Any) -> Amounts:
    """Lanes that may be empty in a group's last beat add nothing there. Which, is built in or has to be compared."""
    if plan.shape.fixed:
        return Amounts(fixed_kept_bits=width * (lanes - 1 - (plan.shape.max_elements - 1) % lanes))
    return Amounts(kept_bits=width * (lanes - 1), compared_lanes=lanes * levels(lanes))


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


def _table(plan: Plan, sweep: SweepPlan, lanes: Any, family: Family) -> Amounts:
    """A lane that fills, and a copy of the table a lane. What comes from a replay stands in the memory's own register
    (amounts_frame adds one where it has none), unless the tables stand in more than one place."""
    (stream,) = sweep.arriving.values()
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
