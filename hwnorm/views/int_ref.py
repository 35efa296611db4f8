"""The graph in integers: the definition of every result, bit for bit.

It runs as the hardware does, a sweep at a time over blocks of elements, with the values per group between the sweeps.
Blocks are small enough to stay in cache and every array has the narrowest dtype that its bounds allow; past 63 bits a
value is a Python integer. A value is ``v * 2**-frac``, where frac is one number or, for scaled values, one a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple, assert_never

import numpy as np

from hwnorm.fixed import Format, Ints, integer_dtype, saturate, shift_right
from hwnorm.ir import Graph, Node, Op, Rate, Setting, is_constant, is_flag
from hwnorm.precision import Fixed, Precision, Relative, Scaled, Type, Types, Widened, quantise
from hwnorm.schedule import Schedule, Sweep, elementwise, schedule
from hwnorm.units import Divider, Gain, Root, reciprocal_unit

FAR_TOO_WIDE = 1 << 20  # bits: nobody keeps such a value
BLOCK = 1 << 17  # elements: the int32 intermediates of a few nodes fit a core's second-level cache


class Value(NamedTuple):
    """Integers with their fraction bits. Shape (groups, 1) per group, (groups, elements) per element; 1 group stands
    for all."""

    v: Ints
    frac: int | Ints = 0

    def real(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        exponent = -np.asarray(self.frac, dtype=np.float64)
        return np.asarray(self.v.astype(np.float64) * np.exp2(exponent))

    def of(self, groups: slice) -> Value:
        """The same of some groups."""
        v = self.v if len(self.v) == 1 else self.v[groups]
        return Value(v, self.frac if isinstance(self.frac, int) or len(self.frac) == 1 else self.frac[groups])


class BoundExceeded(AssertionError):
    """A register could not hold a value: a fault of hwnorm."""


@dataclass(frozen=True)
class Program:
    """A graph with its formats and sweeps, ready to run on data."""

    graph: Graph
    precision: Precision
    types: Types
    checked: bool = False  # compare every value with its register
    keeps: bool = True  # a sweep may leave a narrow value for a later one, in the place of what it comes from

    @cached_property
    def schedule(self) -> Schedule:
        def width(node: Node) -> int:
            return self.types[node].format.width if self.keeps or node.op is Op.INPUT else FAR_TOO_WIDE

        return schedule(self.graph, width)

    def run(self, inputs: dict[str, Value], setting: Setting) -> dict[str, Value]:
        """Every output, and every named value per group, by name. Streams have shape (groups, ...), in any memory
        order; what is the same in every group has one row."""
        return Run(self, inputs, setting).whole()


def constants(program: Program, setting: Setting) -> dict[Node, tuple[int, int]]:
    """What does not change while a layer runs, as the host computes it: (integer, fraction bits)."""
    run, found = Run(program, {}, setting), {}
    for node in program.graph:
        if is_constant(node):
            value = run.evaluate(node, [run.values[a] for a in node.args])
            run.values[node] = value
            found[node] = int(value.v.flat[0]), int(np.asarray(value.frac).flat[0])
    return found


@dataclass(frozen=True, slots=True)
class Call:
    """A program with the data of one call: what hardware is handed, before it computes anything."""

    program: Program
    inputs: dict[str, Value]
    setting: Setting

    def run(self) -> dict[str, Value]:
        return self.program.run(self.inputs, self.setting)


class Run:
    """One execution: the values per group so far, and the streams written."""

    def __init__(self, program: Program, inputs: dict[str, Value], setting: Setting) -> None:
        self.program, self.inputs, self.setting = program, inputs, setting
        self.types, self.precision = program.types, program.precision
        self.values: dict[Node, Value] = {}
        streams = [inputs[n.name].v for n in program.graph if n.name in inputs and n.rate is Rate.ELEM]
        self.groups = max((len(stream) for stream in streams), default=1)
        self.elements = streams[0][0].size if streams else 0
        self._rows: dict[Node, tuple[slice, Value]] = {}

    def rows(self, node: Node, groups: slice) -> Value:
        """A stream of some groups as (groups, elements). One of another memory order is copied, these groups at a
        time."""
        held = self._rows.get(node)
        if held is None or held[0] != groups:
            stream = self.inputs[node.name].of(groups)
            held = self._rows[node] = groups, Value(stream.v.reshape(len(stream.v), -1), stream.frac)
        return held[1]

    def whole(self) -> dict[str, Value]:
        self.before()
        for sweep in self.program.schedule.sweeps:
            self.sweep(sweep)
        return self.found()

    def before(self) -> None:
        self._per_group(self.program.schedule.before)

    def found(self) -> dict[str, Value]:
        per_group = {n.name: value for n, value in self.values.items() if n.name and n.rate is Rate.STAT}
        return per_group | {
            name: self.values[n] if n in self.values else self.inputs[n.name]
            for name, n in self.program.graph.outputs.items()
        }

    def sweep(self, sweep: Sweep) -> None:
        nodes = elementwise(self.program.graph, (*sweep.reduces, *sweep.writes))
        for node in sweep.reduces:
            self.values[node] = Value(np.zeros((self.groups, 1), self.dtype(node)), self.types[node].frac)
        written: dict[Node, Ints] = {}
        for node in sweep.writes:
            kind = self.types[node]
            written[node] = np.empty((self.groups, self.elements), integer_dtype(kind.lo, kind.hi))
        seen = {n: np.zeros((self.groups, 1), bool) for n in nodes if n.op is Op.FIRST}
        for groups, span in self._blocks():
            block = _Block(self, groups, span, seen)
            for node in nodes:
                block.evaluate(node)
            for node in sweep.reduces:
                self._accumulate(node, groups, block.get(node.args[0]).v, first=span.start == 0)
            for node in sweep.writes:
                written[node][groups, span] = block.get(node).v
        for node, stream in written.items():
            self.values[node] = Value(stream, self.types[node].frac)
        for node in sweep.reduces:
            self.check(node, self.values[node])
        self._per_group(sweep.then)

    def _blocks(self) -> Iterator[tuple[slice, slice]]:
        """Whole short groups together, or one long group in pieces."""
        together = max(BLOCK // self.elements, 1)
        for g in range(0, self.groups, together):
            for e in range(0, self.elements, BLOCK):
                yield slice(g, min(g + together, self.groups)), slice(e, min(e + BLOCK, self.elements))

    def _accumulate(self, node: Node, groups: slice, v: Ints, first: bool) -> None:
        whole = self.values[node].v[groups]  # a view
        match node.op:
            case Op.SUM:
                whole += _total(v, self.types[node.args[0]])
            case Op.RMAX:
                part = v.max(axis=1, keepdims=True)
                whole[:] = part if first else np.maximum(whole, part)
            case Op.RMIN:
                part = v.min(axis=1, keepdims=True)
                whole[:] = part if first else np.minimum(whole, part)
            case _:
                raise AssertionError(f"{node!r} is no reduction")

    def _per_group(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            value = self.evaluate(node, [self.values[a] for a in node.args])
            self.check(node, value)
            self.values[node] = value

    def check(self, node: Node, value: Value) -> None:
        if self.program.checked:
            kind, least, most = self.types[node], int(np.min(value.v)), int(np.max(value.v))
            if least < kind.lo or most > kind.hi:
                raise BoundExceeded(f"{node!r} reached {least}..{most}, its bounds are {kind.lo}..{kind.hi}")

    def dtype(self, node: Node) -> np.dtype[Any]:
        """Per group int64 or Python integers; per element the narrowest that leaves a bit free for rounding."""
        kind = self.types[node]
        if node.rate is Rate.STAT:
            return np.dtype(np.int64 if kind.format.width < 62 else object)
        return integer_dtype(2 * kind.lo, 2 * kind.hi)

    # One node, at either rate

    def evaluate(self, node: Node, args: list[Value]) -> Value:
        dtype = self.dtype(node)
        match node.op:
            case Op.INPUT:
                value = self.inputs[node.name]
                return Value(value.v.astype(dtype), value.frac)
            case Op.LAYER:
                assert callable(node.value)
                loaded, exponent = quantise(Fraction(node.value(self.setting)), self.precision.role(node.role))
                return Value(np.array([[loaded]], dtype), exponent)
            case Op.CONST:
                return Value(np.array([[node.value]], dtype))
            case Op.ADD:
                a, b, frac = self.meet(node.args, args, dtype)
                return Value(a + b, frac)
            case Op.SUB:
                a, b, frac = self.meet(node.args, args, dtype)
                return Value(a - b, frac)
            case Op.MAX:
                a, b, frac = self.meet(node.args, args, dtype)
                return Value(np.maximum(a, b), frac)
            case Op.GT:
                a, b, _ = self.meet(node.args, args, self.common(node.args))
                return Value(a > b)
            case Op.EQ:
                a, b, _ = self.meet(node.args, args, self.common(node.args))
                return Value(a == b)
            case Op.MUL:
                a, b = (arg.v.astype(dtype, copy=False) for arg in args)
                return Value(a * b, args[0].frac + args[1].frac)
            case Op.SQUARE:
                a = args[0].v.astype(dtype, copy=False)
                return Value(a * a, args[0].frac + args[0].frac)
            case Op.ABS:
                return Value(np.abs(args[0].v.astype(dtype, copy=False)), args[0].frac)
            case Op.SIGN:
                return Value(np.sign(args[0].v))
            case Op.SELECT:
                return self._select(node, args, dtype)
            case Op.CAST:
                return self._cast(node, args[0], dtype)
            case Op.ALIGN:
                return self._align(node, args[0], args[1], dtype)
            case Op.DIV:
                role = self.precision.role(node.role)
                assert isinstance(role, Fixed)
                wide = np.int64 if self.types[node.args[0]].format.width + role.frac < 63 else object
                unit = Divider(self.types[node].format.width, role.frac)
                return Value(unit.compute(args[0].v.astype(wide), args[1].v.astype(wide)).astype(dtype), role.frac)
            case Op.SQRT:
                root, frac = Root(self._scaled(node).width).compute(args[0].v)
                return Value(root, frac + args[0].frac // 2)
            case Op.RECIP:
                width = self._scaled(node).width
                mantissa, frac = reciprocal_unit(self.precision.reciprocal, width, width).compute(args[0].v)
                return Value(mantissa, frac - args[0].frac)
            case Op.SUM | Op.RMAX | Op.RMIN | Op.FIRST | Op.LOG | Op.EXP:
                raise AssertionError(f"{node!r} is not evaluated a value at a time")
            case _:
                assert_never(node.op)

    def _scaled(self, node: Node) -> Scaled:
        role = self.precision.role(node.role)
        assert isinstance(role, Scaled)
        return role

    def meet(self, nodes: tuple[Node, ...], values: list[Value], dtype: np.dtype[Any]) -> tuple[Ints, Ints, Any]:
        """Both at the finer one's fraction bits, which differ by a constant; a literal 0 has any scale."""
        (a, b), (left, right) = values, (self.types[n] for n in nodes)
        va, vb = a.v.astype(dtype, copy=False), b.v.astype(dtype, copy=False)
        if _is_zero(nodes[0]) or _is_zero(nodes[1]):
            return va, vb, b.frac if _is_zero(nodes[0]) else a.frac
        if left.frac >= right.frac:
            return va, vb << (left.frac - right.frac) if left.frac > right.frac else vb, a.frac
        return va << (right.frac - left.frac), vb, b.frac

    def common(self, nodes: tuple[Node, ...]) -> np.dtype[Any]:
        """Wide enough for either operand of a comparison, at the finer one's fraction bits."""
        kinds = [self.types[n] for n in nodes]
        frac = max(kind.frac for kind in kinds)
        return integer_dtype(min(k.lo << (frac - k.frac) for k in kinds), max(k.hi << (frac - k.frac) for k in kinds))

    def _select(self, node: Node, args: list[Value], dtype: np.dtype[Any]) -> Value:
        flag = args[0].v
        if is_flag(node):
            return Value(np.where(flag, args[1].v != 0, args[2].v != 0))
        a, b, frac = self.meet(node.args[1:], args[1:], dtype)
        if dtype.kind == "O" or node.rate is Rate.STAT:
            return Value(np.where(flag, a, b), frac)
        # Several times faster than np.where on operands that broadcast.
        chosen = a * flag.view(np.int8) if _is_zero(node.args[2]) else b + flag.view(np.int8) * (a - b)
        return Value(chosen, frac)

    def _cast(self, node: Node, a: Value, dtype: np.dtype[Any]) -> Value:
        match self.precision.role(node.role):
            case Fixed(frac, _, rounding):
                drop = _plain(a.frac - frac)
                moved = shift_right(_roomy(a.v, drop), drop, rounding)
                return Value(saturate(moved, self.types[node].format).astype(dtype, copy=False), frac)
            case Scaled(width, base, (lo, hi)):
                return Value(*Gain(width, base, lo, hi).compute(a.v, np.asarray(a.frac)))
            case Widened(frac, extra):
                left = np.clip(frac - np.asarray(a.frac), 0, extra)
                return Value(a.v.astype(dtype) << left, a.frac + left)
            case other:
                raise AssertionError(f"{node!r}: cannot round to {other}")

    def _align(self, node: Node, a: Value, like: Value, dtype: np.dtype[Any]) -> Value:
        role = self.precision.role(node.role) if node.role else Relative(0, 0)
        assert isinstance(role, Relative)
        frac = like.frac + role.guard
        drop = _plain(a.frac - frac)
        moved = shift_right(_roomy(a.v, drop), drop)
        if role.width:
            moved = saturate(moved, Format(role.width, 0))
        return Value(moved.astype(dtype, copy=False), frac)


