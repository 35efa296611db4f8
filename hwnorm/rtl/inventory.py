"""What a plan is made of, counted: the operators that every element passes, and the bits of memory.

The multipliers that the tool counts are the multipliers that it builds: a test compares these numbers with what yosys
finds in the generated Verilog before it maps anything. Scalar stages are serial, controls count beats: neither is in
here.
"""

from __future__ import annotations

from collections import Counter

from hwnorm.rtl.cells import Cell, Kind, parts
from hwnorm.rtl.plan import TABLES, Plan, halved

ADDERS = (Kind.ADD, Kind.SUB)
COMPARATORS = (Kind.GT, Kind.EQ, Kind.MAX, Kind.MIN)


def inventory(plan: Plan) -> dict[str, int]:
    """``multipliers``, ``adders``, ``comparators`` of all sweeps, ``memory_bits`` of replays, tables and queues."""
    total: Counter[str] = Counter()
    for sweep in plan.sweeps:
        tabulated = plan.tabulated and sweep is plan.sweeps[-1]
        copies = 1 if tabulated else plan.shape.lanes
        for cell in sweep.cells:
            for name, number in _of_cell(cell).items():
                total[name] += number * copies
        for reduction in sweep.reductions:
            sums = reduction.kind is Kind.SUM
            more = halved(reduction) if sums else 1  # an extreme is compared with two
            total["adders" if sums else "comparators"] += plan.shape.lanes + more  # a tree, and the running value
        if plan.shape.partial:  # every lane but the first may be empty in the last beat
            depths = {sweep.ready[r.args[0]] for r in sweep.reductions}
            depths |= {sweep.depth(c) for c in sweep.cells if c.kind is Kind.FIRST}
            total["comparators"] += len(depths) * (plan.shape.lanes - 1)
    total["memory_bits"] = sum(words * width for words, width in memories(plan))
    return {name: total[name] for name in ("multipliers", "adders", "comparators", "memory_bits")}


def memories(plan: Plan) -> list[tuple[int, int]]:
    """(words, bits of a word) of every memory."""
    lanes, found = plan.shape.lanes, []
    for sweep in plan.sweeps[1:] if not plan.shape.external else []:
        found.append((plan.replay_words(sweep.number), plan.replay_width(sweep.number)))
    for sweep in plan.sweeps:
        if sweep.writes:
            word = sum(c.format.width for c in sweep.writes.values())
            extra = 1 + ((lanes - 1).bit_length() if plan.shape.partial else 0)
            found.append((plan.output_depth(sweep.number), word * lanes + extra))
            if plan.tabulated and sweep is plan.sweeps[-1]:
                found += [(TABLES * plan.table_size, word)] * lanes
    return found


def _of_cell(cell: Cell) -> Counter[str]:
    match cell.kind:
        case Kind.MUL:  # a wide factor is multiplied in parts
            pieces = len(parts(max(a.format.width for a in cell.args)))
            return Counter(multipliers=pieces, adders=pieces - 1)
        case Kind.RAMP:  # of a table: a product with what counts is a running sum
            return Counter(adders=cell.latency)
        case kind if kind in ADDERS:  # a long sum is one carry chain a cycle
            return Counter(adders=max(cell.latency, 1))
        case kind if kind in COMPARATORS:
            return Counter(comparators=1)
        case Kind.ABS:
            return Counter(adders=1, comparators=1)
        case Kind.SATURATE:
            return Counter(comparators=_compared(cell))
        case Kind.CLIP:  # at each of its distances
            return Counter(comparators=_compared(cell) * (cell.args[1].hi + 1))
        case _:
            return Counter()


def _compared(cell: Cell) -> int:
    """Clipping at both ends of a format looks at bits; at one end, or in between, it compares."""
    arg, fmt = cell.args[0], cell.format
    beyond = (arg.lo < fmt.lo, arg.hi > fmt.hi)
    return 0 if beyond == (True, True) and arg.format.signed and fmt.signed else sum(beyond)
