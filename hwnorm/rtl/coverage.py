"""What a set of groups puts to the test, counted by the reference while it computes them.

A point is something that a design must get right at least once: an accumulator at either rail, a value that saturates
at either end, a group without deviation, a gain that clamps, each shift of a gain, a group of one element, a last beat
that is not full. Rails are the bounds that a register was made for; some of them no data reach, and the report says how
far they went.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from hwnorm.engine import Engine
from hwnorm.ir import REDUCTIONS, Node, Op, Rate
from hwnorm.precision import Fixed, Relative, Scaled
from hwnorm.units import Gain
from hwnorm.views.int_ref import Call, Program, Run, Value

UNLIMITED = 99  # beyond every gain's shift


@dataclass
class Point:
    """How often it was hit, in groups or elements; ``nearest`` is what a rail's register came to."""

    hits: int = 0
    nearest: int | None = None


class Coverage:
    def __init__(self, engine: Engine, direction: str, lanes: int) -> None:
        self.lanes, self.points = lanes, dict[str, Point]()
        self.partial = lanes > 1 and (engine.elements is None or engine.elements % lanes != 0)
        self.single = engine.elements in (None, 1)
        program = engine.program(direction)
        for node in program.graph:
            for name in _points(program, node):
                self.points[name] = Point()
        if self.single:
            self.points["m = 1"] = Point()
        if self.partial:
            self.points["partial last beat"] = Point()

    def add(self, call: Call) -> None:
        run = _Watched(call, self)
        run.whole()
        groups = max(len(v.v) for v in call.inputs.values() if v.v.ndim > 1)
        if self.single:
            self.points["m = 1"].hits += groups * (call.setting.m == 1)
        if self.partial:
            self.points["partial last beat"].hits += groups * (call.setting.m % self.lanes != 0)

    def hit(self, name: str, count: Any) -> None:
        self.points[name].hits += int(count)

    @property
    def missed(self) -> dict[str, Point]:
        return {name: point for name, point in self.points.items() if not point.hits}

    def lines(self) -> list[str]:
        """What was hit how often, then what was not."""
        hit = [f"{name}: {point.hits:,}" for name, point in self.points.items() if point.hits]
        missed = []
        for name, point in self.missed.items():
            missed.append(name if point.nearest is None else f"{name} (came to {point.nearest})")
        found = [f"{len(hit)} of {len(self.points)} points hit: {'; '.join(hit)}"]
        return found + ([f"not hit: {'; '.join(missed)}"] if missed else [])


def _points(program: Program, node: Node) -> list[str]:
    name, kind = _name(program, node), program.types[node]
    if not name:
        return []
    if node.op in REDUCTIONS:
        return [f"{name} = {kind.lo}", f"{name} = {kind.hi}"]
    if _is_zero_for_dead(program, node):
        return [f"{name} = 0"]
    role = program.precision.role(node.role) if node.role and node.op in (Op.CAST, Op.ALIGN) else None
    match role:
        case Scaled(shift=(lo, hi)):
            return [f"{name} clamps", *(f"{name} shift {sh}" for sh in range(lo, hi + 1)), f"{name} loses bits"]
        case Fixed() | Relative() if role.width:
            least, most = _unlimited(program, node)
            below, above = (
                [f"{name} below {kind.lo}"] * (least < kind.lo),
                [f"{name} above {kind.hi}"] * (most > kind.hi),
            )
            return [*below, *above]
        case _:
            return []


def _unlimited(program: Program, node: Node) -> tuple[float, float]:
    """What a value may be before it saturates, in its own LSB; anything where its exponent differs by the group."""
    kind, before = program.types[node], program.types[node.args[0]]
    if kind.scale or before.scale:
        return -inf, inf
    return before.lo * 2.0 ** (kind.frac - before.frac), before.hi * 2.0 ** (kind.frac - before.frac)


def _is_zero_for_dead(program: Program, node: Node) -> bool:
    """A reciprocal, guarded or not; behind the forward pass what it saved of one."""
    if node.rate is not Rate.STAT:
        return False
    if node.op is Op.INPUT:
        return bool(program.types[node].scale)
    return node.op is Op.RECIP or (node.op is Op.SELECT and any(a.op is Op.RECIP for a in node.args))


def _name(program: Program, node: Node) -> str:
    return node.name or next((name for name, one in program.graph.outputs.items() if one is node), "")


class _Watched(Run):
    """The reference, which tells what passes."""

    def __init__(self, call: Call, coverage: Coverage) -> None:
        super().__init__(call.program, call.inputs, call.setting)
        self.coverage = coverage
        self.watched = {n: p for n in call.program.graph if (p := _points(call.program, n))}

    def check(self, node: Node, value: Value) -> None:
        super().check(node, value)
        if node in self.watched and node.op in REDUCTIONS:
            kind = self.types[node]
            for name, rail, nearest in zip(
                self.watched[node], (kind.lo, kind.hi), (value.v.min(), value.v.max()), strict=True
            ):
                point = self.coverage.points[name]
                point.hits += int((value.v == rail).sum())
                others = [int(nearest), *([] if point.nearest is None else [point.nearest])]
                point.nearest = min(others, key=lambda v: abs(v - rail))

    def evaluate(self, node: Node, args: list[Value]) -> Value:
        value = super().evaluate(node, args)
        points = self.watched.get(node)
        if points and _is_zero_for_dead(self.program, node):
            self.coverage.hit(points[0], (value.v == 0).sum())
        elif points and node.op in (Op.CAST, Op.ALIGN):
            role = self.precision.role(node.role)
            if isinstance(role, Scaled):
                self._gain(role, points, args[0])
            else:
                self._saturation(node, points, args[0], value)
        return value

    def _gain(self, role: Scaled, points: list[str], product: Value) -> None:
        assert role.shift is not None
        lo, hi = role.shift
        unlimited = Gain(role.width, role.base, -UNLIMITED, UNLIMITED)
        mantissa, frac = unlimited.compute(product.v, np.asarray(product.frac))
        shift = np.where(mantissa == 0, hi, frac - role.base)
        self.coverage.hit(points[0], (shift < lo).sum())
        for sh, name in zip(range(lo, hi + 1), points[1:], strict=False):
            self.coverage.hit(name, (np.clip(shift, lo, hi) == sh).sum())
        self.coverage.hit(points[-1], (shift > hi).sum())

    def _saturation(self, node: Node, points: list[str], exact: Value, rounded: Value) -> None:
        """As float64 tells it: half an LSB beyond the rail is what rounding saturates."""
        kind = self.types[node]
        real = exact.real() * np.exp2(np.asarray(rounded.frac, dtype=np.float64))
        for point in points:
            self.coverage.hit(point, (real < kind.lo - 0.5 if " below " in point else real >= kind.hi + 0.5).sum())
