"""Faulty designs beside a sound one, in step: what its registers hold, and which of theirs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwnorm.check.drawing import PATTERNS, TOGETHER, drawn, stalls_of
from hwnorm.check.folder import Folder
from hwnorm.check.queues import queues_of
from hwnorm.check.standard import broken_off
from hwnorm.fixed import Ints
from hwnorm.gates import Mutant, mutated
from hwnorm.gates.clauses import states_of
from hwnorm.gates.lanes import Words
from hwnorm.gates.parts import parts_of

EACH = 64  # streams: a word
CYCLES = 3000
RESETS = 3
EVERY = 3  # cycles, of which one is kept; of those in which something differs, all


@dataclass(frozen=True)
class Observed:
    """Words, a bit for each stream in a cycle, by register: as ``states_of`` orders them."""

    states: Words  # of the sound design
    differing: Sequence[Mapping[int, Words]]  # of each fault, the registers that differed, and when


class InStep:
    """A generator that gives each word of streams the same."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.integers = self._random.integers

    def random(self, count: int, dtype: Any) -> Any:
        return np.tile(self._random.random(EACH, dtype), count // EACH)


def observe(folder: Folder, faults: Sequence[Mutant], seed: int = 0) -> Observed:
    """Groups at random, in every pattern of stalls, with resets."""
    words, random = len(faults) + 1, np.random.default_rng(seed)
    draw = drawn(folder.design, folder.layouts, seed, TOGETHER * len(PATTERNS), CYCLES)
    chosen = [k * TOGETHER + n for n in range(EACH // len(PATTERNS)) for k in range(len(PATTERNS))]
    sequences = [draw.sequences[k] for k in chosen] * words
    stalls = stalls_of([draw.stalls[k] for k in chosen] * words, folder.design)
    netlist = mutated(folder.optimised, [fault for fault in faults for _ in range(EACH)])
    bench = folder.bench(netlist, EACH * words, seed, power_on=None)  # all in step
    bench.random = InStep(seed)  # type: ignore[assignment]
    registers = np.array(states_of(parts_of(netlist)))
    ever = np.zeros((len(registers), len(faults)), bool)
    kept: list[Words] = []
    sparse: list[tuple[Words, tuple[Ints, ...]]] = []

    def look() -> None:
        now = bench.simulation.values(registers)
        differing = now[:, :-1] ^ now[:, -1:]
        np.logical_or(ever, differing, out=ever)
        if random.integers(EVERY) == 0:
            where = differing.nonzero()
            kept.append(now[:, -1].copy())
            sparse.append((differing[where], where))

    bench.simulation.watch(look)
    for _ in broken_off(folder, bench, sequences, stalls, RESETS):
        pass
    limit, quiet = folder.limits(draw.sequences, stalls)
    bench.run(queues_of(folder.layouts, sequences), stalls, limit, quiet, patience=EACH * len(faults))
    rows = [{k: np.zeros(len(kept), np.uint64) for k in np.flatnonzero(column).tolist()} for column in ever.T]
    for cycle, (values, (at, which)) in enumerate(sparse):
        for value, register, fault in zip(values, at.tolist(), which.tolist(), strict=True):
            rows[fault][register][cycle] = value
    return Observed(np.ascontiguousarray(np.array(kept).T), rows)
