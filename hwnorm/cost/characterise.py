"""``hwnorm characterize``: units and engines synthesised for a target, curves fitted through them, a device file.

What is measured is kept twice: by synth's cache, so that an interrupted run goes on where it stopped, and as points
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

from hwnorm.cost.amounts import amounts
from hwnorm.cost.blocks import FAMILIES
from hwnorm.cost.experiments import fitted_to, table_engines
from hwnorm.cost.fabric import SCHEMA
from hwnorm.cost.fitting import FOLDS, Sample, cross_validated, fit_coefficients, fit_units
from hwnorm.cost.measure import Point, Told, measure_all, unit_points
from hwnorm.cost.speed import fit_path, path_amounts
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
    """``seeds``: placements of the table's and of every PLACED-th engine (0: none). ``count``: so many engines."""
    target = modelled(target_name)
    experiments = fitted_to()[:count]
    if len(experiments) < 2 * FOLDS:
        raise InputError(f"a fit needs at least {2 * FOLDS} engines, not {len(experiments)}")
    placed = {*table_engines(), *experiments[::PLACED]} if target.placer else set()
    found = measure_all(experiments, target, lambda e: seeds if e in placed else 0, told, jobs)
    units = unit_points(target, UNIT_WIDTHS, told)
    tools = {name: version for point in found for name, version in point.tools.items()}
    points = {
        "schema": "hwnorm.points/1",
        "target": target.name,
        "tools": tools,
        "date": date,
        "command": command,
        "engines": [point.to_dict() for point in found],
        "units": units,
    }
    return Characterisation(fit(points), points)


def modelled(name: str) -> Target:
    """A target with a cost model."""
    target = find_target(name)
    if name not in FAMILIES:
        raise InputError(f"target {name!r} has no cost model: {did_you_mean(name, FAMILIES)}")
    return target


def fit(points: Mapping[str, Any]) -> dict[str, Any]:
    """The device file of measured points; needs no tool."""
    target = find_target(points["target"])
    engines = [Point.read(one) for one in points["engines"]]
    ram = FAMILIES[target.name].luts_of_ram
    samples = [sample(point, target) for point in engines]
    coefficients = fit_coefficients(samples)
    errors = cross_validated(samples, ram)
    summaries = {name: summary(found) for name, found in errors.items()}
    path, speeds = _path(engines)
    if speeds is not None:
        summaries["fmax_mhz"] = summary(speeds)
    for name, amount in (("dsp", "multipliers"), ("bram", "block_cells")):
        wrong = [_exact(s, amount) - p.totals[name] for s, p in zip(samples, engines, strict=True)]
        summaries[name] = summary(np.array([100.0 * (w != 0) for w in wrong]))
    units = [(u["kind"], u["amounts"], u["measured"]) for u in points["units"]]
    sizes = {name: [getattr(p.experiment, name) for p in engines] for name in ("bits", "lanes", "elements")}
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
        "lut_of_ram": ram,
        "errors": summaries,
        "path": path,
        "coefficients": coefficients,
        "units": unit_fits(units),
    }


def sample(point: Point, target: Target) -> Sample:
    found = amounts(point.experiment.design().plan, FAMILIES[target.name])
    measured = {name: point.parts.get(name, {}) for name in found}
    return Sample(found, measured, float(point.totals["lut"]), float(point.totals["ff"]))


def _exact(sample: Sample, amount: str) -> int:
    return int(sum(found[amount] for found in sample.amounts.values()))


def summary(errors: Any) -> dict[str, float]:
    """Mean and worst absolute error in percent."""
    return {"mean_pct": round(float(np.mean(np.abs(errors))), 2), "worst_pct": round(float(np.max(np.abs(errors))), 2)}


def _path(engines: Sequence[Point]) -> tuple[dict[str, float] | None, Any]:
    """Of the median seed; leaving one out at a time."""
    placed = [
        (path_amounts(p.experiment.design().plan, p.totals["lut"]), float(np.median(p.mhz))) for p in engines if p.mhz
    ]
    if len(placed) < FOLDS:
        return None, None
    errors = []
    for i, (found, mhz) in enumerate(placed):
        others = fit_path([*placed[:i], *placed[i + 1 :]])
        errors.append(100 * (1e3 / sum(others[name] * found[name] for name in others) / mhz - 1))
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
    except (OSError, ValueError, KeyError, TypeError) as fault:
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
