"""``hwnorm characterize``: units and engines synthesised for a target, curves fitted through them, a device file.

What is measured is kept twice: in hwnorm.cache, so that an interrupted run goes on where it stopped, and as points
beside the device file, from which the fit can be repeated without a tool.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwnorm.cost.amounts import Amounts, amounts
from hwnorm.cost.blocks import FAMILIES
from hwnorm.cost.cells import FAMILY, LIBRARIES
from hwnorm.cost.experiments import IN_CELLS, ON_FPGA, Plans, fitted_to, table_engines
from hwnorm.cost.fabric import SCHEMA, SIZES
from hwnorm.cost.fitting import (
    CELLS,
    FABRIC,
    FOLDS,
    Coefficients,
    Sample,
    cross_validated,
    fit_coefficients,
    fit_units,
)
from hwnorm.cost.measure import Point, Told, measure_all, unit_points
from hwnorm.cost.quantities import CLOCK, exact, fitted, size
from hwnorm.cost.speed import Paths, fit_path, path_amounts, period_ns
from hwnorm.errors import InputError, did_you_mean
from hwnorm.synth.targets import Target, find_target

UNIT_WIDTHS = (4, 8, 12, 16, 24, 32)
PLACED = 6  # besides the table's one of so many engines is placed: a placement takes longer than its synthesis


@dataclass(frozen=True)
class Characterisation:
    """``device`` is the device file's content, ``points`` what it was made from."""

    device: dict[str, Any]
    points: dict[str, Any]


def characterise(
    target_name: str,
    seeds: int,
    *,
    date: str,
    command: str,
    count: int | None = None,
    told: Told = lambda _: None,
    jobs: int | None = None,
) -> Characterisation:
    """``seeds``: placements of the table's, of wide and of every PLACED-th engine (0: none). ``count``: so many
    engines, and the wide ones."""
    target = modelled(target_name)
    plans = plans_of(target)
    experiments = fitted_to(plans)[:count]
    if len(experiments) < 2 * FOLDS:
        raise InputError(f"a fit needs at least {2 * FOLDS} engines, not {len(experiments)}")
    wide = plans.wide if target.placer and seeds else ()
    placed = {*table_engines(plans), *experiments[::PLACED], *wide} if target.placer else set()
    found = measure_all([*experiments, *wide], target, lambda e: seeds if e in placed else 0, told, jobs)
    units = [] if target.family == FAMILY else unit_points(target, UNIT_WIDTHS, told)
    tools = {name: version for point in found for name, version in point.tools.items()}
    points = {
        "schema": "hwnorm.points/1",
        "target": target.name,
        "tools": tools,
        "date": date,
        "command": command,
        "resources": list(CELLS if target.family == FAMILY else FABRIC),
        "engines": [point.to_dict() for point in found],
        "units": units,
    }
    return Characterisation(fit(points), points)


def modelled(name: str) -> Target:
    """A target with a cost model: one of hwnorm synth's, or an installed library of standard cells."""
    if name not in FAMILIES:
        find_target(name)
        raise InputError(f"target {name!r} has no cost model: {did_you_mean(name, FAMILIES)}")
    return LIBRARIES[name] if name in LIBRARIES else find_target(name)


def plans_of(target: Target) -> Plans:
    return IN_CELLS if target.family == FAMILY else ON_FPGA


