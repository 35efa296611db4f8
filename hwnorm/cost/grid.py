"""Very many configurations at once: every engine of some widths and lanes on every workload of some lengths, groups.

What an engine takes does not depend on what it is used for, so each is planned once; its time is the cycle formula,
over all workloads together. ``benchmarks/bench_grid.py`` says how many configurations a second that makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnorm.cost.fabric import Fabric, find_fabric
from hwnorm.cost.quantities import CLOCK
from hwnorm.cost.streaming import CLOCK_MHZ
from hwnorm.engine import Engine
from hwnorm.errors import InputError
from hwnorm.rtl.design import Design

AXES = ("bits", "lanes", "elements", "groups")


@dataclass(frozen=True)
class Grid:
    """``engines``: what the device tells of one (lut, ff, dsp, bram, fmax_mhz), by (bits, lanes). ``cycles`` and
    ``time_s`` by (bits, lanes, elements, groups). ``measured``: whether an engine is in the range that the device was
    measured in."""

    engines: dict[str, npt.NDArray[np.float64]]
    measured: npt.NDArray[np.bool_]
    cycles: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]

    @property
    def configurations(self) -> int:
        return self.cycles.size


def grid(
    device: str | Fabric,
    norm: str,
    direction: str,
    *,
    bits: Sequence[int],
    lanes: Sequence[int],
    elements: Sequence[int],
    groups: Sequence[int] = (1,),
) -> Grid:
    """Engines for groups of up to the longest of ``elements``, each at its own fitted clock."""
    fabric = find_fabric(device) if isinstance(device, str) else device
    if fabric is None:
        raise InputError(f"device {device!r} is not a measured one")
    if not all((bits, lanes, elements, groups)):
        raise ValueError(f"each of {', '.join(AXES)} needs a value at least")
    shape = len(bits), len(lanes), len(elements), len(groups)
    engines: dict[str, npt.NDArray[np.float64]] = {}
    measured, cycles = np.zeros(shape[:2], bool), np.zeros(shape, np.int64)
    length, many = np.array(elements)[:, None], np.array(groups)[None, :]
    for i, width in enumerate(bits):
        engine = Engine(norm, width, max_elements=max(elements))
        for j, number in enumerate(lanes):
            design = Design(engine, direction, number)
            built = fabric.built(design)
            measured[i, j] = not built.outside
            for name, figure in built.figures.items():
                engines.setdefault(name, np.zeros(shape[:2]))[i, j] = figure.value
            cycles[i, j] = _cycles(design, -(-length // number), many)
    clock = engines.get(CLOCK, np.full(shape[:2], CLOCK_MHZ))
    return Grid(engines, measured, cycles, cycles / (clock[:, :, None, None] * 1e6))


def _cycles(design: Design, beats: Any, groups: Any) -> Any:
    """Plan.cycles, of arrays."""
    plan = design.plan
    return len(plan.sweeps) * (beats - 1) + (groups - 1) * np.maximum(beats, plan.min_beats) + plan.overhead
