"""What a run has shown a design, and what it has not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from hwnorm.check.bench import Outcome
from hwnorm.check.groups import Groups
from hwnorm.check.queues import Segment
from hwnorm.precision import Scaled
from hwnorm.rtl.design import Design


@dataclass
class Coverage:
    groups: int = 0
    elements: int = 0
    lengths: set[int] = field(default_factory=set)
    wrong: int = 0
    rails_low: int = 0
    rails_high: int = 0
    saturated_low: int = 0
    saturated_high: int = 0
    dead: int = 0
    clamps: int = 0
    shifts: set[int] = field(default_factory=set)
    layers: int = 0
    stalled_in: int = 0
    stalled_out: int = 0
    cycles: int = 0

    def stalls(self, outcome: Outcome) -> None:
        self.cycles += outcome.cycles
        self.stalled_in += int(outcome.waits["input"].sum())
        self.stalled_out += int(outcome.waits["output"].sum())

    def sequences(self, design: Design, sequences: Iterable[list[Segment]]) -> None:
        """Every batch counts once, as a whole: all of its groups are somewhere."""
        seen: dict[int, Groups] = {}
        for sequence in sequences:
            self.layers = max(self.layers, len({tuple(batch.groups.layer.items()) for batch, _, _ in sequence}))
            seen |= {id(batch): batch.groups for batch, _, _ in sequence}
        for groups in seen.values():
            self._add(design, groups)

    def _add(self, design: Design, groups: Groups) -> None:
        self.groups += groups.count
        self.elements += groups.count * groups.m
        self.lengths.add(groups.m)
        self.wrong += groups.count if groups.wrong else 0
        bits = design.engine.precision.bits
        lo, hi = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        data = groups.streams.get("dy" if design.direction == "backward" else "x")
        if data is not None:
            self.rails_low += int((data == lo).sum())
            self.rails_high += int((data == hi).sum())
        x = groups.streams.get("x")
        if x is not None:
            self.dead += int((x == x[:, :1]).all(axis=1).sum())
        out = groups.wanted.get("dx" if design.direction == "backward" else "y")
        if out is not None:
            self.saturated_low += int((out == lo).sum())
            self.saturated_high += int((out == hi).sum())
        given = {**groups.given, **groups.result}
        shift = shifts(design)
        if shift is not None and "K" in given and "K_frac" in given:
            base, lowest, _, width = shift
            each = np.asarray(given["K_frac"]) - base
            self.shifts |= set(each.tolist())
            self.clamps += int(((np.abs(given["K"]) == (1 << width) - 1) & (each == lowest)).sum())

    def lines(self, design: Design) -> list[str]:
        """What was covered; then, where something was not, one line of that."""
        most = design.engine.max_elements
        fixed = design.engine.elements is not None
        found = [
            f"{self.groups:,} groups, {self.elements:,} elements, {self.cycles:,} cycles of all streams: "
            "every bit equals the reference",
            f"lengths: {most}"
            if fixed
            else f"lengths: {len(self.lengths)} of {most}, {min(self.lengths)} to "
            f"{max(self.lengths)}, up to {self.layers} layers in a row",
            f"rails in: {self.rails_low:,} low, {self.rails_high:,} high; saturations out: {self.saturated_low:,} low, "
            f"{self.saturated_high:,} high",
            f"dead groups: {self.dead:,}; groups of a wrong length: {self.wrong:,}; stalls: {self.stalled_in:,} cycles "
            f"of inputs, {self.stalled_out:,} of outputs",
        ]
        shift = shifts(design)
        if shift is not None and self.shifts:
            found.append(f"gain: {self.clamps:,} clamps, shifts {_spans(self.shifts)} of {shift[1]} to {shift[2]}")
        missing = self._missing(design)
        found.append("not covered: " + ("; ".join(missing) if missing else "nothing of the above"))
        return found

    def _missing(self, design: Design) -> list[str]:
        most, found = design.engine.max_elements, []
        if design.engine.elements is None and len(self.lengths) < most:
            found.append(f"{most - len(self.lengths)} lengths")
        for name, count in (
            ("a low rail", self.rails_low),
            ("a high rail", self.rails_high),
            ("a low saturation", self.saturated_low),
            ("a high saturation", self.saturated_high),
            ("a wrong length", self.wrong),
        ):
            if not count:
                found.append(name)
        shift = shifts(design)
        if shift is not None and self.shifts:
            left = set(range(shift[1], shift[2] + 1)) - self.shifts
            if left:
                found.append(f"shifts {_spans(left)}")
            if not self.clamps:
                found.append("a gain that clamps")
        return found


def shifts(design: Design) -> tuple[int, int, int, int] | None:
    """Of the gain, where there is one: base, least and largest shift, width of the mantissa."""
    forward = design.direction if design.direction != "backward" else "forward"
    if forward not in design.engine.directions:
        return None
    node = design.engine.program(forward).graph.outputs.get("K")
    role = design.engine.precision.role(node.role) if node is not None and node.role else None
    if isinstance(role, Scaled) and role.shift:
        return role.base, *role.shift, role.width
    return None


def _spans(numbers: Iterable[int]) -> str:
    """``2-5, 7``"""
    found: list[list[int]] = []
    for n in sorted(numbers):
        if found and n == found[-1][1] + 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)
