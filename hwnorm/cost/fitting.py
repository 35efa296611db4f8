"""Coefficients from measured engines: so many of a resource an amount, room by room, cross-validated.

On an FPGA carry chains and other logic are fitted apart where the family's cells tell them apart, and memories are
exact, so that no coefficient has to stand for another. In standard cells it is area, flip-flops, and energy: of the
clock a cycle, of all else a beat, in a stage a group. Each starts from what it should be (one LUT a bit of
multiplexer): where few engines tell, it stays there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwnorm.cost.amounts import ROOMS, Amounts, room
from hwnorm.cost.nnls import Floats, fit
from hwnorm.cost.priors import IN_CHAINS, PRIORS, SHAPES, TOGETHER

FABRIC, CELLS = ("carry", "logic", "ff"), ("area", "ff", "clock", "active")  # resources that are fitted
LUT = ("carry", "logic")
STRENGTH = 0.3
FOLDS = 5
NO_AMOUNTS = frozenset({"latency", "macro_bits"})  # told, and proportional to nothing
LEAST_PART = 0.01  # of an engine: what is less need not be told more exactly than that
Coefficients = dict[str, dict[str, dict[str, float]]]  # resource, room, amount


@dataclass(frozen=True)
class Sample:
    """One measured engine: amounts and measured resources by instance."""

    amounts: Mapping[str, Amounts]
    measured: Mapping[str, Mapping[str, float]]

    def total(self, *resources: str) -> float:
        return sum(found.get(resource, 0.0) for found in self.measured.values() for resource in resources)


def fit_coefficients(samples: Sequence[Sample]) -> Coefficients:
    if any("area" in found for sample in samples for found in sample.measured.values()):
        shapes = {name: _scaled(samples, name, shape) for name, shape in SHAPES.items()}
        return {resource: _fit_rooms(samples, resource, shapes[resource]) for resource in CELLS}
    apart = any(found.get("carry") for sample in samples for found in sample.measured.values())
    priors = {**PRIORS, "logic": PRIORS["logic"] if apart else TOGETHER}
    wanted = [resource for resource in FABRIC if apart or resource != "carry"]
    return {resource: _fit_rooms(samples, resource, dict.fromkeys(ROOMS, priors[resource])) for resource in wanted}


def _fit_rooms(
    samples: Sequence[Sample], resource: str, priors: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    return {name: _fit_room(samples, resource, name, priors[name]) for name in ROOMS}


def _fit_room(samples: Sequence[Sample], resource: str, name: str, prior: Mapping[str, float]) -> dict[str, float]:
    together = LUT if resource in LUT else (resource,)
    rows = [
        (_of(resource, instance, found), sample.measured[instance].get(resource, 0.0), sample.total(*together))
        for sample in samples
        for instance, found in sample.amounts.items()
        if room(instance) == name
    ]
    used = sorted({amount for amounts, _, _ in rows for amount in amounts if _may(resource, amount)})
    if not rows or not used:
        return {}
    a = np.array([[float(amounts[amount]) for amount in used] for amounts, _, _ in rows])
    y, size = np.array([value for _, value, _ in rows]), np.array([total for *_, total in rows])
    weights: Floats = size**-0.5 / np.maximum(y, LEAST_PART * size) ** 0.25
    found = fit(a, y, weights, np.array([prior.get(amount, 0.0) for amount in used]), STRENGTH)
    unseen = {amount: value for amount, value in prior.items() if amount not in used}
    return unseen | {amount: float(f"{x:.5g}") for amount, x in zip(used, found, strict=True) if x > 1e-9}


def _of(resource: str, instance: str, amounts: Amounts) -> Amounts:
    """What changes in a stage does so for as long as a group takes through it."""
    if resource == "active" and room(instance) == "stages":
        return Amounts({amount: number * amounts["latency"] for amount, number in amounts.items()})
    return amounts


def _may(resource: str, amount: str) -> bool:
    return amount in IN_CHAINS if resource == "carry" else amount not in NO_AMOUNTS


def _scaled(samples: Sequence[Sample], resource: str, shape: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Of each room: a prior of that shape, which on the whole says what was measured."""
    found = {}
    for name in ROOMS:
        pairs = [(s, instance) for s in samples for instance in s.amounts if room(instance) == name]
        measured = sum(sample.measured[instance].get(resource, 0.0) for sample, instance in pairs)
        said = sum(_dot(shape, _of(resource, instance, sample.amounts[instance])) for sample, instance in pairs)
        found[name] = {amount: value * measured / said for amount, value in shape.items()} if said else {}
    return found


def _dot(each: Mapping[str, float], amounts: Mapping[str, Any]) -> Any:
    return sum((each[amount] * number for amount, number in amounts.items() if amount in each), start=0.0)


def predicted(
    coefficients: Coefficients, resource: str, amounts: Mapping[str, Amounts], rooms: Sequence[str] = ROOMS
) -> Any:
    """Of a whole engine, or of some rooms of it; an array where the amounts are."""
    rows = coefficients.get(resource, {})
    return sum(
        (
            _dot(rows.get(room(instance), {}), _of(resource, instance, found))
            for instance, found in amounts.items()
            if room(instance) in rooms
        ),
        start=0.0,
    )


def luts(coefficients: Coefficients, amounts: Mapping[str, Amounts], lut_of_ram: float) -> Any:
    logic = predicted(coefficients, "logic", amounts) + predicted(coefficients, "carry", amounts)
    return logic + lut_of_ram * total(amounts, "distributed_cells")


def total(amounts: Mapping[str, Amounts], name: str) -> Any:
    return sum(found[name] for found in amounts.values())


Said = Callable[[Coefficients, int], Mapping[str, float]]  # of the sample of that number


def cross_validated(
    samples: Sequence[Sample], measured: Sequence[Mapping[str, float]], said: Said
) -> dict[str, Floats]:
    """Signed errors in percent, by quantity, each engine by coefficients that it was not fitted to."""
    fold = np.random.default_rng(0).permutation(len(samples)) % FOLDS
    found: dict[str, Floats] = {}
    for k in range(FOLDS):
        coefficients = fit_coefficients([s for s, f in zip(samples, fold, strict=True) if f != k])
        for i in map(int, np.flatnonzero(fold == k)):
            for quantity, value in said(coefficients, i).items():
                errors = found.setdefault(quantity, np.zeros(len(samples)))
                errors[i] = 100 * (value / measured[i][quantity] - 1)
    return found


def fit_units(points: Sequence[tuple[str, Amounts, Mapping[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """What each unit alone takes: kind, resource, amount."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind in sorted({kind for kind, _, _ in points}):
        own = [(amounts, measured) for k, amounts, measured in points if k == kind]
        used = sorted({amount for amounts, _ in own for amount in amounts})
        a = np.array([[float(amounts[amount]) for amount in used] for amounts, _ in own])
        found[kind] = {}
        for resource in own[0][1]:
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
