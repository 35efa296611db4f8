"""What a generated engine takes in the cells of a Liberty file: the mapped netlist runs on realistic data, is compared
with the reference bit for bit, and every change of every net in it is counted and priced.

Groups follow each other without a stall. Two runs from a reset, one of them with twice the groups, differ by groups in
the steady state: that difference is what is reported, so that filling and draining the pipeline is in no figure.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hwnorm.check.bench import Stalls
from hwnorm.check.differences import compare
from hwnorm.check.drawing import call_of
from hwnorm.check.folder import Folder
from hwnorm.check.groups import groups_of
from hwnorm.check.queues import Segment, queues_of
from hwnorm.check.rows import batch_of
from hwnorm.fixed import Ints
from hwnorm.gates import CellEnergy, Delay, States, Toggles, energies
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit
from hwnorm.synth.asic import AsicSynthesis, synthesise_asic
from hwnorm.synth.mapping import part

SCHEMA = "hwnorm.power/1"
CLOCK_MHZ = 100.0
STREAMS, FEW = 128, 64  # few: where groups are long
MOST_ELEMENTS = 1 << 22  # of the longer run, if it has more streams than few
BEATS = 256  # of a group, where the engine takes groups of any length
CYCLES = 1024  # that the difference has, at least


@dataclass(frozen=True, slots=True)
class PartPower:
    """Energies in pJ an element."""

    leakage_uw: float = 0.0
    switching_pj: float = 0.0
    internal_pj: float = 0.0
    clock_pj: float = 0.0

    @property
    def dynamic_pj(self) -> float:
        return self.switching_pj + self.internal_pj + self.clock_pj

    def __add__(self, other: PartPower) -> PartPower:
        return PartPower(
            self.leakage_uw + other.leakage_uw,
            self.switching_pj + other.switching_pj,
            self.internal_pj + other.internal_pj,
            self.clock_pj + other.clock_pj,
        )


@dataclass(frozen=True)
class AsicPower:
    """``parts``: by delay model and by the first level of the hierarchy. ``energy_pj_per_element`` is the dynamic one;
    power is at ``clock_mhz``, while groups follow each other without a stall."""

    name: str
    synthesis: AsicSynthesis
    clock_mhz: float
    cycles_per_element: float
    elements: int  # of a group
    checked: int  # elements of the mapped netlist's outputs that were compared with the reference
    parts: Mapping[Delay, Mapping[str, PartPower]] = field(repr=False)

    @property
    def area_um2(self) -> float:
        return self.synthesis.total.area_um2

    @property
    def fmax_mhz(self) -> float | None:
        return self.synthesis.fmax_mhz

    @property
    def leakage_uw(self) -> float:
        return self.total[Delay.ZERO].leakage_uw

    @cached_property
    def total(self) -> Mapping[Delay, PartPower]:
        return {delay: sum(parts.values(), PartPower()) for delay, parts in self.parts.items()}

    @property
    def energy_pj_per_element(self) -> Mapping[Delay, float]:
        return {delay: total.dynamic_pj for delay, total in self.total.items()}

    def uw(self, pj_per_element: float) -> float:
        return pj_per_element / self.cycles_per_element * self.clock_mhz

    @property
    def dynamic_uw(self) -> Mapping[Delay, float]:
        return {delay: self.uw(total.dynamic_pj) for delay, total in self.total.items()}

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``hwnorm power``: what ``hwnorm synth --target asic`` says, and the energies."""
        said = self.synthesis.to_dict()
        areas = said.pop("breakdown")
        breakdown = {}
        for name in areas:
            energy = {delay.value: self._shares(parts.get(name, PartPower())) for delay, parts in self.parts.items()}
            leakage = self.parts[Delay.ZERO].get(name, PartPower()).leakage_uw
            breakdown[name] = areas[name] | {"leakage_uw": round(leakage, 6), "pj_per_element": energy}
        return said | {
            "schema": SCHEMA,
            "name": self.name,
            "library": self.synthesis.mapped.library.name,
            "clock_mhz": self.clock_mhz,
            "cycles_per_element": round(self.cycles_per_element, 6),
            "elements": self.elements,
            "checked_elements": self.checked,
            "leakage_uw": round(self.leakage_uw, 6),
            "dynamic_uw": {delay.value: round(uw, 3) for delay, uw in self.dynamic_uw.items()},
            "energy_pj_per_element": {delay.value: round(pj, 4) for delay, pj in self.energy_pj_per_element.items()},
            "energy_by_kind": {delay.value: self._shares(total) for delay, total in self.total.items()},
            "breakdown": breakdown,
        }

    def _shares(self, found: PartPower) -> dict[str, float]:
        kinds = {"switching": found.switching_pj, "internal": found.internal_pj, "clock": found.clock_pj}
        return {kind: round(pj, 5) for kind, pj in kinds.items()} | {"all": round(found.dynamic_pj, 5)}


