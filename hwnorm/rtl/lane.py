"""What one lane of a sweep computes: cells per element behind registers, one element a cycle, nothing ever stops it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal, Value, signed

from hwnorm.ir import Rate
from hwnorm.rtl.cells import MULTIPLY_LATENCY, SHIFT_STEP, WIRING, Cell, Kind, parts
from hwnorm.rtl.names import Names
from hwnorm.rtl.plan import SweepPlan
from hwnorm.rtl.values import beyond, chosen, expression, extended, fitted, literal, wired, with_carry
from hwnorm.units.hdl import Block, shape_of


class Lane(Block):
    """Ports: an element's streams at depth 0, ``<operand>_at_<d>`` the operands, each at the depth where it is used,
    layer registers; out, each at its own depth, what is reduced, written or passed on."""

    def __init__(self, plan: SweepPlan) -> None:
        super().__init__(f"lane_{plan.number}")
        self.plan, self.names = plan, Names()
        self.at: dict[tuple[Cell, int], Any] = {}  # values by the depth at which they stand
        self.operand: dict[tuple[Cell, int], Any] = {}
        self.layer: dict[Cell, Any] = {}
        self.first_in: dict[Cell, Any] = {}  # of FIRST cells: the flag that the sweep makes of all lanes' flags
        self.streams: dict[Cell, Any] = {}
        for cell in plan.arriving.values():
            self.streams[cell] = self.at[cell, 0] = self.input(cell.name, shape_of(cell.format))
        for cell, depth in plan.operands:
            if cell not in plan.carries or self._used(cell, depth):
                name = self.names.of(cell)
                self.operand[cell, depth] = self.input(f"{name}_at_{depth}", shape_of(cell.format))
        for cell in plan.cells:
            self._place(cell)
        self.results: dict[tuple[Cell, int], Any] = {}

    def out(self, cell: Cell, depth: int, name: str) -> Any:
        """A port that shows a value at a depth, delayed as far as it takes."""
        if (cell, depth) not in self.results:
            port = self.output(name, shape_of(cell.format))
            self.m.d.comb += port.eq(self.value(cell, depth))
            self.results[cell, depth] = port
        return self.results[cell, depth]

    def value(self, cell: Cell, depth: int) -> Any:
        """An element's value at a depth, or a value per group as it stands there."""
        if cell.is_const:
            return literal(cell)
        if cell.rate is Rate.STAT:
            return self._per_group(cell, depth)
        if (cell, depth) not in self.at:
            assert depth > 0 or cell.kind in WIRING, f"{cell!r} of {cell.args} is not there yet"
            if cell.kind in WIRING:
                self.at[cell, depth] = wired(cell, self.value(cell.args[0], depth))
            else:
                earlier = self.value(cell, depth - 1)
                late = self.register(f"{self.names.of(cell)}_{depth}", shape_of(cell.format))
                self.m.d.sync += late.eq(earlier)
                self.at[cell, depth] = late
        return self.at[cell, depth]

    def _used(self, cell: Cell, depth: int) -> bool:
        return any(cell in c.args and depth in self.plan.operand_depths(c) for c in self.plan.cells)

    def _per_group(self, cell: Cell, depth: int) -> Any:
        if (cell, depth) in self.operand:
            return self.operand[cell, depth]
        if cell.kind is Kind.LAYER:
            if cell not in self.layer:
                self.layer[cell] = self.input(cell.name, shape_of(cell.format))
            return self.layer[cell]
        assert cell.static, f"{cell!r} does not reach this depth"
        return (
            wired(cell, self._per_group(cell.args[0], depth))
            if cell.kind in WIRING
            else expression(cell, lambda a: self._per_group(a, depth) if not a.is_const else literal(a))
        )

    def _place(self, cell: Cell) -> None:
        depth, ready = self.plan.depth(cell), self.plan.ready[cell]
        match cell.kind:
            case Kind.STREAM | Kind.LEFT | Kind.RIGHT:
                return
            case Kind.FIRST:
                self.first_in[cell] = self.at[cell, ready] = self.input(f"{self.names.of(cell)}_first")
            case Kind.MUL:
                self._multiply(cell, depth)
            case Kind.SHIFT:
                self._shift(cell, depth)
            case Kind.SATURATE:
                self._saturate(cell, depth, [self.value(cell.args[0], depth)], Const(0, 0))
            case Kind.CLIP:
                value, which = (self.value(a, depth) for a in cell.args)
                drop, stride = cell.param
                distances = range(drop, drop + stride * cell.args[1].hi + 1, stride)
                self._saturate(cell, depth, [self._at_distance(cell, value, by) for by in distances], which)
            case Kind.ADD | Kind.SUB if cell.latency > 1:
                self._add_halves(cell, depth)
            case _:
                value = expression(cell, lambda a: self.value(a, depth))
                signal = self.register(self.names.of(cell), shape_of(cell.format))
                self._drive(cell.latency, signal, value)
                self.at[cell, ready] = signal

    def _drive(self, latency: int, signal: Any, value: Any) -> None:
        assert latency <= 1
        if latency:
            self.m.d.sync += signal.eq(value)
        else:
            self.m.d.comb += signal.eq(value)

    def _multiply(self, cell: Cell, depth: int) -> None:
        """Every factor in a register of the multiplier's own, that nothing else holds up: a DSP block has them inside.
        A factor too wide for one block is multiplied in parts, whose products are added up."""
        name = self.names.of(cell)
        depth += int(cell.latency > MULTIPLY_LATENCY)
        factors: dict[Cell, Any] = {}
        for arg in cell.args:
            if arg not in factors:
                factors[arg] = self.register(f"{name}_factor_{len(factors)}", shape_of(arg.format))
                self.m.d.sync += factors[arg].eq(self.value(arg, depth))
        split = parts(max(len(f) for f in factors.values()))
        narrow, wide = sorted((factors[a] for a in cell.args), key=len)
        total: Any = None
        for number, (low, end) in enumerate(split):
            part = wide[low:end].as_signed() if wide.shape().signed and end == len(wide) else wide[low:end]
            last = number == len(split) - 1
            shape = shape_of(cell.format) if last and not low else signed(len(narrow) + end - low + 1)
            product = self.register(f"{name}_part_{low}" if low or not last else name, shape)
            self.m.d.sync += product.eq(narrow * part)
            for step in range(number - 1):  # the parts below are still being added up
                product, earlier = self.register(f"{name}_part_{low}_later_{step}", shape), product
                self.m.d.sync += product.eq(earlier)
            if total is None:
                total = product
            else:
                before, shape = total, shape_of(cell.format) if last else signed(len(narrow) + end + 1)
                total = self.register(name if last else f"{name}_to_{end}", shape)
                self.m.d.sync += total.eq(Cat(before[:low], ((before >> low) + product)))
        self.at[cell, self.plan.ready[cell]] = total

    def _add_halves(self, cell: Cell, depth: int) -> None:
        name, width = self.names.of(cell), cell.format.width
        half = width // 2
        (a, b), (a_late, b_late) = ([extended(self.value(x, d), width) for x in cell.args] for d in (depth, depth + 1))
        if cell.kind is Kind.SUB:
            b, b_late = ~b, ~b_late
        low, high = self.register(f"{name}_low", half + 1), self.register(f"{name}_high", width - half)
        late = self.register(f"{name}_low_late", half)
        one = Const(int(cell.kind is Kind.SUB), 1)
        self.m.d.sync += [
            low.eq(with_carry(one, a[:half], b[:half])),
            high.eq(with_carry(low[-1], a_late[half:], b_late[half:])),
            late.eq(low),
        ]
        self.at[cell, depth + cell.latency] = fitted(Cat(late, high), cell)

    def _at_distance(self, cell: Cell, value: Any, by: int) -> Any:
        shifted = value >> by
        named = Signal(shifted.shape(), name=f"{self.names.of(cell)}_by_{by}")
        self.m.d.comb += named.eq(shifted)
        return named

    def _saturate(self, cell: Cell, depth: int, values: list[Any], which: Any) -> None:
        """One of the values: first it is found out whether, then done."""
        name, shape = self.names.of(cell), shape_of(cell.format)
        over, under, low = (self.register(f"{name}_{n}", s) for n, s in (("over", 1), ("under", 1), ("low", shape)))
        ends = [beyond(value, cell) for value in values]
        moved: Any = values[0]
        if len(values) > 1:
            moved = Signal(values[0].shape(), name=f"{name}_moved")
            self.m.d.comb += moved.eq(chosen(which, values))
        self.m.d.sync += [
            over.eq(chosen(which, [is_over for is_over, _ in ends])),
            under.eq(chosen(which, [is_under for _, is_under in ends])),
            low.eq(moved),
        ]
        low_end, high_end = Const(cell.format.lo, shape), Const(cell.format.hi, shape)
        clipped = Mux(over, high_end, Mux(under, low_end, low))
        if shape.signed and values[0].shape().signed:  # whatever is done, the sign is the value's own
            negative = self.register(f"{name}_negative")
            self.m.d.sync += negative.eq(values[0][-1])
            clipped = Cat(clipped[:-1], negative).as_signed()
        self.at[cell, depth + cell.latency] = self.register(name, shape)
        self.m.d.sync += self.at[cell, depth + cell.latency].eq(clipped)

    def _shift(self, cell: Cell, depth: int) -> None:
        """A barrel shifter, its largest steps first, so that what is left gets narrower."""
        value, amount = cell.args
        bits, moved = amount.format.width, self.value(value, depth)
        top = bits
        for step in range(cell.latency):
            low = max(top - SHIFT_STEP, 0) if step < cell.latency - 1 else 0
            by = Value.cast(self.value(amount, depth + step))[low:top]
            shifted = moved >> (by << low) if low else moved >> by
            remaining = (1 << low) - 1  # that the later steps can still take away
            lowest = min(value.lo, value.lo >> (amount.hi - min(remaining, amount.hi)))
            shape = shape_of(Cell(Kind.CONST, lo=lowest, hi=value.hi).format)
            late = self.register(
                f"{self.names.of(cell)}_{step}" if step < cell.latency - 1 else self.names.of(cell), shape
            )
            self.m.d.sync += late.eq(shifted)
            moved, top = late, low
        self.at[cell, depth + cell.latency] = moved
