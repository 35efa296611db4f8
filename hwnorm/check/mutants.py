"""``hwnorm simulate DIR --mutants N``: how many planted faults the check of a folder finds.

One fault a stream, in rounds. First the golden vectors, in parts, with and without stalls, with groups of a wrong
length and resets in between; then, for those that survived, groups at random and the time that they take, more of them
the fewer are left, and once more those that nothing proves harmless. The same streams without a fault must pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from hwnorm.check.bench import Outcome
from hwnorm.check.differences import compare, differences
from hwnorm.check.drawing import HELD, PATTERNS, PAUSED, STEADY, TOGETHER, Draw, Patterns, drawn, stalls_of, wrong_batch
from hwnorm.check.equivalence import PROVEN
from hwnorm.check.equivalence import verdicts as by_induction
from hwnorm.check.folder import Folder
from hwnorm.check.ports import Bools
from hwnorm.check.queues import Queue, Segment, queues_of
from hwnorm.check.standard import BLOCK, broken_off, golden_batches, pieces, timed, timings
from hwnorm.check.unrolled import verdicts as by_unrolling
from hwnorm.gates import Mutant, mutants, mutated

DRAWS = (24, 504)  # random streams for each survivor: in a round at least, at most
ROUNDS, FURTHER = 6, 12  # before it is asked what can be proven, and of what cannot
FURTHER_PATTERNS = (PATTERNS, PAUSED, STEADY)  # in turn
RESETS = 12
TIMED = 8  # of them: of every length that is timed
HELD_OF = 8  # one of so many is timed while its outputs wait
CYCLES = 4000
STREAMS = 2048  # at a time
COLUMNS = ("instance", "line", "cell", "type", "pin", "fault", "by", "verdict")  # of what survived


@dataclass(frozen=True)
class Score:
    total: int
    by_vectors: int
    survivors: list[Mutant]
    verdicts: list[str]  # of each survivor: proven to change nothing, and how; or what was found to differ
    source: str  # the file whose lines the mutants name

    @property
    def killed(self) -> int:
        return self.total - len(self.survivors)

    def records(self) -> list[dict[str, Any]]:
        return [
            {
                "instance": m.instance or "top",
                "line": f"{self.source}:{line_of(m)}",
                "cell": m.name,
                "type": m.type,
                "pin": f"{m.pin}[{m.bit}]",
                "fault": m.mode.value,
                "by": f"{m.control[0]}[{m.control[1]}]" if m.control else "",
                "verdict": verdict,
            }
            for m, verdict in zip(self.survivors, self.verdicts, strict=True)
        ]

    def __str__(self) -> str:
        share, equivalent = 100 * self.killed / max(self.total, 1), sum(v.startswith(PROVEN) for v in self.verdicts)
        others = 100 * self.killed / max(self.total - equivalent, 1)
        return (
            f"{self.killed} of {self.total} mutants killed ({share:.1f} %): {self.by_vectors} by the golden vectors, "
            f"{self.killed - self.by_vectors} by groups at random; {len(self.survivors)} survived, of which "
            f"{equivalent} are proven to change nothing ({others:.1f} % of the others killed)"
        )


def line_of(mutant: Mutant) -> str:
    """The first line of the source that its gate comes from."""
    found = re.search(r"design:(\d+)", mutant.src)
    return found[1] if found else "?"


def score(folder: Folder, count: int, seed: int = 0, told: Callable[[str], None] = lambda what: None) -> Score:
    """ToolFailed where the design without a fault does not pass. ``told`` hears how far it is: it takes minutes."""
    told(f"{folder.name}: golden vectors")
    faults = mutants(folder.optimised, count, seed)
    left = _survivors(folder, faults, _standard(folder, seed), seed)
    by_vectors = len(faults) - len(left)
    for turn in range(seed, seed + ROUNDS):
        told(f"{folder.name}: {len(faults) - len(left)} of {len(faults)} killed; groups at random")
        left = _round(folder, left, turn, PATTERNS)
    told(f"{folder.name}: {len(left)} of {len(faults)} survived; what can be proven of them")
    verdicts = dict(zip(map(id, left), _verdicts(folder, left), strict=True))
    proven = [fault for fault in left if verdicts[id(fault)].startswith(PROVEN)]
    unproven = [fault for fault in left if not verdicts[id(fault)].startswith(PROVEN)]
    for turn in range(seed + ROUNDS, seed + ROUNDS + FURTHER):
        if unproven:
            told(f"{folder.name}: {len(proven)} proven to change nothing, {len(unproven)} not; more groups at random")
        unproven = _round(folder, unproven, turn, FURTHER_PATTERNS[turn % len(FURTHER_PATTERNS)])
    left = proven + unproven
    return Score(len(faults), by_vectors, left, [verdicts[id(fault)] for fault in left], f"rtl/{folder.name}.v")


def _round(folder: Folder, faults: list[Mutant], turn: int, patterns: Patterns) -> list[Mutant]:
    """What survives groups at random."""
    return _survivors(folder, faults, _random(folder, turn + 1, len(faults), patterns), turn) if faults else faults


def _verdicts(folder: Folder, faults: Sequence[Mutant]) -> list[str]:
    """By unrolling one block; what that does not prove, by induction over the whole."""
    if not faults or not find_spec("pysat"):
        return ["open: python-sat is not installed"] * len(faults)
    found = [f"{v} by unrolling" if v == PROVEN else v for v in by_unrolling(folder, faults)]
    rest = [k for k, verdict in enumerate(found) if not verdict.startswith(PROVEN)]
    for k, verdict in zip(rest, by_induction(folder, [faults[k] for k in rest]), strict=True):
        if verdict == PROVEN:
            found[k] = f"{PROVEN} by induction"
    return found


def _standard(folder: Folder, seed: int) -> Draw:
    """The golden vectors in parts, lengths mixed, each part stalled in its own way. The last group of each part has a
    wrong length: ``error`` stays, and is looked at."""
    rng = np.random.default_rng(seed)
    parts: list[list[Segment]] = [[] for _ in PATTERNS]
    found = pieces(golden_batches(folder), 3)
    for k, at in enumerate(rng.permutation(len(found)).tolist()):
        parts[k % len(parts)].append(found[at])
    for part in parts:
        part.append((wrong_batch(folder.design, folder.layouts, rng, 2), 0, 2))
    return Draw(parts, list(PATTERNS))


def _random(folder: Folder, seed: int, faults: int, patterns: Patterns) -> Draw:
    """Streams of every pattern, and some that are timed: as many as fit beside each other."""
    least, most = DRAWS
    draws = min(max(STREAMS // (faults + 1), least), most)
    blocks = len(patterns) * -(-draws // (TOGETHER * len(patterns)))
    draw = drawn(folder.design, folder.layouts, seed, TOGETHER * blocks, CYCLES, patterns)
    held = draws // HELD_OF
    chosen = [k * TOGETHER + n for n in range(TOGETHER) for k in range(blocks)][: draws - TIMED - held]
    sequences = [s for k in (TIMED, held) for s in timed(folder, np.random.default_rng([seed, k]))[-k:]]
    stalls = list(STEADY) * TIMED + list(HELD) * held
    return Draw(sequences + [draw.sequences[k] for k in chosen], stalls + [draw.stalls[k] for k in chosen])


def _survivors(folder: Folder, faults: Sequence[Mutant], draw: Draw, seed: int) -> list[Mutant]:
    """Each fault meets every sequence, each in a stream of its own; behind the faults, a design without one does. What
    is seen before the first resets already, as most are, is spared the rest."""
    left, each = list(faults), len(draw.sequences)
    for resets in (1, RESETS):
        together = max((STREAMS - each) // each, 1)
        for some in [left[start : start + together] for start in range(0, len(left), together)]:
            killed = _killed(folder, [fault for fault in some for _ in range(each)], draw, seed + resets, resets)
            seen = {id(fault) for k, fault in enumerate(some) if killed[k * each : (k + 1) * each].any()}
            left = [fault for fault in left if id(fault) not in seen]
    return left


def _killed(folder: Folder, faults: Sequence[Mutant], draw: Draw, seed: int, resets: int) -> Bools:
    """What is seen before so many resets, and of many in a run to the end that follows these and a wrong length."""
    each = len(draw.sequences)
    streams = -(-(len(faults) + each) // BLOCK) * BLOCK
    repeats = -(-streams // each)
    sequences = (draw.sequences * repeats)[:streams]
    stalls = stalls_of((draw.stalls * repeats)[:streams], folder.design)
    bench = folder.bench(mutated(folder.optimised, faults), streams, seed)
    queues = _repeated(queues_of(folder.layouts, draw.sequences), streams)
    sound = slice(len(faults), streams)
    shown = np.zeros(streams, bool)
    for outcome in broken_off(folder, bench, sequences, stalls, resets):
        compare(folder, sequences[sound], _part(queues, sound), outcome.part(sound), whole=False)
        shown |= _wrong(queues, outcome)
    if resets == RESETS:
        limit, quiet = folder.limits(draw.sequences, stalls)
        outcome = bench.run(queues, stalls, limit, quiet, patience=len(faults))
        compare(folder, sequences[sound], _part(queues, sound), outcome.part(sound))
        shown |= _missing(folder, sequences, queues, outcome)
    return np.asarray(shown[: len(faults)])


def _repeated(queues: dict[str, Queue], streams: int) -> dict[str, Queue]:
    def of(array: Any, axis: int) -> Any:
        return None if array is None else np.take(array, np.arange(streams) % array.shape[axis], axis=axis)

    return {
        name: replace(q, rows=of(q.rows, 1), care=of(q.care, 1), length=of(q.length, 0), after=of(q.after, 1))
        for name, q in queues.items()
    }


def _part(queues: dict[str, Queue], part: slice) -> dict[str, Queue]:
    return {
        name: replace(
            q,
            rows=q.rows[:, part],
            care=None if q.care is None else q.care[:, part],
            length=q.length[part],
            after=None if q.after is None else q.after[:, part],
        )
        for name, q in queues.items()
    }


def _wrong(queues: dict[str, Queue], outcome: Outcome) -> Bools:
    """Streams in which something differs or breaks a rule."""
    shown = outcome.broken | outcome.early
    for bad in differences(queues, outcome).values():
        shown |= bad.any(axis=0)
    return shown


def _missing(
    folder: Folder, sequences: Sequence[Sequence[Segment]], queues: dict[str, Queue], outcome: Outcome
) -> Bools:
    """These, and in which something is missing, or which take longer than they may."""
    shown = _wrong(queues, outcome)
    for name, queue in queues.items():
        shown |= (outcome.given if queue.layout.driven else outcome.taken)[name] < queue.length
    for one in timings(folder, sequences, outcome):
        shown[one.stream] |= not one.right
    return shown
