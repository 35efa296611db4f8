"""The clock: that of the slowest of a few kinds of path, each with a length that is linear in what lengthens it.

Control and wires, which grow with the engine (the way across it with the root of its size); a carry chain; a product
of several blocks, or of logic; what chooses between the parts of a deep memory. Which of them decides is not known
beforehand, and found with the lengths: each engine is explained by the kind that is the slowest in it. Seeds of one
placement differ by 5 to 10 %, and so much of the error is no fault of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2, sqrt
from typing import Any

import numpy as np

from hwnorm.cost.amounts_lane import SUMS
from hwnorm.cost.blocks import Family, product_slices
from hwnorm.cost.nnls import fit
from hwnorm.rtl.cells import Cell, Kind
from hwnorm.rtl.depth import BLOCK_WIDTH, BLOCK_WORDS
from hwnorm.rtl.plan import Plan, halved

CHAINED = (*SUMS, Kind.GT, Kind.MAX, Kind.MIN, Kind.ABS)
STRENGTH = 1e-2
KINDS = {
    "control": ("always", "root_size", "log2_size", "log2_lanes", "log2_beats"),
    "chain": ("always", "root_size", "chain", "log2_chain", "kept"),
    "product": ("product", "product_bits"),
    "memory": ("root_memory",),
}
# What each but control is in proportion to at first
SLOPES = {"chain": "log2_chain", "product": "product_bits", "memory": "root_memory"}
ROUNDS = 30
Paths = Mapping[str, Mapping[str, float]]  # by kind


def path_amounts(plan: Plan, size: float, family: Family) -> dict[str, float]:
    """``size``: LUTs, or area."""
    lanes, beats = plan.shape.lanes, max(plan.shape.max_beats, 1)
    chains = [_chain(cell) for sweep in plan.sweeps for cell in sweep.cells]
    chains += [cell.format.width // (1 + halved(cell)) for sweep in plan.sweeps for cell in sweep.reductions]
    kept = any(s.reductions for s in plan.sweeps) and plan.shape.partial
    parted = [_parted_blocks(plan, sweep.number) for sweep in plan.sweeps[1:]] if family.factors else []
    products = [_product(cell, family) for s in plan.sweeps for cell in s.cells]
    return {
        "always": 1.0,
        "chain": float(max(chains, default=0)),
        "log2_chain": log2(1 + max(chains, default=0)),
        "log2_lanes": log2(lanes),
        "log2_beats": log2(beats),
        "log2_size": log2(max(size, 2)),
        "root_size": sqrt(size) if family.factors else 0.0,  # standard cells are timed without wires
        "product": float(any(products)),
        "product_bits": float(max(products, default=0)),
        "kept": float(kept),
        "root_memory": sqrt(max(parted, default=0)),
    }


def _chain(cell: Cell) -> int:
    if cell.kind not in CHAINED:
        return 0
    width = max(cell.format.width, *(a.format.width for a in cell.args))
    return -(-width // cell.latency) if cell.latency else width


def _parted_blocks(plan: Plan, number: int) -> float:
    """Block RAMs of a replay memory of several parts: what chooses between them reaches all over it."""
    if plan.shape.external or len(plan.replay_banks(number)) == 1:
        return 0.0
    return plan.replay_words(number) * plan.replay_width(number) / (BLOCK_WORDS * BLOCK_WIDTH)


def _product(cell: Cell, family: Family) -> int:
    """Bits of a product that is built of logic, or of several multipliers and what adds them up in the same cycle."""
    if cell.kind is not Kind.MUL:
        return 0
    return max((a + b for a, b, slices in product_slices(cell, family) if slices != (1, 0)), default=0)


def period_ns(paths: Paths, found: Mapping[str, float]) -> float:
    return max(_length(path, found) for path in paths.values())


def _length(path: Mapping[str, float], found: Mapping[str, float]) -> float:
    return sum(each * found[name] for name, each in path.items())


def fit_path(points: Sequence[tuple[Mapping[str, float], float]]) -> dict[str, dict[str, float]]:
    """From (amounts, MHz): each engine is given to the kind that is slowest in it, each kind fitted to its engines, in
    turns; the best of all rounds. Lengths that no engine tells stay what they were."""
    periods = np.array([1e3 / mhz for _, mhz in points])
    paths = _begin(points, periods)
    best, least = paths, np.inf
    for _ in range(ROUNDS):
        lengths = np.array([[_length(path, found) for found, _ in points] for path in paths.values()])
        error = float(np.mean(np.abs(lengths.max(axis=0) / periods - 1)))
        if error < least:
            best, least = paths, error
        slowest = lengths.argmax(axis=0)
        paths = {
            kind: _fitted(
                path,
                [found for (found, _), which in zip(points, slowest, strict=True) if which == k],
                periods[slowest == k],
            )
            for k, (kind, path) in enumerate(paths.items())
        }
    return {kind: {name: round(best[kind].get(name, 0.0), 5) for name in names} for kind, names in KINDS.items()}


def _begin(points: Sequence[tuple[Mapping[str, float], float]], periods: Any) -> Paths:
    """Control as fast as the fastest, all else in proportion. What no engine has is left out."""
    had = {name for found, _ in points for name, amount in found.items() if amount}
    paths = {kind: {name: 0.0 for name in names if name in had} for kind, names in KINDS.items()}
    paths["control"]["always"] = float(np.percentile(periods, 10))
    for kind, name in SLOPES.items():
        rates = [period / found[name] for (found, _), period in zip(points, periods, strict=True) if found[name]]
        if rates:
            paths[kind][name] = float(np.median(rates))
    return paths


def _fitted(path: Mapping[str, float], found: Sequence[Mapping[str, float]], periods: Any) -> dict[str, float]:
    if len(found) < max(len(path), 1):
        return dict(path)
    a = np.array([[one[name] for name in path] for one in found])
    x = fit(a, periods, 1 / periods, np.array(list(path.values())), STRENGTH)
    return dict(zip(path, map(float, x), strict=True))
