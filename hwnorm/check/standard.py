"""``hwnorm simulate DIR``: a generated engine as a netlist of gates, against the reference, with nothing but Python.

yosys turns ``rtl/NAME.v`` into gates; a thousand streams of them run at once, each with its own groups, lengths, layers
and stalls. One part of the streams runs the folder's golden vectors, one is timed against the manifest's formula, the
rest is drawn at random. Outputs that have to wait may cost what they waited, and no cycle more. Before all, resets
strike in the middle of groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hwnorm.check.bench import Bench, Outcome, Stalls
from hwnorm.check.coverage import Coverage
from hwnorm.check.differences import compare
from hwnorm.check.drawing import HELD, STEADY, call_of, drawn, stalls_of, wrong_batch
from hwnorm.check.folder import Folder
from hwnorm.check.groups import groups_of
from hwnorm.check.queues import Segment, queues_of
from hwnorm.check.rows import Batch, batch_of
from hwnorm.check.vectors import golden
from hwnorm.errors import ToolFailed
from hwnorm.rtl.design import Design

STREAMS = 1024
CYCLES = 5000  # for each random stream, if nobody stalls
BLOCK = 64  # streams that run the vectors, streams that are timed
TIMED, MOST_TIMED = 4, 48  # groups of a stream that is timed
RESETS = 3  # in the middle of work


def check(folder: Folder, seed: int = 0, streams: int = STREAMS, cycles: int = CYCLES) -> list[str]:
    """What was covered, a line each; ToolFailed at the first difference."""
    design, layouts, netlist = folder.design, folder.layouts, folder.netlist
    sequences = _golden(folder)
    first = len(sequences)
    held = first + BLOCK
    for turn in (1, 2):
        sequences += timed(folder, np.random.default_rng(seed + turn))
    random = len(sequences)
    longest = design.engine.max_elements
    more = max(min(streams - random, (1 << 22) // max(longest, 1)) // BLOCK, 1) * BLOCK
    draw = drawn(design, layouts, seed, more, cycles)
    sequences += draw.sequences
    patterns = list(STEADY) * held + list(HELD) * (random - held) + draw.stalls
    stalls = stalls_of(patterns, design)
    bench = folder.bench(netlist, len(sequences), seed)
    queues = queues_of(layouts, sequences)
    for outcome in broken_off(folder, bench, sequences, stalls, RESETS):
        compare(folder, sequences, queues, outcome, whole=False)
    limit, quiet = folder.limits(sequences, stalls)
    outcome = bench.run(queues, stalls, limit, quiet)
    compare(folder, sequences, queues, outcome)
    lines = _check_time(folder, sequences, outcome)
    coverage = Coverage()
    coverage.sequences(design, sequences)
    coverage.stalls(outcome)
    return [*coverage.lines(design), *lines]


def broken_off(
    folder: Folder, bench: Bench, sequences: Sequence[list[Segment]], stalls: Stalls, times: int
) -> Iterator[Outcome]:
    """Groups of a wrong length and a reset that has to forget them; then what has come before resets that strike at any
    time, once the first groups are through: each has to forget what the one before left half done. At last the power
    comes on again: what is run then stands or falls with one reset, whatever it began with."""
    wrong = [(wrong_batch(folder.design, folder.layouts, np.random.default_rng(0), 1), 0, 1)]
    limit, quiet = folder.limits([wrong], Stalls.none())
    bench.power_on()
    bench.run(queues_of(folder.layouts, [wrong]), Stalls.none(), limit, quiet)
    bench.reset()
    queues = queues_of(folder.layouts, sequences)
    once = folder.about["cycles"]["overhead"]
    for cycles in bench.random.integers(once, 2 * once + 1, times).tolist():
        yield bench.run(queues, stalls, cycles, cycles)
        bench.reset()
    bench.power_on()


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
    depths = [plan.replay_words(s.number) for s in plan.sweeps[1:]]
    return min(max(TIMED, -(-3 * max(depths, default=0) // (2 * plan.shape.max_beats))), MOST_TIMED)


@dataclass(frozen=True)
class Timing:
    """Of a stream that is timed: what it took, what it takes without stalls, and how long outputs waited."""

    stream: int
    took: int
    wanted: int
    waited: int

    @property
    def right(self) -> bool:
        return self.wanted <= self.took <= self.wanted + self.waited


def timings(folder: Folder, sequences: Sequence[Sequence[Segment]], outcome: Outcome) -> Iterator[Timing]:
    for s, sequence in enumerate(sequences):
        if sequence[0][0].groups.source == "timed":
            ((batch, lo, hi),) = sequence
            wanted = folder.cycles(hi - lo, -(-batch.groups.m // folder.about["lanes"]))
            took = int(outcome.last_out[s] - outcome.first_in[s] + 1)
            yield Timing(s, took, wanted, int(outcome.waits["output"][s]))


def _check_time(folder: Folder, sequences: Sequence[Sequence[Segment]], outcome: Outcome) -> list[str]:
    for one in timings(folder, sequences, outcome):
        if not one.right:
            ((batch, lo, hi),) = sequences[one.stream]
            waited = f" and {one.waited} for which outputs waited" if one.waited else ""
            raise ToolFailed(
                f"{folder.name}: {hi - lo} groups of {batch.groups.m} elements took {one.took} cycles, "
                f"the manifest's formula says {one.wanted}{waited}"
            )
    return ["cycles: as the manifest's formula says; an output that waits costs what it waits, at most"]
