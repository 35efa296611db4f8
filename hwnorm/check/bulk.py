"""A generated engine against the reference over many millions of elements: groups back to back, nobody stalls.

Where there is a C++ compiler, the engine as C++ (yosys' CXXRTL), one long stream; else gates in NumPy, thousands of
streams in step.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

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
CALL = 1 << 20  # of one call of the reference
STREAMS = 2048
IN_A_ROW = 64  # groups of a stream, at most


@dataclass(frozen=True)
class Report:
    how: str
    elements: int
    groups: int
    seconds: float  # of the engine and the comparison
    processor_s: float  # the same in the processor's time: what else runs on the machine does not count
    whole_s: float  # with stimuli and reference

    def __str__(self) -> str:
        rates = (self.elements / s / 1e6 for s in (self.seconds, self.whole_s))
        return (
            f"{self.groups:,} groups, {self.elements:,} elements {self.how}: every bit equals the reference "
            "({:.1f} M elements/s engine and comparison, {:.1f} with stimuli and reference)".format(*rates)
        )


def bulk(folder: Folder, total: int, told: Callable[[int], None], seed: int = 0, compiler: bool = True) -> Report:
    """``told`` hears how many elements are done. ToolFailed at the first difference."""
    machine: Compiled | Bench | None = None
    if compiler:
        try:
            machine = compiled(folder)
        except MissingTool as fault:
            LOG.info("no compiled model: %s", fault)
    how = "by gates" if machine is None else "compiled"
    rng, m = np.random.default_rng(seed), folder.design.engine.max_elements
    streams = 1 if machine is not None else max(min(STREAMS, ROUND // m) // 64, 1) * 64
    wanted = -(-min(total, ROUND) // (m * streams))
    each = max(min(wanted, IN_A_ROW), 1) if machine is None else max(min(-(-total // m), COMPILED // m), 1)
    if machine is None:
        machine = folder.bench(folder.netlist, streams, seed)
        machine.power_on()
    done, groups, spent, busy, began = 0, 0, 0.0, 0.0, time.perf_counter()
    while done < total:
        count = streams * each
        sequences = _sequences(folder, rng, streams, each, groups)
        queues = queues_of(folder.layouts, sequences)
        limit, quiet = folder.limits(sequences, Stalls.none())
        start, busy_before = time.perf_counter(), time.process_time()
        outcome = machine.run(queues, Stalls.none(), limit, quiet)
        compare(folder, sequences, queues, outcome)
        spent, busy = spent + time.perf_counter() - start, busy + time.process_time() - busy_before
        groups, done = groups + count, done + count * m
        told(done)
    return Report(how, done, groups, spent, busy, time.perf_counter() - began)


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
            before, left = before + count, left - count
            if here == 1:
                sequences[s].append((batch, 0, count))
            else:
                for k in range(here):
                    sequences[s + k].append((batch, k * each, (k + 1) * each))
    return sequences
