"""What a scalar stage is made of: registers that feed, collect and hold, serial adders, strobes, serial units.

Read off its timetable, as the hardware is (hwnorm/rtl/stage.py).
"""

from __future__ import annotations

from collections import Counter

from hwnorm.cost.amounts_lane import adder, low_zeros
from hwnorm.cost.amounts_units import unit_amounts
from hwnorm.rtl.cells import WIRING, Cell, Kind
from hwnorm.rtl.timetable import FED, StagePlan
from hwnorm.units import Multiplier

Amounts = Counter[str]
NEAR = 4  # cycles to the next strobe that registers bridge


def stage_amounts(stage: StagePlan, results: bool) -> Amounts:
    found = Amounts(stage=1, results=int(results), latency=stage.latency)
    found["captured_bits"] = sum(c.format.width for c in stage.captured)
    times: set[int] = set()  # of strobes
    flags: set[int] = set()  # from when on something is high
    later: dict[Cell, int] = {}  # by how many cycles a running value is put off
    feeds: dict[tuple[Cell, int], list[int]] = {}
    constants: set[tuple[int, int]] = set()
    collected: set[Cell] = set()

    def stand(cell: Cell) -> None:
        if cell.is_const:
            return
        if cell in stage.serial:
            collected.add(cell)
        elif cell.kind in WIRING and cell not in stage.captured:
            stand(cell.args[0])

    def run(cell: Cell, at: int) -> None:
        if stage.waits(cell, at):
            feed(cell, at)
        elif cell in stage.serial:
            later[cell] = max(later.get(cell, 0), at - stage.ready[cell])
        else:
            base, shift = stage.unshifted(cell)
            if not base.is_const:
                feed(base, at + shift)
            elif base.param:
                zeros = (base.param & -base.param).bit_length() - 1
                if base.param >> zeros == 1:
                    times.add(at + shift + zeros)
                else:
                    constants.add((base.param >> zeros, at + shift + zeros))

    def feed(cell: Cell, at: int) -> None:
        number, load = stage.feeds[cell, at]
        feeds.setdefault((cell, number), []).append(at)
        if load or cell.kind is Kind.ABS:
            flags.add(at)

    for cell in stage.cells:
        if cell.static and cell.kind is not Kind.UNIT:
            found["static_bits"] += 0 if cell.kind in WIRING else cell.format.width
            continue
        if cell.kind in (*FED, *WIRING) and cell not in stage.standing and cell not in stage.serial:
            continue
        at = stage.starts[cell]
        match cell.kind:
            case Kind.UNIT:
                timing = stage.timing(cell)
                if timing is None:
                    times.add(at)
                    standing: tuple[Cell, ...] = cell.args
                    formats = [a.format for a in cell.args]
                else:
                    (running,), standing = stage.operands(cell)
                    run(running, at)
                    times.update(at + event for event in timing.events.values())
                    serial = isinstance(cell.param, Multiplier)
                    formats = [standing[0].format] if serial else [a.format for a in cell.args]
                found.update(unit_amounts(cell.param, formats))
                for arg in standing:
                    stand(arg)
            case Kind.LEFT | Kind.RIGHT:
                if cell in stage.serial and cell.kind is Kind.RIGHT:
                    flags.add(stage.ready[cell])
            case Kind.PORT:
                pass
            case Kind.GT if stage.runs(cell):
                for arg in cell.args:
                    run(arg, at)
                times.add(at + stage.compared_at(cell))
                found["serial_sums"] += 1
            case _ if stage.runs(cell):
                for arg in cell.args:
                    run(arg, at)
                found["serial_sums"] += 1
            case _:
                for arg in cell.args:
                    stand(arg)
                found.update(_standing(cell))
    for cell in stage.outputs:
        stand(cell)
    for (cell, _), loads in feeds.items():
        if cell not in stage.serial:
            stand(cell.args[0] if cell.kind in FED else cell)
        times.update(at - 1 for at in loads)
        width = cell.args[0].format.width if cell.kind in FED else cell.format.width
        found["counted_bits" if cell.kind is Kind.POWER else "feed_bits"] += width
        found["feeds"] += 1
    for cell in collected:
        found["collected_bits"] += cell.format.width
        flags.add(stage.ready[cell] + cell.format.width)
    for value, at in constants:
        found["constant_bits"] += value.bit_length()
        flags.add(at)
    found["late_bits"] = sum(later.values())
    flags = {at for at in flags if at > 0}
    times.update(at - 1 for at in flags)
    found["flags"] = len(flags)
    found.update(_strobes(stage, times))
    return found


def _standing(cell: Cell) -> Amounts:
    """A register behind combinational logic."""
    width = cell.format.width
    found = Amounts(held_bits=width * cell.latency)
    match cell.kind:
        case Kind.NEGATE:
            found += adder(width)
        case Kind.ADD | Kind.SUB:
            found += adder(width - low_zeros(cell))
        case Kind.GT:
            found += adder(max(a.format.width for a in cell.args) + 1)
        case Kind.ABS:
            found += Amounts(abs_bits=width)
        case Kind.SELECT | Kind.MAX | Kind.MIN:
            found += Amounts(mux_bits=width)
        case Kind.POWER:
            found += Amounts(decoded_bits=width)
        case Kind.SHIFT | Kind.SHIFT_LEFT:
            steps = cell.args[1].format.width
            found += Amounts(shift_bits=width * (steps + 1) // 2)
        case Kind.SATURATE:
            beyond = max(cell.args[0].format.width - width, 0) + 1
            found += Amounts(equal_bits=2 * beyond, clip_bits=width)
        case Kind.EQ | Kind.SIGN:
            found += Amounts(equal_bits=max(a.format.width for a in cell.args))
        case _:
            pass
    return found


def _strobes(stage: StagePlan, times: set[int]) -> Amounts:
    """Comparisons of the count, and registers between strobes that follow each other closely."""
    found = Amounts(time_bits=max(stage.latency - 1, 1).bit_length())
    before = 0
    for time in sorted(t for t in times if 0 <= t <= stage.latency):
        if 0 < time - before <= NEAR:
            found["near_bits"] += time - before
        elif time:
            found["compared_times"] += 1
        before = time
    return found
