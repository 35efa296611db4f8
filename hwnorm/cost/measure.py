"""Synthesises experiments and units for a target, one after the other; hwnorm.cache keeps what is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwnorm.cost.amounts_units import unit_amounts
from hwnorm.cost.cells import FAMILY, measured, measured_operator
from hwnorm.cost.experiments import Experiment
from hwnorm.cost.fitting import tally
from hwnorm.synth.feeds import FEED
from hwnorm.synth.flow import synthesise
from hwnorm.synth.result import Synthesis
from hwnorm.synth.targets import Target

Told = Callable[[str], None]
CHAINS = ("CCU2C", "CCU2D", FEED)  # cells of carry chains alone; elsewhere they share a cell with logic, or are free

SHIFT_REGISTER = "SRL"  # a LUT in the place of flip-flops: no memory of the plan's


@dataclass(frozen=True)
class Point:
    """One measured engine."""

    experiment: Experiment
    totals: dict[str, float]
    parts: dict[str, dict[str, float]]  # what is fitted (fitting.FABRIC or .CELLS), by instance
    mhz: tuple[float, ...] = ()  # by seed
    tools: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "engine": self.experiment.to_dict(),
            "totals": self.totals,
            "mhz": list(self.mhz),
            "parts": {name: [_short(value) for value in part.values()] for name, part in self.parts.items()},
        }

    @classmethod
    def read(cls, data: dict[str, Any], resources: Sequence[str]) -> Point:
        parts = {name: dict(zip(resources, map(float, values), strict=True)) for name, values in data["parts"].items()}
        return cls(Experiment(**data["engine"]), data["totals"], parts, tuple(data["mhz"]))


def _short(value: float) -> float:
    return int(value) if value == int(value) else float(f"{value:.5g}")


def classes(target: Target) -> dict[str, dict[str, float]]:
    """Cell types of a target by what the model tells apart."""
    memory = [kind for kind in target.cells.lutram if not kind.startswith(SHIFT_REGISTER)]
    lut = {kind: float(weight) for kind, weight in target.cells.lut.items() if kind not in memory}
    carry = {kind: weight for kind, weight in lut.items() if kind in CHAINS}
    logic = {kind: weight for kind, weight in lut.items() if kind not in carry}
    return {"carry": carry, "logic": logic, "ff": {kind: float(w) for kind, w in target.cells.ff.items()}}


def measure(experiment: Experiment, target: Target, seeds: int, jobs: int | None = None) -> Point:
    if target.family == FAMILY:
        one = measured(experiment, target.name)
        return Point(experiment, one["totals"], one["parts"], tuple(one["mhz"]), one["tools"])
    found = synthesised(experiment, target, seeds, jobs)
    totals: dict[str, float] = dict(found.resources.to_dict())
    mhz = tuple(round(f, 2) for f in found.fmax.by_seed.values())
    return Point(experiment, totals, tally(found.parts, classes(target)), mhz, dict(found.tools))


def synthesised(experiment: Experiment, target: Target, seeds: int, jobs: int | None = None) -> Synthesis:
    from hwnorm.rtl import verilog
    from hwnorm.rtl.engine import EngineBlock

    text = verilog.text(EngineBlock(experiment.design().plan, "engine"), "")
    return synthesise(text, "engine", target, seeds, jobs=jobs, file_name="engine.v")


def measure_all(
    experiments: Iterable[Experiment], target: Target, seeds: Callable[[Experiment], int], told: Told, jobs: int | None
) -> list[Point]:
    """In order; an interrupted run goes on where it stopped."""
    wanted = list(experiments)
    found = []
    for number, experiment in enumerate(wanted, 1):
        told(f"{number} of {len(wanted)}: {experiment.name}")
        found.append(measure(experiment, target, seeds(experiment), jobs))
    return found


@dataclass(frozen=True)
class Operation:
    """One operation of Table IV, measured alone. ``cycles`` to its result, ``interval`` between results."""

    name: str
    bits: int
    cycles: int
    interval: int
    totals: dict[str, float]
    mhz: float | None
    energy_pj: float | None = None  # of a result, in standard cells


def measure_operators(target: Target, widths: tuple[int, ...], seeds: int, told: Told) -> list[Operation]:
    from hwnorm.rtl.operators import OPERATORS, operator

    found = []
    for name in OPERATORS:
        for bits in widths:
            told(f"{name}, {bits} bits")
            one = operator(name, bits)
            if target.family == FAMILY:
                totals, mhz, energy_pj = measured_operator(one.text, name, one.interval, target.name)
                found.append(Operation(name, bits, one.cycles, one.interval, totals, mhz, energy_pj))
                continue
            made = synthesise(one.text, name, target, seeds, file_name="operator.v")
            mhz = made.fmax.median
            totals = dict(made.resources.to_dict())
            found.append(Operation(name, bits, one.cycles, one.interval, totals, mhz and round(mhz, 1)))
    return found


def unit_points(target: Target, widths: tuple[int, ...], told: Told) -> list[dict[str, Any]]:
    """Every serial unit alone, at every width."""
    from hwnorm.rtl.operators import unit_cases

    found = []
    for case in unit_cases(widths):
        text, top = case.text, re.findall(r"^module (\w+)", case.text, re.MULTILINE)[-1]
        told(f"{case.kind}, {', '.join(str(f) for f in case.formats)}")
        one = synthesise(text, top, target, 0, file_name="unit.v")
        counts = unit_amounts(case.unit, list(case.formats))
        measured = {"lut": one.resources.lut, "ff": one.resources.ff}
        found.append({"kind": case.kind, "amounts": dict(counts), "measured": measured})
    return found
