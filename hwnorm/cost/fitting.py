"""Coefficients from measured engines: so many LUTs and flip-flops an amount, room by room, cross-validated.

Carry chains and other logic are fitted apart where the family's cells tell them apart, and memories are exact, so that
no coefficient has to stand for another. Each starts from what it should be (one LUT a bit of multiplexer): where few
engines tell, it stays there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwnorm.cost.amounts import ROOMS, Amounts, room
from hwnorm.cost.nnls import Floats, fit
from hwnorm.cost.priors import IN_CHAINS, PRIORS, TOGETHER

RESOURCES = ("carry", "logic", "ff")
STRENGTH = 0.3
FOLDS = 5
Coefficients = dict[str, dict[str, dict[str, float]]]  # resource, room, amount


@dataclass(frozen=True)
class Sample:
    """One measured engine: amounts and measured resources by instance, and the total that errors are taken of."""

    amounts: Mapping[str, Amounts]
    measured: Mapping[str, Mapping[str, float]]
    lut: float
    ff: float

    @property
    def size(self) -> float:
        return self.lut + self.ff


def fit_coefficients(samples: Sequence[Sample]) -> Coefficients:
    apart = any(found.get("carry") for sample in samples for found in sample.measured.values())
    priors = {**PRIORS, "logic": PRIORS["logic"] if apart else TOGETHER}
    return {
        resource: {name: _fit_room(samples, resource, name, priors[resource]) for name in ROOMS}
        for resource in RESOURCES
        if apart or resource != "carry"
    }


def _fit_room(samples: Sequence[Sample], resource: str, name: str, prior: Mapping[str, float]) -> dict[str, float]:
    rows = [
        (sample.amounts[instance], sample.measured[instance].get(resource, 0.0), sample.size)
        for sample in samples
        for instance in sample.amounts
        if room(instance) == name
    ]
    used = sorted({amount for amounts, _, _ in rows for amount in amounts if _may(resource, amount)})
    if not rows or not used:
        return {}
    a = np.array([[float(amounts[amount]) for amount in used] for amounts, _, _ in rows])
    y = np.array([value for _, value, _ in rows])
    weights: Floats = np.array([size for *_, size in rows]) ** -0.5 / np.maximum(y, 20) ** 0.25
    found = fit(a, y, weights, np.array([prior.get(amount, 0.0) for amount in used]), STRENGTH)
    unseen = {amount: value for amount, value in prior.items() if amount not in used}
    return unseen | {amount: round(float(x), 4) for amount, x in zip(used, found, strict=True) if x > 5e-5}


def _may(resource: str, amount: str) -> bool:
    return resource != "carry" or amount in IN_CHAINS


def predicted(coefficients: Coefficients, resource: str, amounts: Mapping[str, Amounts]) -> Any:
    """Of a whole engine; an array where the amounts are."""
    total: Any = 0.0
    for instance, found in amounts.items():
        each = coefficients.get(resource, {}).get(room(instance), {})
        for amount, number in found.items():
            if amount in each:
                total = total + each[amount] * number
    return total


def cross_validated(samples: Sequence[Sample], lut_of_ram: float) -> dict[str, Floats]:
    """Signed errors in percent of LUTs and flip-flops, each engine by coefficients that it was not fitted to."""
    fold = np.random.default_rng(0).permutation(len(samples)) % FOLDS
    found = {"lut": np.zeros(len(samples)), "ff": np.zeros(len(samples))}
    for k in range(FOLDS):
        coefficients = fit_coefficients([s for s, f in zip(samples, fold, strict=True) if f != k])
        for i in map(int, np.flatnonzero(fold == k)):
            lut, ff = (
                luts(coefficients, samples[i].amounts, lut_of_ram),
                predicted(coefficients, "ff", samples[i].amounts),
            )
            found["lut"][i] = 100 * (lut / samples[i].lut - 1)
            found["ff"][i] = 100 * (ff / samples[i].ff - 1)
    return found


def luts(coefficients: Coefficients, amounts: Mapping[str, Amounts], lut_of_ram: float) -> Any:
    logic = predicted(coefficients, "logic", amounts) + predicted(coefficients, "carry", amounts)
    return logic + lut_of_ram * total(amounts, "distributed_cells")


def total(amounts: Mapping[str, Amounts], name: str) -> Any:
    return sum(found[name] for found in amounts.values())


def fit_units(points: Sequence[tuple[str, Amounts, Mapping[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """LUTs and flip-flops of each unit alone: kind, resource, amount."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind in sorted({kind for kind, _, _ in points}):
        own = [(amounts, measured) for k, amounts, measured in points if k == kind]
        used = sorted({amount for amounts, _ in own for amount in amounts})
        a = np.array([[float(amounts[amount]) for amount in used] for amounts, _ in own])
        found[kind] = {}
        for resource in ("lut", "ff"):
            y = np.array([measured[resource] for _, measured in own])
            x = fit(a, y, 1 / np.maximum(y, 10), np.zeros(len(used)), 1e-3)
            found[kind][resource] = {amount: round(float(v), 4) for amount, v in zip(used, x, strict=True)}
    return found


def tally(
    parts: Mapping[str, Mapping[str, int]], classes: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Measured resources by the instances that amounts have, from cell types by instance of the netlist."""
    found: dict[str, Counter[str]] = {}
    for name, cells in parts.items():
        own = found.setdefault(name if room(name) != "frame" else "frame", Counter())
        for resource, weights in classes.items():
            own[resource] += sum(number * weights.get(kind, 0) for kind, number in cells.items())  # type: ignore[assignment]
    return {name: dict(tallies) for name, tallies in found.items()}
