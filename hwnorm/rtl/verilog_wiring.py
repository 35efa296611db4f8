"""What is in a block's module, and how it is wired: what is left of its statements, who drives what, and its name.

Amaranth connects an instance by sharing signals. Here an instance's input is written between the brackets of its port
where an expression does nothing but feed it; an instance's output has the name of the signal that repeats it, where
there is one. What nobody reads is left out, ports of instances too; what nothing drives is its initial value.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Const, Signal
from amaranth.hdl._ast import Concat, Operator, Slice
from amaranth.hdl._mem import MemoryInstance

from hwnorm.rtl.verilog_names import Taken, legal
from hwnorm.rtl.verilog_statements import Assignment, assignments, converted, kept, targets
from hwnorm.rtl.verilog_values import Simplifier, signals
from hwnorm.units.hdl import Block


@dataclass(frozen=True)
class Port:
    name: str
    signal: Any
    output: bool


@dataclass
class Child:
    """An instance. What its module is called and needs is known once that is printed."""

    name: str
    fragment: Any
    block: Block
    ports: list[Port]
    module: str = ""
    clock: bool = False
    reset: bool = False


@dataclass
class Store:
    """A memory."""

    name: str
    instance: Any
    reads: list[Any] = field(default_factory=list)  # ports
    writes: list[Any] = field(default_factory=list)

    @property
    def inputs(self) -> list[Any]:
        found = [x for port in self.writes for x in (port._addr, port._data, port._en)]
        found += [x for port in self.reads for x in (port._addr, port._en)]
        return [x for x in found if isinstance(x, Signal)]

    @property
    def clocked_reads(self) -> list[Any]:
        return [port for port in self.reads if port._domain != "comb"]


def ports_of(block: Block) -> list[Port]:
    found = [Port(legal(name), signal, False) for name, signal in block.inputs.items()]
    found += [Port(legal(name), signal, True) for name, signal in block.outputs.items()]
    return [port for port in found if len(port.signal)]


def block_of(fragment: Any) -> Block | None:
    return next((origin for origin in fragment.origins or () if isinstance(origin, Block)), None)


def driven_in(fragment: Any) -> set[int]:
    found = {id(s) for statements in fragment.statements.values() for s in statements._lhs_signals()}
    for inner, _, _ in fragment.subfragments:
        if isinstance(inner, MemoryInstance):
            found |= {id(port._data) for port in inner._read_ports}
    return found


def driven_anywhere(fragment: Any) -> set[int]:
    return driven_in(fragment).union(*(driven_anywhere(inner) for inner, _, _ in fragment.subfragments))


class Wiring:
    """``asked``: of the block's outputs those that are read outside. ``elsewhere``: what is driven in the design."""

    def __init__(self, fragment: Any, block: Block, asked: set[int], elsewhere: set[int]) -> None:
        self.block, self._elsewhere = block, elsewhere
        self.ports = [port for port in ports_of(block) if not port.output or id(port.signal) in asked]
        self.children: list[Child] = []
        self.memories: list[Store] = []
        for inner, name, _ in fragment.subfragments:
            inner_block = block_of(inner)
            if isinstance(inner, MemoryInstance):
                self.memories.append(Store(name, inner, inner._read_ports, inner._write_ports))
            else:
                assert inner_block is not None, f"{block.name}: no Verilog for {name}, which is no block"
                self.children.append(Child(name, inner, inner_block, ports_of(inner_block)))
        self.own = {id(port.signal) for port in self.ports}
        self.sources: dict[int, Any] = {}  # what instances and memories put out
        self._sinks: dict[int, Any] = {}  # what goes into them
        self._find_ends()
        self.driven = driven_in(fragment) | set(self.sources) | {id(p.signal) for p in self.ports if not p.output}
        assert set(fragment.statements) <= {"sync", "comb"}, f"{block.name}: no Verilog for its clock domains"
        simplify = Simplifier(self.resolved)
        self.sync, self.comb = (converted(fragment.statements.get(d, ()), simplify) for d in ("sync", "comb"))
        self._prune()
        self._whole = self._whole_assignments()
        self.same: dict[int, Any] = {}  # an instance's output: the signal that repeats it
        self._merge_outputs()
        self.direct: dict[int, Any] = {}  # an instance's input: what feeds it, if that is short
        self._merge_inputs()
        self.taken = Taken()
        self.names: dict[int, str] = {}
        self._name()

    def _find_ends(self) -> None:
        for child in self.children:
            for port in child.ports:
                (self.sources if port.output else self._sinks)[id(port.signal)] = port.signal
        for memory in self.memories:
            assert all(len(port._en) == 1 for port in memory.writes), f"{memory.name}: no Verilog for parts of a word"
            assert not any(port._transparent_for for port in memory.reads), f"{memory.name}: transparent ports"
            self.sources.update((id(port._data), port._data) for port in memory.reads)
            self._sinks.update((id(s), s) for s in memory.inputs)

    def resolved(self, signal: Any) -> Any:
        """The signal, or its initial value if nothing drives it."""
        if id(signal) in self.driven:
            return signal
        assert id(signal) not in self._elsewhere, f"{signal.name} is read in {self.block.name}, but is no port of it"
        return Const(signal.init, signal.shape())

    def _prune(self) -> None:
        reads: dict[int, dict[int, Any]] = {}
        for found, tests in assignments([*self.sync, *self.comb]):
            into = reads.setdefault(id(found.target), {})
            into.update((id(s), s) for value in (found.value, *tests) for s in signals(value))
        wanted = [port.signal for port in self.ports if port.output] + list(self._sinks.values())
        self.live: set[int] = set()
        while wanted:
            signal = wanted.pop()
            if id(signal) not in self.live:
                self.live.add(id(signal))
                wanted += reads.get(id(signal), {}).values()
        self.sync, self.comb = kept(self.sync, self.live), kept(self.comb, self.live)
        for child in self.children:
            child.ports = [port for port in child.ports if not port.output or id(port.signal) in self.live]

    def _whole_assignments(self) -> dict[int, Assignment]:
        """What is combinational and assigned once, in one piece, under no condition."""
        counts = Counter(id(found.target) for found, _ in assignments(self.comb))
        plain = [s for s in self.comb if isinstance(s, Assignment) and s.whole]
        return {id(s.target): s for s in plain if counts[id(s.target)] == 1}

    @property
    def conditional(self) -> set[int]:
        """What is combinational, and not that simple."""
        return {id(signal) for signal in targets(self.comb)} - set(self._whole)

    def _merge_outputs(self) -> None:
        for i, found in self._whole.items():
            value = found.value
            repeats = isinstance(value, Signal) and value.shape() == found.target.shape() and i not in self._sinks
            if repeats and id(value) in self.sources and id(value) not in {*self.same, *self.own}:
                self.same[id(value)] = found.target
        self._drop({id(signal) for signal in self.same.values()})

    def _merge_inputs(self) -> None:
        inputs = [port.signal for child in self.children for port in child.ports if not port.output]
        counts = Counter(id(s) for s in [*inputs, *(s for memory in self.memories for s in memory.inputs)])
        read = self.own | set(self.sources)
        for found, tests in assignments([*self.sync, *self.comb]):
            read |= {id(s) for value in (found.value, *tests) for s in signals(value)}
        for i, sink in self._sinks.items():
            if i in self._whole and i not in read and counts[i] == 1 and _short(self._whole[i].value, len(sink)):
                self.direct[i] = self._whole[i].value
        self._drop(set(self.direct))

    def _drop(self, signals: set[int]) -> None:
        self.comb = [s for s in self.comb if not (isinstance(s, Assignment) and id(s.target) in signals)]

    # Names

    def _name(self) -> None:
        for port in self.ports:
            self.names.setdefault(id(port.signal), port.name)
            self.taken.reserve(port.name)
        for signal in [*targets(self.sync), *targets(self.comb), *self.same.values()]:
            if id(signal) not in {*self.names, *self._sinks, *self.sources}:
                self.names[id(signal)] = self.taken.unique(signal.name)
        for source, signal in self.same.items():
            self.names[source] = self.names[id(signal)]
        for child in self.children:
            for port in child.ports:
                self._name_end(port.signal, f"{child.name}_{port.name}")
            child.name = self.taken.unique(child.name)
        for memory in self.memories:
            memory.name = self.taken.unique(memory.name)
            for port in [*memory.reads, *memory.writes]:
                for kind in ("addr", "data", "en"):
                    self._name_end(getattr(port, f"_{kind}"), f"{memory.name}_{kind}")

    def _name_end(self, signal: Any, name: str) -> None:
        if isinstance(signal, Signal) and id(signal) in self.driven and id(signal) not in {*self.names, *self.direct}:
            self.names[id(signal)] = self.taken.unique(name.replace("__", "_"))


def _short(value: Any, width: int) -> bool:
    """Whether it has the port's width, and may be written between its brackets."""
    if len(value) != width:
        return False
    if isinstance(value, Concat):
        return len(value.parts) <= 6 and all(_short(part, len(part)) for part in value.parts)
    if isinstance(value, Operator) and value.operator in ("s", "~", "&", "|"):
        return all(_short(x, width) and (len(value) == 1 or value.operator == "s") for x in value.operands)
    return isinstance(value, (Signal, Const)) or (isinstance(value, Slice) and isinstance(value.value, Signal))
