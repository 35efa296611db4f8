"""What one lane of a sweep is made of: its cells, their registers, and what waits between them.

Read off the plan, as the hardware is (hwnorm/rtl/lane.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from hwnorm.cost.blocks import Family, product_slices
from hwnorm.ir import Rate
from hwnorm.rtl.cells import SHIFT_STEP, WIRING, Cell, Kind, parts
from hwnorm.rtl.plan import SweepPlan

SHORT = 5  # bits of a sum that is worth a carry chain
LEAST_SHIFT = 3
NO_REGISTER = (Kind.STREAM, Kind.MUL)  # of the lane's own: a beat's, a multiplier's
SUMS = (Kind.ADD, Kind.SUB)
Amounts = Counter[str]


def adder(bits: int) -> Amounts:
    """A carry chain, or a few gates where it is short."""
    return Amounts(adder_bits=bits, chains=1) if bits >= SHORT else Amounts(short_adder_bits=bits)


def lane_amounts(sweep: SweepPlan, family: Family) -> Amounts:
    found, dropped = Amounts(), _dropped(sweep)
    for cell in sweep.cells:
        one = _operator(cell, family)
        if one["result_bits"]:
            one["result_bits"] -= dropped[cell] * (2 if cell.latency > 1 else 1)
        found.update(one)
    for cell in sweep.cells:  # of a sum in two halves the upper ones are read later
        if cell.kind in SUMS and cell.latency > 1:
            for arg in cell.args:
                if arg.rate is Rate.ELEM:
                    found["delay_bits"] += max(arg.format.width - cell.format.width // 2, 0)
    for cell, depths in read_at(sweep).items():
        if cell.kind not in (Kind.CONST, Kind.LAYER) and cell.rate is Rate.ELEM:
            arrives = family.shifts and cell.kind is Kind.STREAM  # how long it waits: amounts_arrival.py
            begins = min(depths) if arrives else sweep.ready[cell]
            own = cell.kind not in NO_REGISTER and begins not in depths
            found.update(_delayed({begins, *depths}, own, cell.format.width - dropped[cell], family))
    return found


def _delayed(depths: set[int], own: bool, width: int, family: Family) -> Amounts:
    """Registers from where a value stands first to where it is read last. Where a family has shift registers of LUTs,
    as many as three in a row that nobody reads between are one, the value's ``own`` register among them."""
    found = Amounts()
    for before, depth in pairwise(sorted(depths)):
        if family.shifts and depth - before + own >= LEAST_SHIFT:
            found["shifted_bits"] += width
            found["result_bits"] -= own * width
        else:
            found["delay_bits"] += (depth - before) * width
        own = False
    return found


def _operator(cell: Cell, family: Family) -> Amounts:
    """One cell of a lane: its logic, and the registers of its own."""
    width = cell.format.width
    match cell.kind:
        case Kind.ADD | Kind.SUB:
            return _sum(cell, family)
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
            (arg, which), (drop, _) = cell.args, cell.param
            beyond = max(arg.format.width - drop - width, 0) + 1
            chosen = Amounts(moved_bits=(width + 2) * which.hi)
            return chosen + Amounts(equal_bits=2 * beyond, clip_bits=width, result_bits=2 * width + 2)
        case Kind.MUL:
            return _product(cell, family)
        case Kind.RAMP:
            return Amounts(adder_bits=width, chains=cell.latency, result_bits=width + width // 2)
        case _:
            return Amounts()


def _sum(cell: Cell, family: Family) -> Amounts:
    """Bits below the other operand's lowest are no adder's; nor is any where a multiplier's block adds."""
    width, low = cell.format.width, low_zeros(cell)
    if cell.latency == 1 and any(one_block(a, family) for a in cell.args):
        return Amounts()
    top = min(width, low + _open(cell)) if family.bare_carries else width
    if cell.latency == 1:
        return adder(top - low) + Amounts(result_bits=width)
    half = width // 2
    lower, upper = max(min(half, top) - low, 0), max(top - max(half, low), 0)
    return adder(lower + 1) + adder(upper + 1) + Amounts(result_bits=width + 1 + half)


def _open(cell: Cell) -> int:
    """Bits of a sum in which neither operand is known, from the lowest one on: a constant's ones are as good as any,
    and above what is never negative there are zeros."""
    found = [cell.format.width]
    for arg in cell.args if cell.kind is Kind.ADD else cell.args[1:]:
        if arg.is_const:
            found.append(abs(arg.param).bit_count())
        elif arg.lo >= 0 and cell.kind is Kind.ADD:
            found.append(max(arg.hi.bit_length() - low_zeros(cell), 0))
    return min(found)


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
    """Its largest steps first, each as wide as what the later ones have left over. Bits whose choice is between
    themselves and the sign alone are a multiplexer of two."""
    value, amount = cell.args
    found, top, before = Amounts(), amount.format.width, value.format.width
    for step in range(cell.latency):
        low = max(top - SHIFT_STEP, 0) if step < cell.latency - 1 else 0
        remaining = min((1 << low) - 1, amount.hi)
        lowest = min(value.lo, value.lo >> (amount.hi - remaining))
        width = Cell(Kind.CONST, lo=lowest, hi=value.hi).format.width
        steps = min((1 << top) - 1, amount.hi) >> low
        of_two = width if steps == 1 else min(max(width - (before - 1 - (1 << low)), 0), width)
        found["mux_bits"] += of_two
        found["shift_bits"] += width - of_two
        found["result_bits"] += width
        top, before = low, width
    return found


def _product(cell: Cell, family: Family) -> Amounts:
    """In blocks where the family has them, in parts where one is too narrow."""
    a, b = sorted(x.format.width for x in cell.args)
    square = cell.args[0] is cell.args[1]
    found = Amounts(factor_bits=a if square else a + b)
    for number, ((narrow, wide, (blocks, soft)), (low, end)) in enumerate(
        zip(product_slices(cell, family), parts(b), strict=True)
    ):
        found["multipliers"] += blocks
        found["product_bits"] += narrow + wide if blocks else 0
        found["soft_product_bits"] += narrow * (narrow + 1) // 2 if square and not blocks else soft
        if blocks and (blocks > 1 or soft):
            found["sliced_bits"] += (blocks - (not soft)) * (narrow + wide)
        if number:  # added to those below; it has waited for their sum
            inside = family.adds and blocks == 1
            found += Amounts() if inside else Amounts(adder_bits=narrow + wide, chains=1)
            found["result_bits"] += (low if inside else narrow + end) + (number - 1) * (narrow + wide)
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


def read_at(sweep: SweepPlan) -> dict[Cell, list[int]]:
    """The depths at which each value is read."""
    found: dict[Cell, list[int]] = {}
    for cell, depth in _uses(sweep):
        found.setdefault(cell, []).append(depth)
    return found


def inside_multiplier(sweep: SweepPlan, cell: Cell, family: Family) -> bool:
    """Whether the register of an element that arrives is one of a multiplier's: where that alone reads it, at once, and
    is one block with two registers at each factor."""
    readers = [c for c in sweep.cells if cell in c.args]
    alone = len(readers) == 1 and readers[0].kind is Kind.MUL and read_at(sweep)[cell] == [0]
    return alone and one_block(readers[0], family)


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


def one_block(cell: Cell, family: Family) -> bool:
    """Whether a product is one multiplier of a family whose blocks add what comes next as well, and keep the sum."""
    if not family.adds or cell.kind is not Kind.MUL:
        return False
    return [slices for *_, slices in product_slices(cell, family)] == [(1, 0)]
