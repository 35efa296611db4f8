"""A test bench in arrays: every port of every stream of a simulated netlist has its own place in its own queue.

A cycle: offer, evaluate, look, clock. Valid stays until ready, its data stand still meanwhile and are inverted where
nothing is offered; ready comes and goes. A layer is offered once its forerunner's groups are in, a group once its layer
is, as a host does. Outputs are recorded, and looked at later; what breaks the rules of a handshake is found at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hwnorm.fixed import Ints
from hwnorm.gates import Delay, Netlist, Simulator
from hwnorm.gates.lanes import Words, bytes_to_slices, slices_to_bytes
from hwnorm.rtl.check_streams import Bools, Bytes, Queue

BEYOND = 40  # cycles for which nothing more may come


@dataclass(frozen=True)
class Stalls:
    """How often a port waits though it need not, in each stream (or, of length 1, in all at the same cycles).
    ``pauses``: nobody takes beats for ``pause`` cycles, then for as many they do: all that is behind fills up."""

    given: Ints
    taken: Ints
    pauses: Bools
    pause: int = 128

    @classmethod
    def none(cls) -> Stalls:
        return cls(np.zeros(1), np.zeros(1), np.zeros(1, bool))

    @property
    def any(self) -> bool:
        return bool(self.given.any() or self.taken.any() or self.pauses.any())

    @property
    def slowdown(self) -> float:
        """At most so many times the cycles are needed."""
        return float(np.max((1 + self.pauses) / ((1 - self.given) * (1 - self.taken))))


@dataclass
class Outcome:
    """What came out: rows (items, streams, bytes) by port, how many, and when."""

    cycles: int
    seen: dict[str, Bytes]
    taken: dict[str, Ints]
    given: dict[str, Ints]
    ended: bool
    broken: Bools  # streams in which an output changed or went away before it was taken
    first_in: Ints
    last_out: Ints
    waits: dict[str, int] = field(default_factory=dict)  # cycles x streams in which a side made the other wait

    def part(self, streams: slice) -> Outcome:
        return replace(
            self,
            seen={name: rows[:, streams] for name, rows in self.seen.items()},
            taken={name: at[streams] for name, at in self.taken.items()},
            given={name: at[streams] for name, at in self.given.items()},
            broken=self.broken[streams],
            first_in=self.first_in[streams],
            last_out=self.last_out[streams],
        )


class _Port:
    def __init__(self, queue: Queue, streams: int) -> None:
        self.queue, self.layout, self.streams = queue, queue.layout, streams
        self.at = np.zeros(streams, np.int64)
        self.shared = queue.rows.shape[1] == 1
        self.length = np.broadcast_to(queue.length, (streams,))
        self.column = np.zeros(streams, np.int64) if self.shared else np.arange(streams)
        self.flat = queue.rows.reshape(-1, queue.layout.size)
        self.width = queue.rows.shape[1]
        self.most = len(queue.rows)

    def _items(self) -> Ints:
        return np.minimum(self.at, self.most - 1)

    @property
    def done(self) -> Bools:
        return np.asarray(self.at >= self.length)


class _Driver(_Port):
    def __init__(self, queue: Queue, streams: int) -> None:
        super().__init__(queue, streams)
        self.held = np.zeros(streams, bool)
        self.offer = np.zeros(streams, bool)
        self.stale = True
        self.slices: Words | None = None

    def choose(self, may: Bools | bool, before: Ints | None) -> None:
        """What is offered in this cycle."""
        fresh = (self.at < self.length) & may
        if before is not None and self.queue.after is not None:
            fresh &= before >= self.queue.after[self._items(), self.column % self.queue.after.shape[1]]
        self.offer = self.held | fresh

    def drive(self, simulation: Simulator) -> None:
        if self.stale or self.slices is None:
            self.slices = self._row()
            self.stale = False
        valid = _lanes(self.offer)
        idle = ~valid
        prefix = self.layout.prefix
        simulation.drive_slices(f"{prefix}_valid", valid[None])
        for signal in self.layout.signals:
            simulation.drive_slices(signal.signal, self.slices[signal.rows] ^ idle)

    def _row(self) -> Words:
        items = self._items()
        if self.at[0] == self.at[-1] and (self.at == self.at[0]).all():
            row = self.queue.rows[items[0]]
            row = np.broadcast_to(row, (self.streams, row.shape[1]))
        else:
            row = self.flat.take(items * self.width + self.column, axis=0)
        return bytes_to_slices(np.ascontiguousarray(row.T), 8 * self.layout.size)

    def step(self, ready: Bools) -> Bools:
        fire = self.offer & ready
        self.held = self.offer & ~ready
        if fire.any():
            self.at += fire
            self.stale = True
        return fire


class _Monitor(_Port):
    def __init__(self, queue: Queue, streams: int) -> None:
        super().__init__(queue, streams)
        self.seen = np.zeros((self.most, streams, self.layout.size), np.uint8)
        self.flat_seen = self.seen.reshape(-1, self.layout.size)
        self.ready = np.ones(streams, bool)
        self.before: tuple[Words, Words] | None = None  # what was put out and not taken

    def step(self, simulation: Simulator) -> tuple[Bools, Bools, Words]:
        """Whether it was valid, whether it was taken, and (in words) whether a promise was broken."""
        valid_words = simulation.slices(f"{self.layout.prefix}_valid")[0]
        broken = np.zeros_like(valid_words)
        if not valid_words.any():
            none = np.zeros(self.streams, bool)
            if self.before is not None:
                broken, self.before = self.before[0], None
            return none, none, broken
        ready_words = _lanes(self.ready)
        rows = np.zeros((8 * self.layout.size, len(valid_words)), valid_words.dtype)
        for signal in self.layout.signals:
            rows[signal.rows] = simulation.slices(signal.signal)
        if self.before is not None:
            waiting, old = self.before
            changed = rows ^ old
            if self.layout.error is not None:
                changed[self.layout.error.rows] = 0  # it is no part of the stream
            broken = waiting & (~valid_words | np.bitwise_or.reduce(changed, axis=0))
        waiting = valid_words & ~ready_words
        self.before = (waiting, rows) if waiting.any() else None
        valid = _flags(valid_words, self.streams)
        fire = valid & self.ready
        if fire.any():
            self._record(rows, fire)
            self.at += fire
        return valid, fire, broken

    def _record(self, rows: Words, fire: Bools) -> None:
        found = slices_to_bytes(rows).T[: self.streams]
        if fire.all() and (self.at == self.at[0]).all():
            if self.at[0] < self.most:
                self.seen[self.at[0]] = found
            return
        where = np.flatnonzero(fire & (self.at < self.most))
        self.flat_seen[self.at[where] * self.streams + where] = found[where]


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
    ) -> None:
        """``streams``: a multiple of 64. ``first_in``, ``last_out``: the ports between which a run is timed.
        ``toggles``, ``power_on``: of the simulator, what it counts and the seed of what it starts from."""
        assert streams % 64 == 0
        self.streams, self.first_in, self.last_out = streams, first_in, last_out
        self.simulation = netlist.simulator(streams, toggles=toggles, seed=power_on)
        self.random = np.random.default_rng(seed)

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
        drivers = {name: _Driver(q, streams) for name, q in queues.items() if q.layout.driven}
        monitors = {name: _Monitor(q, streams) for name, q in queues.items() if not q.layout.driven}
        others = {"group": "layer", "layer": "group"}
        first_in, last_out = np.full(streams, -1), np.full(streams, -1)
        broken = np.zeros(streams // 64, np.uint64)
        waits = dict.fromkeys(("input", "output"), 0)
        cycle, moved, beyond, ended, stalled = 0, 0, 0, False, stalls.any
        for m in monitors.values():
            simulation.drive_slices(f"{m.layout.prefix}_ready", _lanes(m.ready)[None])
        while cycle < limit and cycle - moved < quiet:
            for name, driver in drivers.items():
                other = drivers.get(others.get(name, ""))
                driver.choose(self._may(stalls.given) if stalled else True, None if other is None else other.at)
                driver.drive(simulation)
            if stalled:
                for monitor in monitors.values():
                    monitor.ready = self._ready(stalls, cycle, monitor.layout.beats)
                    simulation.drive_slices(f"{monitor.layout.prefix}_ready", _lanes(monitor.ready)[None])
            simulation.evaluate()
            busy = False
            for name, driver in drivers.items():
                fire = driver.step(_flags(simulation.slices(f"{name}_ready")[0], streams))
                if stalled:
                    waits["input"] += int(np.count_nonzero(driver.held))
                if name == self.first_in and fire.any():
                    first_in[fire & (first_in < 0)] = cycle
                busy |= bool(fire.any())
            for name, monitor in monitors.items():
                valid, fire, bad = monitor.step(simulation)
                broken |= bad
                if stalled:
                    waits["output"] += int(np.count_nonzero(valid & ~fire))
                if fire.any():
                    wanted = fire & (monitor.at <= monitor.length)
                    busy |= bool(wanted.any())
                    if name == self.last_out:
                        last_out[wanted] = cycle
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
                    ended = True
                    break
        return Outcome(
            cycle,
            {name: m.seen for name, m in monitors.items()},
            {name: m.at for name, m in monitors.items()},
            {name: d.at for name, d in drivers.items()},
            ended,
            _flags(broken, streams),
            first_in,
            last_out,
            waits,
        )

    def _may(self, often: Ints) -> Bools:
        return np.asarray(self.random.random(len(often), np.float32) >= often)

    def _ready(self, stalls: Stalls, cycle: int, beats: bool) -> Bools:
        ready = self._may(stalls.taken)
        if beats and cycle // stalls.pause % 2 == 0:
            ready = ready & ~stalls.pauses
        return np.broadcast_to(ready, (self.streams,))


def _lanes(flags: Bools) -> Words:
    return np.packbits(flags, bitorder="little").view("<u8")


def _flags(words: Words, streams: int) -> Bools:
    flat = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(flat, count=streams, bitorder="little").view(bool)
