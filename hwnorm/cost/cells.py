"""An engine in standard cells: area by instance, and what a cycle, a beat and a group of it take in energy.

The clock runs in every cycle, sweeps and what stands around them change with every beat, scalar stages once a group.
Energy is that of `hwnorm.check.power`: the mapped netlist on data, zero-delay, no leakage; memories are in no figure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwnorm.cache import cached, code_of
from hwnorm.cost.amounts import room
from hwnorm.cost.experiments import Experiment
from hwnorm.rtl.plan import Plan
from hwnorm.synth.liberty_files import INSTALLED
from hwnorm.synth.targets import Cells, Target

FAMILY = "standard cells"
OPERATOR_STREAMS, OPERATOR_RESULTS = 256, 16
OWN_CODE = (  # what areas and energies depend on, beside the Verilog and the library
    *("cost/cells.py", "gates"),
    *("synth/asic.py", "synth/mapping.py", "synth/hierarchy.py", "synth/netlist.py"),
    *("check/power.py", "check/drawing.py", "bundle/cases.py"),  # on which data
    *("check/groups.py", "check/rows.py", "check/queues.py"),  # how these reach the ports
    *("check/folder.py", "check/bench.py", "check/handshake.py"),  # in how many cycles
)
LIBRARIES: Mapping[str, Target] = {
    name: Target(name, FAMILY, name, "-", f"standard cells {name}, yosys and abc", (), Cells({}, {}, {}, {}))
    for name in INSTALLED
}


@dataclass(frozen=True, slots=True)
class Energy:
    """In pJ: what a cycle takes, a beat more, a group more."""

    cycle_pj: float
    beat_pj: float
    group_pj: float

    def pj(self, cycles: float, beats: float, groups: float) -> float:
        return self.cycle_pj * cycles + self.beat_pj * beats + self.group_pj * groups

    def per_element(self, plan: Plan, elements: int) -> float:
        """Of groups of that length that follow each other without a stall."""
        beats = -(-elements // plan.shape.lanes)
        return self.pj(max(beats, plan.min_beats), beats, 1) / elements


def measured(experiment: Experiment, library: str) -> dict[str, Any]:
    """``totals`` and ``parts`` (area, ff, clock, active by instance), ``mhz``, ``tools``; kept by content."""
    from hwnorm.rtl import verilog
    from hwnorm.rtl.engine import EngineBlock
    from hwnorm.synth.liberty_files import library as read
    from hwnorm.synth.yosys import find_yosys

    design = experiment.design()
    text, (_, liberty) = verilog.text(EngineBlock(design.plan, "engine"), ""), read(library)
    made_from = (text, liberty, find_yosys().version, code_of(*OWN_CODE))
    found: dict[str, Any] = json.loads(cached("point", made_from, lambda: _measure(experiment, library)))
    return found


def _measure(experiment: Experiment, library: str) -> bytes:
    from hwnorm.check.power import PartPower, measure_asic
    from hwnorm.gates import Delay

    design = experiment.design()
    found = measure_asic(design, library, delays=(Delay.ZERO,), brief=True)
    total, m = found.synthesis.total, found.elements
    beats, cycles = -(-m // design.lanes), found.cycles_per_element * m
    parts: dict[str, dict[str, float]] = {}
    for name, area in found.synthesis.breakdown.items():
        energy = found.parts[Delay.ZERO].get(name, PartPower())
        often = 1 if room(name) == "stages" else beats
        one = {
            "area": area.area_um2,
            "ff": area.ff,
            "clock": energy.clock_pj * m / cycles,
            "active": (energy.switching_pj + energy.internal_pj) * m / often,
        }
        own = parts.setdefault(name if room(name) != "frame" else "frame", dict.fromkeys(one, 0.0))
        for resource, value in one.items():
            own[resource] = round(own[resource] + value, 4)
    totals = {
        "area_um2": round(total.area_um2, 1),
        "cells": total.cells,
        "ff": total.ff,
        "macro_bits": sum(macro.bits for macro in found.synthesis.macros),
        "leakage_uw": round(found.leakage_uw, 4),
        "energy_pj_per_element": round(found.energy_pj_per_element[Delay.ZERO], 4),
        "elements": m,  # of a group, when energy was measured
    }
    mhz = [round(found.fmax_mhz, 2)] if found.fmax_mhz else []
    tools = {"yosys": found.synthesis.mapped.yosys}
    return json.dumps({"totals": totals, "parts": parts, "mhz": mhz, "tools": tools}).encode()


def measured_operator(text: str, top: str, interval: int, library: str) -> tuple[dict[str, float], float | None, float]:
    """One operation alone: area and flip-flops, MHz, and pJ a result, on operands that are any number as often."""
    import numpy as np

    from hwnorm.gates import Delay, States, energies
    from hwnorm.synth.asic import synthesise_asic

    found = synthesise_asic(text, top, library, second_opinion=False)
    netlist, rng = found.mapped.netlist, np.random.default_rng(0)
    simulation = netlist.simulator(OPERATOR_STREAMS, toggles=Delay.ZERO, seed=0)
    states = States(simulation)
    (operand,) = [name for name in netlist.inputs if name not in ("clk", "rst", "start")]
    values = range(1 << len(netlist.inputs[operand]))
    for number in range(1 + OPERATOR_RESULTS):
        simulation.drive({operand: rng.integers(values.start, values.stop, OPERATOR_STREAMS)})
        for cycle in range(interval):
            if "start" in netlist.inputs:
                simulation.drive({"start": int(cycle == 0)})
            simulation.evaluate()
            simulation.clock()
        if number == 0:
            begun = simulation.toggles
    spent = energies(netlist, found.timing, simulation.toggles - begun, states)
    pj = sum(cell.switching_pj + cell.internal_pj + cell.clock_pj for cell in spent)
    totals = {"area_um2": round(found.total.area_um2, 1), "ff": found.total.ff}
    mhz = found.fmax_mhz
    return totals, mhz and round(mhz, 1), pj / (OPERATOR_STREAMS * OPERATOR_RESULTS)
