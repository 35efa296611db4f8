"""A shift that differs from group to group, taken out of what every element passes.

    y = sat((K * x + B) >> sh)

is linear in x: with K and B moved to the left by what sh lacks of its largest value, once a group, the sums of all
groups are shifted alike, and that is wiring. In a lane K has to fit the multiplier still. Where it cannot move all the
way, it moves to the next of a few distances, and a lane chooses among these where it saturates. Where it can hardly
move at all, lanes shift.

A table's lane sees all values in order, so that its product is a running sum (``in_order``), which moves all the way.
"""

from __future__ import annotations

from hwnorm.ir import Rate
from hwnorm.rtl.cells import FACTOR_BITS, Cell, Cells, Kind, parts, topological
from hwnorm.units import Aligner

WORTHWHILE = 3  # shifts at least that become one, or two units a group are not worth it


def in_lanes(cells: Cells, cell: Cell) -> Cell:
    """The same value with its shifts done once a group, where that takes no multiplier more."""
    found = _moved_shifts(cells, cell)
    return found if _products(found) <= _products(cell) else cell


def _products(cell: Cell) -> int:
    return sum(c.kind is Kind.MUL for c in topological([cell]))


def _moved_shifts(cells: Cells, cell: Cell) -> Cell:
    if cell.rate is Rate.STAT or cell.kind is Kind.STREAM:
        return cell
    if cell.kind is Kind.SATURATE and cell.args[0].kind is Kind.SHIFT:
        clipped = _clipped(cells, cell, *cell.args[0].args)
        if clipped is not None:
            return clipped
    return cells.rebuilt(cell, tuple(_moved_shifts(cells, a) for a in cell.args))


def _clipped(cells: Cells, cell: Cell, value: Cell, amount: Cell) -> Cell | None:
    """``cell``, which saturates ``value >> amount``; None where lanes have to shift."""
    drop, total = (value.param, value.args[0]) if value.kind is Kind.RIGHT else (0, value)
    room = _room(total)
    if room is None or amount.rate is not Rate.STAT or amount.static:
        return None
    distances = -(-(amount.hi + 1) // (room + 1))
    stride = -(-(amount.hi + 1) // distances)
    if stride < min(WORTHWHILE, amount.hi + 1):
        return None
    coarse, fine = _split(cells, amount, distances, stride)
    moved = _moved(cells, total, fine, stride - 1)
    if coarse.is_const:
        return cells.saturate(cells.left(moved, -(drop + stride - 1)), cell.format, cell.name)
    return cells.clip(cell, moved, coarse, drop + stride - 1, stride)


def _room(cell: Cell) -> int | None:
    """Bits that the products in a linear value may grow by; None if it is not linear."""
    if cell.rate is Rate.STAT:
        return FACTOR_BITS
    match cell.kind:
        case Kind.MUL:
            widths = [a.format.width for a in cell.args if a.rate is Rate.STAT]
            if len(widths) != 1:
                return None
            pieces = len(parts(max(a.format.width for a in cell.args)))
            return pieces * (FACTOR_BITS - 1) + 1 - widths[0]
        case Kind.ADD | Kind.SUB:
            rooms = [_room(a) for a in cell.args]
        case Kind.SELECT:
            rooms = [_room(a) for a in cell.args[1:]]
        case Kind.LEFT:
            return _room(cell.args[0])
        case _:
            return None
    known = [r for r in rooms if r is not None]
    return min(known) if len(known) == len(rooms) else None


def _split(cells: Cells, amount: Cell, distances: int, stride: int) -> tuple[Cell, Cell]:
    """(quotient, remainder) of a shift by ``stride``, a comparison and a subtraction a bit."""
    coarse, fine = cells.const(0), amount
    for bit in reversed(range((distances - 1).bit_length())):
        step = stride << bit
        if step <= fine.hi:
            far = cells.greater(fine, cells.const(step - 1))
            rest = cells.select(far, cells.sub(fine, cells.const(step)), fine)
            fine = cells.bounded(rest, 0, max(step - 1, fine.hi - step))
            coarse = cells.add(coarse, cells.left(far, bit))
    return coarse, fine


def _moved(cells: Cells, cell: Cell, fine: Cell, span: int) -> Cell:
    """A linear value times 2**(span - fine)."""
    if cell.rate is Rate.STAT:
        return _aligned(cells, cell, fine, span)
    match cell.kind:
        case Kind.MUL:
            x, k = sorted(cell.args, key=lambda a: a.rate is Rate.STAT)
            moved = cells.multiply(x, _aligned(cells, k, fine, span), cell.name)
        case Kind.ADD | Kind.SUB:
            a, b = (_moved(cells, arg, fine, span) for arg in cell.args)
            moved = cells.add(a, b, cell.name) if cell.kind is Kind.ADD else cells.sub(a, b, cell.name)
        case Kind.SELECT:
            a, b = (_moved(cells, arg, fine, span) for arg in cell.args[1:])
            moved = cells.select(cell.args[0], a, b, cell.name)
        case Kind.LEFT:
            moved = cells.left(_moved(cells, cell.args[0], fine, span), cell.param, cell.name)
        case _:
            raise AssertionError(f"{cell!r} is not linear")
    return cells.bounded(moved, min(cell.lo, cell.lo << span), max(cell.hi, cell.hi << span))


def _aligned(cells: Cells, a: Cell, shift: Cell, span: int) -> Cell:
    """A value per group times 2**(span - shift)."""
    if span == 0 or (a.is_const and a.param == 0):
        return a
    unit = cells.unit(Aligner(span), (a, shift), f"align_{a.name}" if a.name else "align")
    name = f"{a.name}_aligned" if a.name else "aligned"
    return cells.port(unit, "aligned", min(a.lo, a.lo << span), max(a.hi, a.hi << span), name)


def in_order(cells: Cells, cell: Cell) -> Cell:
    """A cell of a sweep whose elements are all values in order: what is linear in them is a running sum."""
    if cell.rate is Rate.STAT or cell.kind is Kind.STREAM:
        return cell
    if cell.kind is Kind.SHIFT:
        total, amount = in_order(cells, cell.args[0]), cell.args[1]
        drop, ramp = (total.param, total.args[0]) if total.kind is Kind.RIGHT else (0, total)
        if ramp.kind is Kind.RAMP and amount.rate is Rate.STAT and not amount.static:
            return cells.left(_aligned_ramp(cells, ramp, amount), -drop)
    if cell.kind is Kind.ADD:
        for product, offset in (cell.args, cell.args[::-1]):
            if product.kind is Kind.MUL and offset.rate is Rate.STAT:
                x, step = sorted(product.args, key=lambda a: a.kind is not Kind.STREAM)
                if x.kind is Kind.STREAM and step.rate is Rate.STAT and not step.static:
                    low = (-x.lo).bit_length() - 1
                    start = cells.sub(offset, cells.left(step, low)) if x.lo else offset
                    return cells.ramp(x, step, start, cell.lo, cell.hi, cell.name)
    return cells.rebuilt(cell, tuple(in_order(cells, a) for a in cell.args))


def _aligned_ramp(cells: Cells, ramp: Cell, shift: Cell) -> Cell:
    """A running sum, shifted: its step and its start are aligned before it runs."""
    x, step, start = ramp.args
    span = shift.hi
    step, start = (_aligned(cells, a, shift, span) for a in (step, start))
    return cells.left(cells.ramp(x, step, start, ramp.lo << span, ramp.hi << span, ramp.name), -span)
