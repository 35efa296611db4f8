"""What is told of an engine: from coefficients and amounts to LUTs, square micrometres and picojoules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnorm.cost.amounts import Amounts
from hwnorm.cost.cells import Energy
from hwnorm.cost.fitting import Coefficients, luts, predicted, total
from hwnorm.rtl.plan import Plan

CLOCK, ENERGY = "fmax_mhz", "energy_pj_per_element"
EXACT = {"dsp": "multipliers", "bram": "block_cells", "macro_bits": "macro_bits"}  # the amount that each is
QUANTITIES = ("lut", "area_um2", "ff", *EXACT, ENERGY, CLOCK)
MOVING = ("sweeps", "frame")  # rooms in which something changes with every beat


def of_cells(coefficients: Coefficients) -> bool:
    """Standard cells', not an FPGA's."""
    return "area" in coefficients


def energy(coefficients: Coefficients, found: Mapping[str, Amounts]) -> Energy:
    return Energy(
        predicted(coefficients, "clock", found),
        predicted(coefficients, "active", found, MOVING),
        predicted(coefficients, "active", found, ("stages",)),
    )


def fitted(
    coefficients: Coefficients, plan: Plan, found: Mapping[str, Amounts], lut_of_ram: float, elements: int
) -> dict[str, Any]:
    """All but the clock. ``elements`` of a group: energy depends on them a little."""
    if of_cells(coefficients):
        return {
            "area_um2": predicted(coefficients, "area", found),
            "ff": predicted(coefficients, "ff", found),
            ENERGY: energy(coefficients, found).per_element(plan, elements),
        }
    return {"lut": luts(coefficients, found, lut_of_ram), "ff": predicted(coefficients, "ff", found)}


def exact(coefficients: Coefficients, found: Mapping[str, Amounts]) -> dict[str, Any]:
    names = ("macro_bits",) if of_cells(coefficients) else ("dsp", "bram")
    return {name: total(found, EXACT[name]) for name in names}


def size(values: Mapping[str, Any]) -> float:
    """What wires grow with."""
    return float(values["lut"] if "lut" in values else values["area_um2"])
