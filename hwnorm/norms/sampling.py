"""Which elements a sampled statistic looks at (Chen et al. 2018, Algorithms 1 to 3), as masks over a group.

A group of a batch norm is (samples, height, width), flattened in that order. A sample is always whole: n of the N
samples, or one rectangle of every feature map. So a ratio is met as nearly as whole samples and whole pixels allow, and
never with nothing: counts are rounded half up and are at least 1. A patch has h = round(H * sqrt(ratio)) rows, and as
many columns as come nearest to ratio * H * W then. ``Sample.ratio`` is what was really taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
import numpy.typing as npt

KINDS = ("ns", "bs", "fs", "vdn")


@dataclass(frozen=True, slots=True)
class Sample:
    """A mask of shape (samples, height, width) and what it amounts to."""

    kind: str
    mask: npt.NDArray[np.bool_]

    @property
    def elements(self) -> int:
        return int(self.mask.sum())

    @property
    def ratio(self) -> float:
        return self.elements / self.mask.size


def sample(
    kind: str, ratio: float, batch: int, height: int = 1, width: int = 1, rng: np.random.Generator | None = None
) -> Sample:
    """A sample of about ``ratio`` of the elements.

    ``ns``: the first samples, always the same. ``bs``: consecutive samples from a random start. ``fs``: a patch at a
    random place, the same in every sample. ``vdn``: the virtual samples, which stand in front of the batch: ``batch``
    counts them. ``rng`` draws the place, once per layer and epoch; without one it is the first.
    """
    if kind not in KINDS:
        raise ValueError(f"sampling must be {', '.join(KINDS)}, not {kind!r}")
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio must be above 0 and at most 1, not {ratio!r}")
    for name, size in (("batch", batch), ("height", height), ("width", width)):
        if size < 1:
            raise ValueError(f"{name} must be a positive integer, not {size!r}")
    samples, rows, columns = extent(kind, ratio, batch, height, width)
    begin = _start(batch - samples, rng) if kind == "bs" else 0
    top, left = _start(height - rows, rng), _start(width - columns, rng)
    mask = np.zeros((batch, height, width), dtype=np.bool_)
    mask[begin : begin + samples, top : top + rows, left : left + columns] = True
    return Sample(kind, mask)


def extent(kind: str, ratio: float, batch: int, height: int, width: int) -> tuple[int, int, int]:
    """(samples, rows, columns) of a sample: all it takes to count with."""
    if kind != "fs":
        return _whole(ratio * batch, batch), height, width
    rows = _whole(height * sqrt(ratio), height)
    return batch, rows, _whole(ratio * height * width / rows, width)


def _whole(count: float, most: int) -> int:
    return min(max(floor(count + 0.5), 1), most)


def _start(room: int, rng: np.random.Generator | None) -> int:
    return 0 if rng is None else int(rng.integers(room + 1))
