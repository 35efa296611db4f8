"""A schedule as a chain of C++ functions: one a sweep, with the values per group that pass from each to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from hwnorm.bundle.equations import equations
from hwnorm.hls.printer import Printer
from hwnorm.ir import LEAVES, Node, Op, Rate
from hwnorm.schedule import Sweep
from hwnorm.views.int_ref import Program


@dataclass(frozen=True, slots=True)
class Field:
    """A variable of a struct: of a scaled value there are two."""

    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Reduction:
    type: str
    name: str
    update: str  # what an element does to it


@dataclass(frozen=True, slots=True)
class Stage:
    """One sweep: what a beat carries in, what is done to each lane, what is known per group when the sweep has
    ended."""

    number: int
    equations: tuple[str, ...]
    beat: tuple[Field, ...]
    before: tuple[Field, ...]  # values per group from the stage before, as it uses them
    loads: tuple[str, ...]  # names that it reads of a beat
    flags_seen: tuple[str, ...]  # state of FIRST
    reductions: tuple[Reduction, ...]
    lane: tuple[str, ...]  # statements per element
    passed: tuple[str, ...]  # names that go on to the next sweep
    written: tuple[tuple[str, str], ...]  # (stream, variable)
    output: tuple[Field, ...]
    scalar: tuple[str, ...]  # statements per group
    after: tuple[Field, ...]


@dataclass(frozen=True)
class Kernel:
    program: Program

    @cached_property
    def printer(self) -> Printer:
        return Printer(self.program)

    def layer(self) -> tuple[Field, ...]:
        return self._fields(n for n in self.program.graph if n.op is Op.LAYER)

    def group(self) -> tuple[Field, ...]:
        return self._fields(n for n in self.program.graph if n.op is Op.INPUT and n.rate is Rate.STAT)

    def result(self) -> tuple[tuple[Field, str], ...]:
        """What a group leaves behind: (field, the variable that it comes from)."""
        found: list[tuple[Field, str]] = []
        for name, node in self.program.graph.outputs.items():
            if node.rate is Rate.STAT:
                found.append((Field(self.printer.type(node), name), self.printer.name(node)))
                if self.printer.is_scaled(node):
                    found.append((Field("int", f"{name}_frac"), self.printer.exponent(node)))
        return tuple(found)

    def outputs(self) -> tuple[tuple[str, int, str], ...]:
        """Every output stream: (name, the sweep that writes it, type)."""
        return tuple((f.name, stage.number, f.type) for stage in self.stages() for f in stage.output)

    def prepare(self) -> tuple[tuple[str, ...], tuple[Field, ...]]:
        """Statements before the first sweep, and what they hand on."""
        return tuple(self.printer.statements(self.program.schedule.before)), self._state(0)

    def stage_text(self, stage: Stage) -> str:
        """All that a stage's function computes with: what it uses is what it has to be given."""
        parts = [*stage.lane, *stage.scalar, *(r.update for r in stage.reductions), *(f.name for f in stage.after)]
        return "\n".join([*parts, *stage.passed])

    def stages(self) -> tuple[Stage, ...]:
        return tuple(self._stage(k, sweep) for k, sweep in enumerate(self.program.schedule.sweeps, 1))

    def _stage(self, k: int, sweep: Sweep) -> Stage:
        p, graph = self.printer, self.program.graph
        beat = self._beat(k)
        following = self._beat(k + 1) if k < len(self.program.schedule.sweeps) else ()
        named = {node: name for name, node in graph.outputs.items()}
        return Stage(
            number=k,
            equations=tuple(equations((*sweep.evaluates, *sweep.reduces, *sweep.then), named)),
            beat=tuple(Field(p.type(n), p.name(n)) for n in beat),
            before=self._state(k - 1),
            loads=tuple(p.name(n) for n in beat),
            flags_seen=tuple(f"{p.name(n)}_seen" for n in sweep.evaluates if n.op is Op.FIRST),
            reductions=tuple(self._reduction(n) for n in sweep.reduces),
            lane=tuple(p.statements(sweep.evaluates)),
            passed=tuple(p.name(n) for n in following),
            written=tuple((named[n], p.name(n)) for n in sweep.writes),
            output=tuple(Field(p.port_type(n), named[n]) for n in sweep.writes),
            scalar=tuple(p.statements(sweep.then)),
            after=self._state(k),
        )

    def _reduction(self, node: Node) -> Reduction:
        p = self.printer
        name, kind, value = p.name(node), p.type(node), f"{p.type(node)}({p.name(node.args[0])})"
        match node.op:
            case Op.SUM:
                update = f"{name} = {name} + {value};"
            case Op.RMAX:
                update = f"{name} = (element == 0 || {value} > {name}) ? {value} : {name};"
            case Op.RMIN:
                update = f"{name} = (element == 0 || {value} < {name}) ? {value} : {name};"
            case _:
                raise AssertionError(f"{node!r} is no reduction")
        return Reduction(kind, name, update)

    def _beat(self, k: int) -> list[Node]:
        """What reaches sweep k: what it and the later ones read, but for what it or they evaluate."""
        sweeps = self.program.schedule.sweeps[k - 1 :]
        computed = {n for sweep in sweeps for n in sweep.evaluates}
        wanted = {n for sweep in sweeps for n in sweep.reads} - computed
        return [n for n in self.program.graph if n in wanted]

    def _state(self, k: int) -> tuple[Field, ...]:
        """Values per group known after sweep k that something later reads."""
        schedule = self.program.schedule
        known = [*schedule.before]
        for sweep in schedule.sweeps[:k]:
            known += [*sweep.reduces, *sweep.then]
        later: list[Node] = list(self.program.graph.outputs.values())
        for sweep in schedule.sweeps[k:]:
            later += [a for n in (*sweep.evaluates, *sweep.then, *sweep.reduces) for a in n.args]
        wanted = set(later) | {source for n in later for source in self.program.types[n].scale}
        return self._fields(n for n in known if n.op not in LEAVES and n in wanted)

    def _fields(self, nodes: Iterable[Node]) -> tuple[Field, ...]:
        p, found = self.printer, []
        for node in nodes:
            found.append(Field(p.type(node), p.name(node)))
            if node in self.program.types[node].scale or (node.op is Op.INPUT and p.is_scaled(node)):
                found.append(Field("int", p.frac_name(node)))
        return tuple(found)
