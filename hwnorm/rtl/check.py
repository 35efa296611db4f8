"""``hwnorm simulate DIR``: a generated engine as a netlist of gates, against the reference, with nothing but Python.

yosys turns ``rtl/NAME.v`` into gates; a thousand streams of them run at once, each with its own groups, lengths, layers
and stalls. One part of the streams runs the folder's golden vectors, one is timed against the manifest's formula, the
rest is drawn at random. Before all, resets strike in the middle of groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hwnorm.bundle import manifest
from hwnorm.errors import InputError, ToolFailed
from hwnorm.fixed import Ints
from hwnorm.gates import Netlist, netlist_of
from hwnorm.rtl.check_bench import Bench, Outcome, Stalls
from hwnorm.rtl.check_coverage import Coverage
from hwnorm.rtl.check_random import call_of, drawn, pause_of, stalls_of, wrong_batch
from hwnorm.rtl.check_streams import (
    Batch,
    Layout,
    Queue,
    Segment,
    batch_of,
    groups_of,
    layouts_of,
    locate,
    queues_of,
)
from hwnorm.rtl.check_vectors import AGAIN, golden
from hwnorm.rtl.design import Design
from hwnorm.rtl.replay import rounded_depth

STREAMS = 1024
CYCLES = 5000  # for each random stream, if nobody stalls
BLOCK = 64  # streams that run the vectors, streams that are timed
TIMED, MOST_TIMED = 4, 48  # groups of a stream that is timed
RESETS = (3, 64, 187, 400)  # cycles of work before each reset
MORE_RESETS = (3, 29, 800, 47, 64, 187, 81, 300, 520)  # for mutants


@dataclass(frozen=True)
class Folder:
    """A generated folder of kind rtl, read."""

    path: Path
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.about["name"])

    @cached_property
    def text(self) -> str:
        path = self.path / "rtl" / f"{self.name}.v"
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as fault:
            raise InputError(f"{path}: cannot be read: {fault}; {AGAIN}") from None

    @cached_property
    def design(self) -> Design:
        engine = manifest.engine_of(self.about)
        return Design(engine, self.about["direction"], self.about["lanes"], self.about["replay"] == "external")

    @cached_property
    def layouts(self) -> list[Layout]:
        return layouts_of(self.about["streams"])

    @cached_property
    def netlist(self) -> Netlist:
        """Made as fast as can be."""
        return self.checked(netlist_of(self.text, self.name, gates=None))

    @cached_property
    def optimised(self) -> Netlist:
        """With little in it that does nothing, and every gate in its instance: to put faults in."""
        return self.checked(netlist_of(self.text, self.name, by_instance=True))

    def checked(self, found: Netlist) -> Netlist:
        """InputError where its ports are not those that the manifest says."""
        ports = {**found.inputs, **found.outputs}
        for layout in self.layouts:
            wanted = {s.signal: s.bits for s in layout.signals}
            for name, width in {**wanted, f"{layout.prefix}_valid": 1, f"{layout.prefix}_ready": 1}.items():
                if name not in ports or len(ports[name]) != width:
                    has = f"{len(ports[name])} bits" if name in ports else "none"
                    raise InputError(f"{self.name}.v: port {name} has {has}, the manifest says {width} bits; {AGAIN}")
        return found

    def port(self, driven: bool) -> str:
        """The prefix of the first stream of beats in, or the last one out."""
        beats = [layout.prefix for layout in self.layouts if layout.beats and layout.driven is driven]
        return beats[0] if driven else beats[-1]

    def bench(self, netlist: Netlist, streams: int, seed: int = 0, **more: Any) -> Bench:
        return Bench(netlist, streams, self.port(True), self.port(False), seed, **more)

    def cycles(self, groups: int, beats: int) -> int:
        """The manifest's formula."""
        told = self.about["cycles"]
        return int(told["sweeps"] * (beats - 1) + (groups - 1) * max(beats, told["min_beats"]) + told["overhead"])

    def limits(self, sequences: Sequence[Sequence[Segment]], slowdown: float) -> tuple[int, int]:
        """Cycles after which a design has failed, in all and without a transfer: each group as long as if alone."""

        def alone(batch: Batch) -> int:
            beats = -(-batch.groups.m // self.about["lanes"]) + abs(batch.groups.wrong)
            return self.cycles(1, beats) + self.about["cycles"]["min_beats"] + 64

        pause = pause_of(self.design)
        most = max(sum(alone(b) * (hi - lo) for b, lo, hi in sequence) for sequence in sequences)
        longest = max(alone(b) for sequence in sequences for b, _, _ in sequence)
        return int(2 * slowdown * most) + 1000 + 4 * pause, 2 * longest + 1000 + pause


def check_manifest(folder: Path, about: Mapping[str, Any]) -> Folder:
    """InputError where it lacks what a bench needs."""
    for key, kind in (("streams", list), ("cycles", dict), ("replay", str), ("max_elements", int)):
        if not isinstance(about.get(key), kind):
            raise InputError(f"{folder / 'manifest.json'}: {key!r} is missing; {AGAIN}")
    return Folder(folder, about)


def check(folder: Folder, seed: int = 0, streams: int = STREAMS, cycles: int = CYCLES) -> list[str]:
    """What was covered, a line each; ToolFailed at the first difference."""
    design, layouts = folder.design, folder.layouts
    sequences = _golden(folder)
    first = len(sequences)
    sequences += timed(folder, np.random.default_rng(seed + 1))
    random = len(sequences)
    longest = design.engine.max_elements
    more = max(min(streams - random, (1 << 22) // max(longest, 1)) // BLOCK, 1) * BLOCK
    draw = drawn(design, layouts, seed, more, cycles)
    sequences += draw.sequences
    patterns = [(0.0, 0.0, False)] * random + draw.stalls
    stalls = stalls_of(patterns, design)
    bench = folder.bench(folder.netlist, len(sequences), seed)
    queues = queues_of(layouts, sequences)
    resets(folder, bench, sequences, stalls)
    limit, quiet = folder.limits(sequences, stalls.slowdown)
    outcome = bench.run(queues, stalls, limit, quiet)
    compare(folder, sequences, queues, outcome)
    lines = _check_time(folder, sequences, range(first, random), outcome)
    coverage = Coverage()
    coverage.sequences(design, sequences)
    coverage.stalls(outcome)
    return [*coverage.lines(design), *lines]


def resets(
    folder: Folder, bench: Bench, sequences: Sequence[list[Segment]], stalls: Stalls, after: Sequence[int] = RESETS
) -> None:
    """Work that is broken off; at last, groups of a wrong length and a reset that has to forget them."""
    queues = queues_of(folder.layouts, sequences)
    for cycles in after:
        bench.run(queues, stalls, cycles, cycles)
        bench.reset()
    wrong = [(wrong_batch(folder.design, folder.layouts, np.random.default_rng(0), 1), 0, 1)]
    limit, quiet = folder.limits([wrong], 1)
    bench.run(queues_of(folder.layouts, [wrong]), Stalls.none(), limit, quiet)
    bench.reset()


def golden_batches(folder: Folder) -> list[Batch]:
    return [batch_of(groups, folder.layouts) for groups in golden(folder.path, folder.about, folder.layouts)]


def pieces(batches: Sequence[Batch], each: int) -> list[Segment]:
    """All groups, at most so many together."""
    return [(b, lo, min(lo + each, b.groups.count)) for b in batches for lo in range(0, b.groups.count, each)]


def _golden(folder: Folder) -> list[list[Segment]]:
    """The vectors, a few groups a stream, in a whole block of streams."""
    sequences: list[list[Segment]] = [[] for _ in range(BLOCK)]
    batches = golden_batches(folder)
    found = pieces(batches, max(-(-sum(b.groups.count for b in batches) // BLOCK), 2))
    for k in range(max(len(found), BLOCK)):  # where there are few, some streams run the same
        sequences[k % BLOCK].append(found[k % len(found)])
    return sequences


def timed(folder: Folder, rng: np.random.Generator) -> list[list[Segment]]:
    """Groups of one length a stream, back to back."""
    design, most = folder.design, folder.design.engine.max_elements
    lengths = [most]
    if design.engine.elements is None:
        lengths = sorted({1, most, *rng.integers(1, most + 1, 6).tolist()})
    sequences: list[list[Segment]] = []
    for k, m in enumerate(lengths):
        count = _around(design) if m == most else TIMED
        call = call_of(design.engine, design.direction, m, count, rng)
        batch = batch_of(groups_of(call, design, folder.layouts, "timed", k * TIMED), folder.layouts)
        sequences.append([(batch, 0, count)])
    return [sequences[s % len(sequences)] for s in range(BLOCK)]


def _around(design: Design) -> int:
    """So many of the longest groups that every memory's addresses run around."""
    plan = design.plan
    depths = [rounded_depth(plan.replay_depth(s.number)) for s in plan.sweeps[1:]]
    return min(max(TIMED, -(-3 * max(depths, default=0) // (2 * plan.shape.max_beats))), MOST_TIMED)


def _check_time(folder: Folder, sequences: Sequence[Sequence[Segment]], chosen: range, outcome: Outcome) -> list[str]:
    for s in chosen:
        ((batch, lo, hi),) = sequences[s]
        beats = -(-batch.groups.m // folder.about["lanes"])
        wanted = folder.cycles(hi - lo, beats)
        took = int(outcome.last_out[s] - outcome.first_in[s] + 1)
        if took != wanted:
            raise ToolFailed(
                f"{folder.name}: {hi - lo} groups of {batch.groups.m} elements took {took} cycles, "
                f"the manifest's formula says {wanted}"
            )
    return ["cycles: as the manifest's formula says"]


# The first difference


def compare(
    folder: Folder, sequences: Sequence[Sequence[Segment]], queues: Mapping[str, Queue], outcome: Outcome
) -> None:
    """ToolFailed with the earliest difference of the first stream that has one."""
    wrong = differences(queues, outcome)
    failing = np.flatnonzero(np.any([bad.any(axis=0) for bad in wrong.values()], axis=0))
    if failing.size:
        s = int(failing[0])
        raise ToolFailed(f"{folder.name}: {_first(folder, sequences[s], queues, wrong, outcome, s)}")
    for name, queue in queues.items():
        taken = outcome.given[name] if queue.layout.driven else outcome.taken[name]
        length = np.broadcast_to(queue.length, taken.shape)
        short = np.flatnonzero(taken < length)
        if short.size and not queue.layout.driven:
            s = int(short[0])
            batch, g, item = locate(queue.layout, sequences[s], int(taken[s]))
            raise ToolFailed(
                f"{folder.name}: never answers: {name} gave {taken[s]} of {length[s]} items and stopped in "
                f"{_group(batch, g)}, item {item}, after {outcome.cycles} cycles (stream {s}; the manifest's formula "
                "allows no more)"
            )
    for name, queue in queues.items():
        if queue.layout.driven and (outcome.given[name] < queue.length).any():
            s = int(np.flatnonzero(outcome.given[name] < queue.length)[0])
            raise ToolFailed(
                f"{folder.name}: takes no more: {name} stopped at item {outcome.given[name][s]} of "
                f"{np.broadcast_to(queue.length, outcome.given[name].shape)[s]} (stream {s})"
            )
    if outcome.broken.any():
        s = int(np.flatnonzero(outcome.broken)[0])
        raise ToolFailed(f"{folder.name}: an output changed while it was valid and not yet taken (stream {s})")


def differences(queues: Mapping[str, Queue], outcome: Outcome) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Of every output, (items + 1, streams): which item is wrong; the last says that there were too many."""
    found = {}
    for name, queue in queues.items():
        if queue.layout.driven:
            continue
        assert queue.care is not None
        seen, taken = outcome.seen[name], outcome.taken[name]
        numbers = np.arange(len(seen))[:, None]
        differs = (((seen ^ queue.rows) & queue.care) != 0).any(axis=2) & (numbers < np.minimum(taken, queue.length))
        found[name] = np.concatenate([differs, (taken > queue.length)[None]])
    return found


def _first(
    folder: Folder,
    sequence: Sequence[Segment],
    queues: Mapping[str, Queue],
    wrong: Mapping[str, Any],
    outcome: Outcome,
    s: int,
) -> str:
    found = []
    for name, bad in wrong.items():
        queue = queues[name]
        item = int(np.argmax(bad[:, s])) if bad[:, s].any() else -1
        if item < 0:
            continue
        if item == len(bad) - 1:
            found.append(((1 << 60, 0, 0), f"{name} gave more items than the {queue.length[s]} expected (stream {s})"))
            continue
        batch, g, place = locate(queue.layout, sequence, item)
        position = sum(hi - lo for b, lo, hi in sequence[: _segment(sequence, batch, g)])
        found.append(
            (
                (position + g, queue.layout.beats, place),
                _told(folder, queue, batch, g, place, outcome.seen[name][item, s], item, s),
            )
        )
    return min(found)[1]


def _segment(sequence: Sequence[Segment], batch: Batch, g: int) -> int:
    return next(k for k, (b, lo, hi) in enumerate(sequence) if b is batch and lo <= g < hi)


def _told(folder: Folder, queue: Queue, batch: Batch, g: int, place: int, seen: Ints, item: int, s: int) -> str:
    layout, row = queue.layout, queue.rows[item, s if queue.rows.shape[1] > 1 else 0]
    assert queue.care is not None
    care = queue.care[item, s if queue.rows.shape[1] > 1 else 0]
    words = []
    who = "the vectors have" if batch.groups.source == "vectors" else "the reference has"
    for signal in layout.signals:
        if not ((row ^ seen) & care)[signal.bytes].any():
            continue
        for lane, (got, wanted) in enumerate(zip(signal.decode(seen), signal.decode(row), strict=True)):
            if got != wanted:
                at = f", element {place * layout.lanes + lane}" if layout.beats and signal in layout.fields else ""
                words.append(f"{_group(batch, g)}{at}: {signal.name} is {got}, {who} {wanted}")
                break
    return f"{words[0] if words else _group(batch, g)} ({_where(folder, layout)}, stream {s}{_line(batch, g, place)})"


def _group(batch: Batch, g: int) -> str:
    groups = batch.groups
    name = "vector group" if groups.source == "vectors" else f"{groups.source} group"
    return f"{name} {groups.first + g} of {groups.m} elements"


def _where(folder: Folder, layout: Layout) -> str:
    sweeps = folder.about["cycles"]["sweeps"]
    if not layout.beats:
        return "what is known of the group, port result"
    number = layout.prefix.removeprefix("out") or sweeps
    return f"sweep {number} of {sweeps}, port {layout.prefix}"


def _line(batch: Batch, g: int, place: int) -> str:
    return f", line {batch.groups.first + g + 1} of vectors/groups_in.hex" if batch.groups.source == "vectors" else ""
