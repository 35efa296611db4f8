"""A generated engine against the reference over many millions of elements: groups back to back, nobody stalls.

Where there is a C++ compiler, the engine as C++ (yosys' CXXRTL), one long stream; else gates in NumPy, thousands of
streams in step. In rounds, each of them from a reset and of its own seed: as many at a time as there are cores.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from hwnorm.check.bench import Bench, Stalls
from hwnorm.check.compiled import Compiled, compiled
from hwnorm.check.differences import compare
from hwnorm.check.drawing import call_of
from hwnorm.check.folder import Folder
from hwnorm.check.groups import groups_of
from hwnorm.check.queues import Segment, queues_of
from hwnorm.check.rows import batch_of
from hwnorm.errors import MissingTool

LOG = logging.getLogger("hwnorm")
ROUND = 1 << 26  # elements at a time
COMPILED = 1 << 23  # the same, for one stream
LEAST = 1 << 20  # elements for which another process is worth its start
CALL = 1 << 20  # of one call of the reference
STREAMS = 2048
IN_A_ROW = 64  # groups of a stream, at most


@dataclass(frozen=True)
class Report:
    how: str
    jobs: int  # processes
    elements: int
    groups: int
    seconds: float  # of the engine and the comparison, as long as all processes are at it
    processor_s: float  # the same in the processor's time, of all: what else runs on the machine does not count
    whole_s: float  # with stimuli and reference

    def __str__(self) -> str:
        rates = (self.elements / s / 1e6 for s in (self.seconds, self.whole_s))
        return (
            f"{self.groups:,} groups, {self.elements:,} elements {self.how}: every bit equals the reference "
            "({:.1f} M elements/s engine and comparison, {:.1f} with stimuli and reference; "
            "{} at a time)".format(*rates, self.jobs)
        )


@dataclass(frozen=True)
class _Work:
    """Rounds of ``each`` groups in a row for every stream."""

    folder: Folder
    machine: Compiled | Bench
    streams: int
    each: int
    seed: int

    @property
    def groups(self) -> int:
        return self.streams * self.each

    def round(self, number: int) -> tuple[float, float]:
        """The engine's and the comparison's seconds on the clock, and of the processor."""
        rng = np.random.default_rng((self.seed, number))
        sequences = _sequences(self.folder, rng, self.streams, self.each, number * self.groups)
        queues = queues_of(self.folder.layouts, sequences)
        limit, quiet = self.folder.limits(sequences, Stalls.none())
        start, busy = time.perf_counter(), time.process_time()
        if isinstance(self.machine, Bench):
            self.machine.power_on()
        outcome = self.machine.run(queues, Stalls.none(), limit, quiet)
        compare(self.folder, sequences, queues, outcome)
        return time.perf_counter() - start, time.process_time() - busy


def bulk(folder: Folder, total: int, told: Callable[[int], None], seed: int = 0, compiler: bool = True) -> Report:
    """``told`` hears how many elements are done. ToolFailed at the first difference."""
    m, cores = folder.design.engine.max_elements, os.cpu_count() or 1
    share = min(total, max(-(-total // cores), LEAST))
    machine = _compiled(folder) if compiler else None
    if machine is not None:
        work = _Work(folder, machine, 1, max(min(-(-share // m), COMPILED // m), 1), seed)
    else:
        streams = max(min(STREAMS, ROUND // m) // 64, 1) * 64
        each = max(min(-(-min(share, ROUND) // (m * streams)), IN_A_ROW), 1)
        work = _Work(folder, folder.bench(folder.netlist, streams, seed, ports_alone=True), streams, each, seed)
    rounds, began = -(-total // (work.groups * m)), time.perf_counter()
    jobs = min(cores, rounds)
    spent = busy = 0.0
    for number, (seconds, processor_s) in enumerate(_done(work, rounds, jobs), 1):
        spent, busy = spent + seconds, busy + processor_s
        told(number * work.groups * m)
    how, groups = "by gates" if machine is None else "compiled", rounds * work.groups
    return Report(how, jobs, groups * m, groups, spent / jobs, busy, time.perf_counter() - began)


def _compiled(folder: Folder) -> Compiled | None:
    try:
        return compiled(folder)
    except MissingTool as fault:
        LOG.info("no compiled model: %s", fault)
        return None


def _done(work: _Work, rounds: int, jobs: int) -> Iterator[tuple[float, float]]:
    """What each round says, in their order."""
    if jobs == 1 or "fork" not in multiprocessing.get_all_start_methods():  # a compiled engine cannot be handed over
        yield from map(work.round, range(rounds))
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), _begin, (work,)) as pool:
        yield from pool.map(_round, range(rounds))


_work: _Work  # of a process that was forked


def _begin(work: _Work) -> None:
    global _work
    _work = work


def _round(number: int) -> tuple[float, float]:
    return _work.round(number)


def _sequences(folder: Folder, rng: np.random.Generator, streams: int, each: int, before: int) -> list[list[Segment]]:
    """``each`` groups for every stream; a call of the reference is of a few groups of every stream, or some streams."""
    design, m = folder.design, folder.design.engine.max_elements
    sequences: list[list[Segment]] = [[] for _ in range(streams)]
    together = max(min(CALL // (m * each), streams), 1)
    for s in range(0, streams, together):
        here = min(together, streams - s)
        parts = max(-(-here * each * m // CALL), 1) if here == 1 else 1
        left = here * each
        while left:
            count = min(-(-here * each // parts), left)
            call = call_of(design.engine, design.direction, m, count, rng)
            batch = batch_of(groups_of(call, design, folder.layouts, "random", before), folder.layouts)
            batch = replace(batch, groups=replace(batch.groups, streams={}, wanted={}))  # rows are a tenth of that
            before, left = before + count, left - count
            if here == 1:
                sequences[s].append((batch, 0, count))
            else:
                for k in range(here):
                    sequences[s + k].append((batch, k * each, (k + 1) * each))
    return sequences
