"""A number that knows where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Origin(StrEnum):
    """From the firmest to the weakest."""

    MEASURED = "MEASURED"  # by a tool, on our design
    FITTED = "FITTED"  # by a curve through measured points, whose error is stated
    CITED = "CITED"  # printed in a paper
    ASSUMED = "ASSUMED"  # a stated guess


ORDER = tuple(Origin)


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` in the unit that the figure's name ends with."""

    value: float
    origin: Origin
    error_pct: float | None = None

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.value + other.value, *least_sure(self, other))

    def times(self, factor: float) -> Figure:
        return Figure(self.value * factor, self.origin, self.error_pct)

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"value": self.value, "origin": self.origin.value}
        return found if self.error_pct is None else {**found, "error_pct": self.error_pct}


def least_sure(*figures: Figure) -> tuple[Origin, float | None]:
    """Of what is made of these: the weakest origin, and the largest error, None where one is not known."""
    errors = [figure.error_pct for figure in figures]
    known = [error for error in errors if error is not None]
    return weakest(*(figure.origin for figure in figures)), max(known) if len(known) == len(errors) else None


def weakest(*origins: Origin) -> Origin:
    """A sum is as firm as its weakest part."""
    return max(origins, key=ORDER.index)
