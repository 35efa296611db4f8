"""L1BN Table IV of today: the same operations synthesised in fixed point, and both norms as whole engines.

The paper prices four operations alone, and concludes that L1 is 1.5 times as fast and saves half of the power. Here the
operations are measured on a target, and so are engines of either norm, forward and backward: what is left of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from hwnorm.cost.characterise import modelled, plans_of
from hwnorm.cost.device import load_device
from hwnorm.cost.experiments import TABLE_BITS, Experiment, Plans, table_engines
from hwnorm.cost.measure import Operation, Point, measure_all, measure_operators
from hwnorm.cost.paper import OPERATIONS
from hwnorm.cost.quantities import ENERGY
from hwnorm.report.reproduce.result import Reproduction
from hwnorm.report.table import Cell, Table
from hwnorm.synth.targets import Target

WIDTHS = (8, 16, 32)
COUNTS = ("lut", "ff", "dsp", "bram", "area_um2", "macro_bits", ENERGY)  # those that a target has are told
NAMES = {"area_um2": "area um2", "macro_bits": "memory bits", ENERGY: "pJ an element"}
PHASES = ("forward", "backward", "both")
SPEEDUP, SAVING = 1.5, 50.0  # the paper's claim
MHZ = 100
Told = Callable[[str], None]


def build(
    target_name: str,
    seeds: int = 3,
    told: Told = lambda _: None,
    *,
    bits: tuple[int, ...] = TABLE_BITS,
    widths: tuple[int, ...] = WIDTHS,
) -> Reproduction:
    """``bits`` of the engines, ``widths`` of the operations: fewer than all for a look at it."""
    target = modelled(target_name)
    seeds = seeds if target.placer else 0
    plans = plans_of(target)
    operations = measure_operators(target, widths, seeds, told)
    engines = measure_all([e for e in table_engines(plans) if e.bits in bits], target, lambda _: seeds, told, None)
    found = Comparison(target, plans, seeds, _pairs({point.experiment: point for point in engines}))
    return Reproduction(
        f"table4 --target {target.name}" + (f" --seeds {seeds}" if target.placer else ""),
        f"L1BN Table IV of today, on {target.device}",
        (_operators(target, operations), found.engines(), found.ratios()),
        (*found.findings(), *_of_operations(operations)),
    )


# Operations


def _operators(target: Target, operations: list[Operation]) -> Table:
    rows: list[list[Cell]] = []
    paper, priced = load_device("de5-net-float32"), any(one.energy_pj is not None for one in operations)
    for name in OPERATIONS:
        quantities = ("registers", "dsp", "time_ns", "power_uw")
        registers, dsp, delay, power = (int(paper.cost(name, what).value) for what in quantities)
        rows.append([name, "float32, paper (DE5-Net)", registers, None, dsp, None, None, delay, power, None])
    for one in operations:
        period = 1e3 / one.mhz if one.mhz else None
        rate, after = (None if period is None else round(period * n, 2) for n in (one.interval, one.cycles))
        size = one.totals.get("lut", one.totals.get("area_um2"))
        energy = None if one.energy_pj is None else float(f"{one.energy_pj:.4g}")
        drawn = None if one.energy_pj is None else float(f"{one.energy_pj / one.interval * MHZ:.4g}")
        head: list[Cell] = [one.name, f"{one.bits} bits", one.totals["ff"], size, one.totals.get("dsp")]
        rows.append([*head, one.mhz, rate, after, drawn, energy])
    size_name = "area um2" if priced else "LUTs"
    columns = ["operation", "operands", "registers", size_name, "DSP", "MHz", "ns a result", "ns to the result"]
    columns += ["power uW", "pJ a result"]
    notes = [
        "sign, abs, square: between registers, a result a cycle. root, reciprocal: serial, a result an interval.",
        "The paper does not say at what rate or on what operands its power is.",
    ]
    if priced:
        notes.append(f"Power: at {MHZ} MHz without a pause, operands any number as often; zero-delay, with the clock.")
    else:
        notes.append(
            "MHz: the median of the seeds, between registers; a multiplier block is not timed inside, and what stands "
            "between its registers alone has no MHz. Power is not measured on an FPGA."
        )
    return Table(tuple(columns), rows, f"Operations on {target.device}, fixed point", tuple(notes))


def _of_operations(operations: list[Operation]) -> tuple[str, ...]:
    """What the paper's own sum comes to with today's prices: one sign and one abs against one square."""
    by = {(one.name, one.bits): one for one in operations}
    said = []
    for bits in dict.fromkeys(one.bits for one in operations):
        sign, absolute, square = (by[name, bits].energy_pj for name in ("sign", "abs", "square"))
        if sign is not None and absolute is not None and square is not None:
            said.append(f"{100 * (1 - (sign + absolute) / square):.0f} % at {bits} bits")
    if not said:
        return ()
    return (
        "Operations alone, in the paper's own accounting (a sign and an abs against a square, each between registers "
        f"of its own), L1 saves of the energy {', '.join(said)}; the paper's float32 figures say 47 %. In an engine "
        "the same three operations are a small part of what is clocked.",
    )


# Engines


@dataclass(frozen=True)
class Cost:
    """Of one norm in one phase; both directions together are both engines, each at the pace of the slower one."""

    totals: dict[str, float]
    mhz: tuple[float, ...]  # by seed, of the slower one

    @property
    def middle(self) -> float | None:
        return median(self.mhz) if self.mhz else None


Pairs = dict[tuple[int, str], tuple[Cost, Cost]]  # bits, phase -> l2, l1


def _pairs(points: dict[Experiment, Point]) -> Pairs:
    found: Pairs = {}
    by = {(p.experiment.norm, p.experiment.direction, p.experiment.bits): p for p in points.values()}
    for bits in dict.fromkeys(point.experiment.bits for point in points.values()):
        for phase in PHASES:
            directions = ("forward", "backward") if phase == "both" else (phase,)
            l2, l1 = ([by[norm, direction, bits] for direction in directions] for norm in ("l2", "l1"))
            found[bits, phase] = _cost(l2), _cost(l1)
    return found


def _cost(points: list[Point]) -> Cost:
    totals = {name: sum(p.totals[name] for p in points) for name in COUNTS if name in points[0].totals}
    return Cost(totals, min((p.mhz for p in points), key=lambda mhz: median(mhz) if mhz else 0.0))


@dataclass(frozen=True)
class Comparison:
    """Both norms, engine by engine."""

    target: Target
    plans: Plans
    seeds: int
    pairs: Pairs

    @property
    def counts(self) -> list[str]:
        """Those of COUNTS that are told of this target."""
        first, _ = next(iter(self.pairs.values()))
        return [name for name in COUNTS if name in first.totals]

    @property
    def bits(self) -> list[int]:
        return list(dict.fromkeys(bits for bits, _ in self.pairs))

    def engines(self) -> Table:
        rows: list[list[Cell]] = []
        for (bits, phase), both in self.pairs.items():
            for norm, cost in zip(("l2", "l1"), both, strict=True):
                speeds: list[Cell] = [None] * (4 if self.seeds else 2)
                if cost.middle:
                    spread = [round(min(cost.mhz), 1), round(max(cost.mhz), 1)] if self.seeds else []
                    speeds = [round(cost.middle, 1), round(1e3 / cost.middle / self.plans.table_lanes, 3), *spread]
                rows.append([bits, phase, norm, *(_short(cost.totals[name]) for name in self.counts), *speeds])
        names = [NAMES.get(name, name) for name in self.counts]
        columns = ("bits", "pass", "norm", *names, "MHz", "ns an element")
        columns += ("worst seed", "best seed") if self.seeds else ()
        notes = [
            f"{self.plans.table_lanes} lanes, groups of {self.plans.table_elements:,} elements, memory on chip. An "
            "element takes a lane's cycle in either norm: all sweeps run at once, on successive groups.",
        ]
        if self.seeds:
            notes.append(f"MHz: the median of {self.seeds} placements.")
        elif self.priced:
            notes.append(
                "MHz, area and energy: before placement; zero-delay, with the clock. Memories are in none of these: "
                "what they add is to be taken from a data sheet, for their bits."
            )
        return Table(columns, rows, f"Whole engines on {self.target.device}", tuple(notes))

    def ratios(self) -> Table:
        rows: list[list[Cell]] = []
        for (bits, phase), (l2, l1) in self.pairs.items():
            saved = [_saved(l1.totals[name], l2.totals[name]) for name in self.counts]
            rows.append([bits, phase, *self._faster(l2, l1), *saved])
        names = [NAMES.get(name, name) for name in self.counts]
        spread = ("l1 faster by", "at least", "at most") if self.seeds else ("l1 faster by",)
        columns = ("bits", "pass", *spread, *(f"{name} saved %" for name in names))
        notes = [
            f"The paper's claim is {SPEEDUP:g} in time and {SAVING:g} % of power. Below 1, or negative: L2 takes less. "
            "Differences below 10 % in time and 2 % in area are noise.",
        ]
        if self.seeds:
            notes.append("At least, at most: the worst seed of one norm against the best of the other.")
        return Table(columns, rows, "L1 against L2", tuple(notes))

    def _faster(self, l2: Cost, l1: Cost) -> list[Cell]:
        if not l1.middle or not l2.middle:
            return [None] * (3 if self.seeds else 1)
        ratios = [l1.middle / l2.middle]
        if self.seeds:
            ratios += [min(l1.mhz) / max(l2.mhz), max(l1.mhz) / min(l2.mhz)]
        return [round(ratio, 2) for ratio in ratios]

    # In words

    @property
    def priced(self) -> bool:
        return ENERGY in self.counts

    def findings(self) -> tuple[str, ...]:
        low, high = min(self.bits), max(self.bits)
        head = f"On {self.target.device}, {low} to {high} bits, {self.plans.table_lanes} lanes. "
        found = [head + " ".join([*self._claim(), *(self._phase(phase) for phase in PHASES)])]
        if self.priced:
            found.append(
                "Why less of the energy than the operations promise: the clock of registers that both norms have, the "
                "multiplication and saturation that write every element, and the scalar stages are the larger part; "
                "L1 takes a squarer's energy away and adds a sweep, with the registers of its lanes. Why less of the "
                "time: all sweeps run at once, so an element takes a lane's cycle in either norm, and only the clock "
                "differs. It is set by the longest product between two registers. Where a table applies the gain, L1's "
                "forward engine has none; by multiplier, and in every backward pass, both norms have one."
            )
        else:
            found.append(
                "Why less than the operations promise: a square becomes one multiplier block and no LUT, where the "
                "device has blocks; the multiplication and the saturation that write every element are the same in "
                "both norms, and so are the accumulators and the dividers of a group. All sweeps run at once, so an "
                "element takes a lane's cycle in either norm, and the clock is set by what both have: carry chains, "
                "control and wires."
            )
        found.append(
            "Why more in the backward pass: L2 multiplies every element by x as well, L1 selects one of two values by "
            "a stored bit. What L1 pays: a third sweep forward, and so a group more in memory and in flight."
        )
        return tuple(found)

    def _claim(self) -> list[str]:
        """Of both passes together: what is left of 1.5 and 50 %."""
        both = [pair for (_, phase), pair in self.pairs.items() if phase == "both"]
        sentences = []
        speeds = [l1.middle / l2.middle for l2, l1 in both if l1.middle and l2.middle]
        if speeds:
            sentences.append(
                f"Of the paper's {SPEEDUP:g} times in time {_range(speeds)} is left in training (the clock: cycles are "
                "the same)."
            )
        if self.priced:
            saved = [_percent(pair, ENERGY) for pair in both]
            sentences.append(f"Of its {SAVING:g} % of power {_span(saved)} of the energy an element is left.")
        return sentences

    def _phase(self, phase: str) -> str:
        parts = []
        for name, word in (("lut", "LUTs"), ("area_um2", "area"), ("ff", "flip-flops"), ("dsp", "multipliers")):
            if name in self.counts:
                parts.append(f"{_span([_percent(self.pairs[bits, phase], name) for bits in self.bits])} of the {word}")
        if self.priced:
            parts.append(f"{_span([_percent(self.pairs[bits, phase], ENERGY) for bits in self.bits])} of the energy")
        pairs = [self.pairs[bits, phase] for bits in self.bits]
        speeds = [l1.middle / l2.middle for l2, l1 in pairs if l1.middle and l2.middle]
        faster = f"L1 is {_range(speeds)} times as fast, and saves" if speeds else "L1 saves"
        return f"{phase.capitalize()}: {faster} {', '.join(parts[:-1])} and {parts[-1]} (negative: it takes more)."


def _short(value: float) -> Cell:
    return int(value) if value == int(value) else round(value, 1)


def _saved(ours: float, theirs: float) -> Cell:
    return round(100 * (1 - ours / theirs), 1) if theirs else None


def _percent(pair: tuple[Cost, Cost], name: str) -> float:
    l2, l1 = pair
    return 100 * (1 - l1.totals[name] / l2.totals[name]) if l2.totals[name] else 0.0


def _span(values: list[float]) -> str:
    low, high = round(min(values)), round(max(values))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"
