"""A test bench in arrays: every port of every stream of a simulated netlist has its own place in its own queue.

A cycle: offer, evaluate, look, clock. Valid stays until ready, its data stand still meanwhile and are inverted where
nothing is offered; ready comes and goes. A layer is offered once its forerunner's groups are in, a group once its layer
is, as a host does. Outputs are recorded, and looked at later; what breaks the rules of a handshake is found at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hwnorm.check.handshake import Driver, Monitor, flags_of, lanes_of
from hwnorm.check.ports import LAYER, Bools, Bytes
from hwnorm.check.queues import Queue
from hwnorm.fixed import Ints
from hwnorm.gates import Delay, Netlist

BEYOND = 40  # cycles for which nothing more may come


@dataclass(frozen=True)
class Stalls:
    """How often a port waits though it need not, in each stream (or, of length 1, in all at the same cycles).
    ``pauses``: nobody takes beats for so many cycles, so that all that is behind fills up; then for three times as
    many they do. ``first``: the cycle at which the first pause begins."""

    given: Ints
    taken: Ints
    pauses: Ints
    first: Ints

    @classmethod
    def none(cls) -> Stalls:
        return cls(np.zeros(1), np.zeros(1), np.zeros(1, np.int64), np.zeros(1, np.int64))

    @property
    def any(self) -> bool:
        return bool(self.given.any() or self.taken.any() or self.pauses.any())

    def pausing(self, cycle: int) -> Bools:
        since = cycle - self.first
        return np.asarray((since >= 0) & (since % np.maximum(4 * self.pauses, 1) < self.pauses))

    @property
    def slowdown(self) -> float:
        """At most so many times the cycles are needed."""
        return float(np.max((1 + (self.pauses > 0) / 3) / ((1 - self.given) * (1 - self.taken))))


@dataclass
class Outcome:
    """What came out: rows (items, streams, bytes) by port, how many, and when."""

    cycles: int
    seen: dict[str, Bytes]
    taken: dict[str, Ints]
    given: dict[str, Ints]
    broken: Bools  # streams in which an output changed or went away before it was taken
    early: Bools  # streams in which a layer was taken with a group of the one before still inside
    first_in: Ints
    last_out: Ints
    waits: dict[str, Ints]  # by side: cycles in which something was offered there and not taken

    def part(self, streams: slice) -> Outcome:
        return replace(
            self,
            seen={name: rows[:, streams] for name, rows in self.seen.items()},
            taken={name: at[streams] for name, at in self.taken.items()},
            given={name: at[streams] for name, at in self.given.items()},
            broken=self.broken[streams],
            early=self.early[streams],
            first_in=self.first_in[streams],
            last_out=self.last_out[streams],
            waits={side: cycles[streams] for side, cycles in self.waits.items()},
        )


class Bench:
    """One netlist in many streams. ``run`` may be called again: the design goes on from where it was."""

    def __init__(
        self,
        netlist: Netlist,
        streams: int,
        first_in: str,
        last_out: str,
        seed: int = 0,
        *,
        toggles: Delay | None = None,
        power_on: int | None = None,
        ports_alone: bool = False,
    ) -> None:
        """``streams``: a multiple of 64. ``first_in``, ``last_out``: the ports between which a run is timed.
        ``toggles``, ``power_on``, ``ports_alone``: of the simulator, what it counts, the seed of what it starts from,
        and that nobody looks inside."""
        assert streams % 64 == 0
        self.streams, self.first_in, self.last_out = streams, first_in, last_out
        self.simulation = netlist.simulator(streams, toggles=toggles, seed=power_on, ports_alone=ports_alone)
        self.random = np.random.default_rng(seed)

    def power_on(self) -> None:
        """Everything is as it was at first, which may be anything, but for one cycle of reset."""
        self.simulation.reset()
        self.reset()

    def reset(self, cycles: int = 1) -> None:
        self.simulation.drive({"rst": 1})
        for name in self.simulation.netlist.inputs:
            if name.endswith("_valid"):
                self.simulation.drive({name: 0})
        for _ in range(cycles):
            self.simulation.evaluate()
            self.simulation.clock()
        self.simulation.drive({"rst": 0})

    def run(
        self, queues: Mapping[str, Queue], stalls: Stalls, limit: int, quiet: int, patience: int | None = None
    ) -> Outcome:
        """Until every queue is empty; or for ``limit`` cycles, or ``quiet`` in which no stream moves anything.

        ``patience``: only the streams from this number on are waited for, the others may be at fault: once those have
        ended, half as many cycles again are enough for all.
        """
        simulation, streams = self.simulation, self.streams
        drivers = {name: Driver(q, streams) for name, q in queues.items() if q.layout.driven}
        monitors = {name: Monitor(q, streams) for name, q in queues.items() if not q.layout.driven}
        first_in, last_out = np.full(streams, -1), np.full(streams, -1)
        broken, early = np.zeros(streams // 64, np.uint64), np.zeros(streams, bool)
        leaving = monitors.get(self.last_out)
        waits = {side: np.zeros(streams, np.int64) for side in ("input", "output")}
        cycle, moved, beyond, stalled = 0, 0, 0, stalls.any
        for m in monitors.values():
            simulation.drive_slices(f"{m.layout.prefix}_ready", lanes_of(m.ready)[None])
        while cycle < limit and cycle - moved < quiet:
            for driver in drivers.values():
                other = drivers.get(driver.layout.partner)
                driver.choose(self._may(stalls.given) if stalled else True, None if other is None else other.at)
                driver.drive(simulation)
            if stalled:
                for monitor in monitors.values():
                    monitor.ready = self._ready(stalls, cycle, monitor.layout.beats)
                    simulation.drive_slices(f"{monitor.layout.prefix}_ready", lanes_of(monitor.ready)[None])
            simulation.evaluate()
            busy, waiting = False, {side: np.zeros(streams, bool) for side in waits}
            for name, driver in drivers.items():
                fire = driver.step(flags_of(simulation.slices(f"{name}_ready")[0], streams))
                waiting["input"] |= driver.held
                if name == self.first_in and fire.any():
                    first_in[fire & (first_in < 0)] = cycle
                if name == LAYER and leaving is not None and leaving.layout.last is not None:
                    early |= fire & (leaving.left < driver.before)
                busy |= bool(fire.any())
            for name, monitor in monitors.items():
                valid, fire, bad = monitor.step(simulation)
                broken |= bad
                waiting["output"] |= valid & ~fire
                if fire.any():
                    wanted = fire & (monitor.at <= monitor.length)
                    busy |= bool(wanted.any())
                    if name == self.last_out:
                        last_out[wanted] = cycle
            for side, now in waiting.items():
                waits[side] += now
            simulation.clock()
            cycle += 1
            if busy:
                moved = cycle
            if (
                patience is not None
                and cycle % 64 == 0
                and all(p.done[patience:].all() for p in (*monitors.values(), *drivers.values()))
            ):
                limit, patience = min(limit, cycle + cycle // 2 + quiet), None
            if beyond or all(p.done.all() for p in (*monitors.values(), *drivers.values())):
                beyond += 1
                moved = cycle
                if beyond > BEYOND:
                    break
        return Outcome(
            cycle,
            {name: m.seen for name, m in monitors.items()},
            {name: m.at for name, m in monitors.items()},
            {name: d.at for name, d in drivers.items()},
            flags_of(broken, streams),
            early,
            first_in,
            last_out,
            waits,
        )

    def _may(self, often: Ints) -> Bools:
        return np.asarray(self.random.random(len(often), np.float32) >= often)

    def _ready(self, stalls: Stalls, cycle: int, beats: bool) -> Bools:
        ready = self._may(stalls.taken)
        if beats:
            ready = ready & ~stalls.pausing(cycle)
        return np.broadcast_to(ready, (self.streams,))
