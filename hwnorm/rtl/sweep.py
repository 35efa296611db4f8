"""One sweep: lanes, adder trees and accumulators as a plain pipeline that never stops.

A beat comes with ``valid``, ``first`` and ``last`` of its group and the number of its last lane. Values per group that
the lanes use are copied into registers beside the stage where they are used, each when the group's first beat comes to
it: so groups follow each other without a gap, and the stage before need hold its results only until the first beat has
passed (``release``).
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal

from hwnorm.rtl.cells import LOOP_BITS, Cell, Kind
from hwnorm.rtl.lane import Lane
from hwnorm.rtl.plan import Shape, SweepPlan, halved
from hwnorm.rtl.values import above, extended, with_carry
from hwnorm.units import AdderTree
from hwnorm.units.hdl import Block, shape_of


class SweepBlock(Block):
    """Ports: ``valid, first, last, lane`` and the streams one cycle before depth 0; operands as the stage before holds
    them; out, the sums with ``start`` at depth ``sums_at``, what is written, what is passed on."""

    def __init__(self, plan: SweepPlan, shape: Shape) -> None:
        super().__init__(f"sweep_{plan.number}")
        self.plan, self.shape = plan, shape
        self.valid, self.first, self.last = (self.input(n) for n in ("valid", "first", "last"))
        self.tail = self.input("tail", (shape.lanes - 1).bit_length()) if shape.partial else None
        self.streams = {cell: self.input(cell.name, cell.format.width * shape.lanes) for cell in plan.arriving.values()}
        self._chains: dict[tuple[str, int], Any] = {}
        self._fresh_at: dict[int, Any] = {}
        self._kept_at: dict[int, list[Any]] = {}
        self._begin, self._end = self.valid & self.first, self.valid & self.last
        self.operands: dict[Cell, Any] = {}  # inputs
        self.layer: dict[Cell, Any] = {}
        self.lanes = [Lane(plan) for _ in range(shape.lanes)]
        self.sums: dict[Cell, Any] = {}
        self.carried: dict[Cell, Any] = {}
        self._enter()
        self._reduce()
        self.passed = self._outputs({f"pass_{c.name or i}": c for i, (_, c) in enumerate(plan.passes)}, plan.passes_at)
        self.written = self._outputs({f"write_{name}": cell for name, cell in plan.writes.items()}, plan.writes_at)
        self._operands()
        self._layer()
        self._first()
        self._strobes()
        for number, lane in enumerate(self.lanes):
            self.place(f"lane_{number}", lane)

    # Control along the pipeline

    def at(self, name: str, depth: int) -> Any:
        """``valid``, ``first``, ``last`` or ``tail`` at a depth; ``first`` and ``last`` are low where ``valid`` is."""
        if depth < 0:
            return {"valid": self.valid, "first": self._begin, "last": self._end, "tail": self.tail}[name]
        if (name, depth) not in self._chains:
            earlier = self.at(name, depth - 1)
            late = self.register(f"{name}_{depth}", len(earlier), reset_less=name == "tail")
            self.m.d.sync += late.eq(earlier)
            self._chains[name, depth] = late
        return self._chains[name, depth]

    def _enter(self) -> None:
        """The beat's own registers, depth 0."""
        for cell, stream in self.streams.items():
            beat = self.register(f"{cell.name}_0", len(stream))
            self.m.d.sync += beat.eq(stream)
            for number, lane in enumerate(self.lanes):
                self.m.d.comb += lane.streams[cell].eq(beat.word_select(number, cell.format.width))

    def _kept(self, depth: int) -> list[Any]:
        """Which lanes carry an element, known a cycle before."""
        if self.tail is None:
            return [Const(1)] * self.shape.lanes
        if depth not in self._kept_at:
            last, tail = self.at("last", depth - 1), self.at("tail", depth - 1)
            kept = self.register(f"kept_{depth}", self.shape.lanes)
            self.m.d.sync += kept.eq(Cat(~last | (tail >= lane) for lane in range(self.shape.lanes)))
            self._kept_at[depth] = list(kept)
        return self._kept_at[depth]

    # Over a group

    def _reduce(self) -> None:
        for cell in self.plan.reductions:
            (arg,) = cell.args
            depth = self.plan.ready[arg]
            values = []
            for kept, lane in zip(self._kept(depth), self.lanes, strict=True):
                value = lane.out(arg, depth, f"to_{cell.name}")
                neutral = {Kind.SUM: 0, Kind.RMAX: arg.lo, Kind.RMIN: arg.hi}[cell.kind]
                values.append(value if self.tail is None else Mux(kept, value, Const(neutral, shape_of(arg.format))))
            total = self._sum_of_beat(cell, values) if cell.kind is Kind.SUM else self._extreme_of_beat(cell, values)
            accumulate = self._running_sum if cell.kind is Kind.SUM else self._running_extreme
            if halved(cell):
                accumulate = self._running_sum_in_halves
            wanted = self.plan.sums_at - 1 - halved(cell)
            for late in range(self.plan.beat_at(cell), wanted):
                delayed = self.register(f"{cell.name}_beat_{late + 1}", total.shape())
                self.m.d.sync += delayed.eq(total)
                total = delayed
            self.sums[cell] = accumulate(cell, total, wanted)

    def _sum_of_beat(self, cell: Cell, values: list[Any]) -> Any:
        arg = cell.args[0].format
        tree = self.place(f"tree_{cell.name}", AdderTree(len(values), arg.width).hardware(arg.signed))
        for number, value in enumerate(values):
            self.m.d.comb += tree.inputs[f"value_{number}"].eq(value)
        return tree.outputs["sum"]

    def _extreme_of_beat(self, cell: Cell, values: list[Any]) -> Any:
        level, shape = 0, shape_of(cell.format)
        while len(values) > 1:
            level, later = level + 1, []
            for number in range(0, len(values), 2):
                pair = values[number : number + 2]
                later.append(self._better(cell, f"{level}_{number // 2}", pair))
            values = later
        held = Signal(shape, name=f"{cell.name}_of_beat")
        self.m.d.comb += held.eq(values[0])
        return held

    def _better(self, cell: Cell, name: str, pair: list[Any]) -> Any:
        """Compared in one cycle, chosen in the next."""
        compared = [self.register(f"{cell.name}_{name}_{k}", len(value)) for k, value in enumerate(pair)]
        best = self.register(f"{cell.name}_{name}", shape_of(cell.format))
        self.m.d.sync += [register.eq(value) for register, value in zip(compared, pair, strict=True)]
        if len(pair) == 2:
            first = self.register(f"{cell.name}_{name}_first")
            self.m.d.sync += [first.eq(self._beats(cell, *pair)), best.eq(Mux(first, *compared))]
        else:
            self.m.d.sync += best.eq(compared[0])
        return best

    @staticmethod
    def _beats(cell: Cell, a: Any, b: Any) -> Any:
        return above(a, b) if cell.kind is Kind.RMAX else above(b, a)

    def _running_sum(self, cell: Cell, value: Any, depth: int) -> Any:
        """What has come so far, this beat with it, in a register: it stands at ``depth`` + 1, until another beat comes
        there, which may be in the next cycle, and to which nothing has come before."""
        so_far, whole = self.register(f"{cell.name}_so_far", shape_of(cell.format)), self._whole(cell)
        valid, fresh = self.at("valid", depth), self._fresh(depth)
        with self.m.If(valid):
            self.m.d.sync += so_far.eq(Mux(fresh, 0, so_far) + value)
        self.m.d.comb += whole.eq(so_far)
        return whole

    def _running_extreme(self, cell: Cell, value: Any, depth: int) -> Any:
        """The last beat's value and the best before it. Every beat's is compared with both, and which comparison counts
        is chosen a cycle later, by what was found of the beat before: nothing waits for a comparison to choose."""
        m, shape, whole = self.m, shape_of(cell.format), self._whole(cell)
        latest, before = (self.register(f"{cell.name}_{n}", shape) for n in ("latest", "before"))
        names = ("alone", "latest_was_better", "beats_latest", "beats_before")
        alone, was_better, beats_latest, beats_before = (self.register(f"{cell.name}_{n}") for n in names)
        better, valid, fresh = Signal(name=f"{cell.name}_better"), self.at("valid", depth), self._fresh(depth)
        m.d.comb += better.eq(alone | Mux(was_better, beats_latest, beats_before))
        m.d.comb += whole.eq(Mux(better, latest, before))
        with m.If(valid):
            m.d.sync += [before.eq(whole), latest.eq(value), alone.eq(fresh), was_better.eq(better)]
            for beaten, one in ((beats_latest, latest), (beats_before, before)):
                m.d.sync += beaten.eq(self._beats(cell, value, one))
        return whole

    def _whole(self, cell: Cell) -> Any:
        return self.output(cell.name, shape_of(cell.format))

    def _running_sum_in_halves(self, cell: Cell, value: Any, depth: int) -> Any:
        """The upper half a cycle later, with what the lower one carries. The result stands at ``depth`` + 2."""
        m, width = self.m, cell.format.width
        half = max(width // 2, min(len(value), LOOP_BITS))  # above the value there is but its sign to add
        low, high = extended(value, width)[:half], extended(value, width)[half:]
        widths = {"low": half + 1, "high": width - half, "low_late": half, "upper": width - half}
        low_sum, high_sum, low_late, late = (self.register(f"{cell.name}_{n}", w) for n, w in widths.items())
        valid, valid_late = self.at("valid", depth), self.at("valid", depth + 1)
        low_before = Mux(self._fresh(depth), 0, low_sum[:half])
        high_before = Mux(self._fresh(depth + 1), 0, high_sum)
        with m.If(valid):
            m.d.sync += low_sum.eq(low_before + low)
        with m.If(valid_late):
            m.d.sync += high_sum.eq(with_carry(low_sum[-1], high_before, late))
        m.d.sync += [late.eq(high), low_late.eq(low_sum[:half])]
        whole = self._whole(cell)
        m.d.comb += whole.eq(Cat(low_late, high_sum))
        return whole

    def _fresh(self, depth: int) -> Any:
        """No beat of the group has come by a depth before."""
        if depth not in self._fresh_at:
            fresh = self._fresh_at[depth] = self.register(f"fresh_{depth}", init=1, reset_less=False)
            self.m.d.sync += fresh.eq(Mux(self.at("valid", depth), self.at("last", depth), fresh))
        return self._fresh_at[depth]

    # What goes in and out beside the sums

    def _outputs(self, cells: dict[str, Cell], depth: int) -> dict[str, Any]:
        """A value of every lane as one port, at a depth."""
        found = {}
        for name, cell in cells.items():
            port = self.output(name, cell.format.width * self.shape.lanes)
            values = [lane.out(cell, depth, name) for lane in self.lanes]
            self.m.d.comb += port.eq(Cat(v.as_unsigned() for v in values))
            found[name] = port
        return found

    def _operands(self) -> None:
        copies: dict[tuple[Cell, int], Any] = {}
        for cell, depth in self.plan.operands:
            if cell not in self.operands:
                name = f"{self.lanes[0].names.of(cell)}_in"
                self.operands[cell] = self.input(name, shape_of(cell.format))
            copy = self.register(f"{self.lanes[0].names.of(cell)}_at_{depth}", shape_of(cell.format))
            with self.m.If(self.at("first", depth - 1)):
                self.m.d.sync += copy.eq(self.operands[cell])
            copies[cell, depth] = copy
        for key, copy in copies.items():
            for lane in self.lanes:
                if key in lane.operand:
                    self.m.d.comb += lane.operand[key].eq(copy)
        for cell in self.plan.carries:
            port = self.output(f"{self.lanes[0].names.of(cell)}_carried", shape_of(cell.format))
            self.m.d.comb += port.eq(copies[cell, self.plan.sums_at])
            self.carried[cell] = port

    def _layer(self) -> None:
        for lane in self.lanes:
            for cell, port in lane.layer.items():
                if cell not in self.layer:
                    self.layer[cell] = self.input(cell.name, shape_of(cell.format))
                self.m.d.comb += port.eq(self.layer[cell])

    def _first(self) -> None:
        """The first flag of a group: none before it in the beat, none in the beats before."""
        for cell in self.lanes[0].first_in:
            (arg,) = cell.args
            depth, name = self.plan.depth(cell), self.lanes[0].names.of(cell)
            flags = [
                kept & lane.out(arg, depth, f"flag_{name}")
                for kept, lane in zip(self._kept(depth), self.lanes, strict=True)
            ]
            seen = self.register(f"{name}_seen")
            before: Any = seen & ~self.at("first", depth)
            for flag, lane in zip(flags, self.lanes, strict=True):
                chosen = self.register(f"{name}_lane_{self.lanes.index(lane)}")
                self.m.d.sync += chosen.eq(flag & ~before)
                self.m.d.comb += lane.first_in[cell].eq(chosen)
                before = before | flag
            with self.m.If(self.at("valid", depth)):
                any_flag = reduce(or_, flags)
                self.m.d.sync += seen.eq(Mux(self.at("first", depth), any_flag, seen | any_flag))

    def _strobes(self) -> None:
        plan = self.plan
        self.start = self.output("start")
        self.m.d.comb += self.start.eq(self.at("last", plan.sums_at))
        self.release = self.output("release")
        at = plan.released_at
        self.m.d.comb += self.release.eq(self.at("first", at))
        self.pass_valid = self.write_valid = self.write_last = self.write_tail = None
        if plan.passes:
            self.pass_valid = self.output("pass_valid")
            self.m.d.comb += self.pass_valid.eq(self.at("valid", plan.passes_at))
        if plan.writes:
            self.write_valid, self.write_last = self.output("write_valid"), self.output("write_last")
            self.m.d.comb += self.write_valid.eq(self.at("valid", plan.writes_at))
            self.m.d.comb += self.write_last.eq(self.at("last", plan.writes_at))
            if self.tail is not None:
                self.write_tail = self.output("write_tail", len(self.tail))
                self.m.d.comb += self.write_tail.eq(self.at("tail", plan.writes_at))