def fit(points: Mapping[str, Any]) -> dict[str, Any]:
    """The device file of measured points; needs no tool."""
    target = modelled(points["target"])
    engines = [Point.read(one, points["resources"]) for one in points["engines"]]
    family = FAMILIES[target.name]
    plans = [point.experiment.design().plan for point in engines]
    found = [amounts(plan, family) for plan in plans]
    samples = [sample(one, point) for one, point in zip(found, engines, strict=True)]

    def said(coefficients: Coefficients, i: int) -> dict[str, float]:
        elements = int(engines[i].totals.get("elements", 0)) or engines[i].experiment.elements
        return fitted(coefficients, plans[i], found[i], family.luts_of_ram, elements)

    coefficients = fit_coefficients(samples)
    errors = cross_validated(samples, [point.totals for point in engines], said)
    summaries = {name: summary(values) for name, values in errors.items()}
    for i, point in enumerate(engines):
        for name, value in exact(coefficients, found[i]).items():
            worst = summaries.setdefault(name, {"mean_pct": 0.0, "worst_pct": 0.0})
            if value != point.totals[name]:
                worst["mean_pct"], worst["worst_pct"] = worst["mean_pct"] + 100 / len(engines), 100.0
    paths = [
        (path_amounts(plan, size(point.totals), family), float(np.median(point.mhz)))
        for plan, point in zip(plans, engines, strict=True)
        if point.mhz
    ]
    path, speeds = _path(paths)
    if speeds is not None:
        largest = max(size(point.totals) for point in engines if point.mhz)
        summaries[CLOCK] = summary(speeds) | {"points": len(paths), "seeds": _seeds(engines), "largest": largest}
    units = [(u["kind"], u["amounts"], u["measured"]) for u in points["units"]]
    sizes = {name: [getattr(p.experiment, name) for p in engines] for name in ("bits", "lanes", "elements")}
    sizes |= {name: [p.totals[name] for p in engines] for name in SIZES if name in engines[0].totals}
    return {
        "schema": SCHEMA,
        "name": target.name,
        "summary": f"{target.summary}, measured",
        "target": target.name,
        "device": target.device,
        "grade": target.grade,
        "source": points["command"],
        "tools": points["tools"],
        "date": points["date"],
        "command": points["command"],
        "capacity": dict(target.capacity),
        "measured": {
            **{name: [min(values), max(values)] for name, values in sizes.items()},
            "norms": sorted({p.experiment.norm for p in engines}),
            "reciprocals": ["restoring"],
        },
        "lut_of_ram": family.luts_of_ram,
        "engines": len(engines),
        "errors": summaries,
        "path": path,
        "coefficients": coefficients,
        "units": unit_fits(units),
    }


def sample(found: Mapping[str, Amounts], point: Point) -> Sample:
    return Sample(found, {name: point.parts.get(name, {}) for name in found})


def summary(errors: Any) -> dict[str, float]:
    """Mean and worst absolute error in percent."""
    return {"mean_pct": round(float(np.mean(np.abs(errors))), 2), "worst_pct": round(float(np.max(np.abs(errors))), 2)}


def _seeds(engines: Sequence[Point]) -> int:
    """Placements behind each clock; the fewest."""
    return min(len(point.mhz) for point in engines if point.mhz)


def _path(placed: Sequence[tuple[dict[str, float], float]]) -> tuple[Paths | None, Any]:
    """Of the median seed; leaving one out at a time."""
    if len(placed) < FOLDS:
        return None, None
    errors = []
    for i, (found, mhz) in enumerate(placed):
        others = fit_path([*placed[:i], *placed[i + 1 :]])
        errors.append(100 * (1e3 / period_ns(others, found) / mhz - 1))
    return fit_path(placed), np.array(errors)


def unit_fits(units: Sequence[tuple[str, Any, Mapping[str, float]]]) -> dict[str, Any]:
    """Coefficients and the error of each kind, leaving one out at a time."""
    points = [(kind, Counter(found), measured) for kind, found, measured in units]
    fits = fit_units(points)
    found: dict[str, Any] = {}
    for kind in fits:
        own = [p for p in points if p[0] == kind]
        errors: dict[str, list[float]] = {"lut": [], "ff": []}
        for i, (_, one, measured) in enumerate(own):
            others = fit_units([*own[:i], *own[i + 1 :]])[kind]
            for resource, missed in errors.items():
                value = sum(each * one[name] for name, each in others[resource].items())
                missed.append(100 * (value / measured[resource] - 1))
        found[kind] = {
            "points": len(own),
            "coefficients": fits[kind],
            "errors": {resource: summary(np.array(missed)) for resource, missed in errors.items()},
        }
    return found


def again(path: Path) -> Characterisation:
    """Fitted to the points of an earlier run."""
    try:
        points = json.loads(path.read_text(encoding="utf-8"))
        return Characterisation(fit(points), points)
    except (OSError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        raise InputError(f"{path}: no points of hwnorm characterize: {fault!r}") from None


def printed(data: Mapping[str, Any]) -> bytes:
    """JSON with a line for every entry of a list of objects, and for every other key."""
    lines = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n  ".join(json.dumps(one, separators=(",", ":")) for one in value)
            lines.append(f"{json.dumps(key)}: [\n  {inner}\n]")
        elif isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
            inner = ",\n  ".join(f"{json.dumps(k)}: {json.dumps(one)}" for k, one in value.items())
            lines.append(f"{json.dumps(key)}: {{\n  {inner}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
