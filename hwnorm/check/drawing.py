"""Groups drawn at random for a generated engine: every kind of data, lengths of all sizes, lengths that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwnorm.bundle.cases import affine, with_epsilon
from hwnorm.check.bench import Stalls
from hwnorm.check.groups import Groups, groups_of
from hwnorm.check.ports import Layout
from hwnorm.check.queues import Segment
from hwnorm.check.rare import has_slope, just_beyond, rounding_up, steepest
from hwnorm.check.rows import Batch, batch_of
from hwnorm.engine import Engine
from hwnorm.fixed import Ints
from hwnorm.rtl.design import Design
from hwnorm.views.int_ref import Call

TOGETHER = 16  # streams that share their lengths, and how often they stall
Patterns = Sequence[tuple[float, float, int]]
NONE, MANY, LONG = 0, 1, 2  # pauses in which groups of one beat, or the longest ones, fill the design
PATTERNS = (  # how often valid is kept back, how often ready is, and whether ready pauses
    *((0.0, 0.0, NONE), (0.3, 0.3, NONE), (0.0, 0.5, NONE), (0.5, 0.0, NONE)),
    *((0.75, 0.1, NONE), (0.1, 0.75, NONE), (0.0, 0.0, MANY), (0.2, 0.2, LONG)),
)
STEADY = PATTERNS[:1]
HELD = ((0.0, 0.1, NONE),)  # outputs alone wait, here and there
PAUSED = ((0.0, 0.0, LONG), (0.2, 0.2, LONG), (0.1, 0.3, LONG), (0.0, 0.0, MANY))
LONGEST_PAUSE = 4000  # cycles
Data = Callable[[np.random.Generator, int, int, int], Ints]  # bits, groups, elements
MOST_ELEMENTS = 1 << 21  # of one call: with very long groups there are fewer streams


@dataclass(frozen=True)
class Draw:
    """What each stream gets, and how often it stalls."""

    sequences: list[list[Segment]]
    stalls: list[tuple[float, float, int]]


def drawn(
    design: Design,
    layouts: Sequence[Layout],
    seed: int,
    streams: int,
    cycles: int,
    patterns: Patterns = PATTERNS,
) -> Draw:
    """About ``cycles`` cycles for each of ``streams`` streams, which stall in those ways."""
    rng, plan, count = np.random.default_rng(seed), design.plan, 0
    draw = Draw([], [])
    for block in range(max(streams // TOGETHER, 1)):
        given, taken, pause = pattern = patterns[block % len(patterns)]
        left = cycles * (1 - max(given, taken)) / (1 + bool(pause) / 3)
        batches: list[tuple[list[Batch], int]] = []  # of a stream's groups in turn, and how many these are
        wrong = block % 2 == 1
        first = int(bool(pause))  # batches that are there to fill the design; another length empties it first
        for m in _lengths(design, rng):
            each = int(rng.integers(1, 4))
            if len(batches) < first:
                m, each = _run(design, rng, pause)
            error = _wrong(design, rng) if wrong and len(batches) == 1 else 0
            if error:
                m, each = (design.engine.max_elements if rng.random() < 0.5 else m), 3
            beats = -(-m // design.lanes)
            left -= each * max(beats, plan.min_beats) + len(plan.sweeps) * beats + plan.overhead
            if left < 0 and len(batches) > 1:
                break
            call = call_of(design.engine, design.direction, m, each * TOGETHER, rng)
            groups = groups_of(call, design, layouts, "random", count)
            in_turn = [batch_of(groups, layouts)]
            if error:  # between right ones of its layer, which are inside with it
                in_turn += [batch_of(_of_wrong_length(groups, design, error), layouts), *in_turn]
            batches.append((in_turn, each))
            count += groups.count
        for s in range(TOGETHER):
            behind = (first + rng.permutation(len(batches) - first)).tolist()
            if s % 2:  # one layer after the other: what else changes within it, changes without a pause
                behind.sort(key=lambda k: batches[k][0][0].groups.m)
            ordered = (batches[k] for k in [*range(first), *behind])
            draw.sequences.append([segment for in_turn, each in ordered for segment in _segments(in_turn, each, s)])
            draw.stalls.append(pattern)
    return draw


def _segments(in_turn: list[Batch], each: int, s: int) -> list[Segment]:
    """The groups of stream ``s``, as many of each batch."""
    step = each // len(in_turn)
    return [(batch, at, at + step) for batch, at in zip(in_turn, range(s * each, (s + 1) * each, step), strict=True)]


def wrong_batch(design: Design, layouts: Sequence[Layout], rng: np.random.Generator, count: int) -> Batch:
    """Groups of a wrong length."""
    call = call_of(design.engine, design.direction, design.engine.max_elements, count, rng)
    groups = groups_of(call, design, layouts, "random", 0)
    return batch_of(_of_wrong_length(groups, design, _wrong(design, rng)), layouts)


def _of_wrong_length(groups: Groups, design: Design, beats: int) -> Groups:
    """Too long by so many beats, or below 0 too short. An engine takes as many as its longest group has, whatever the
    layer says."""
    return replace(groups, wrong=beats, taken=design.plan.shape.max_beats)


def stalls_of(patterns: Patterns, design: Design) -> Stalls:
    """A pause begins at once, or, of the longest groups, with any beat of the one that comes out first. Another one
    follows where there is more to come; in the check by gates there seldom is."""
    given, taken, kinds = (np.array(part) for part in zip(*patterns, strict=True))
    pauses = np.array([0, pause_of(design, MANY), pause_of(design, LONG)])[kinds.astype(np.int64)]
    spread = np.arange(len(pauses)) % TOGETHER / TOGETHER
    earliest, latest = _first_pauses(design)
    first = np.where(kinds == LONG, earliest + spread * (latest - earliest), 0).astype(np.int64)
    return Stalls(given.astype(np.float32), taken.astype(np.float32), pauses, first)


def pause_of(design: Design, kind: int) -> int:
    """Cycles in which so many groups come as all sweeps and the queue of an output can hold, if that takes not long."""
    least, most = _beats(design, kind)
    return min(_filling(design, least) * max(design.plan.min_beats, most), LONGEST_PAUSE)


def _beats(design: Design, kind: int) -> tuple[int, int]:
    """Of the groups that fill a design: the fewest, and the most."""
    most = design.plan.shape.max_beats
    return (most, most) if design.engine.elements is not None else (1, 1) if kind == MANY else (-(-most // 2), most)


def _filling(design: Design, beats: int) -> int:
    """How many groups of so many beats are inside when there is no more room, and one."""
    plan = design.plan
    deepest = max((plan.output_depth(s.number) for s in plan.sweeps if s.writes), default=0)
    return len(plan.stages) + 2 * len(plan.sweeps) + -(-deepest // beats) + 1


def _first_pauses(design: Design) -> tuple[int, int]:
    """The cycles at which pauses of the longest groups begin: at any beat of the first one that comes out, which other
    stalls may delay. (Where short groups follow at a distance, a pause between two is as one that begins at once.)"""
    least, most = _beats(design, LONG)
    return _comes_out(design, least), _comes_out(design, most) + 3 * most


def _comes_out(design: Design, beats: int) -> int:
    """The cycle in which the first beat of the first group does."""
    return design.plan.cycles(1, beats) - beats


def _run(design: Design, rng: np.random.Generator, kind: int) -> tuple[int, int]:
    """The length and number of groups that fill the design while nobody takes anything; of long ones those that come
    out before, too. Where a pause is too short for so many, there is one more than come in it. They are not all the
    longest: where these fill a queue to the last place, others stand still with a group half out."""
    most, lanes, plan = design.engine.max_elements, design.lanes, design.plan
    if design.engine.elements is not None:
        m = most
    elif kind == LONG:
        m = most if rng.random() < 0.5 else int(rng.integers(-(-most // 2), most + 1))
    else:
        m = int(rng.integers(1, min(lanes, most) + 1))
    beats = -(-m // lanes)
    each = max(beats, plan.min_beats)
    come_in = pause_of(design, kind) // each
    if design.engine.elements is None and kind == MANY and rng.random() < 0.25:
        return m, max(min(plan.most_groups, come_in) - int(rng.integers(3)), 1)  # and the next layer waits
    out = -(-(_first_pauses(design)[1] - _comes_out(design, beats)) // each) if kind == LONG else 0
    return m, min(_filling(design, beats), come_in + 1) + out


def _lengths(design: Design, rng: np.random.Generator) -> Iterator[int]:
    """Of one engine's groups, without end: those at the edges of a beat and of the maximum, and between."""
    most, lanes = design.engine.max_elements, design.lanes
    if design.engine.elements is not None:
        while True:
            yield most
    longest = min(most, max(MOST_ELEMENTS // (TOGETHER * 3), 1))
    edges = [m for m in (1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes, longest - 1, longest) if 1 <= m <= longest]
    while True:
        m = int(rng.choice(edges)) if rng.random() < 0.25 else int(rng.integers(1, longest + 1))
        yield from [m] * (2 if rng.random() < 0.25 else 1)


def _wrong(design: Design, rng: np.random.Generator) -> int:
    """Beats too many or, where the length is fixed, too few."""
    beats = design.plan.shape.max_beats
    if design.plan.shape.fixed and beats > 1 and rng.random() < 0.5:
        return -int(rng.integers(1, beats))
    return int(rng.integers(1, 4))


def call_of(
    engine: Engine, direction: str, m: int, groups: int, rng: np.random.Generator, data: Data | None = None
) -> Call:
    """Groups with parameters, running statistics, flags or a gradient drawn for them. ``data``: others than ours; the
    running statistics are those of the groups then."""
    farthest = data is None and rng.random() < 0.125  # all that takes a result far beyond its format at once
    if direction == "backward" and data is None and has_slope(engine) and rng.random() < 0.0625:
        steep = steepest(engine, m, groups, rng)
        if steep is not None:
            return steep
    x = (data or (outliers if farthest else data_of))(rng, engine.precision.bits, groups, m)
    arguments: dict[str, Any] = {}
    if engine.norm.affine != "none":
        arguments = dict(affine(engine, m if engine.norm.affine == "element" else groups, rng))
        for values in arguments.values():
            rng.shuffle(values)
            if farthest:
                values[:] = rng.choice([values.min(), values.max()], len(values))
    if direction == "inference":
        if engine.norm.affine != "element" and engine.norm.name != "instance" and arguments:
            lo, hi = int(x.min()), int(x.max())
            deviation = rng.uniform(0, max(hi, 1), groups) * 2.0 ** -rng.integers(0, engine.precision.bits, groups)
            arguments |= {"mean": rng.uniform(lo, hi, groups), "deviation": deviation}
            if data is not None:
                arguments |= {"mean": x.mean(axis=1), "deviation": x.std(axis=1)}
        return engine.inference_call(x, **arguments)
    if engine.norm.sampling:
        arguments["sampled"] = rng.random(m) < rng.choice([0.1, 0.5, 1.0])
        arguments["sampled"][rng.integers(m)] = True
    if "c0" in engine.program("forward").graph.inputs:
        rail = 1 << (engine.precision.bits - 1)
        pivot = np.floor(x.mean(axis=1)) + rng.choice([0, 0, 1, -1, 5, rail // 2], groups)
        arguments["pivot"] = np.clip(pivot, -rail, rail - 1).astype(np.int64)
    by_gamma = data is None and engine.norm.affine == "group" and "gamma" in arguments
    if by_gamma and rng.random() < (0.5 if farthest else 0.125):
        arguments["gamma"] = rounding_up(engine, x, arguments, rng)
    beyond = by_gamma and farthest and rng.random() < 0.75
    if direction == "forward":
        if beyond:
            arguments |= just_beyond(engine, lambda drawn: engine.forward(x, **drawn).y, arguments, rng)
        return with_epsilon(engine, engine.forward_call(x, **arguments), rng)
    lo, hi = engine.precision.dx_frac_range
    dx_frac = [None, lo, hi, int(rng.integers(lo, hi + 1))][3 if farthest else rng.integers(4)]
    gradient = against if farthest else gradient_of
    dy = data(rng, engine.precision.bits, groups, m) if data else gradient(rng, engine.precision.bits, x)
    if beyond:
        dx_frac = hi if rng.random() < 0.5 else dx_frac

        def results(drawn: Mapping[str, Any]) -> Ints:
            return engine.backward(dy, engine.forward(x, **drawn).saved, dx_frac).dx

        arguments |= just_beyond(engine, results, arguments, rng)
    return engine.backward_call(dy, engine.forward(x, **arguments).saved, dx_frac)


def data_of(rng: np.random.Generator, bits: int, groups: int, m: int) -> Ints:
    """Every scale and offset; among them constant groups, rails, one outlier, two values, few values, one side."""
    rail = 1 << (bits - 1)
    scale = rail * 2.0 ** rng.uniform(-bits, 0.5, (groups, 1))
    centre = rng.uniform(-rail, rail, (groups, 1)) * rng.choice([0, 0.3, 1], (groups, 1))
    raw = rng.normal(centre, scale, (groups, m))
    kind = rng.integers(0, 12, groups)
    raw[kind == 0] = raw[kind == 0, :1]
    raw[kind == 1] = rng.choice([-rail, rail], (int((kind == 1).sum()), m))
    raw[kind == 2] = rng.choice([-rail, rail], (int((kind == 2).sum()), 1))
    for g in np.flatnonzero(kind == 3):
        raw[g] = raw[g, 0]
        raw[g, rng.integers(m)] = rng.choice([-rail, rail])
    for g in np.flatnonzero(kind == 4):
        raw[g] = rng.choice(rng.integers(-rail, rail, 2), m)
    near = np.flatnonzero(kind == 5)
    raw[near] = np.round(raw[near, :1]) + (rng.random((len(near), m)) < rng.choice([0.3, 0.5]))
    raw[kind == 6] = np.maximum(raw[kind == 6], 0)
    raw[kind == 7] = rng.uniform(-rail, rail, (int((kind == 7).sum()), m))
    return np.clip(np.round(raw), -rail, rail - 1).astype(np.int64)


def outliers(rng: np.random.Generator, bits: int, groups: int, m: int) -> Ints:
    """Groups of one value or, every second one, of two, but for one element."""
    rail = 1 << (bits - 1)
    x = np.repeat(rng.integers(-rail, rail, (groups, 1)), m, axis=1)
    x[::2] = np.where(rng.random(x[::2].shape) < 0.5, x[::2], rng.integers(-rail, rail, (len(x[::2]), 1)))
    x[np.arange(groups), rng.integers(m, size=groups)] = rng.integers(-rail, rail, groups)
    return x


def against(rng: np.random.Generator, bits: int, x: Ints) -> Ints:
    """Gradients whose means, which are taken off, have the other sign than that of one element: dx is large there."""
    rail, groups = 1 << (bits - 1), len(x)
    one = np.arange(groups)
    centred = x - x.mean(axis=1, keepdims=True)
    chosen = np.abs(centred).argmax(axis=1)
    taken_off = centred.var(axis=1, keepdims=True) + centred * centred[one, chosen][:, None]
    dy = np.where(taken_off > 0, -rail, rail - 1)
    dy[one, chosen] = rail - 1
    return dy ^ -rng.integers(0, 2, (groups, 1))


def gradient_of(rng: np.random.Generator, bits: int, x: Ints) -> Ints:
    """As the data; in most groups it follows x, up or down, so that its mean with x is as large as can be. Where it
    follows exactly, nothing is left of dx but what was rounded."""
    groups, m = x.shape
    rail, dy = 1 << (bits - 1), data_of(rng, bits, groups, m)
    centred = x - x.mean(axis=1, keepdims=True)
    most = np.maximum(np.abs(centred).max(axis=1, keepdims=True), 0.5)
    along = centred / most * rng.choice([-rail, rail], (groups, 1))
    raw = dy.astype(np.float64)
    kind = rng.integers(0, 8, groups)
    step, middle = rng.choice([-2, -1, 1, 2], (groups, 1)), np.round(x.mean(axis=1, keepdims=True))
    linear = step * (x - middle) + rng.integers(-rail // 4, rail // 4 + 1, (groups, 1))
    raw[kind == 0] = along[kind == 0]
    raw[kind == 1] += along[kind == 1]
    raw[kind == 2] = rail * np.sign(along[kind == 2])
    raw[kind == 3] = np.where(along[kind == 3] > 0, rail * rng.choice([-1, 1]), raw[kind == 3])
    raw[kind == 4] = linear[kind == 4]
    return np.clip(np.round(raw), -rail, rail - 1).astype(np.int64)
