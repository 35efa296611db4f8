"""Memory between sweeps and behind the last one: first in, first out, one beat in and one out a cycle.

``space`` counts from the decision to send a beat here, not from its arrival: what is still in a pipeline has its place
already. Nothing is read before it was written, so reads and writes never meet at one address.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal, unsigned
from amaranth.lib.memory import Memory

from hwnorm.rtl.depth import LATE_SPACE, banks, rounded_depth
from hwnorm.rtl.values import chosen
from hwnorm.units.hdl import Block
from hwnorm.units.lfsr import TAPS, Lfsr


def counting(block: Block, name: str, depth: int, step: Any, first: int = 0) -> Any:
    """An address that runs around."""
    value = block.register(name, range(depth), init=first, reset_less=False)
    following = value + 1
    if depth & (depth - 1):
        following = Mux(value == depth - 1, 0, following)
    with block.m.If(step):
        block.m.d.sync += value.eq(following)
    return value


def wandering(block: Block, name: str, depth: int, step: Any) -> Any:
    """An address that comes by every word but one, in any order: a shift register with feedback, without a carry. Whom
    it serves does not mind the order, as long as writing and reading follow the same one."""
    bits = (depth - 1).bit_length()
    if depth != 1 << bits or bits not in TAPS:
        return counting(block, name, depth, step)
    value = block.register(name, bits, init=1, reset_less=False)
    with block.m.If(step):
        block.m.d.sync += value.eq(Lfsr(bits).following(value))
    return value


class Space(Block):
    """``space``: fewer than ``depth`` are promised and not yet taken. Both may come in one cycle."""

    def __init__(self, name: str, depth: int) -> None:
        super().__init__(name)
        m = self.m
        self.promise, self.take = self.input("promise"), self.input("take")
        self.space = self.output("space", init=1)
        left, free = Signal(range(depth + 1), name="left", init=depth), Signal(name="has_space", init=1)
        m.d.comb += self.space.eq(free)
        with m.If(self.promise != self.take):
            m.d.sync += [left.eq(left + Mux(self.take, 1, Const(-1))), free.eq(self.take | (left != 1))]


class LateSpace(Block):
    """The same of beats, for a memory that can do without its last places: what is promised and taken is counted a
    cycle late and compared one later, so that nothing waits for a carry. ``space``: LATE_SPACE places more are left
    than are promised as far as is known."""

    def __init__(self, name: str, depth: int) -> None:
        super().__init__(name)
        m = self.m
        self.promise, self.take = self.input("promise"), self.input("take")
        self.space = self.output("space", init=1)
        left, free = Signal(range(depth + 1), name="left", init=depth), Signal(name="has_space", init=1)
        promised, taken = Signal(name="promised"), Signal(name="taken")
        m.d.comb += self.space.eq(free)
        m.d.sync += [
            promised.eq(self.promise),
            taken.eq(self.take),
            free.eq(left[(LATE_SPACE - 1).bit_length() :].any()),
        ]
        with m.If(promised != taken):
            m.d.sync += left.eq(left + Cat(1, (~taken).replicate(len(left) - 1)))


class Replay(Block):
    """``read`` asks for the next beat, whose data stands ``late`` cycles later. Holds ``capacity`` beats. A block RAM,
    whose output register is the next one behind, here or outside; of several (``depth.banks``) it is here."""

    def __init__(self, name: str, width: int, beats: int, late: int) -> None:
        super().__init__(name)
        depth = rounded_depth(beats, width)
        self.capacity = depth - 1
        self.write, self.read = self.input("write"), self.input("read")
        self.data_in = self.input("data_in", width)
        self.data_out = self.output("data_out", width)
        tail = wandering(self, "write_address", depth, self.write)
        head = wandering(self, "read_address", depth, self.read)
        sizes = banks(depth, width) if late > 1 else [depth]
        inside = (sizes[0] - 1).bit_length()  # bits of an address in a bank; those above choose it
        found = []
        for bank, words in enumerate(sizes):
            name = f"memory_{bank}" if bank else "memory"
            here = tail[inside:] == bank if len(sizes) > 1 else None
            data = self._memory(name, words, tail[:inside], head[:inside], here)
            for _ in range(late > 1):
                data = self._later(f"data_{bank}" if bank else "data", data)
            found.append(data)
        which: Any = head[inside:]
        for step in range(2 * (len(sizes) > 1)):
            which = self._later(f"bank_{step}", which)
        data = chosen(which, found) if len(sizes) > 1 else found[0]
        for _ in range(late - 2):
            data = self._later("data_late", data)
        self.m.d.comb += self.data_out.eq(data)

    def _memory(self, name: str, words: int, tail: Any, head: Any, chosen: Any) -> Any:
        """What stood at ``head`` in the cycle before."""
        memory = Memory(shape=unsigned(len(self.data_in)), depth=words, init=[], attrs={"no_rw_check": 1})
        self.m.submodules[name] = memory
        store, fetch = memory.write_port(), memory.read_port()
        self.m.d.comb += [
            store.addr.eq(tail),
            store.data.eq(self.data_in),
            store.en.eq(self.write & chosen if chosen is not None else self.write),
            fetch.addr.eq(head),
            fetch.en.eq(1),
        ]
        return fetch.data

    def _later(self, name: str, value: Any) -> Any:
        held = self.register(name, len(value))
        self.m.d.sync += held.eq(value)
        return held


class Queue(Block):
    """Behind a sweep that writes: the oldest beat is in sight, in the memory's output register. Holds ``depth`` beats,
    and two that are on their way. What is written is in sight three cycles later."""

    def __init__(self, name: str, width: int, depth: int) -> None:
        super().__init__(name)
        m = self.m
        self.write, self.data_in = self.input("write"), self.input("data_in", width)
        self.ready, self.valid = self.input("ready"), self.output("valid")
        self.data_out, self.taken = self.output("data_out", width), self.output("taken")
        memory = Memory(shape=unsigned(width), depth=depth, init=[], attrs={"no_rw_check": 1, "ram_style": "block"})
        m.submodules.memory = memory
        store, fetch = memory.write_port(), memory.read_port()
        there, behind, fetched = Signal(name="there"), Signal(name="behind"), Signal(name="fetched")
        moves, full, data = Signal(name="moves"), Signal(name="full"), self.register("data", width)
        # Known beforehand, so that a beat is fetched without a comparison in the way.
        stored, waiting = Signal(range(depth + 1), name="stored"), Signal(name="waiting")
        m.d.comb += [
            self.valid.eq(there),
            self.taken.eq(there & self.ready),
            moves.eq(~there | self.ready),
            fetched.eq(waiting & (~full | self.ready)),
            store.addr.eq(counting(self, "write_address", depth, self.write)),
            store.data.eq(self.data_in),
            store.en.eq(self.write),
            fetch.addr.eq(counting(self, "read_address", depth, fetched)),
            fetch.en.eq(fetched),
            self.data_out.eq(data),
        ]
        m.d.sync += [behind.eq(fetched | (behind & ~moves)), full.eq(Mux(moves, behind & fetched, behind | fetched))]
        with m.If(moves):
            m.d.sync += [there.eq(behind), data.eq(fetch.data)]
        with m.If(self.write != fetched):
            m.d.sync += [stored.eq(stored + Mux(fetched, Const(-1), 1)), waiting.eq(self.write | (stored != 1))]
