"""Groups that a generated design has to get right: the cases that decide, and some drawn at random.

Every case is run through the bit-true reference; what it computed is what the design must.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hwnorm.engine import Engine
from hwnorm.fixed import Ints
from hwnorm.views.int_ref import Call

SEED = 7
MOST_ELEMENTS = 60_000  # of one call: of very long groups there are fewer
MOST_LENGTHS = 64  # that are drawn before they repeat


def cases(engine: Engine, direction: str, lanes: int) -> Iterator[Call]:
    """One call a length: the engine's own, or where it takes any up to a maximum those at the edges of a beat."""
    rng = np.random.default_rng(SEED)
    for m in _lengths(engine, lanes):
        yield _call(engine, direction, _data(rng, engine.precision.bits, m), rng)


def drawn(engine: Engine, direction: str, seed: int, most_elements: int) -> Iterator[Call]:
    """Random groups, so many elements at least: every length up to the maximum where there are few, else any, short
    as often as long ones; of every scale, so that gains and their shifts are; dead groups and rails among them."""
    rng = np.random.default_rng(seed)
    longest = engine.max_elements
    if engine.elements is not None:
        lengths = [longest]
    elif longest <= MOST_LENGTHS:
        lengths = [longest, *rng.permutation(longest) + 1]
    else:
        some = np.exp2(rng.uniform(0, np.log2(longest), MOST_LENGTHS)).astype(int)
        lengths = [longest, *some, *rng.integers(1, longest + 1, MOST_LENGTHS // 4)]
    spent = 0
    while spent < most_elements:
        for m in lengths:
            groups = int(rng.integers(1, 12))
            yield _call(engine, direction, _drawn_data(rng, engine.precision.bits, groups, int(m)), rng, drawing=True)
            spent += groups * int(m)
            if spent >= most_elements:
                return


def _drawn_data(rng: np.random.Generator, bits: int, groups: int, m: int) -> Ints:
    """Any deviation from a fraction of a bit to beyond the rails, any mean; now and then rails alone, or a constant."""
    lo, hi = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    rows = []
    for _ in range(groups):
        deviation = 2.0 ** rng.uniform(-2, bits)
        row = rng.uniform(lo, hi) + deviation * rng.standard_normal(m)
        match rng.integers(10):
            case 0:
                row = rng.choice([lo, hi], m)
            case 1:
                row = np.full(m, rng.integers(lo, hi + 1))
            case 2:
                row = np.where(np.arange(m) == rng.integers(m), rng.integers(lo, hi + 1), rng.integers(lo, hi + 1))
            case 3:
                row = np.full(m, rng.integers(lo, hi))
                row[rng.integers(m)] += 1
        rows.append(row)
    return np.clip(np.round(rows), lo, hi).astype(np.int64)


def _lengths(engine: Engine, lanes: int) -> list[int]:
    if engine.elements is not None:
        return [engine.elements]
    most = engine.max_elements
    return sorted({min(max(m, 1), most) for m in (1, 2, 3, lanes, lanes + 1, most // 2, most - 1, most)})


def _data(rng: np.random.Generator, bits: int, m: int) -> Ints:
    """Constant groups, rails, an outlier, one-sided and near-constant data, and several distributions."""
    lo, hi = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    position = np.arange(m)
    rows = [
        np.full(m, lo),
        np.full(m, hi),
        np.zeros(m),
        np.where(position % 2, lo, hi),
        np.where(position < m // 2, lo, hi),
        np.where(position == m // 2, hi, lo),
        np.where(position == 0, hi // 3 + 1, hi // 3),
        np.maximum(rng.normal(0, hi / 2, m), 0),
        rng.normal(hi / 8, hi / 4, m),
        rng.normal(0, 1, m) + hi / 2,
        rng.uniform(lo, hi, m),
        rng.standard_t(2, m) * hi / 20,
    ]
    some = rows if m * len(rows) <= MOST_ELEMENTS else rows[4 :: max(len(rows) * m // MOST_ELEMENTS, 1)]
    return np.clip(np.round(some), lo, hi).astype(np.int64)


def _call(engine: Engine, direction: str, x: Ints, rng: np.random.Generator, drawing: bool = False) -> Call:
    """``drawing``: also what the cases that decide leave at its default."""
    groups, m = x.shape
    arguments: dict[str, Any] = {}
    if engine.norm.affine != "none":
        arguments = affine(engine, m if engine.norm.affine == "element" else groups, rng)
        if drawing:
            gamma = arguments["gamma"]
            gamma *= np.where(rng.random(len(gamma)) < 0.5, np.exp2(rng.uniform(-6, 0, len(gamma))), 1)
    if direction == "inference":
        if engine.norm.affine != "element" and engine.norm.name != "instance" and arguments:
            lo, hi = int(x.min()), int(x.max())
            arguments |= {"mean": rng.uniform(lo, hi, groups), "deviation": rng.uniform(0, max(hi, 1), groups)}
        return engine.inference_call(x, **arguments)
    if engine.norm.sampling:
        arguments["sampled"] = np.arange(m) % 3 == 0
        if drawing:
            arguments["sampled"] = rng.random(m) < rng.uniform(0.1, 1)
            arguments["sampled"][rng.integers(m)] = True
    if drawing and "c0" in engine.program("forward").graph.inputs:
        arguments["pivot"] = np.clip(x.mean(axis=1).astype(np.int64) + rng.integers(-2, 3, groups), x.min(), x.max())
    if direction == "forward":
        if engine.momentum_bits is not None:
            spread = rng.uniform(0, 4.0 ** (engine.precision.bits - 1), groups)
            arguments["running"] = {"mean": rng.uniform(int(x.min()), int(x.max()) + 1, groups), "spread": spread}
        call = engine.forward_call(x, **arguments)
        return with_epsilon(engine, call, rng) if drawing else call
    if not drawing:
        dy = _data(rng, engine.precision.bits, m)[rng.permutation(groups)]
        return engine.backward_call(dy, engine.forward(x, **arguments).saved)
    dy = _drawn_data(rng, engine.precision.bits, groups, m)
    lo, hi = engine.precision.dx_frac_range
    scale = int(rng.integers(lo, hi + 1)) if rng.random() < 0.5 else None
    return engine.backward_call(dy, engine.forward(x, **arguments).saved, scale)


def affine(engine: Engine, count: int, rng: np.random.Generator) -> dict[str, Ints]:
    """gamma of either sign, zero and at its limits; beta at the limits of y and anywhere between."""
    gamma = rng.choice([-1, 1], count) * rng.uniform(0.05, 3.9, count)
    edge = [1.0, -1.0, 0.0, 4.0 - 2.0 ** -(engine.precision.bits + 2), -4.0]
    gamma[: len(edge)] = edge[:count]
    reach = 2.0 ** (engine.precision.bits - 1 - engine.precision.y_frac)  # half of what beta's register holds
    beta = rng.uniform(-reach, reach, count)
    beta[-2:] = [reach, -reach][:count]
    return {"gamma": gamma, "beta": beta}


def with_epsilon(engine: Engine, call: Call, rng: np.random.Generator) -> Call:
    """Where epsilon is loaded, any that its register holds in every other call: of a few elements ours is none."""
    node = call.program.graph.layer_registers.get("E")
    if engine.elements is not None or node is None or rng.random() < 0.5:
        return call
    assert callable(node.value) and node.bound is not None
    _, most = node.bound(engine.precision.bits, engine.max_elements)
    held = 2.0 ** rng.uniform(-1, np.log2(most))
    whole = float(node.value(replace(call.setting, eps=1.0)))  # what an epsilon of 1 is there
    return replace(call, setting=replace(call.setting, eps=held / whole if whole else 0.0))
