"""The L1BN paper's own accounting (its Figure 4): only sign, abs, square and root, each at the price of its Table IV.

One sign and one abs an element (Eq. 11, Eq. 15) against one square (Eq. 5), so for any network and any batch

    time   3 / (1 + 1) = 1.5        power   1 - (2 + 6) / 15 = 46.7 % saved,

with the root left out, which the paper does because it runs once a channel. With it the speedup over S channels and N*E
elements is 1.5 + 14 * S / (N*E) exactly. No addition, multiplication or access to memory is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwnorm.cost.device import Device
from hwnorm.cost.figure import Figure, Origin

OPERATIONS = ("sign", "abs", "square", "sqrt")


@dataclass(frozen=True, slots=True)
class PaperCost:
    """Time and power of the counted operations, summed; each with and without the root."""

    device: str
    time_ns: Figure
    power_uw: Figure
    time_with_root_ns: Figure
    power_with_root_uw: Figure

    def to_dict(self) -> dict[str, Any]:
        names = ("time_ns", "power_uw", "time_with_root_ns", "power_with_root_uw")
        return {"device": self.device} | {name: getattr(self, name).to_dict() for name in names}


def paper_cost(operations: Mapping[str, int], device: Device) -> PaperCost:
    def summed(quantity: str, names: tuple[str, ...]) -> Figure:
        total = Figure(0.0, Origin.CITED)
        for name in names:
            total += device.cost(name, quantity).times(operations[name])
        return total

    without = OPERATIONS[:-1]
    return PaperCost(
        device.name,
        summed("time_ns", without),
        summed("power_uw", without),
        summed("time_ns", OPERATIONS),
        summed("power_uw", OPERATIONS),
    )


def ratio(ours: Figure, theirs: Figure) -> float | None:
    """How many times less ours is; None where it is nothing at all."""
    return theirs.value / ours.value if ours.value else None


def saving(ours: Figure, theirs: Figure) -> float | None:
    return 1 - ours.value / theirs.value if theirs.value else None
