"""L1BN Table IV of today: the same operations synthesised in fixed point, and both norms as whole engines.

The paper prices four operations alone, and concludes that L1 is 1.5 times as fast and saves half of the power. Here the
operations are measured on a target, and so are engines of either norm, forward and backward: what is left of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from hwnorm.cost.characterise import modelled
from hwnorm.cost.device import load_device
from hwnorm.cost.experiments import TABLE_BITS, TABLE_ELEMENTS, TABLE_LANES, Experiment, table_engines
from hwnorm.cost.measure import Point, measure_all, measure_operators
from hwnorm.cost.paper import OPERATIONS
from hwnorm.report.reproduce.result import Reproduction
from hwnorm.report.table import Cell, Table
from hwnorm.synth.targets import Target

WIDTHS = (8, 16, 32)
COUNTS = ("lut", "ff", "dsp", "bram")
PHASES = ("forward", "backward", "both")
Told = Callable[[str], None]


def build(target_name: str, seeds: int = 3, told: Told = lambda _: None) -> Reproduction:
    target = modelled(target_name)
    seeds = seeds if target.placer else 0
    operators = _operators(target, seeds, told)
    engines = measure_all(table_engines(), target, lambda _: seeds, told, None)
    pairs = _pairs({point.experiment: point for point in engines})
    return Reproduction(
        f"table4 --target {target.name}",
        f"L1BN Table IV of today, on {target.device}",
        (operators, _engines(target, pairs), _ratios(pairs)),
        _findings(target, pairs),
    )


def _operators(target: Target, seeds: int, told: Told) -> Table:
    rows: list[list[Cell]] = []
    paper = load_device("de5-net-float32")
    for name in OPERATIONS:
        said: list[Cell] = [int(paper.cost(name, what).value) for what in ("registers", "dsp", "time_ns")]
        registers, dsp, delay = said
        rows.append([name, "float32, paper (DE5-Net)", registers, None, dsp, None, None, delay])
    for one in measure_operators(target, WIDTHS, seeds, told):
        delay = 1e3 * one.cycles / one.mhz if one.mhz else None
        rate = 1e3 * one.interval / one.mhz if one.mhz else None
        kind = f"{one.bits} bits"
        rows.append([one.name, kind, one.totals["ff"], one.totals["lut"], one.totals["dsp"], one.mhz, rate, delay])
    columns = ("operation", "operands", "registers", "LUTs", "DSP", "MHz", "ns a result", "ns to the result")
    notes = (
        "sign, abs, square: between registers, a result a cycle. root, reciprocal: serial, a result an interval.",
        "MHz: the median of the seeds, between registers; a multiplier block is not timed inside, and what stands "
        "between its registers alone has no MHz.",
    )
    return Table(columns, rows, f"Operations on {target.device}, fixed point", notes)


# Engines


@dataclass(frozen=True)
class Cost:
    """Of one norm in one phase; both directions together are both engines, each busy half of the time."""

    totals: dict[str, int]
    mhz: tuple[float, ...]  # by seed, of the slower one

    @property
    def middle(self) -> float | None:
        return median(self.mhz) if self.mhz else None


Pairs = dict[tuple[int, str], tuple[Cost, Cost]]  # bits, phase -> l2, l1


def _pairs(points: dict[Experiment, Point]) -> Pairs:
    found: Pairs = {}
    by = {(p.experiment.norm, p.experiment.direction, p.experiment.bits): p for p in points.values()}
    for bits in TABLE_BITS:
        for phase in PHASES:
            directions = ("forward", "backward") if phase == "both" else (phase,)
            l2, l1 = ([by[norm, direction, bits] for direction in directions] for norm in ("l2", "l1"))
            found[bits, phase] = _cost(l2), _cost(l1)
    return found


def _cost(points: list[Point]) -> Cost:
    totals = {name: sum(p.totals[name] for p in points) for name in COUNTS}
    return Cost(totals, min((p.mhz for p in points), key=lambda mhz: median(mhz) if mhz else 0.0))


def _engines(target: Target, pairs: Pairs) -> Table:
    rows: list[list[Cell]] = []
    for (bits, phase), both in pairs.items():
        for norm, cost in zip(("l2", "l1"), both, strict=True):
            speeds: list[Cell] = [None, None, None, None]
            if cost.middle:
                speeds = [round(cost.middle, 1), round(min(cost.mhz), 1), round(max(cost.mhz), 1)]
                speeds.append(round(1e3 / cost.middle / TABLE_LANES, 3))
            rows.append([bits, phase, norm, *(cost.totals[name] for name in COUNTS), *speeds])
    columns = ("bits", "pass", "norm", *COUNTS, "MHz", "worst seed", "best seed", "ns an element")
    notes = (
        f"{TABLE_LANES} lanes, groups of {TABLE_ELEMENTS:,} elements, memory on chip. An element takes a lane's cycle "
        "in either norm: all sweeps run at once, on successive groups.",
    )
    return Table(columns, rows, f"Whole engines on {target.device}", notes)


def _ratios(pairs: Pairs) -> Table:
    rows: list[list[Cell]] = []
    for (bits, phase), (l2, l1) in pairs.items():
        time = l1.middle / l2.middle if l1.middle and l2.middle else None
        saved = [_saved(l1.totals[name], l2.totals[name]) for name in COUNTS]
        rows.append([bits, phase, None if time is None else round(time, 2), *saved])
    columns = ("bits", "pass", "l1 faster by", *(f"{name} saved %" for name in COUNTS))
    notes = (
        "The paper's claim is 1.5 and 50 % (of power). Below 1, or negative: L2 has less. Differences below 10 % in "
        "time and 2 % in area are noise of the placement.",
    )
    return Table(columns, rows, "L1 against L2", notes)


def _saved(ours: int, theirs: int) -> Cell:
    return round(100 * (1 - ours / theirs), 1) if theirs else None


def _findings(target: Target, pairs: Pairs) -> tuple[str, ...]:
    sentences = []
    for phase in PHASES:
        luts = [_percent(pairs[bits, phase], "lut") for bits in TABLE_BITS]
        flops = [_percent(pairs[bits, phase], "ff") for bits in TABLE_BITS]
        dsps = [_percent(pairs[bits, phase], "dsp") for bits in TABLE_BITS]
        sentences.append(
            f"{phase.capitalize()}: L1 saves {_span(luts)} of the LUTs, {_span(flops)} of the flip-flops and "
            f"{_span(dsps)} of the multipliers."
        )
    speeds = [
        l1.middle / l2.middle for (_, phase), (l2, l1) in pairs.items() if phase == "both" and l1.middle and l2.middle
    ]
    if speeds:
        sentences.append(
            f"In training L1's clock is {min(speeds):.2f} to {max(speeds):.2f} times L2's, where the paper's single "
            "operations give 1.5: in a pipeline an operation that takes longer gets more registers, and the clock is "
            "set by what both norms have, carry chains, control and wires."
        )
    widths = f"{min(TABLE_BITS)} to {max(TABLE_BITS)} bits"
    return (
        f"On {target.device}, {widths}, {TABLE_LANES} lanes. " + " ".join(sentences),
        "Why less than the operations promise: a square becomes one multiplier block and no LUT, where the device has "
        "blocks; the multiplication, the shift and the saturation that write every element are the same in both norms, "
        "and so are the accumulators and the dividers of a group. Why more in the backward pass: L2 multiplies every "
        "element by x as well, L1 selects one of two values by a stored bit. What L1 pays: a third sweep forward, and "
        "so one more group in memory and in flight.",
    )


def _percent(pair: tuple[Cost, Cost], name: str) -> float:
    l2, l1 = pair
    return 100 * (1 - l1.totals[name] / l2.totals[name]) if l2.totals[name] else 0.0


def _span(values: list[float]) -> str:
    low, high = round(min(values)), round(max(values))
    return f"{low} %" if low == high else f"{low} to {high} %"
