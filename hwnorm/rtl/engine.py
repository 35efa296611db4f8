"""The whole datapath: controls, sweeps, stages and memories of one plan, behind valid/ready streams.

in_*      beats of elements (with --replay external in1_*, in2_*, ..., one stream a sweep)
group_*   what a group is handed with: gamma, beta, what the forward pass saved
layer_*   registers of a layer; taken only when no group is inside, and before any further group's fields
out_*     beats of results (of an earlier sweep than the last: out1_*, ...)
result_*  what is known per group
error     a group's length was wrong; stays until reset
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from amaranth.hdl import Cat, Const, Signal

from hwnorm.rtl.cells import Cell, Kind
from hwnorm.rtl.control import Control
from hwnorm.rtl.plan import Plan
from hwnorm.rtl.replay import LateSpace, Queue, Replay, Stock
from hwnorm.rtl.stage import StageBlock
from hwnorm.rtl.sweep import SweepBlock
from hwnorm.rtl.table import TableBlock
from hwnorm.units.hdl import Block, shape_of


@dataclass(frozen=True)
class Port:
    """A field of a stream: ``lanes`` values of ``width`` bits, lane 0 in the lowest."""

    name: str  # of the value
    signal: str
    width: int
    signed: bool
    lanes: int = 1


@dataclass(frozen=True)
class Stream:
    """Signals ``<prefix>_valid``, ``<prefix>_ready`` and the fields; beats have ``_last``, and ``_keep`` if partial."""

    prefix: str
    direction: str  # in, out
    fields: tuple[Port, ...]
    beats: bool = False
    last: bool = False
    keep: bool = False


class EngineBlock(Block):
    def __init__(self, plan: Plan, name: str) -> None:
        super().__init__(name)
        self.plan, self.shape = plan, plan.shape
        self.streams: list[Stream] = []
        self.sweeps: list[SweepBlock | TableBlock] = [SweepBlock(s, self.shape) for s in plan.sweeps[:-1]]
        self.sweeps.append((TableBlock if plan.tabulated else SweepBlock)(plan.sweeps[-1], self.shape))
        self.stages = {n: StageBlock(s, plan.results, released=n < len(plan.sweeps)) for n, s in plan.stages.items()}
        self.controls = [
            Control(
                s,
                self.shape,
                token=s.number - 1 in self.stages,
                stage=s.number in self.stages,
                port=s.number == 1 or self.shape.external,
            )
            for s in plan.sweeps
        ]
        self.spaces: dict[int, list[Any]] = {s.number: [] for s in plan.sweeps}
        self.outputs_idle: list[Any] = []
        self.last_out: Any = None
        self._place()
        self._inputs()
        self._replays()
        self._queues()
        self._controls()
        self._hand_on()
        self._fields()
        self._layer()
        self._results()

    def _place(self) -> None:
        """In the order in which a group meets them."""
        if 0 in self.stages:
            self.place("stage_0", self.stages[0])
        for k, (control, sweep) in enumerate(zip(self.controls, self.sweeps, strict=True), 1):
            self.place(f"control_{k}", control)
            self.place(f"sweep_{k}", sweep)
            if k in self.stages:
                self.place(f"stage_{k}", self.stages[k])

    # Beats in

    def _inputs(self) -> None:
        m, lanes = self.m, self.shape.lanes
        for control, sweep in zip(self.controls, self.sweeps, strict=True):
            for name, told in control.told.items():
                m.d.comb += sweep.inputs[name].eq(told)
            if not control.port:
                continue
            prefix = f"in{control.plan.number}" if self.shape.external else "in"
            valid, ready = self.input(f"{prefix}_valid"), self.output(f"{prefix}_ready")
            m.d.comb += [control.in_valid.eq(valid), ready.eq(control.in_ready)]
            if control.in_last is not None:
                m.d.comb += control.in_last.eq(self.input(f"{prefix}_last"))
            if control.in_keep is not None:
                m.d.comb += control.in_keep.eq(self.input(f"{prefix}_keep", lanes))
            fields = []
            for cell in control.plan.arriving.values():
                port = self.input(f"{prefix}_{cell.name}", cell.format.width * lanes)
                m.d.comb += sweep.streams[cell].eq(port)
                fields.append(_port(cell.name, port.name, cell, lanes))
            last, keep = control.in_last is not None, control.in_keep is not None
            self.streams.append(Stream(prefix, "in", tuple(fields), True, last, keep))

    def _replays(self) -> None:
        m = self.m
        for before, after in zip(self.sweeps, self.sweeps[1:], strict=False):
            if self.shape.external:
                continue
            number = after.plan.number
            width = sum(len(port) for port in before.passed.values())
            late = after.plan.issue_latency - 1
            replay = Replay(f"replay_{number}", width, self.plan.replay_depth(number), late)
            self.place(f"replay_{number}", replay)
            assert before.pass_valid is not None
            m.d.comb += [
                replay.write.eq(before.pass_valid),
                replay.data_in.eq(Cat(before.passed.values())),
                replay.read.eq(self.controls[number - 1].issue),
            ]
            if self.plan.may_fill(number):
                self._watch(f"space_{number}", replay, self.controls[number - 1].issue, self.controls[number - 2])
            offset = 0
            for port, stream in zip(before.passed.values(), after.streams.values(), strict=True):
                m.d.comb += stream.eq(replay.data_out[offset : offset + len(port)])
                offset += len(port)

    # Beats out

    def _queues(self) -> None:
        m, lanes, partial = self.m, self.shape.lanes, self.shape.partial
        for sweep, control in zip(self.sweeps, self.controls, strict=True):
            if not sweep.plan.writes:
                continue
            number, depth = sweep.plan.number, self.plan.output_depth(sweep.plan.number)
            prefix = "out" if number == len(self.sweeps) else f"out{number}"
            assert sweep.write_valid is not None and sweep.write_last is not None
            packed = [*sweep.written.values(), sweep.write_last]
            if sweep.write_tail is not None:
                packed.append(sweep.write_tail)
            queue = Queue(f"{prefix}_queue", sum(len(p) for p in packed), depth)
            self.place(queue.name, queue)
            self._watch(f"{prefix}_space", queue, queue.taken, control)
            valid, ready = self.output(f"{prefix}_valid"), self.input(f"{prefix}_ready")
            last = self.output(f"{prefix}_last")
            m.d.comb += [
                queue.write.eq(sweep.write_valid),
                queue.data_in.eq(Cat(packed)),
                queue.ready.eq(ready),
                valid.eq(queue.valid),
            ]
            offset, fields = 0, []
            for (name, cell), port in zip(sweep.plan.writes.items(), sweep.written.values(), strict=True):
                out = self.output(f"{prefix}_{name}", len(port))
                m.d.comb += out.eq(queue.data_out[offset : offset + len(port)])
                offset += len(port)
                fields.append(_port(name, out.name, cell, lanes))
            m.d.comb += last.eq(queue.data_out[offset])
            if partial:
                keep, tail = self.output(f"{prefix}_keep", lanes), queue.data_out[offset + 1 :]
                m.d.comb += keep.eq(Cat(~last | (tail >= lane) for lane in range(lanes)))
            self.streams.append(Stream(prefix, "out", tuple(fields), True, True, partial))
            self.last_out = queue.taken & last

    def _watch(self, name: str, memory: Replay | Queue, take: Any, control: Control) -> None:
        """The control sends a beat to a memory only if there is room."""
        space = self.place(name, LateSpace(name, memory.depth))
        self.m.d.comb += [space.promise.eq(control.issue), space.take.eq(take)]
        self.spaces[control.plan.number].append(space.space)

    def _controls(self) -> None:
        m = self.m
        for control, sweep in zip(self.controls, self.sweeps, strict=True):
            number = control.plan.number
            space = reduce(and_, self.spaces[number], Const(1))
            m.d.comb += control.space.eq(space)
            if number in self.stages:
                stage = self.stages[number]
                assert control.stage_free is not None
                waits = self._group_valid() if stage.plan.takes_fields else 1
                m.d.comb += control.stage_free.eq(stage.free & waits)
                m.d.comb += [stage.reserve.eq(control.outputs["ended"]), stage.start.eq(sweep.start)]
            if number - 1 in self.stages:
                stage = self.stages[number - 1]
                assert control.token is not None and control.release is not None and stage.release is not None
                m.d.comb += stage.release.eq(sweep.release)
                if isinstance(sweep, TableBlock):
                    self._through_table(control, sweep, stage)
                else:
                    m.d.comb += [control.token.eq(stage.token), control.release.eq(sweep.release)]

    def _through_table(self, control: Control, table: TableBlock, stage: StageBlock) -> None:
        """The control waits for the group's table; there may be others behind it."""
        assert control.token is not None and control.release is not None
        m, armed, begun = self.m, Signal(name="table_armed"), Signal(name="table_begun")
        m.d.sync += [armed.eq(control.arm), begun.eq(table.begun)]
        m.d.comb += [
            table.token.eq(stage.token),
            table.armed.eq(armed),
            table.ended.eq(control.outputs["ended"]),
            control.token.eq(table.complete),
            control.release.eq(begun),
        ]

    # Values per group

    def _source(self, cell: Cell, stage: int) -> Any:
        """What a stage starts from: a sum, what control found out, a field, or what came along with the group."""
        sweep = self.sweeps[stage - 1] if stage else None
        if sweep is not None and cell in sweep.sums:
            return sweep.sums[cell]
        if sweep is not None and cell in sweep.carried:
            return sweep.carried[cell]
        if cell.kind is Kind.CONTROL:
            first = self.controls[0]
            return {
                "last_beat": first.beat_reached,
                "last_lane": first.lane_reached,
                "length_error": first.length_error,
            }[cell.name]
        assert cell.kind is Kind.FIELD, f"{cell!r} does not reach stage {stage}"
        return self.fields[cell]

    def _hand_on(self) -> None:
        m = self.m
        for sweep, control in zip(self.sweeps, self.controls, strict=True):
            before = self.stages.get(sweep.plan.number - 1)
            for cell, port in sweep.operands.items():
                assert before is not None
                m.d.comb += port.eq(before.values[cell])
            if before is not None:
                given = {c.name: v for c, v in before.values.items() if c.kind is Kind.CONTROL}
                for name in ("last_beat", "last_lane"):
                    port = control.inputs.get(name)
                    if port is not None:
                        m.d.comb += port.eq(self._length(sweep, name, given[name]))

    def _length(self, sweep: SweepBlock | TableBlock, name: str, given: Any) -> Any:
        """Of the group that the control waits for."""
        if not isinstance(sweep, TableBlock):
            return given
        self.m.d.comb += sweep.inputs[name].eq(given)
        return sweep.lengths[name]

    def _group_valid(self) -> Any:
        if "group_valid" not in self.inputs:
            self.input("group_valid")
        return self.inputs["group_valid"]

    def _fields(self) -> None:
        m, plan = self.m, self.plan
        self.fields: dict[Cell, Any] = {}
        self.accepts: Any = None
        if plan.entry is not None:
            valid, ready = self._group_valid(), self.output("group_ready")
            ports = []
            for cell in plan.lowering.fields.values():
                self.fields[cell] = self.input(f"group_{cell.name}", shape_of(cell.format))
                ports.append(_port(cell.name, f"group_{cell.name}", cell))
            stage = self.stages[plan.entry]
            if plan.entry == 0:
                self.accepts = Signal(name="group_accepted")
                waiting = self._group_waits()
                m.d.comb += ready.eq(stage.free & ~waiting)
                m.d.comb += self.accepts.eq(valid & ready)
                m.d.comb += [stage.start.eq(self.accepts), stage.reserve.eq(self.accepts)]
            else:
                m.d.comb += ready.eq(stage.start)
            self.streams.append(Stream("group", "in", tuple(ports)))
        for number, stage in self.stages.items():
            for cell, port in stage.captured.items():
                m.d.comb += port.eq(self._source(cell, number))

    # The registers of a layer

    def _group_waits(self) -> Any:
        """While a layer is being handed over, no further group comes in."""
        if not self.plan.lowering.registers:
            return 0
        return self.input("layer_valid")

    def _layer(self) -> None:
        m, registers = self.m, self.plan.lowering.registers
        held: dict[str, Any] = {}
        if registers:
            valid, ready = self.inputs["layer_valid"], self.output("layer_ready")
            inside = self.place("groups_inside", Stock("groups_inside", self.plan.most_groups))
            accepted, left = Signal(name="accepted"), Signal(name="left")
            m.d.sync += [accepted.eq(self.accepts), left.eq(self.last_out)]
            m.d.comb += [inside.put.eq(accepted), inside.take.eq(left)]
            # A cycle late: while a layer waits no group is accepted, so that none can have come in since.
            free, may_load = reduce(and_, [stage.free for stage in self.stages.values()]), Signal(name="may_load")
            m.d.sync += may_load.eq(~inside.some & free & ~accepted & ~self.accepts)
            m.d.comb += ready.eq(may_load)
            ports = []
            for name, cell in registers.items():
                port = self.input(f"layer_{name}", shape_of(cell.format))
                held[name] = self.register(f"{name}_of_layer", shape_of(cell.format))
                with m.If(valid & ready):
                    m.d.sync += held[name].eq(port)
                ports.append(_port(name, port.name, cell))
            self.streams.append(Stream("layer", "in", tuple(ports)))
        for block in (*self.sweeps, *self.stages.values()):
            for cell, port in block.layer.items():
                m.d.comb += port.eq(held[cell.name])

    # What is known per group

    def _results(self) -> None:
        m = self.m
        for stage in self.stages.values():
            if stage.result_valid is None or stage.result_ready is None:
                continue
            valid, ready = self.output("result_valid"), self.input("result_ready")
            m.d.comb += [valid.eq(stage.result_valid), stage.result_ready.eq(ready)]
            ports = []
            for name, value in stage.results.items():
                port = self.output(f"result_{name}", value.shape())
                m.d.comb += port.eq(value)
                ports.append(_port(name, port.name, self.plan.results[name]))
            self.streams.append(Stream("result", "out", tuple(ports)))
        error = Signal(name="error_seen")
        first = self.controls[0]
        assert first.length_error is not None
        with m.If(first.length_error):
            m.d.sync += error.eq(1)
        m.d.comb += self.output("error").eq(error)


def _port(name: str, signal: str, cell: Cell, lanes: int = 1) -> Port:
    return Port(name, signal, cell.format.width, cell.format.signed, lanes)
