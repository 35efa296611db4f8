"""How far the cost model is to be trusted, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwnorm.cost.fabric import Fabric
from hwnorm.cost.quantities import EXACT, QUANTITIES
from hwnorm.cost.validation import Checked, totals
from hwnorm.report.table import Cell, Table

COLUMNS = ("kind", "quantity", "points", "mean_error_pct", "worst_error_pct")
NOTE = (
    "Each point by coefficients that it was not fitted to: engines in five folds, units and clocks one left out. "
    "dsp, bram: 0 % is exact, 100 % is not."
)


def errors_table(device: Mapping[str, Any], engines: int) -> Table:
    """One row a kind and quantity: whole engines, then units alone."""
    rows: list[list[Cell]] = []
    for quantity, found in device["errors"].items():
        rows.append(["engine", quantity, found.get("points", engines), found["mean_pct"], found["worst_pct"]])
    for kind, unit in device["units"].items():
        for quantity, found in unit["errors"].items():
            rows.append([kind, quantity, unit["points"], found["mean_pct"], found["worst_pct"]])
    return Table(COLUMNS, rows, f"{device['name']}: errors of the fit", (NOTE,))


def totals_table(fabric: Fabric, found: Sequence[Checked]) -> Table:
    """One row a quantity: what the model is off by."""
    rows: list[list[Cell]] = [
        [quantity, int(total["points"]), total["mean_pct"], total["worst_pct"], "units" if quantity in EXACT else "%"]
        for quantity, total in totals(found).items()
    ]
    title = f"{fabric.name}: errors on engines that the model was not fitted to"
    return Table(("quantity", "engines", "mean_error", "worst_error", "in"), rows, title)


def held_out_table(found: Sequence[Checked]) -> Table:
    """One engine a row."""
    names = [q for q in QUANTITIES if any(q in one.measured for one in found)]
    columns = ["engine"]
    for name in names:
        columns += [name, f"{name}_said"] + ([] if name in EXACT else [f"{name}_error_pct"])
    rows: list[list[Cell]] = []
    for one in found:
        row: list[Cell] = [one.experiment.name]
        for name in names:
            error = one.error_pct(name)
            row += [one.measured.get(name), one.predicted.get(name) if name in one.measured else None]
            row += [] if name in EXACT else [None if error is None else round(error, 1)]
        rows.append(row)
    return Table(tuple(columns), rows, "Measured, and what the model said")
