"""The last sweep as a table: what a group does to an element, worked out once for every value that one can have.

Where an element is one narrow stream and the sweep only maps it, a single lane runs through all 2**b values while the
group before is still being looked up; then every lane reads its own copy of the table. That takes as long as 2**b
beats, so groups of fewer beats would wait for it; for longer ones it saves all lanes' multipliers, shifters and
saturation, for a block RAM a lane.

The lane is the sweep's own, but that its elements come in order: what is linear in them is a running sum, and needs no
multiplier.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal, unsigned
from amaranth.lib.memory import Memory

from hwnorm.rtl.cells import Cell, Kind
from hwnorm.rtl.lane import Lane
from hwnorm.rtl.plan import LOOKUP_LATENCY, NEAR_TABLES, TABLES, Shape, SweepPlan
from hwnorm.rtl.replay import Stock
from hwnorm.rtl.values import extended, fitted, with_carry
from hwnorm.units.hdl import Block, shape_of
from hwnorm.units.lfsr import TAPS, Lfsr

TABLE = {"no_rw_check": 1, "ram_style": "block"}  # else small ones have multiplexers behind them


class OrderedLane(Lane):
    """A lane whose only stream counts from its least value to its largest. ``first_at_<d>``: the least one is there."""

    def __init__(self, plan: SweepPlan) -> None:
        self.first_at: dict[int, Any] = {}
        super().__init__(plan)

    def _place(self, cell: Cell) -> None:
        if cell.kind is not Kind.RAMP:
            super()._place(cell)
            return
        depth, name, width = self.plan.depth(cell), self.names.of(cell), cell.format.width
        _, step, start = cell.args
        total: Any = Const(0, 0)
        carry: Any = Const(0, 1)
        bounds = [0, width // 2, width] if cell.latency > 1 else [0, width]
        for late, (low, end) in enumerate(pairwise(bounds)):
            part = self.register(f"{name}_{low}", end - low + 1)
            by, init = (extended(self.value(v, depth + late), width)[low:end] for v in (step, start))
            first = self._first(depth + late)
            held = part[:-1] & ~first.replicate(end - low)  # nothing is carried from a part that starts
            self.m.d.sync += part.eq(with_carry(carry, held, Mux(first, init, by)))
            if end == width:
                total = Cat(total, part[:-1])
            else:
                carry, total = part[-1], self.register(f"{name}_{low}_late", end - low)
                self.m.d.sync += total.eq(part)
        self.at[cell, self.plan.ready[cell]] = fitted(total, cell)

    def _first(self, depth: int) -> Any:
        if depth not in self.first_at:
            self.first_at[depth] = self.input(f"first_at_{depth}")
        return self.first_at[depth]


class TableBlock(Block):
    """In the place of a SweepBlock. Between the stage before and the sweep's control it hands a group on when its
    table is complete: ``token`` and ``release`` face the stage, ``complete`` and ``armed`` the control."""

    def __init__(self, plan: SweepPlan, shape: Shape) -> None:
        super().__init__(f"sweep_{plan.number}")
        self.plan, self.spread, self.latency = plan, shape.spread, shape.lookup_latency
        (self.stream,) = plan.arriving.values()
        self.size = 1 << self.stream.format.width
        self.valid, self.first, self.last = (self.input(n) for n in ("valid", "first", "last"))
        self.tail = self.input("tail", (shape.lanes - 1).bit_length()) if shape.partial else None
        self.begun = self.output("begun")  # a group's first beat is here
        self.m.d.comb += self.begun.eq(self.valid & self.first)
        self.streams = {self.stream: self.input(self.stream.name, self.stream.format.width * shape.lanes)}
        self.sums: dict[Cell, Any] = {}
        self.carried: dict[Cell, Any] = {}
        self.passed: dict[str, Any] = {}
        self.pass_valid = None
        self.start = Const(0)
        self.operands: dict[Cell, Any] = {}
        self.layer: dict[Cell, Any] = {}
        self.lane = OrderedLane(plan)
        self._chains: dict[tuple[str, int], Any] = {}
        self._fill_control()
        self._fill()
        self.lengths = {} if shape.fixed else self._lengths(shape)
        self._look_up()
        self.place("lane", self.lane)

    # Filling

    def _fill_control(self) -> None:
        """A table is filled without a pause; the next may begin in the cycle after. Tables are counted a cycle late: no
        two are begun, and no two groups armed, in so short a time."""
        m = self.m
        self.token, self.release = self.input("token"), self.output("release")
        self.ended = self.input("ended")  # a group has been looked up
        self.complete, self.armed = self.output("complete"), self.input("armed")
        filling, taken = Signal(name="filling"), Signal(name="taken")
        at_end = Signal(name="at_end")
        begin = Signal(name="begin_fill")
        empty = self.place("empty", Stock("empty", TABLES, TABLES))
        self.fill_first, self.fill_last = Signal(name="fill_first"), Signal(name="fill_last")
        m.d.sync += self.fill_first.eq(begin)
        m.d.comb += empty.take.eq(self.fill_first)
        m.d.comb += empty.put.eq(self.ended)
        m.d.comb += begin.eq(self.token & ~taken & empty.some & (~filling | at_end))
        timer = Lfsr(max(self.stream.format.width + 1, min(TAPS)))
        time = self.register("time", timer.width, init=1)
        m.d.sync += [time.eq(timer.following(time)), at_end.eq(filling & (time == timer.compute(1, self.size - 2)))]
        with m.If(begin):
            m.d.sync += [filling.eq(1), taken.eq(1), time.eq(1)]
        with m.Elif(at_end):
            m.d.sync += filling.eq(0)
        with m.If(self.release):
            m.d.sync += taken.eq(0)
        self.filled = Signal(name="filled")
        ready = self.place("ready", Stock("ready", TABLES))
        m.d.comb += [ready.put.eq(self.filled), ready.take.eq(self.armed), self.complete.eq(ready.some)]
        self.fill_valid = filling
        m.d.comb += self.fill_last.eq(at_end)

    def at(self, name: str, depth: int) -> Any:
        """``valid``, ``first`` and ``last`` of the filling lane at a depth."""
        if depth < 0:
            return {"valid": self.fill_valid, "first": self.fill_first, "last": self.fill_last}[name]
        if (name, depth) not in self._chains:
            earlier = self.at(name, depth - 1)
            late = self.register(f"fill_{name}_{depth}", len(earlier), reset_less=False)
            self.m.d.sync += late.eq(earlier)
            self._chains[name, depth] = late
        return self._chains[name, depth]

    def _fill(self) -> None:
        m, plan, lane = self.m, self.plan, self.lane
        if any(self.stream in c.args for c in plan.cells if c.kind is not Kind.RAMP):
            m.d.comb += lane.streams[self.stream].eq(self._value(0))
        for depth, port in lane.first_at.items():
            m.d.comb += port.eq(self.at("first", depth))
        starts = {c.args[2] for c in plan.cells if c.kind is Kind.RAMP}  # read once, with the first value
        for cell, depth in plan.operands:
            name = lane.names.of(cell)
            if cell not in self.operands:
                self.operands[cell] = self.input(f"{name}_in", shape_of(cell.format))
            if cell in starts:
                m.d.comb += lane.operand[cell, depth].eq(self.operands[cell])
                continue
            copy = self.register(f"{name}_at_{depth}", shape_of(cell.format))
            with m.If(self.at("first", depth - 1)):
                m.d.sync += copy.eq(self.operands[cell])
            m.d.comb += lane.operand[cell, depth].eq(copy)
        for cell, port in lane.layer.items():
            self.layer[cell] = self.input(cell.name, shape_of(cell.format))
            m.d.comb += port.eq(self.layer[cell])
        m.d.comb += self.release.eq(self.at("first", plan.released_at + 1))  # not the strobe that the lane starts with
        m.d.comb += self.filled.eq(self.at("last", plan.writes_at + self.spread))

    def _lengths(self, shape: Shape) -> dict[str, Any]:
        """What the control has to know of the group whose table it waits for, until that group has begun, as the stage
        had it when the table was: by now it may hold a later group's. The youngest are in front; ``oldest`` is where
        the control reads."""
        m, oldest = self.m, Signal(range(TABLES), name="oldest_length", init=TABLES - 1)
        with m.If(self.release != self.begun):
            m.d.sync += oldest.eq(oldest + Mux(self.release, 1, Const(-1)))
        widths = {"last_beat": shape.beat_bits}
        if shape.partial:
            widths["last_lane"] = shape.lane_bits
        found = {}
        for name, width in widths.items():
            waiting = [self.register(f"{name}_{place}", width) for place in range(TABLES)]
            with m.If(self.release):
                m.d.sync += waiting[0].eq(self.input(name, width))
                m.d.sync += [late.eq(early) for early, late in pairwise(waiting)]
            found[name] = self.output(f"{name}_told", width)
            m.d.comb += found[name].eq(Array(waiting)[oldest])
        return found

    # Looking up

    def _look_up(self) -> None:
        m, plan, lanes = self.m, self.plan, self.plan.lanes
        width = self.stream.format.width
        results = [self.lane.out(cell, plan.writes_at, f"write_{name}") for name, cell in plan.writes.items()]
        word: Any = Cat(r.as_unsigned() for r in results)
        into, out_of = (
            Signal(range(TABLES), name="table_written"),
            Signal(range(TABLES), name="table_read", init=TABLES - 1),
        )
        with m.If(self.at("last", plan.writes_at)):  # the next table's first value may follow
            m.d.sync += into.eq(into + 1)
        with m.If(self.begun):
            m.d.sync += out_of.eq(out_of + 1)
        beat = self.register(f"{self.stream.name}_0", len(self.streams[self.stream]))
        m.d.sync += beat.eq(self.streams[self.stream])
        address: Any = Cat(self._value(plan.writes_at), into)
        found = []
        for lane in range(lanes):
            place, first = divmod(lane, NEAR_TABLES)
            if place and not first:  # from one place to the next
                addressed = self.register(f"address_{place}", len(address))
                stored = self.register(f"word_{place}", len(word))
                m.d.sync += [addressed.eq(address), stored.eq(word)]
                address, word = addressed, stored
            memory = Memory(shape=unsigned(len(word)), depth=TABLES * self.size, init=[], attrs=TABLE)
            m.submodules[f"table_{lane}"] = memory
            store, fetch = memory.write_port(), memory.read_port()
            read = self.register(f"read_{lane}", len(word))
            m.d.comb += [
                store.addr.eq(address),
                store.data.eq(word),
                store.en.eq(self.at("valid", plan.writes_at + place)),
                fetch.addr.eq(Cat(beat.word_select(lane, width), out_of)),
                fetch.en.eq(1),
            ]
            m.d.sync += read.eq(fetch.data)
            for _ in range(self.latency - LOOKUP_LATENCY):
                late = self.register(f"late_{lane}", len(word))
                m.d.sync += late.eq(read)
                read = late
            found.append(read)
        self.written, offset = {}, 0
        for name, cell in plan.writes.items():
            size = cell.format.width
            port = self.output(f"write_{name}", size * lanes)
            m.d.comb += port.eq(Cat(read[offset : offset + size] for read in found))
            self.written[f"write_{name}"] = port
            offset += size
        self._tell()

    def _value(self, depth: int) -> Any:
        """The value that stands at a depth, as bits. Counting starts at the least one, and comes back to it: a table is
        filled whole."""
        least = self.size // 2 if self.stream.format.signed else 0
        value = self.register(f"value_{depth}", range(self.size), init=least, reset_less=False)
        with self.m.If(self.at("valid", depth)):
            self.m.d.sync += value.eq(value + 1)
        return value

    def _tell(self) -> None:
        m = self.m
        late = {"valid": self.valid, "last": self.last} | ({"tail": self.tail} if self.tail is not None else {})
        self.write_valid, self.write_last = self.output("write_valid"), self.output("write_last")
        self.write_tail = self.output("write_tail", len(self.tail)) if self.tail is not None else None
        for name, value in late.items():
            for depth in range(self.latency + 1):
                held = self.register(f"{name}_{depth}", len(value), reset_less=name != "valid")
                m.d.sync += held.eq(value)
                value = held
            m.d.comb += self.outputs[f"write_{name}"].eq(value)
