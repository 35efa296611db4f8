"""One port in every stream of a simulated netlist: what offers a queue's rows to it, what takes and records them.

Valid stays until ready, its data stand still meanwhile and are inverted where nothing is offered.
"""

from __future__ import annotations

import numpy as np

from hwnorm.check.ports import Bools
from hwnorm.check.queues import Queue
from hwnorm.fixed import Ints
from hwnorm.gates import Simulator
from hwnorm.gates.lanes import Words, bytes_to_slices, slices_to_bytes


class Port:
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


class Driver(Port):
    def __init__(self, queue: Queue, streams: int) -> None:
        super().__init__(queue, streams)
        self.held = np.zeros(streams, bool)
        self.offer = np.zeros(streams, bool)
        self.before = np.zeros(streams, np.int64)  # how many layers, or groups, come before what is offered
        self.moved = True  # to other items than those of which the rest of this is
        self.more = np.zeros(streams, bool)
        self.slices: Words | None = None
        self.driven: Bools | None = None  # what was offered when these slices were driven

    def choose(self, may: Bools | bool, there: Ints | None) -> None:
        """What is offered in this cycle. ``there``: how many items its partner has moved."""
        if self.moved:
            self.moved, self.slices, self.driven = False, None, None
            self.more = self.at < self.length
            if self.queue.after is not None:
                self.before = self.queue.after[self._items(), self.column % self.queue.after.shape[1]]
        fresh = self.more & may
        if there is not None and self.queue.after is not None:
            fresh &= there >= self.before
        self.offer = self.held | fresh

    def drive(self, simulation: Simulator) -> None:
        if self.driven is not None and (self.offer == self.driven).all():
            return
        if self.slices is None:
            self.slices = self._row()
        self.driven = self.offer
        valid = lanes_of(self.offer)
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
            self.moved = True
        return fire


class Monitor(Port):
    def __init__(self, queue: Queue, streams: int) -> None:
        super().__init__(queue, streams)
        self.seen = np.zeros((self.most, streams, self.layout.size), np.uint8)
        self.flat_seen = self.seen.reshape(-1, self.layout.size)
        self.nets: Ints | None = None
        self.ready = np.ones(streams, bool)
        self.left = np.zeros(streams, np.int64)  # groups whose last beat was taken
        self.waiting: tuple[Words, Words] | None = None  # what was put out and not taken

    def step(self, simulation: Simulator) -> tuple[Bools, Bools, Words]:
        """Whether it was valid, whether it was taken, and (in words) whether a promise was broken."""
        valid_words = simulation.slices(f"{self.layout.prefix}_valid")[0]
        broken = np.zeros_like(valid_words)
        if not valid_words.any():
            none = np.zeros(self.streams, bool)
            if self.waiting is not None:
                broken, self.waiting = self.waiting[0], None
            return none, none, broken
        ready_words = lanes_of(self.ready)
        rows = simulation.values(self._nets(simulation))
        if self.waiting is not None:
            waiting, old = self.waiting
            changed = rows ^ old
            if self.layout.error is not None:
                changed[self.layout.error.rows] = 0  # it is no part of the stream
            broken = waiting & (~valid_words | np.bitwise_or.reduce(changed, axis=0))
        waiting = valid_words & ~ready_words
        self.waiting = (waiting, rows) if waiting.any() else None
        valid = flags_of(valid_words, self.streams)
        fire = valid & self.ready
        if fire.any():
            self._record(rows, fire)
            self.at += fire
            if self.layout.last is not None:
                self.left += fire & flags_of(rows[self.layout.last.rows][0], self.streams)
        return valid, fire, broken

    def _nets(self, simulation: Simulator) -> Ints:
        """The net of each bit of a row; where there is none, the one that is 0."""
        if self.nets is None:
            self.nets = np.zeros(8 * self.layout.size, np.intp)
            for signal in self.layout.signals:
                self.nets[signal.rows] = simulation.netlist.outputs[signal.signal]
        return self.nets

    def _record(self, rows: Words, fire: Bools) -> None:
        found = slices_to_bytes(rows).T[: self.streams]
        if fire.all() and (self.at == self.at[0]).all():
            if self.at[0] < self.most:
                self.seen[self.at[0]] = found
            return
        where = np.flatnonzero(fire & (self.at < self.most))
        self.flat_seen[self.at[where] * self.streams + where] = found[where]


def lanes_of(flags: Bools) -> Words:
    return np.packbits(flags, bitorder="little").view("<u8")


def flags_of(words: Words, streams: int) -> Bools:
    flat = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(flat, count=streams, bitorder="little").view(bool)