class _Block:
    """Some groups, or a piece of one: the values per element that a sweep needs, gone when the next block comes."""

    def __init__(self, run: Run, groups: slice, span: slice, seen: dict[Node, Ints]) -> None:
        self.run, self.groups, self.span, self.seen = run, groups, span, seen
        self.values: dict[Node, Value] = {}

    def evaluate(self, node: Node) -> None:
        args = [self.get(a) for a in node.args]
        self.values[node] = self._first(node, args[0].v) if node.op is Op.FIRST else self.run.evaluate(node, args)
        self.run.check(node, self.values[node])

    def get(self, node: Node) -> Value:
        """An operand over this block: a value of this sweep, a stream, or one value a group."""
        if node not in self.values:
            self.values[node] = self.run.values[node].of(self.groups) if node.rate is Rate.STAT else self._stream(node)
        return self.values[node]

    def _stream(self, node: Node) -> Value:
        rows = self.run.rows(node, self.groups)
        kind = self.run.types[node]
        block = rows.v[:, self.span]
        narrow = block if block.dtype == bool else block.astype(integer_dtype(kind.lo, kind.hi), copy=False)
        return Value(narrow, rows.frac)

    def _first(self, node: Node, flag: Ints) -> Value:
        seen = self.seen[node][self.groups]
        found = flag.any(axis=1, keepdims=True)
        first = np.zeros_like(flag)
        rows = np.flatnonzero(found & ~seen)
        first[rows, flag[rows].argmax(axis=1)] = True
        seen |= found
        return Value(first)


def _is_zero(node: Node) -> bool:
    return node.op is Op.CONST and node.value == 0


def _plain(shift: int | Ints) -> int | Ints:
    """One number where every group has the same: NumPy shifts by it faster."""
    if isinstance(shift, int):
        return shift
    first = int(shift.flat[0])
    return first if (shift == first).all() else shift


def _roomy(v: Ints, drop: int | Ints) -> Ints:
    """v in a dtype that holds it shifted left by the most that ``drop`` asks for."""
    left = -int(np.min(drop))
    if left <= 0 or v.dtype == object:
        return v
    reach = int(np.max(np.abs(v))).bit_length() + left
    return v.astype(object) if reach > 62 else v.astype(np.int64)


def _total(v: Ints, kind: Type) -> Ints:
    """Sum over the elements of a block in the narrowest dtype that cannot overflow: int32 is twice as fast."""
    if v.dtype == object:
        return np.asarray(v.sum(axis=1, keepdims=True))
    if v.dtype == bool:
        v = v.view(np.int8)
    reach = max(-kind.lo, kind.hi) * v.shape[1]
    total: Ints = np.add.reduce(v, axis=1, dtype=np.int32 if reach < 1 << 31 else np.int64, keepdims=True)
    return total
