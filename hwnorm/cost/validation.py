"""The model beside real synthesis, on engines that it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from hwnorm.cost.characterise import modelled, plans_of, summary
from hwnorm.cost.experiments import Experiment, checked_on
from hwnorm.cost.fabric import Fabric
from hwnorm.cost.measure import Point, Told, measure_all
from hwnorm.cost.quantities import CLOCK, EXACT, QUANTITIES

PLACED = 5  # one of so many: a placement takes longer than a synthesis


@dataclass(frozen=True)
class Checked:
    """One held-out engine: measured and predicted, by quantity."""

    experiment: Experiment
    measured: dict[str, float]
    predicted: dict[str, float]
    seeds: int = 0  # behind its clock

    def error_pct(self, quantity: str) -> float | None:
        """Signed; of what is exact or not, in units."""
        if quantity not in self.measured or quantity not in self.predicted:
            return None
        found, said = self.measured[quantity], self.predicted[quantity]
        return said - found if quantity in EXACT else 100 * (said / found - 1)


def validate(
    fabric: Fabric, seeds: int, told: Told, count: int | None = None, jobs: int | None = None
) -> list[Checked]:
    """Synthesises the held-out engines, one of ``PLACED`` with placements of so many seeds, as well as wide ones."""
    target = modelled(fabric.target)
    plans = plans_of(target)
    experiments = checked_on(plans)[:count]
    chosen = {*experiments[::PLACED]} if target.placer and fabric.path else set()
    wide = plans.checked_wide if chosen and seeds else ()
    points = measure_all([*experiments, *wide], target, lambda e: seeds if e in {*chosen, *wide} else 0, told, jobs)
    return [_checked(fabric, point) for point in points]


def _checked(fabric: Fabric, point: Point) -> Checked:
    measured = {name: float(point.totals[name]) for name in QUANTITIES if name in point.totals}
    if point.mhz:
        measured[CLOCK] = median(point.mhz)
    elements = int(point.totals.get("elements", 0)) or None
    said = fabric.values(point.experiment.design().plan, elements)
    return Checked(point.experiment, measured, said, len(point.mhz))


def totals(found: Sequence[Checked]) -> dict[str, dict[str, float]]:
    """Mean and worst absolute error by quantity, and of how many engines; exact ones: how many are not."""
    result: dict[str, dict[str, float]] = {}
    for quantity in QUANTITIES:
        errors = [error for one in found if (error := one.error_pct(quantity)) is not None]
        if errors:
            wrong = {"wrong": float(np.count_nonzero(errors))} if quantity in EXACT else {}
            result[quantity] = {"points": len(errors), **summary(np.array(errors)), **wrong}
    return result
