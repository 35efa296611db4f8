"""A scalar stage: what is known per group between two sweeps, on a static schedule.

``reserve`` says that a group is on its way, ``start`` that what it starts from stands at the inputs. A counter then
starts the serial units, each when its operands are there; adders and comparators are registers that follow their
operands. ``token`` says that the results stand; they hold until ``release`` (and until the results have been taken,
where this stage puts them out). From ``reserve`` until then ``free`` is low.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Signal

from hwnorm.rtl.cells import WIRING, Cell, Kind
from hwnorm.rtl.names import Names
from hwnorm.rtl.plan import StagePlan
from hwnorm.rtl.values import expression, literal, wired
from hwnorm.units.hdl import Block, shape_of


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

    def _capture(self) -> None:
        for cell in self.plan.captured:
            name = self.names.of(cell)
            port = self.captured[cell] = self.input(f"{name}_in", shape_of(cell.format))
            held = self._values[cell] = self.register(name, shape_of(cell.format))
            with self.m.If(self.start):
                self.m.d.sync += held.eq(port)

    def _sequence(self) -> None:
        """``begin`` is time 0. The counter runs until the last result stands."""
        length = self.plan.latency
        self.token = self.output("token")
        self.token_held = Signal(name="token_held")
        self.m.d.comb += self.token.eq(self.token_held)
        self.begin = Signal(name="begin")
        self.m.d.sync += self.begin.eq(self.start)
        self.time = Signal(range(max(length, 2)), name="time", reset_less=True)
        self.running = Signal(name="running")
        self.done = Signal(name="done")
        if length == 0:
            self.m.d.comb += self.done.eq(self.start)
            return
        with self.m.If(self.start):
            self.m.d.sync += [self.running.eq(1), self.time.eq(0)]
        with self.m.Elif(self.running):
            self.m.d.sync += self.time.eq(self.time + 1)
            with self.m.If(self.time == length - 1):
                self.m.d.sync += self.running.eq(0)
        self.m.d.comb += self.done.eq(self.running & (self.time == length - 1))

    def _strobe(self, time: int) -> Any:
        """High in the cycle ``time``."""
        if time == 0:
            return self.begin
        if time not in self._strobes:
            strobe = Signal(name=f"go_{time}")
            self.m.d.sync += strobe.eq(self.running & (self.time == time - 1))
            self._strobes[time] = strobe
        return self._strobes[time]

    def _value(self, cell: Cell) -> Any:
        if cell.is_const:
            return literal(cell)
        if cell not in self._values:
            if cell.kind is Kind.LAYER:
                self.layer[cell] = self._values[cell] = self.input(cell.name, shape_of(cell.format))
            elif cell.kind in WIRING:
                self._values[cell] = wired(cell, self._value(cell.args[0]))
            else:
                raise AssertionError(f"{cell!r} is not known in stage {self.plan.number}")
        return self._values[cell]

    def _place(self, cell: Cell) -> None:
        match cell.kind:
            case Kind.LEFT | Kind.RIGHT:
                self._value(cell)
            case Kind.PORT:
                self._value_of_port(cell)
            case Kind.UNIT:
                self._unit(cell)
            case _:
                signal = self.register(self.names.of(cell), shape_of(cell.format))
                value = expression(cell, self._value)
                if cell.latency:
                    self.m.d.sync += signal.eq(value)
                else:
                    self.m.d.comb += signal.eq(value)
                self._values[cell] = signal

    def _unit(self, cell: Cell) -> None:
        formats = [a.format for a in cell.args]
        block = cell.param.hardware(*formats)
        self.place(self.names.of(cell), block)
        start, *operands = block.inputs.values()
        starts = self.plan.starts(cell, self.plan.ready)
        self.m.d.comb += start.eq(self._strobe(starts))
        for operand, arg in zip(operands, cell.args, strict=True):
            self.m.d.comb += operand.eq(self._value(arg))
        self._values[cell] = block

    def _value_of_port(self, cell: Cell) -> None:
        block = self._values[cell.args[0]]
        signal = Signal(shape_of(cell.format), name=self.names.of(cell))
        self.m.d.comb += signal.eq(block.outputs[cell.param])
        self._values[cell] = signal

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
        ended: Any = None  # every part is over, or ends in this cycle, and one of them does
        over: Any = None
        for held, taken in done:
            part, strobe = ~held | taken, held & taken
            over = part if over is None else over & part
            ended = strobe if ended is None else ended | strobe
        with m.If(self.reserve):
            m.d.sync += free.eq(0)
        with m.Elif(over & ended):
            m.d.sync += free.eq(1)
