"""``hwnorm synth --target asic``: area, speed and leakage of a design in the cells of a Liberty file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hwnorm.gates.timing import Timing, analyse
from hwnorm.synth import opensta
from hwnorm.synth.liberty_files import library
from hwnorm.synth.mapping import DESIGN, TIMED_TOP, Macro, Mapped, map_design, part
from hwnorm.synth.result import SCHEMA

TARGET = "asic"
SUMMARY = "standard cells of --liberty FILE, or of osu018, osu035, osu050 where installed; yosys and abc"
OURS = "hwnorm's own sum of the Liberty tables for fmax_mhz"
NOTE = (
    "before placement: wires as the library's default wire load has them, no clock tree; "
    "memory macros are in no figure but their bits"
)


@dataclass(frozen=True, slots=True)
class Part:
    area_um2: float = 0.0
    cells: int = 0
    ff: int = 0
    leakage_uw: float = 0.0

    def __add__(self, other: Part) -> Part:
        return Part(
            self.area_um2 + other.area_um2,
            self.cells + other.cells,
            self.ff + other.ff,
            self.leakage_uw + other.leakage_uw,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "area_um2": round(self.area_um2, 3),
            "cells": self.cells,
            "ff": self.ff,
            "leakage_uw": round(self.leakage_uw, 6),
        }


@dataclass(frozen=True)
class AsicSynthesis:
    top: str
    mapped: Mapped
    timing: Timing
    opensta: str | None  # its version, where it was asked
    opensta_period_ns: float | None

    @cached_property
    def breakdown(self) -> Mapping[str, Part]:
        """By the first level of the hierarchy; leakage as the mean of the cells' states."""
        found: dict[str, Part] = {}
        for cell in self.mapped.cells:
            known, where = self.mapped.library.cells[cell.type], part(cell.instance)
            ff = int(known.behaviour is not None and known.behaviour.state is not None)
            found[where] = found.get(where, Part()) + Part(known.area, 1, ff, known.leakage_uw)
        return dict(sorted(found.items()))

    @cached_property
    def total(self) -> Part:
        return sum(self.breakdown.values(), Part())

    @property
    def macros(self) -> list[Macro]:
        return self.mapped.macros

    @property
    def hwnorm_mhz(self) -> float | None:
        return self.timing.fmax_mhz

    @property
    def opensta_mhz(self) -> float | None:
        return 1e3 / self.opensta_period_ns if self.opensta_period_ns else None

    @property
    def timed_by(self) -> str:
        return f"{self.opensta} for fmax_mhz" if self.opensta_period_ns else OURS

    @property
    def fmax_mhz(self) -> float | None:
        """OpenSTA's, where it was asked."""
        return self.opensta_mhz or self.hwnorm_mhz

    @property
    def critical_path(self) -> str | None:
        """In the source's names, by our own sum."""
        if self.timing.period_ns is None:
            return None
        netlist = self.mapped.netlist
        known = [netlist.net_name(net) for net in self.timing.path if not netlist.net_name(net).startswith("$")]
        start = netlist.net_name(self.timing.path[0])
        end = netlist.net_name(self.timing.into) if self.timing.into is not None else "a register"
        through = [name for name in known if name not in (start, end)]
        text = f"{start} -> {end}, {self.timing.period_ns:.2f} ns: {len(self.timing.path) - 1} cells"
        return text + (f", through {', '.join(through)}" if through else "")

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``hwnorm synth --target asic``."""
        return {
            "schema": SCHEMA,
            "target": TARGET,
            "device": self.mapped.library.name,
            "grade": f"{self.mapped.library.voltage:g} V",
            "top": self.top,
            "tools": {"yosys": self.mapped.yosys} | ({"opensta": self.opensta} if self.opensta else {}),
            **self.total.to_dict(),
            "fmax_mhz": _rounded(self.fmax_mhz),
            "timing": {
                "fmax_by": self.timed_by,
                "hwnorm_mhz": _rounded(self.hwnorm_mhz),
                "opensta_mhz": _rounded(self.opensta_mhz),
            },
            "critical_path": self.critical_path,
            "macros": [
                {"name": macro.name, "words": macro.words, "width": macro.width, "bits": macro.bits}
                for macro in self.macros
            ],
            "macro_bits": sum(macro.bits for macro in self.macros),
            "breakdown": {name: found.to_dict() for name, found in self.breakdown.items()},
            "notes": [NOTE],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def synthesise_asic(
    verilog: str, top: str, liberty: str, *, file_name: str = DESIGN, second_opinion: bool = True
) -> AsicSynthesis:
    """The module ``top`` of a Verilog text in the cells of a Liberty file (a path, or a name of `liberty_files`).

    ``file_name`` is the text's, as messages have it. ``second_opinion``: asks OpenSTA, where it is installed, how fast
    the result is.
    """
    cells, text = library(liberty)
    mapped = map_design(verilog, top, cells, text, file_name)
    timing = analyse(mapped.netlist)
    version = opensta.find_opensta() if second_opinion else None
    clocks = [mapped.netlist.net_name(net) for net in mapped.netlist.program.clocks]
    period = None
    if version is not None and len(clocks) == 1:
        period = opensta.period_ns(mapped.verilog, TIMED_TOP, clocks[0], text)
    return AsicSynthesis(top, mapped, timing, version, period)
