"""The papers' tables and figures, computed from the graphs and set beside what is printed: one file each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from hwnorm.errors import InputError, did_you_mean
from hwnorm.report.reproduce.result import Reproduction

NAMES: dict[str, str] = {
    "fig4": "L1BN Figure 4: time and power of L1 against L2, under every reading",
    "table4": "L1BN Table IV: the four operations, and what they cost per element",
    "table1": "L1BN Table I: the share of batch norm in training time",
    "adder-tree": "Sampling C.1: the depth of the adder tree, and the 36.7 %",
    "theorem1": "L1BN Theorem 1: standard deviation over mean absolute deviation",
}


def reproduce(
    name: str, target: str | None = None, seeds: int = 3, told: Callable[[str], None] = lambda _: None
) -> Reproduction:
    """``target``: table4 synthesised there, with placements of so many seeds."""
    if target is not None:
        if name != "table4":
            raise InputError(f"{name} is not of a target: --target is for table4")
        return cast("Reproduction", import_module(f"{__name__}.table4_today").build(target, seeds, told))
    if name not in NAMES:
        raise InputError(f"nothing to reproduce by the name of {name!r}: {did_you_mean(name, NAMES)}")
    build: Callable[[], Reproduction] = import_module(f"{__name__}.{name.replace('-', '_')}").build
    return build()
