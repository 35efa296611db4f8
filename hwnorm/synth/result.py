"""What synthesis found: counts, frequency over seeds, the slowest path, and where in the hierarchy the cells are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

SCHEMA = "hwnorm.synth/1"
KINDS = ("lut", "ff", "dsp", "bram", "lutram")


@dataclass(frozen=True, slots=True)
class Resources:
    """``lutram`` is the part of ``lut`` that is memory. hwnorm.synth.targets says what counts for how much."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram: int = 0
    lutram: int = 0

    def to_dict(self) -> dict[str, int]:
        return {kind: getattr(self, kind) for kind in KINDS}

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, kind) + getattr(other, kind) for kind in KINDS))

    def __sub__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, kind) - getattr(other, kind) for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Fmax:
    """In MHz, by seed; empty where nothing was placed, or nothing in it is timed."""

    by_seed: Mapping[int, float]

    @property
    def median(self) -> float | None:
        return median(self.by_seed.values()) if self.by_seed else None

    @property
    def best(self) -> float | None:
        return max(self.by_seed.values(), default=None)

    @property
    def worst(self) -> float | None:
        return min(self.by_seed.values(), default=None)

    def to_dict(self) -> dict[str, Any]:
        figures = {"median": self.median, "best": self.best, "worst": self.worst}
        rounded = {name: None if value is None else round(value, 2) for name, value in figures.items()}
        return rounded | {"seeds": len(self.by_seed), "by_seed": {str(s): round(f, 2) for s, f in self.by_seed.items()}}


@dataclass(frozen=True, slots=True)
class Synthesis:
    """``resources`` are the totals, as the placer counts where it does; ``breakdown`` adds up to them."""

    target: str
    device: str
    grade: str
    top: str
    tools: Mapping[str, str]
    resources: Resources
    fmax: Fmax
    critical_path: str | None  # of the median seed
    breakdown: Mapping[str, Resources]
    parts: Mapping[str, Mapping[str, int]]  # the same by cell type
    cells: Mapping[str, int]  # by type, as yosys and the packing pass left them
    packed: Mapping[str, int]  # what moved into block RAMs and multipliers
    utilisation: Mapping[str, int]  # as the placer names it
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``hwnorm synth``."""
        return {
            "schema": SCHEMA,
            "target": self.target,
            "device": self.device,
            "grade": self.grade,
            "top": self.top,
            "tools": dict(self.tools),
            **self.resources.to_dict(),
            "fmax_mhz": self.fmax.to_dict(),
            "critical_path": self.critical_path,
            "breakdown": {name: part.to_dict() for name, part in self.breakdown.items()},
            "cells": dict(self.cells),
            "packed": dict(self.packed),
            "utilisation": dict(self.utilisation),
            "notes": list(self.notes),
        }
