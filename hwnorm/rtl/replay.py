"""Memory between sweeps and behind the last one: first in, first out, one beat in and one out a cycle.

``space`` counts from the decision to send a beat here, not from its arrival: what is still in a pipeline has its place
already. Nothing is read before it was written, so reads and writes never meet at one address.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal, unsigned
from amaranth.lib.memory import Memory

from hwnorm.rtl.depth import rounded_depth
from hwnorm.units.hdl import Block

LATE_SPACE = 4  # promises that a late count does not know of, and one


class Pointer:
    """An address that runs around."""

    def __init__(self, block: Block, name: str, depth: int, step: Any) -> None:
        self.value = block.register(name, range(depth), reset_less=False)
        following = self.value + 1
        if depth & (depth - 1):
            following = Mux(self.value == depth - 1, 0, following)
        with block.m.If(step):
            block.m.d.sync += self.value.eq(following)


class Space(Block):
    """``space``: fewer than ``depth`` beats are promised and not yet taken. Both may come in one cycle."""

    def __init__(self, name: str, depth: int) -> None:
        super().__init__(name)
        m = self.m
        self.promise, self.take = self.input("promise"), self.input("take")
        self.space = self.output("space", init=1)
        left = Signal(range(depth + 1), name="left", init=depth)
        free = Signal(name="has_space", init=1)
        m.d.comb += self.space.eq(free)
        with m.If(self.promise != self.take):
            m.d.sync += [left.eq(left + Mux(self.take, 1, Const(-1))), free.eq(self.take | (left != 1))]


class LateSpace(Block):
    """The same for a memory that is large enough to do without its last places: what is promised and taken is counted
    a cycle late and compared one later, so that nothing waits for a carry. ``space``: LATE_SPACE places more are left
    than are promised as far as is known."""

    def __init__(self, name: str, depth: int) -> None:
        super().__init__(name)
        m = self.m
        self.promise, self.take = self.input("promise"), self.input("take")
        self.space = self.output("space", init=1)
        left, free = Signal(range(depth + 1), name="left", init=depth), Signal(name="has_space", init=1)
        change, up = Signal(name="change"), Signal(name="up")
        m.d.comb += self.space.eq(free)
        m.d.sync += [change.eq(self.promise ^ self.take), up.eq(self.take)]
        with m.If(change):
            m.d.sync += left.eq(left + Cat(1, (~up).replicate(len(left) - 1)))
        m.d.sync += free.eq(left[2:].any())


class Replay(Block):
    """``read`` asks for the next beat, whose data stands one cycle later. A block RAM, its output register outside."""

    def __init__(self, name: str, width: int, depth: int) -> None:
        super().__init__(name)
        self.depth = depth = rounded_depth(depth)
        self.write, self.read = self.input("write"), self.input("read")
        self.data_in = self.input("data_in", width)
        self.data_out = self.output("data_out", width)
        memory = Memory(shape=unsigned(width), depth=depth, init=[], attrs={"no_rw_check": 1})
        self.m.submodules.memory = memory
        store, fetch = memory.write_port(), memory.read_port()
        tail = Pointer(self, "write_address", depth, self.write)
        head = Pointer(self, "read_address", depth, self.read)
        self.m.d.comb += [
            store.addr.eq(tail.value),
            store.data.eq(self.data_in),
            store.en.eq(self.write),
            fetch.addr.eq(head.value),
            fetch.en.eq(1),
            self.data_out.eq(fetch.data),
        ]


class Queue(Block):
    """Behind a sweep that writes: a small memory with the oldest beat always in sight. Holds ``depth - 1`` at most."""

    def __init__(self, name: str, width: int, depth: int) -> None:
        super().__init__(name)
        m = self.m
        self.write, self.data_in = self.input("write"), self.input("data_in", width)
        self.ready, self.valid = self.input("ready"), self.output("valid")
        self.data_out = self.output("data_out", width)
        memory = Memory(shape=unsigned(width), depth=depth, init=[])
        m.submodules.memory = memory
        store, fetch = memory.write_port(), memory.read_port(domain="comb")
        self.taken = self.output("taken")
        m.d.comb += self.taken.eq(self.valid & self.ready)
        tail = Pointer(self, "write_address", depth, self.write)
        head = Pointer(self, "read_address", depth, self.taken)
        # Known beforehand, so that a beat is taken without a comparison in the way.
        count, there = Signal(range(depth), name="count"), Signal(name="there")
        m.d.comb += self.valid.eq(there)
        with m.If(self.write != self.taken):
            m.d.sync += [count.eq(count + Mux(self.taken, Const(-1), 1)), there.eq(self.write | (count != 1))]
        m.d.comb += [
            store.addr.eq(tail.value),
            store.data.eq(self.data_in),
            store.en.eq(self.write),
            fetch.addr.eq(head.value),
            self.data_out.eq(fetch.data),
        ]
