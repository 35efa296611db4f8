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


class Order:
    """In which the addresses of a memory come by. Whom they serve does not mind, as long as writing and reading follow
    the same one: so of a power of two it is that of a shift register with feedback, without a carry, which leaves one
    word out."""

    def __init__(self, depth: int) -> None:
        bits = (depth - 1).bit_length()
        self.depth = depth
        self.lfsr = Lfsr(bits) if depth == 1 << bits and bits in TAPS else None
        self.places = depth - 1 if self.lfsr else depth

    def place(self, number: int) -> int:
        return self.lfsr.compute(1, number) if self.lfsr else number

    def address(self, block: Block, name: str, step: Any, ahead: int = 0) -> Any:
        """A register that moves on by ``step`` and begins so many places ahead of others."""
        value = block.register(name, range(self.depth), init=self.place(ahead), reset_less=False)
        with block.m.If(step):
            block.m.d.sync += value.eq(self.following(value))
        return value

    def following(self, address: Any) -> Any:
        if self.lfsr:
            return self.lfsr.following(address)
        further = (address + 1)[: len(address)]
        return further if self.depth == 1 << len(address) else Mux(address == self.depth - 1, 0, further)


class Stock(Block):
    """``some``: more was put in than taken out. ``init`` are there at first, never more than ``most``; both may come in
    one cycle."""

    def __init__(self, name: str, most: int, init: int = 0) -> None:
        super().__init__(name)
        m = self.m
        self.put, self.take = self.input("put"), self.input("take")
        self.some = self.output("some", init=int(init > 0))
        number, some = Signal(range(most + 1), name="number", init=init), Signal(name="has_some", init=int(init > 0))
        m.d.comb += self.some.eq(some)
        with m.If(self.put != self.take):
            m.d.sync += [number.eq(number + Mux(self.put, 1, Const(-1))), some.eq(self.put | (number != 1))]


class LateSpace(Block):
    """``space``: fewer words of a memory are promised and not yet taken than it has, where it can do without its last
    places. What is promised moves one address on, what is taken another, both a cycle late; how far the one is ahead
    matters only where that is as far as it may be, and there it is seen a cycle later. So nothing is counted, and
    nothing waits for a carry."""

    def __init__(self, name: str, depth: int) -> None:
        super().__init__(name)
        m, order = self.m, Order(depth)
        self.promise, self.take = self.input("promise"), self.input("take")
        self.space = self.output("space", init=1)
        promised, taken, further = Signal(name="promised"), Signal(name="taken"), Signal(name="moves_further")
        far, free = Signal(2, name="far_ahead"), Signal(name="has_space", init=1)
        behind = order.places - (depth - 1 - LATE_SPACE)  # as far as it may be ahead, seen from the other side
        ahead = order.address(self, "promised_address", promised, behind)
        reached = order.address(self, "taken_address", taken)
        half = len(reached) // 2
        m.d.comb += self.space.eq(free)
        m.d.sync += [
            promised.eq(self.promise),
            taken.eq(self.take),
            far.eq(Cat(ahead[:half] == reached[:half], ahead[half:] == reached[half:])),
            further.eq(promised & ~taken),
        ]
        with m.If(far.all()):
            m.d.sync += free.eq(~further)


class Replay(Block):
    """``read`` asks for the next beat, whose data stands ``late`` cycles later. Holds ``capacity`` beats. A block RAM,
    whose output register is the next one behind, here or outside; of several (``depth.banks``) it is here."""

    def __init__(self, name: str, width: int, beats: int, late: int) -> None:
        super().__init__(name)
        depth = self.depth = rounded_depth(beats, width)
        self.write, self.read = self.input("write"), self.input("read")
        self.data_in = self.input("data_in", width)
        self.data_out = self.output("data_out", width)
        order = Order(depth)
        tail = order.address(self, "write_address", self.write)
        head = order.address(self, "read_address", self.read)
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
    """Behind a sweep that writes: the oldest beat is in sight, in the memory's output register. Holds ``depth`` - 1
    beats, and two that are on their way. What is written is in sight three cycles later."""

    def __init__(self, name: str, width: int, depth: int) -> None:
        super().__init__(name)
        m, order = self.m, Order(depth)
        self.depth = depth
        self.write, self.data_in = self.input("write"), self.input("data_in", width)
        self.ready, self.valid = self.input("ready"), self.output("valid")
        self.data_out, self.taken = self.output("data_out", width), self.output("taken")
        memory = Memory(shape=unsigned(width), depth=depth, init=[], attrs={"no_rw_check": 1, "ram_style": "block"})
        m.submodules.memory = memory
        store, fetch = memory.write_port(), memory.read_port()
        there, behind, fetched = Signal(name="there"), Signal(name="behind"), Signal(name="fetched")
        moves, full, data = Signal(name="moves"), Signal(name="full"), self.register("data", width)
        tail = order.address(self, "write_address", self.write)
        head = order.address(self, "read_address", fetched)
        waiting = self.place("waiting", Stock("waiting", depth - 1))
        m.d.comb += [
            self.valid.eq(there),
            self.taken.eq(there & self.ready),
            moves.eq(~there | self.ready),
            waiting.put.eq(self.write),
            waiting.take.eq(fetched),
            fetched.eq(waiting.some & fetch.en),
            store.addr.eq(tail),
            store.data.eq(self.data_in),
            store.en.eq(self.write),
            fetch.addr.eq(head),
            fetch.en.eq(~full | self.ready),  # of no account where none waits: nothing is taken then
            self.data_out.eq(data),
        ]
        m.d.sync += [behind.eq(fetched | (behind & ~moves)), full.eq(Mux(moves, behind & fetched, behind | fetched))]
        with m.If(moves):
            m.d.sync += [there.eq(behind), data.eq(fetch.data)]
