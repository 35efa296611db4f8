"""A measured device: an engine's resources and clock from its plan, with the error that they were found to have.

Its file (hwnorm/cost/devices/NAME.json, written by ``hwnorm characterize``) has coefficients, the range in which
engines were measured, errors, and provenance; the measured points lie beside it. What is outside that range is
extrapolated, and says so: its origin is ASSUMED.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from hwnorm.cost.amounts import amounts
from hwnorm.cost.blocks import FAMILIES, Family
from hwnorm.cost.cells import Energy
from hwnorm.cost.figure import Figure, Origin
from hwnorm.cost.fitting import Coefficients
from hwnorm.cost.quantities import CLOCK, ENERGY, energy, exact, fitted, of_cells, size
from hwnorm.cost.speed import Paths, path_amounts, period_ns
from hwnorm.engine import Engine
from hwnorm.errors import InputError
from hwnorm.rtl.design import Design
from hwnorm.rtl.plan import Plan

SCHEMA = "hwnorm.device/1"
POINTS = ".points.json"  # beside a device file: what was measured
SIZES = ("lut", "bram", "area_um2")  # as large as a measured engine, and no larger


@dataclass(frozen=True)
class Built:
    """An engine on a device, and in what it lies outside the range that was measured there."""

    figures: dict[str, Figure]
    outside: list[str]


@dataclass(frozen=True)
class Fabric:
    """Coefficients, and what they are worth: ``errors`` in percent by quantity, of engines not fitted to."""

    name: str
    summary: str
    target: str
    source: str
    coefficients: Coefficients
    path: Paths | None  # of the clock period; None where nothing was placed
    errors: Mapping[str, Mapping[str, float]]
    measured: Mapping[str, list[Any]]  # bits, lanes, elements, sizes: least and most; norms, reciprocals: which
    lut_of_ram: float
    engines: int  # that it was fitted to
    capacity: Mapping[str, int]

    @property
    def family(self) -> Family:
        return FAMILIES[self.target]

    def resources(self, design: Design) -> dict[str, Figure]:
        """LUT, FF, DSP, BRAM of one engine, or area, FF, bits of memory and energy; and its clock."""
        return self.built(design).figures

    def built(self, design: Design) -> Built:
        values = self.values(design.plan)
        outside = self._outside(design, values)
        too_large = [] if outside else self._too_large(values)
        figures = {}
        for name, value in values.items():
            strange = bool(outside) or (name == CLOCK and bool(too_large))
            error = None if strange else self.errors.get(name, {}).get("mean_pct")
            figures[name] = Figure(value, Origin.ASSUMED if strange else Origin.FITTED, error)
        return Built(figures, outside + too_large)

    def values(self, plan: Plan, elements: int | None = None) -> dict[str, float]:
        """``elements`` of a group, of which the energy is told: the longest, if nobody says."""
        found = amounts(plan, self.family)
        longest = elements or plan.shape.max_elements
        values = fitted(self.coefficients, plan, found, self.lut_of_ram, longest) | exact(self.coefficients, found)
        if self.path is not None:
            values[CLOCK] = 1e3 / period_ns(self.path, path_amounts(plan, size(values), self.family))
        return {name: _rounded(name, value) for name, value in values.items()}

    def energy(self, plan: Plan) -> Energy | None:
        """Of a cycle, a beat, a group; None on an FPGA."""
        return energy(self.coefficients, amounts(plan, self.family)) if of_cells(self.coefficients) else None

    def _outside(self, design: Design, values: Mapping[str, float]) -> list[str]:
        found = []
        engine = design.engine
        sizes = {"bits": engine.precision.bits, "lanes": design.lanes, "elements": engine.max_elements}
        for name, value in sizes.items():
            least, most = self.measured[name]
            if not least <= value <= most:
                found.append(f"{value} {name} (measured: {least} to {most})")
        for name in SIZES:
            if name in self.measured and values[name] > self.measured[name][1]:
                found.append(f"{values[name]:,.0f} {name.upper()} (measured: up to {self.measured[name][1]:,.0f})")
        for name, word in (("norms", engine.norm.name), ("reciprocals", engine.precision.reciprocal)):
            if word not in self.measured[name]:
                found.append(f"{name.removesuffix('s')} {word} (measured: {', '.join(self.measured[name])})")
        return found

    def _too_large(self, values: Mapping[str, float]) -> list[str]:
        """For the clock: wires grow with an engine, and not every one that was measured was placed."""
        most = self.errors.get(CLOCK, {}).get("largest")
        if self.path is None or most is None or of_cells(self.coefficients) or size(values) <= most:
            return []
        return [f"the clock, of an engine of {size(values):,.0f} LUT (placed: up to {most:,.0f})"]


def _rounded(name: str, value: float) -> float:
    return round(float(value), 1) if name in (CLOCK, ENERGY) else round(float(value))


def predicted(design: Design) -> dict[str, Any]:
    """Of every device that ships with hwnorm: the figures, and in what the design lies outside what was measured."""
    found = {name: shipped(name).built(design) for name in fabric_names()}
    return {
        name: {"outside": built.outside, **{key: figure.to_dict() for key, figure in built.figures.items()}}
        for name, built in found.items()
    }


@cache
def fabric_names() -> tuple[str, ...]:
    names = [p.name for p in _folder().iterdir() if p.name.endswith(".json") and not p.name.endswith(POINTS)]
    return tuple(sorted(name.removesuffix(".json") for name in names))


def find_fabric(name: str) -> Fabric | None:
    """A measured device that ships with hwnorm, or a file of ``hwnorm characterize``; None if the name is neither."""
    if name in fabric_names():
        return shipped(name)
    return load(Path(name)) if name.endswith(".json") else None


@cache
def shipped(name: str) -> Fabric:
    return parse(Path(f"{name}.json"), (_folder() / f"{name}.json").read_text(encoding="utf-8"))


def load(path: Path) -> Fabric:
    """Of a file that may hold anything: an engine is costed with it, to see that it can be."""
    try:
        fabric = parse(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{path}: cannot be read as a measured device: {fault}") from None
    try:
        built = fabric.built(Design(Engine("l1", 8, max_elements=64), "forward", 1))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        raise InputError(f"{path}: not a device file of hwnorm characterize: {fault!r}") from None
    if min(figure.value for name, figure in built.figures.items() if name in ("lut", "area_um2", "ff")) <= 0:
        raise InputError(f"{path}: not a device file of hwnorm characterize: an engine costs nothing with it")
    return fabric


def parse(path: Path, text: str) -> Fabric:
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise InputError(f"{path}: is of schema {data['schema']!r}, not {SCHEMA!r}")
        fabric = Fabric(
            name=data["name"],
            summary=data["summary"],
            target=data["target"],
            source=data["source"],
            coefficients=data["coefficients"],
            path=data["path"],
            errors=data["errors"],
            measured=data["measured"],
            lut_of_ram=data["lut_of_ram"],
            engines=data["engines"],
            capacity=data["capacity"],
        )
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as fault:
        raise InputError(f"{path}: not a device file of hwnorm characterize: {fault!r}") from None
    if fabric.target not in FAMILIES:
        raise InputError(
            f"{path}: target {fabric.target!r} has no cost model (there is one for: {', '.join(FAMILIES)})"
        )
    return fabric


def _folder() -> Any:
    return files("hwnorm.cost") / "devices"
