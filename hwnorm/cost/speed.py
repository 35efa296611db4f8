"""The clock: a linear model of the critical path's length, on what lengthens it.

A path between registers is a carry chain, or logic, and wires that grow with the engine. Seeds of one placement differ
by 5 to 10 %, and so much of the error is no fault of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2

import numpy as np

from hwnorm.cost.amounts_sweep import SUMS
from hwnorm.cost.blocks import Family, multipliers, product_parts
from hwnorm.cost.nnls import fit
from hwnorm.rtl.cells import Cell, Kind
from hwnorm.rtl.plan import Plan, halved

CHAINED = (*SUMS, Kind.GT, Kind.MAX, Kind.MIN, Kind.ABS)
STRENGTH = 1e-2


def path_amounts(plan: Plan, size: float, family: Family) -> dict[str, float]:
    """``size``: LUTs, or area."""
    lanes, beats = plan.shape.lanes, max(plan.shape.max_beats, 1)
    chains = [_chain(cell) for sweep in plan.sweeps for cell in sweep.cells]
    chains += [cell.format.width // (1 + halved(cell)) for sweep in plan.sweeps for cell in sweep.reductions]
    held = [
        cell.format.width
        for stage in plan.stages.values()
        for cell in stage.cells
        if cell.kind in CHAINED and not cell.static and cell not in stage.serial
    ]
    kept = any(s.reductions for s in plan.sweeps) and plan.shape.partial
    return {
        "always": 1.0,
        "longest_chain": float(max(chains, default=0)),
        "stage_chain": float(max(held, default=0)),
        "log2_lanes": log2(lanes),
        "log2_beats": log2(beats),
        "log2_size": log2(max(size, 2)),
        "log2_product": log2(1 + max((_product(cell, family) for s in plan.sweeps for cell in s.cells), default=0)),
        "kept": float(kept),
    }


def _chain(cell: Cell) -> int:
    if cell.kind not in CHAINED:
        return 0
    width = max(cell.format.width, *(a.format.width for a in cell.args))
    return -(-width // cell.latency) if cell.latency else width


def _product(cell: Cell, family: Family) -> int:
    """Bits of a product that is built of logic."""
    if cell.kind is not Kind.MUL:
        return 0
    return max((a + b for a, b in product_parts(cell) if not multipliers(family, a, b)), default=0)


def period_ns(path: Mapping[str, float], found: Mapping[str, float]) -> float:
    return sum(each * found[name] for name, each in path.items())


def fit_path(points: Sequence[tuple[Mapping[str, float], float]]) -> dict[str, float]:
    """From (amounts, MHz)."""
    names = list(points[0][0])
    a = np.array([[found[name] for name in names] for found, _ in points])
    y = np.array([1e3 / mhz for _, mhz in points])
    prior = np.array([float(np.mean(y)) if name == "always" else 0.0 for name in names])
    x = fit(a, y, 1 / y, prior, STRENGTH)
    return {name: round(float(v), 5) for name, v in zip(names, x, strict=True)}
