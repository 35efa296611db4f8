"""Groups that chance does not draw: a value at the very end of its format, or where a carry runs through all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hwnorm.engine import Engine
from hwnorm.fixed import Ints
from hwnorm.views.int_ref import Call

ROWS, TRIES = 1 << 13, 8  # gradients and gammas that are tried with each other, and how often
FEW_BITS, SHORT = 8, 64  # and the engines and groups for which that is enough


def rounding_up(engine: Engine, x: Ints, drawn: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """gamma whose gain is just below one of the powers of two that it reaches: rounding carries through all bits there,
    which by chance it does once in thousands of times, and less often where K is not normalised any more."""
    values = engine.forward(x, **{**drawn, "gamma": np.ones(len(x))}).saved.values
    if "K" not in values:  # gamma is the gain
        return drawn["gamma"]
    gain = (values["K"].v * 2.0 ** -values["K"].frac).reshape(-1)
    alive, gain, step = gain > 0, np.where(gain > 0, gain, 1.0), 2.0 ** -values["gamma"].frac
    power = np.exp2(np.floor(np.log2(gain * (4 - step))) - rng.integers(0, 3, len(x)))
    return np.where(alive, np.floor(power / gain / step) * step, drawn["gamma"])


def just_beyond(
    engine: Engine, results: Callable[[Mapping[str, Any]], Ints], drawn: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """gamma that takes a group's largest result to a power of two, or a little further: one of all that are beyond its
    format and that it reaches, where nothing but one bit says that it is too large. Without a beta."""
    rail, most = 1 << (engine.precision.bits - 1), 4.0 - 2.0 ** -(engine.precision.bits + 2)
    found = {name: np.zeros(len(drawn["gamma"])) for name in ("gamma", "beta") if name in drawn}
    size = np.zeros(len(drawn["gamma"]))
    for halvings in range(engine.precision.bits + 2):
        found["gamma"][:] = most / 2**halvings
        largest = np.abs(results({**drawn, **found})).reshape(len(size), -1).max(axis=1)
        size = np.where((size == 0) & (largest < rail - 1), largest * 2.0**halvings, size)
    reached = np.floor(np.log2(np.maximum(size / rail, 1))).astype(np.int64)
    wanted = rail * 2.0 ** rng.integers(0, reached + 1) + rng.uniform(0, rail / 2, len(size))
    found["gamma"] = np.where(size > rail, np.minimum(wanted / np.maximum(size, 1), 1) * most, drawn["gamma"])
    return found


def has_slope(engine: Engine) -> bool:
    """Whether dx falls with x by a J that is made of K, q and R, where gamma is one a group; of few bits."""
    if engine.precision.bits > FEW_BITS or engine.norm.affine != "group":
        return False
    return {node.name for node in engine.program("backward").graph} >= {"Kd", "q", "kappa", "R", "J"}


def steepest(engine: Engine, m: int, groups: int, rng: np.random.Generator) -> Call | None:
    """Groups whose J = Kd * q * kappa * R rounds up from the largest number of its format, which is too large then. One
    in some millions does by chance, and only where dx has its most bits behind the point. Of one x with few values, as
    q is the same for every gamma, and K for every gradient: each of some thousands meets each. None where none did."""
    if not 1 < m <= SHORT:
        return None
    rail, (_, dx_frac) = 1 << (engine.precision.bits - 1), engine.precision.dx_frac_range
    gamma, end = engine.formats["gamma"], engine.formats["J"].hi + 1
    for _ in range(TRIES):
        x = np.repeat(rng.integers(0, rng.integers(2, 5), (1, m)), ROWS, axis=0)
        gammas = rng.integers(gamma.lo, gamma.hi + 1, ROWS) * 2.0**-gamma.frac
        along = np.sign(x - x.mean()) * rng.uniform(-rail, rail, (ROWS, 1))
        dy = np.clip(np.round(along + rng.normal(0, rail / 4, (ROWS, m))), -rail, rail - 1).astype(np.int64)
        saved = engine.forward(x, gamma=gammas, beta=np.zeros(ROWS)).saved
        found = engine.backward_call(dy, saved, dx_frac).run()
        held = {name: found[name].v.ravel().tolist() for name in ("Kd", "q", "kappa", "R")}
        fracs = {name: np.broadcast_to(found[name].frac, (ROWS, 1)).ravel().tolist() for name in (*held, "J")}
        rows = {q: row for row, q in enumerate(held["q"])}
        met = []
        for row in range(ROWS):
            factor = held["Kd"][row] * held["kappa"][0] * held["R"][0]
            shift = fracs["Kd"][row] + fracs["q"][row] + fracs["kappa"][0] + fracs["R"][0] - fracs["J"][row]
            q = _rounded_up(abs(factor), shift, end) * (1 if factor > 0 else -1)
            if q and q in rows:
                met.append((row, rows[q]))
        if met:
            chosen, others = np.array(met)[rng.integers(len(met), size=groups)].T
            saved = engine.forward(x[chosen], gamma=gammas[chosen], beta=np.zeros(groups)).saved
            return engine.backward_call(dy[others], saved, dx_frac)
    return None


def _rounded_up(factor: int, shift: int, end: int) -> int:
    """The q for which factor * q / 2**shift is less than half below ``end``; 0 where there is none."""
    if factor == 0:
        return 0
    least = -(-((2 * end - 1) << shift) // (2 * factor))
    return least if least * factor < end << shift else 0
