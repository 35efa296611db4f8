"""A generated engine against the reference over many millions of elements: groups back to back, nobody stalls.

Where there is a C++ compiler, the engine as C++ (yosys' CXXRTL), one long stream; else gates in NumPy, thousands of
streams in step. In rounds, each of them from a reset and with data of its own seed, as many at a time as there are
cores; by gates each of these takes up to 1.2 gigabytes.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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
from hwnorm.errors import MissingTool, ToolFailed

LOG = logging.getLogger("hwnorm")
ROUND = 1 << 27  # elements at a time
COMPILED = 1 << 23  # the same, for one stream
CALL = 1 << 20  # of one call of the reference
STREAMS = 2048
IN_A_ROW = 64  # groups of a stream, at most
FORKS = "fork" in multiprocessing.get_all_start_methods()  # a compiled engine cannot be handed over otherwise


@dataclass(frozen=True)
class Report:
    how: str
    jobs: int  # processes
    elements: int
    groups: int
    seconds: float  # of the engine and the comparison, in the process that was longest at it
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
class Round:
    """What one took: seconds of the engine and the comparison, on the clock and of the processor, and where."""

    process: int
    seconds: float
    processor_s: float


@dataclass(frozen=True)
class Rounds:
    """So many rounds of ``each`` groups in a row for every stream. What is drawn is the same on every machine."""

    streams: int
    each: int
    count: int

    @classmethod
    def of(cls, total: int, m: int, compiled: bool) -> Rounds:
        """The fewest that have ``total`` elements in groups of m, but more than one, for more cores; all alike."""
        streams = 1 if compiled else max(min(STREAMS, ROUND // m) // 64, 1) * 64
        most = max(COMPILED // m if compiled else min(ROUND // (m * streams), IN_A_ROW), 1)
        wanted = max(-(-total // (m * streams)), 1)
        count = max(-(-wanted // most), min(wanted, 2))
        return cls(streams, -(-wanted // count), count)

    @property
    def groups(self) -> int:
        """Of a round."""
        return self.streams * self.each


@dataclass(frozen=True)
class _Runner:
    folder: Folder
    machine: Compiled | Bench
    rounds: Rounds
    seed: int

    def run(self, number: int) -> Round:
        rng = np.random.default_rng((self.seed, number))
        sequences = _sequences(self.folder, rng, self.rounds.streams, self.rounds.each, number * self.rounds.groups)
        queues = queues_of(self.folder.layouts, sequences)
        limit, quiet = self.folder.limits(sequences, Stalls.none())
        start, busy = time.perf_counter(), time.process_time()
        if isinstance(self.machine, Bench):
            self.machine.power_on()
        outcome = self.machine.run(queues, Stalls.none(), limit, quiet)
        compare(self.folder, sequences, queues, outcome)
        return Round(os.getpid(), time.perf_counter() - start, time.process_time() - busy)


def bulk(folder: Folder, total: int, told: Callable[[int], None], seed: int = 0, compiler: bool = True) -> Report:
    """``told`` hears how many elements are done. ToolFailed at the first difference."""
    m, found = folder.design.engine.max_elements, _compiled(folder) if compiler else None
    rounds = Rounds.of(total, m, found is not None)
    machine = found or folder.bench(folder.netlist, rounds.streams, seed, ports_alone=True)
    jobs = min(_cores(), rounds.count) if FORKS else 1
    began, spent, busy, groups = time.perf_counter(), defaultdict[int, float](float), 0.0, 0
    for done in _results(_Runner(folder, machine, rounds, seed), jobs):
        spent[done.process] += done.seconds
        busy, groups = busy + done.processor_s, groups + rounds.groups
        told(groups * m)
    how = "by gates" if found is None else "compiled"
    return Report(how, jobs, groups * m, groups, max(spent.values()), busy, time.perf_counter() - began)


def _compiled(folder: Folder) -> Compiled | None:
    try:
        return compiled(folder)
    except MissingTool as fault:
        LOG.info("no compiled model: %s", fault)
        return None


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _results(runner: _Runner, jobs: int) -> Iterator[Round]:
    """Of the rounds, in their order."""
    if jobs == 1:
        yield from map(runner.run, range(runner.rounds.count))
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), _adopt, (runner,)) as pool:
        running: deque[Future[Round]] = deque()  # no more than can run: a failure waits for these alone
        try:
            for number in range(runner.rounds.count):
                running.append(pool.submit(_run, number))
                if len(running) == jobs:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BrokenProcessPool:
            raise ToolFailed("a process of the bulk check was killed: is there enough memory?") from None


_runner: _Runner  # of a process that was forked


def _adopt(runner: _Runner) -> None:
    """A process must not outlive the one that it works for, whatever ends that; and ends when that says so, whose
    handler it inherited may not."""
    global _runner
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _runner = runner
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(number: int) -> Round:
    return _runner.run(number)


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
