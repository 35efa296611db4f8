"""A scalar stage: what is known per group between two sweeps, on a static schedule.

``reserve`` says that a group is on its way, ``start`` that what it starts from stands at the inputs. A counter then
starts the serial units, each when its operands are there; adders and comparators are registers that follow their
operands. ``token`` says that the results stand; they hold until ``release`` (and until the results have been taken,
where this stage puts them out). From ``reserve`` until then ``free`` is low.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Any

from amaranth.hdl import Cat, Const, Signal

from hwnorm.fixed import Format
from hwnorm.rtl.cells import WIRING, Cell, Kind
from hwnorm.rtl.names import Names
from hwnorm.rtl.timetable import FED, StagePlan
from hwnorm.rtl.values import expression, literal, wired
from hwnorm.units import Multiplier, RestoringReciprocal
from hwnorm.units.hdl import Block, shape_of
from hwnorm.units.serial import countdown

NEAR = 4  # cycles from one strobe to the next that registers bridge at less cost than a comparison


class StageBlock(Block):
    def __init__(self, plan: StagePlan, results: dict[str, Cell], released: bool) -> None:
        """``released``: whether a sweep takes the token. ``results``: what is put out, if this stage does."""
        super().__init__(f"stage_{plan.number}")
        self.plan, self.names = plan, Names()
        self.reserve, self.start = self.input("reserve"), self.input("start")
        self.captured: dict[Cell, Any] = {}  # inputs
        self.layer: dict[Cell, Any] = {}
        self._values: dict[Cell, Any] = {}
        self._strobes: dict[int, Any] = {}
        self._flags: dict[int, Any] = {}
        self._bits: dict[Cell, Any] = {}  # the wires of values that run
        self._late: dict[tuple[Cell, int], Any] = {}
        self._feeds: dict[tuple[Cell, int], Any] = {}
        self._constants: dict[tuple[int, int], Any] = {}
        self._capture()
        self._sequence()
        for cell in plan.cells:
            self._place(cell)
        self.values: dict[Cell, Any] = {}
        for cell in plan.outputs:
            port = self.output(f"{self.names.of(cell)}_out", shape_of(cell.format))
            self.m.d.comb += port.eq(self._value(cell))
            self.values[cell] = port
        self._hand_over(results if plan.puts_results else {}, released)
        self._make_strobes()

    def _capture(self) -> None:
        for cell in self.plan.captured:
            name = self.names.of(cell)
            port = self.captured[cell] = self.input(f"{name}_in", shape_of(cell.format))
            if cell in self.plan.passing:
                continue
            held = self._values[cell] = self.register(name, shape_of(cell.format))
            with self.m.If(self.start):
                self.m.d.sync += held.eq(port)

    def _sequence(self) -> None:
        """``begin`` is time 0. The counter runs until the last result stands, and stays where no strobe comes from it;
        so does the 0 of a reset, after which strobes are made from ``begin``."""
        length = self.plan.latency
        self.token = self.output("token")
        self.token_held = Signal(name="token_held")
        self.m.d.comb += self.token.eq(self.token_held)
        self.begin = Signal(name="begin")
        self.m.d.sync += self.begin.eq(self.start)
        self.time = Signal(range(max(length + 1, 2)), name="time")
        self.running = Signal(name="running")
        self.done = Signal(name="done")
        if length == 0:
            self.m.d.comb += self.done.eq(self.start)
            return
        with self.m.If(self.start):
            self.m.d.sync += [self.running.eq(1), self.time.eq(0)]
        with self.m.Elif(self.running):
            self.m.d.sync += self.time.eq(self.time + 1)
            with self.m.If(self.done):
                self.m.d.sync += self.running.eq(0)
        if length == 1:
            self.m.d.comb += self.done.eq(self.running & (self.time == 0))
        else:
            self.m.d.sync += self.done.eq(self.running & (self.time == length - 2))

    # Time

    def _strobe(self, time: int) -> Any:
        """High in the cycle ``time``; never, if that is after the last result stands."""
        assert time >= 0, f"{self.name}: nothing happens before the first cycle"
        if time > self.plan.latency:
            return Const(0, 1)
        if time not in self._strobes:
            self._strobes[time] = Signal(name=f"go_{time}") if time else self.begin
        return self._strobes[time]

    def _since(self, time: int) -> Any:
        """High from the cycle ``time`` on."""
        if time <= 0:
            return Const(1, 1)
        if time not in self._flags:
            flag = self._flags[time] = self.register(f"since_{time}")
            with self.m.If(self._strobe(time - 1)):
                self.m.d.sync += flag.eq(1)
            with self.m.If(self.start):
                self.m.d.sync += flag.eq(0)
        return self._flags[time]

    def _make_strobes(self) -> None:
        """From the count, or from another one shortly before."""
        before = 0
        for time in sorted(self._strobes):
            strobe = self._strobes[time]
            if 0 < time - before <= NEAR:
                late = self._strobes.get(before, self.begin)
                for step in range(before + 1, time):
                    further = Signal(name=f"go_{step}")
                    self.m.d.sync += further.eq(late)
                    late = further
                self.m.d.sync += strobe.eq(late)
            elif time:
                self.m.d.sync += strobe.eq(self.time == time - 1)
            before = time

    # Values that stand

    def _value(self, cell: Cell) -> Any:
        if cell.is_const:
            return literal(cell)
        if cell not in self._values:
            if cell.kind is Kind.LAYER:
                self.layer[cell] = self._values[cell] = self.input(cell.name, shape_of(cell.format))
            elif cell in self.plan.serial:
                self._values[cell] = self._collected(cell)
            elif cell.kind in WIRING:
                self._values[cell] = wired(cell, self._value(cell.args[0]))
            else:
                raise AssertionError(f"{cell!r} is not known in stage {self.plan.number}")
        return self._values[cell]

    def _collected(self, cell: Cell) -> Any:
        """Shifted in until the last bit has come; unless it is just part of what is collected anyway."""
        fmt, at = cell.format, self.plan.ready[cell]
        value = self.register(f"{self.names.of(cell)}_collected", shape_of(fmt))
        with self.m.If(~self._since(at + fmt.width)):
            self.m.d.sync += value.eq(Cat(value[1:], self._bits[cell]))
        return value

    def _place(self, cell: Cell) -> None:
        plan = self.plan
        match cell.kind:
            case _ if cell.kind in (*FED, *WIRING) and cell not in plan.standing and cell not in plan.serial:
                return
            case _ if cell in plan.serial and cell.kind in WIRING:
                self._wire(cell)
            case Kind.LEFT | Kind.RIGHT:
                self._value(cell)
            case Kind.PORT:
                self._port(cell)
            case Kind.UNIT:
                self._unit(cell)
            case Kind.GT if plan.runs(cell):
                self._compare(cell)
            case _ if plan.runs(cell):
                self._add(cell)
            case _:
                signal = self.register(self.names.of(cell), shape_of(cell.format))
                value = expression(cell, self._value)
                if cell.latency:
                    self.m.d.sync += signal.eq(value)
                else:
                    self.m.d.comb += signal.eq(value)
                self._values[cell] = signal

    def _unit(self, cell: Cell) -> None:
        plan, at = self.plan, self.plan.starts[cell]
        timing = plan.timing(cell)
        if timing is None:
            block = cell.param.hardware(*(a.format for a in cell.args))
            names = dict(zip([n for n in block.inputs if n != "start"], cell.args, strict=True))
            given = {"start": self._strobe(at)}
        else:
            (running,), standing = plan.operands(cell)
            if isinstance(cell.param, Multiplier):
                block = cell.param.stream(standing[0].format)
            else:
                block = cell.param.stream(*(a.format for a in cell.args), **self._origin(cell))
            given = {"clear": self.start, "bit": self._running(running, at)}
            given |= {name: self._strobe(at + event) for name, event in timing.events.items()}
            if "time" in block.inputs:
                given["time"] = self.time
            names = dict(zip([n for n in block.inputs if n not in given], standing, strict=True))
        self.place(self.names.of(cell), block)
        for name, signal in given.items():
            self.m.d.comb += block.inputs[name].eq(signal)
        for name, arg in names.items():
            self.m.d.comb += block.inputs[name].eq(self._value(arg))
        self._values[cell] = block

    def _origin(self, cell: Cell) -> dict[str, int]:
        """Of a unit that is told the time."""
        return {"start": self.plan.starts[cell]} if isinstance(cell.param, RestoringReciprocal) else {}

    def _port(self, cell: Cell) -> None:
        port = self._values[cell.args[0]].outputs[cell.param]
        if cell in self.plan.serial:
            self._bits[cell] = port
        else:
            signal = Signal(shape_of(cell.format), name=self.names.of(cell))
            self.m.d.comb += signal.eq(port)
            self._values[cell] = signal

    # Values that run

    def _running(self, cell: Cell, at: int) -> Any:
        """A wire on which the first bit of a value is in the cycle ``at``."""
        if self.plan.waits(cell, at):
            return self._fed(cell, at)
        if cell in self.plan.serial:
            return self._delayed(cell, at - self.plan.ready[cell])
        base, shift = self.plan.unshifted(cell)
        return self._constant(base, at + shift) if base.is_const else self._fed(base, at + shift)

    def _delayed(self, cell: Cell, by: int) -> Any:
        if by == 0:
            return self._bits[cell]
        if (cell, by) not in self._late:
            late = self._late[cell, by] = self.register(f"{self.names.of(cell)}_later_{by}")
            self.m.d.sync += late.eq(self._delayed(cell, by - 1))
            with self.m.If(self.start):
                self.m.d.sync += late.eq(0)
        return self._late[cell, by]

    def _constant(self, cell: Cell, at: int) -> Any:
        """Set into a shift register by its own reset; of a power of two no more than a strobe."""
        value = cell.param
        if value == 0:
            return Const(0, 1)
        zeros = (value & -value).bit_length() - 1
        value, at = value >> zeros, at + zeros
        if value == 1:
            return self._strobe(at)
        if (value, at) not in self._constants:
            shape = literal(cell).shape()
            bits = self.register(f"constant_{at}", shape, init=value)
            self.m.d.sync += bits.eq(bits >> 1)
            with self.m.If(~self._since(at)):
                self.m.d.sync += bits.eq(value)
            self._constants[value, at] = bits[0] & self._since(at)
        return self._constants[value, at]

    def _fed(self, cell: Cell, at: int) -> Any:
        number, load = self.plan.feeds[cell, at]
        if (cell, number) not in self._feeds:
            loads = [t for (c, t), (n, _) in self.plan.feeds.items() if (c, n) == (cell, number)]
            strobe = reduce(or_, [self._strobe(t - 1) for t in loads])
            name = f"{self.names.of(cell)}_feed_{number}" if number else f"{self.names.of(cell)}_feed"
            match cell.kind:
                case Kind.POWER:
                    bit = self._pulse(name, cell, strobe)
                case Kind.ABS:
                    bit = self._magnitude(name, cell, strobe)
                case _ if cell in self.plan.passing:
                    bit = self._moved_out(name, cell, at)
                case _:
                    bit = self._shifted_out(name, cell, strobe)
            self._feeds[cell, number] = bit
        bit = self._feeds[cell, number]
        return bit & self._since(at) if load or cell.kind is Kind.ABS else bit

    def _shifted_out(self, name: str, cell: Cell, load: Any) -> Any:
        value, feed = self._value(cell), self.register(name, shape_of(cell.format))
        self.m.d.sync += feed.eq(feed >> 1)
        with self.m.If(load):
            self.m.d.sync += feed.eq(value)
        with self.m.If(self.start):
            self.m.d.sync += feed.eq(0)
        return feed[0]

    def _moved_out(self, name: str, cell: Cell, at: int) -> Any:
        """From where it was captured, as soon as its first bit is wanted."""
        feed, moves = self.register(name, shape_of(cell.format)), self._since(at)
        with self.m.If(moves):
            self.m.d.sync += feed.eq(feed >> 1)
        with self.m.If(self.start):
            self.m.d.sync += feed.eq(self.captured[cell])
        return feed[0] & moves

    def _pulse(self, name: str, cell: Cell, load: Any) -> Any:
        """2**(a - less) is a bit that comes so many cycles late: a counter."""
        (arg,) = cell.args
        value, left = self._value(arg), self.register(name, shape_of(Format.holding(-1, arg.hi)), init=-1)
        with self.m.If(~left[-1] | load):
            self.m.d.sync += left.eq(countdown(left, load, value))
        with self.m.If(self.start):
            self.m.d.sync += left.eq(-1)
        return left == cell.param

    def _magnitude(self, name: str, cell: Cell, load: Any) -> Any:
        """Negated where it is negative: inverted, and 1 added."""
        (arg,) = cell.args
        sign, carry = self._value(arg)[-1], self.register(f"{name}_carry")
        bit = self._shifted_out(name, arg, load) ^ sign
        self.m.d.sync += carry.eq(carry & bit)
        with self.m.If(load):
            self.m.d.sync += carry.eq(sign)
        return bit ^ carry

    def _wire(self, cell: Cell) -> None:
        """Shifted by a constant: bits that fall out to the right are not shown."""
        bit = self._bits[cell.args[0]]
        self._bits[cell] = bit & self._since(self.plan.ready[cell]) if cell.kind is Kind.RIGHT else bit

    def _sum(self, cell: Cell, a: Any, b: Any) -> Any:
        """A bit of a sum or difference."""
        minus = int(cell.kind is not Kind.ADD)
        carry = self.register(f"{self.names.of(cell)}_carry", init=minus)
        b = ~b if minus else b
        self.m.d.sync += carry.eq((a & b) | (carry & (a | b)))
        with self.m.If(self.start):
            self.m.d.sync += carry.eq(minus)
        return a ^ b ^ carry

    def _add(self, cell: Cell) -> None:
        a, b = (self._running(arg, self.plan.starts[cell]) for arg in cell.args)
        bit = self._bits[cell] = self.register(f"{self.names.of(cell)}_bit")
        self.m.d.sync += bit.eq(self._sum(cell, a, b))
        with self.m.If(self.start):
            self.m.d.sync += bit.eq(0)

    def _compare(self, cell: Cell) -> None:
        """a > b is the sign of b - a, which is the bit behind the wider one's."""
        at = self.plan.starts[cell]
        a, b = (self._running(arg, at) for arg in cell.args)
        flag = self._values[cell] = self.register(self.names.of(cell))
        sign = self._sum(cell, b, a)
        with self.m.If(self._strobe(at + self.plan.compared_at(cell))):
            self.m.d.sync += flag.eq(sign)

    def _hand_over(self, results: dict[str, Cell], released: bool) -> None:
        """The group is done when the sweep has its operands and the results are taken; only then is the stage free."""
        m = self.m
        self.free = self.output("free", init=1)
        free = Signal(name="is_free", init=1)
        m.d.comb += self.free.eq(free)
        self.release = self.input("release") if released else None
        done: list[Any] = []
        if self.release is not None:
            with m.If(self.done):
                m.d.sync += self.token_held.eq(1)
            with m.Elif(self.release):
                m.d.sync += self.token_held.eq(0)
            done.append((self.token_held, self.release))
        self.result_valid = self.result_ready = None
        self.results: dict[str, Any] = {}
        if results:
            self.result_valid, self.result_ready = self.output("result_valid"), self.input("result_ready")
            held = Signal(name="result_held")
            m.d.comb += self.result_valid.eq(held)
            with m.If(self.done):
                m.d.sync += held.eq(1)
            with m.Elif(self.result_ready):
                m.d.sync += held.eq(0)
            for name, cell in results.items():
                port = self.results[name] = self.output(f"result_{name}", shape_of(cell.format))
                m.d.comb += port.eq(self._value(cell))
            done.append((held, self.result_ready))
        assert done, "a stage that nobody waits for"
        # Every part is over or ends in this cycle, and one of them does; which a single one says by itself.
        ended = reduce(or_, [held & taken for held, taken in done])
        if len(done) > 1:
            ended &= reduce(and_, [~held | taken for held, taken in done])
        with m.If(self.reserve):
            m.d.sync += free.eq(0)
        with m.Elif(ended):
            m.d.sync += free.eq(1)
