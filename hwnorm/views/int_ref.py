"""The graph in integers: the definition of every result, bit for bit.

It runs as the hardware does, a sweep at a time over blocks of elements, with the values per group between the sweeps.
Blocks are small enough to stay in cache. What an operation does to integers stands in ``arithmetic``; with ``compiled``
a sweep is one loop of machine code instead, and gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hwnorm.fixed import Ints, integer_dtype
from hwnorm.ir import Graph, Node, Op, Rate, Setting, is_constant
from hwnorm.precision import Precision, Type, Types
from hwnorm.schedule import Schedule, Sweep, elementwise, schedule
from hwnorm.views import compiled
from hwnorm.views.arithmetic import Arithmetic
from hwnorm.views.arithmetic import Value as Value
from hwnorm.views.printed_loop import Loop

FAR_TOO_WIDE = 1 << 20  # bits: nobody keeps such a value
BLOCK = 1 << 17  # elements: the int32 intermediates of a few nodes fit a core's second-level cache


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
    compiled: bool = False  # sweeps as machine code where their values fit 63 bits: needs numba
    printed: dict[tuple[Node, ...], Loop] = field(default_factory=dict)  # those sweeps, by what they find

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
        self.arithmetic = Arithmetic(program.types, program.precision)
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
        results = {node: self._room(node) for node in (*sweep.reduces, *sweep.writes)}
        nodes = elementwise(self.program.graph, results)
        if not (self.program.compiled and compiled.sweep(self, nodes, results)):
            self._sweep_blocks(nodes, results)
        for node, v in results.items():
            self.values[node] = Value(v, self.types[node].frac)
        for node in sweep.reduces:
            self.check(node, self.values[node])
        self._per_group(sweep.then)

    def _room(self, node: Node) -> Ints:
        """For what a sweep finds: streams empty, reductions at what they begin with."""
        kind = self.types[node]
        if node.rate is Rate.ELEM:
            return np.empty((self.groups, self.elements), integer_dtype(kind.lo, kind.hi))
        start = {Op.SUM: 0, Op.RMAX: kind.lo, Op.RMIN: kind.hi}[node.op]
        return np.full((self.groups, 1), start, self.arithmetic.dtype(node))

    def _sweep_blocks(self, nodes: tuple[Node, ...], results: dict[Node, Ints]) -> None:
        seen = {n: np.zeros((self.groups, 1), bool) for n in nodes if n.op is Op.FIRST}
        for groups, span in self._blocks():
            block = _Block(self, groups, span, seen)
            for node in nodes:
                block.evaluate(node)
            for node, result in results.items():
                if node.rate is Rate.ELEM:
                    result[groups, span] = block.get(node).v
                else:
                    _reduce(node.op, result[groups], block.get(node.args[0]).v, self.types[node.args[0]])

    def _blocks(self) -> Iterator[tuple[slice, slice]]:
        """Whole short groups together, or one long group in pieces."""
        for groups in self.together():
            for e in range(0, self.elements, BLOCK):
                yield groups, slice(e, min(e + BLOCK, self.elements))

    def together(self) -> Iterator[slice]:
        """Short groups together, long ones alone."""
        some = max(BLOCK // self.elements, 1)
        for g in range(0, self.groups, some):
            yield slice(g, min(g + some, self.groups))

    def _per_group(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            value = self.evaluate(node, [self.values[a] for a in node.args])
            self.check(node, value)
            self.values[node] = value

    def evaluate(self, node: Node, args: list[Value]) -> Value:
        """One node, at either rate."""
        if node.op is Op.INPUT:
            held = self.inputs[node.name]
            return Value(held.v.astype(self.arithmetic.dtype(node)), held.frac)
        return (
            self.arithmetic.loaded(node, self.setting) if node.op is Op.LAYER else self.arithmetic.evaluate(node, args)
        )

    def check(self, node: Node, value: Value) -> None:
        if self.program.checked:
            kind, least, most = self.types[node], int(np.min(value.v)), int(np.max(value.v))
            if least < kind.lo or most > kind.hi:
                raise BoundExceeded(f"{node!r} reached {least}..{most}, its bounds are {kind.lo}..{kind.hi}")


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


def _reduce(op: Op, whole: Ints, v: Ints, kind: Type) -> None:
    """A block's elements into what the group has so far."""
    match op:
        case Op.SUM:
            whole += _total(v, kind)
        case Op.RMAX:
            np.maximum(whole, v.max(axis=1, keepdims=True), out=whole)
        case Op.RMIN:
            np.minimum(whole, v.min(axis=1, keepdims=True), out=whole)
        case _:
            raise AssertionError(f"{op} is no reduction")


def _total(v: Ints, kind: Type) -> Ints:
    """Sum over the elements of a block in the narrowest dtype that cannot overflow: int32 is twice as fast."""
    if v.dtype == object:
        return np.asarray(v.sum(axis=1, keepdims=True))
    if v.dtype == bool:
        v = v.view(np.int8)
    reach = max(-kind.lo, kind.hi) * v.shape[1]
    total: Ints = np.add.reduce(v, axis=1, dtype=np.int32 if reach < 1 << 31 else np.int64, keepdims=True)
    return total