def measure_asic(
    design: Design,
    liberty: str,
    *,
    clock_mhz: float = CLOCK_MHZ,
    delays: tuple[Delay, ...] = (Delay.ZERO, Delay.UNIT),
    seed: int = 0,
    second_opinion: bool = False,
    brief: bool = False,
) -> AsicPower:
    """Area, maximum frequency, leakage and energy an element of an engine in the cells of a Liberty file.

    ``liberty`` is a path or one of `hwnorm.synth.liberty_files.INSTALLED`. Of what is returned: ``area_um2``,
    ``synthesis.total.cells`` and ``.ff``, ``fmax_mhz`` (our own sum over the tables; OpenSTA's with ``second_opinion``,
    where it is installed), ``leakage_uw``, ``energy_pj_per_element[Delay.ZERO]``, ``dynamic_uw`` at the clock,
    ``synthesis.macros`` (memories, which are in none of these), ``parts`` by unit, ``to_dict()``. Without Delay.UNIT in
    ``delays`` there are no glitches and it takes a fraction of the time; with ``brief`` the difference is one group of
    few streams, in a third of the time (energies differ by up to half a percent). The mapping is kept by content, the
    activity is not. ToolFailed where the mapped netlist differs from the reference.
    """
    name = "engine"
    with tempfile.TemporaryDirectory(prefix="hwnorm_power_") as scratch:
        files, verilog = emit(design, name, "measure_asic"), Path(scratch) / "rtl" / f"{name}.v"
        verilog.parent.mkdir()
        verilog.write_bytes(files[f"rtl/{name}.v"])
        folder = Folder(Path(scratch), json.loads(files["manifest.json"]))
        return power(folder, liberty, clock_mhz, delays, seed, second_opinion, brief=brief)


def power(
    folder: Folder,
    liberty: str,
    clock_mhz: float = CLOCK_MHZ,
    delays: tuple[Delay, ...] = (Delay.ZERO, Delay.UNIT),
    seed: int = 0,
    second_opinion: bool = True,
    told: Callable[[int, int, str], None] | None = None,
    brief: bool = False,
) -> AsicPower:
    """The same for a generated folder. The first of ``delays`` must be Delay.ZERO: states are counted with it.
    ``told`` hears of steps done, of how many, and what was done."""
    if delays[:1] != (Delay.ZERO,) or not clock_mhz > 0:
        raise ValueError(f"delays start with {Delay.ZERO} and the clock is above 0, not {delays} and {clock_mhz}")
    told = told or (lambda *_: None)
    file = f"{folder.name}.v"
    synthesis = synthesise_asic(folder.text, folder.name, liberty, file_name=file, second_opinion=second_opinion)
    told(1, 1 + len(delays), "mapped")
    run = _Runs(folder, synthesis, seed, brief)
    parts: dict[Delay, dict[str, PartPower]] = {}
    for delay in delays:
        parts[delay] = {}
        for cell in run.energies(delay):
            name = part(cell.cell.instance)
            parts[delay][name] = parts[delay].get(name, PartPower()) + run.share(cell)
        told(1 + len(parts), 1 + len(delays), f"activity, {delay}")
    return AsicPower(folder.name, synthesis, clock_mhz, run.cycles_per_element, run.m, run.checked, parts)


class _Runs:
    """Activity of the steady state, by delay model; the states of cells are those of the first."""

    def __init__(self, folder: Folder, synthesis: AsicSynthesis, seed: int, brief: bool) -> None:
        design, rng = folder.design, np.random.default_rng(seed)
        self.folder, self.synthesis, self.seed = folder, synthesis, seed
        self.netlist = folder.checked(synthesis.mapped.netlist)
        most, lanes = design.engine.max_elements, design.lanes
        fixed = design.engine.elements is not None
        self.m = most if fixed else min(most, lanes * max(BEATS, design.plan.min_beats))
        beats = -(-self.m // lanes)
        self.groups = 1 if brief else -(-CYCLES // max(beats, design.plan.min_beats))
        each = 2 * self.groups
        self.streams = STREAMS if not brief and each * self.m * STREAMS <= MOST_ELEMENTS else FEW
        call = call_of(design.engine, design.direction, self.m, each * self.streams, rng, realistic)
        batch = batch_of(groups_of(call, design, folder.layouts, "realistic", 0), folder.layouts)
        self._sequences: list[list[list[Segment]]] = [
            [[(batch, s * each, s * each + many)] for s in range(self.streams)] for many in (self.groups, each)
        ]
        self._states: States | None = None
        self.cycles_per_element, self.checked = 0.0, 0

    @property
    def elements(self) -> int:
        """That the two runs differ by."""
        return self.groups * self.m * self.streams

    def energies(self, delay: Delay) -> list[CellEnergy]:
        begun, whole = (self._run(sequences, delay) for sequences in self._sequences)
        toggles = whole - begun
        self.cycles_per_element = toggles.cycles / self.elements
        assert self._states is not None
        return energies(self.netlist, self.synthesis.timing, toggles, self._states)

    def share(self, cell: CellEnergy) -> PartPower:
        n = self.elements
        return PartPower(cell.leakage_uw, cell.switching_pj / n, cell.internal_pj / n, cell.clock_pj / n)

    def _run(self, sequences: list[list[Segment]], delay: Delay) -> Toggles:
        folder = self.folder
        bench = folder.bench(self.netlist, self.streams, self.seed, toggles=delay)
        if delay is Delay.ZERO:
            self._states = States(bench.simulation)
        bench.reset()
        queues = queues_of(folder.layouts, sequences)
        outcome = bench.run(queues, Stalls.none(), *folder.limits(sequences, Stalls.none()))
        compare(folder, sequences, queues, outcome)
        self.checked += sum((hi - lo) * self.m for sequence in sequences for _, lo, hi in sequence)
        return bench.simulation.toggles


def realistic(rng: np.random.Generator, bits: int, groups: int, m: int) -> Ints:
    """What a layer before a normalization gives, quantised: every channel a normal distribution with its own
    mean and scale, of which few saturate. Neighbours are independent, which makes for the most activity."""
    rail = 1 << (bits - 1)
    scale = rail * 2.0 ** rng.uniform(-3, -1.7, (groups, 1))
    mean = scale * rng.normal(0, 0.5, (groups, 1))
    return np.clip(np.rint(rng.normal(mean, scale, (groups, m))), -rail, rail - 1).astype(np.int64)
