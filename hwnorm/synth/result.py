"""What synthesis found: counts, frequency over seeds, the slowest path, and where in the hierarchy the cells are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

SCHEMA = "hwnorm.synth/1"


@dataclass(frozen=True, slots=True)
class Resources:
    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram: int = 0
    lutram: int = 0

    def to_dict(self) -> dict[str, int]:
        return {"lut": self.lut, "ff": self.ff, "dsp": self.dsp, "bram": self.bram, "lutram": self.lutram}

    def __sub__(self, other: Resources) -> Resources:
        mine, theirs = self.to_dict(), other.to_dict()
        return Resources(**{name: mine[name] - theirs[name] for name in mine})


@dataclass(frozen=True, slots=True)
class Fmax:
    """In MHz, by seed; ``None`` of them where nothing is timed."""

    by_seed: Mapping[int, float]

    @property
    def median(self) -> float:
        return median(self.by_seed.values())

    def to_dict(self) -> dict[str, Any]:
        values: Sequence[float] = list(self.by_seed.values())
        if not values:
            return {"median": None, "best": None, "worst": None, "seeds": 0}
        figures = {"median": median(values), "best": max(values), "worst": min(values)}
        return {name: round(value, 2) for name, value in figures.items()} | {"seeds": len(values)}


@dataclass(frozen=True, slots=True)
class Synthesis:
    target: str
    device: str
    grade: str
    top: str
    tools: Mapping[str, str]
    resources: Resources
    fmax: Fmax
    critical_path: str | None
    breakdown: Mapping[str, Resources] = field(default_factory=dict)
    cells: Mapping[str, int] = field(default_factory=dict)  # by type, as yosys and the packing pass left them
    packed: Mapping[str, int] = field(default_factory=dict)  # registers that moved into other primitives
    utilisation: Mapping[str, int] = field(default_factory=dict)  # as the placer counts
    warnings: tuple[str, ...] = ()

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
            "warnings": list(self.warnings),
        }
