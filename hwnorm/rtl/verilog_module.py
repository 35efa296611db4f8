"""One block's module in Verilog: ports, registers, what is combinational in the order of its making, instances, clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Const, Shape, Signal
from amaranth.hdl._ast import Assign, Concat, Operator, Slice, Switch
from amaranth.hdl._mem import MemoryInstance

from hwnorm.rtl.verilog_expressions import Expressions, declared, literal
from hwnorm.rtl.verilog_values import Simplifier, operation, signals, sliced
from hwnorm.units.hdl import Block

NAME = "@module@"  # where a module's own name will stand
KEYWORDS = frozenset(
    "always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam "
    "design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable "
    "endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout "
    "input instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor "
    "noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup "
    "pulsestyle_onevent pulsestyle_ondetect rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 "
    "scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0 "
    "tranif1 tri tri0 tri1 triand trior trireg unsigned use vectored wait wand weak0 weak1 while wire wor xnor xor "
    "bit byte checker do enum final import int interface logic longint packed priority program property protected ref "
    "return shortint static string struct this type union unique var void".split()
)


def legal(name: str) -> str:
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if name in KEYWORDS or name in ("clk", "rst") or name[0].isdigit() else name


@dataclass(frozen=True)
class Assignment:
    target: Any
    start: int
    stop: int
    value: Any

    @property
    def whole(self) -> bool:
        return (self.start, self.stop) == (0, len(self.target))


@dataclass(frozen=True)
class Branches:
    """The first case whose test is set; a test of None is always."""

    cases: tuple[tuple[Any, tuple[Any, ...]], ...]


@dataclass(frozen=True)
class Child:
    name: str
    module: str
    printed: ModuleText


@dataclass
class Port:
    name: str
    signal: Any
    output: bool


@dataclass
class Memory:
    name: str
    instance: Any
    sinks: list[Any] = field(default_factory=list)


def assignments(statements: Iterable[Any], tests: tuple[Any, ...] = ()) -> Iterator[tuple[Assignment, tuple[Any, ...]]]:
    """All, with the tests around them."""
    for statement in statements:
        if isinstance(statement, Assignment):
            yield statement, tests
        else:
            before = tests
            for test, body in statement.cases:
                before = before if test is None else (*before, test)
                yield from assignments(body, before)


class ModuleText:
    def __init__(self, fragment: Any, block: Block, children: list[Child]) -> None:
        self.block, self.children = block, children
        self.ports = [Port(legal(n), s, False) for n, s in block.inputs.items() if len(s)]
        self.ports += [Port(legal(n), s, True) for n, s in block.outputs.items() if len(s)]
        self.memories = [
            Memory(legal(name), inner) for inner, name, _ in fragment.subfragments if isinstance(inner, MemoryInstance)
        ]
        assert len(self.memories) + len(children) == len(fragment.subfragments), f"{block.name}: no Verilog for a part"
        self.simplify = Simplifier(self._resolved)
        self._driven = self._drivers(fragment)
        self.sync = self._converted(fragment.statements.get("sync", ()))
        self.comb = self._converted(fragment.statements.get("comb", ()))
        assert set(fragment.statements) <= {"sync", "comb"}, f"{block.name}: no Verilog for its clock domains"
        self._names: dict[int, str] = {}
        self._taken: set[str] = {"clk", "rst"}
        self._pending: list[str] = []
        self._made: dict[tuple[str, str], str] = {}
        self._connections()
        self._prune()
        self._aliases()
        self._name_all()
        self.expressions = Expressions(lambda s: self._names[id(s)], self._wire)
        self._resets = [s for s in self._targets(self.sync) if not s.reset_less]
        self.reset = bool(self._resets) or any(c.printed.reset for c in children)
        self.clock = (
            bool(self.sync)
            or any(c.printed.clock for c in children)
            or any(m.instance._write_ports or self._synchronous(m) for m in self.memories)
        )

    # What drives what

    def _drivers(self, fragment: Any) -> set[int]:
        found = {id(p.signal) for p in self.ports if not p.output}
        for statements in fragment.statements.values():
            found |= {id(s) for s in statements._lhs_signals()}
        for child in self.children:
            found |= {id(p.signal) for p in child.printed.ports if p.output}
        for memory in self.memories:
            found |= {id(port._data) for port in memory.instance._read_ports}
        return found

    def _resolved(self, signal: Any) -> Any:
        """What nothing drives is its initial value."""
        return signal if id(signal) in self._driven else Const(signal.init, signal.shape())

    def _converted(self, statements: Iterable[Any]) -> list[Any]:
        found: list[Any] = []
        for statement in statements:
            if isinstance(statement, Assign):
                found += self._assignment(statement)
            elif isinstance(statement, Switch):
                found += self._branches(statement)
            else:
                raise AssertionError(f"{self.block.name}: no Verilog for {statement!r}")
        return found

    def _assignment(self, statement: Any) -> list[Any]:
        target = statement.lhs
        while isinstance(target, Operator) and target.operator in ("u", "s"):
            target = target.operands[0]
        start, stop = 0, len(target)
        while isinstance(target, Slice):
            start, stop, target = target.start + start, target.start + stop, target.value
        assert isinstance(target, Signal), f"{self.block.name}: no Verilog for an assignment to {target!r}"
        return [Assignment(target, start, stop, self.simplify(statement.rhs))] if stop > start else []

    def _branches(self, statement: Any) -> list[Any]:
        test, cases = self.simplify(statement.test), []
        for patterns, body, _ in statement.cases:
            tests = [None] if patterns is None else [self._matched(test, pattern) for pattern in patterns]
            statements = tuple(self._converted(body))
            for one in tests:
                if isinstance(one, Const):
                    if not one.value:
                        continue
                    one = None
                cases.append((one, statements))
                if one is None:
                    break
            if cases and cases[-1][0] is None:
                break
        while cases and not cases[-1][1]:
            cases.pop()
        if cases and cases[0][0] is None:
            return list(cases[0][1])
        return [Branches(tuple(cases))] if cases else []

    @staticmethod
    def _matched(test: Any, pattern: str) -> Any:
        """An ``If`` tests one bit of all its conditions, a ``Switch`` all of a value."""
        care = [i for i, bit in enumerate(reversed(pattern)) if bit != "-"]
        if len(care) == 1 and pattern[-1 - care[0]] == "1":
            return sliced(test, care[0], care[0] + 1)
        assert len(care) == len(pattern), f"no Verilog for the pattern {pattern}"
        return operation("==", [test, Const(int(pattern, 2), len(pattern))])

    # What is connected to what

    def _connections(self) -> None:
        """Inputs of instances and of memories: ``sinks``, by the signal."""
        self.sinks: dict[int, Any] = {}
        self._sources: dict[int, Any] = {}
        for child in self.children:
            for port in child.printed.ports:
                (self._sources if port.output else self.sinks)[id(port.signal)] = port.signal
        for memory in self.memories:
            for port in memory.instance._write_ports:
                assert len(port._en) == 1, f"{memory.name}: no Verilog for parts of a word"
                memory.sinks += [port._addr, port._data, port._en]
            for port in memory.instance._read_ports:
                assert not port._transparent_for, f"{memory.name}: no Verilog for a transparent port"
                memory.sinks += [port._addr, port._en]
                self._sources[id(port._data)] = port._data
            self.sinks.update((id(s), s) for s in memory.sinks if isinstance(s, Signal))

    @staticmethod
    def _targets(statements: Iterable[Any]) -> list[Any]:
        return list({id(a.target): a.target for a, _ in assignments(statements)}.values())

    def _prune(self) -> None:
        """Drops what nobody reads."""
        wanted = [p.signal for p in self.ports if p.output] + list(self.sinks.values())
        reads: dict[int, dict[int, Any]] = {}
        for found, tests in assignments([*self.sync, *self.comb]):
            into = reads.setdefault(id(found.target), {})
            for value in (found.value, *tests):
                into.update((id(s), s) for s in signals(value))
        live: set[int] = set()
        while wanted:
            signal = wanted.pop()
            if id(signal) not in live:
                live.add(id(signal))
                wanted += reads.get(id(signal), {}).values()
        self._live = live
        self.sync, self.comb = (_kept(s, live) for s in (self.sync, self.comb))

    def _aliases(self) -> None:
        """What only names an instance's output is connected to it; what only feeds an input is written there."""
        self._same: dict[int, Any] = {}  # an instance's output: the signal that stands for it
        own = {id(p.signal) for p in self.ports}
        drivers: dict[int, list[Any]] = {}
        for found, _ in assignments(self.comb):
            drivers.setdefault(id(found.target), []).append(found)
        single = {
            i: a[0] for i, a in drivers.items() if len(a) == 1 and a[0].whole and any(a[0] is s for s in self.comb)
        }
        for i, found in single.items():
            value = found.value
            fits = isinstance(value, Signal) and value.shape() == found.target.shape() and i not in self.sinks
            if fits and id(value) in self._sources and id(value) not in {*self._same, *own}:
                self._same[id(value)] = found.target
        taken = {id(s) for s in self._same.values()}
        self.comb = [s for s in self.comb if not (isinstance(s, Assignment) and id(s.target) in taken)]
        read: set[int] = own | {id(s) for s in self._sources.values()}
        for found, tests in assignments([*self.sync, *self.comb]):
            read |= {id(s) for value in (found.value, *tests) for s in signals(value)}
        counts: dict[int, int] = {}
        for child in self.children:
            for port in child.printed.ports:
                counts[id(port.signal)] = counts.get(id(port.signal), 0) + (not port.output)
        self.direct = {
            i: single[i].value
            for i in self.sinks
            if i in single and i not in read and counts.get(i, 1) == 1 and _short(single[i].value, len(self.sinks[i]))
        }
        self.comb = [s for s in self.comb if not (isinstance(s, Assignment) and id(s.target) in self.direct)]

    # Names

    def _unique(self, base: str) -> str:
        name, count = legal(base), 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def _name_all(self) -> None:
        for port in self.ports:
            if id(port.signal) not in self._names:
                self._names[id(port.signal)] = port.name
            self._taken.add(port.name)
        for signal in [*self._targets(self.sync), *self._targets(self.comb), *self._same.values()]:
            if id(signal) not in self._names and id(signal) not in self.sinks and id(signal) not in self._sources:
                self._names[id(signal)] = self._unique(signal.name)
        for source, signal in self._same.items():
            self._names[source] = self._names[id(signal)]
        for child in self.children:
            for port in child.printed.ports:
                used = not port.output or id(port.signal) in self._live
                if id(port.signal) not in self._names and id(port.signal) not in self.direct and used:
                    self._names[id(port.signal)] = self._unique(f"{child.name}_{port.name}")
        for memory in self.memories:
            reads, writes = memory.instance._read_ports, memory.instance._write_ports
            for kind, ports in (("read", reads), ("write", writes)):
                for port in ports:
                    for name in ("addr", "data", "en"):
                        signal = getattr(port, f"_{name}")
                        if isinstance(signal, Signal) and id(signal) not in {*self._names, *self.direct}:
                            self._names[id(signal)] = self._unique(f"{memory.name}_{kind}_{name}")
            memory.name = self._unique(memory.name)

    def _wire(self, hint: str, shape: Any, value: str) -> str:
        key = (declared(shape), value)
        if key not in self._made:
            self._made[key] = self._unique(hint)
            self._pending.append(f"wire{declared(shape)} {self._made[key]} = {value};")
        return self._made[key]

    def _flushed(self) -> list[str]:
        pending, self._pending = self._pending, []
        return pending

    # The text

    def lines(self) -> list[str]:
        values = [v for a, tests in assignments([*self.sync, *self.comb]) for v in (a.value,)]
        tests: dict[int, Any] = {}
        for statements in (self.sync, self.comb):
            tests.update((id(t), t) for t in _tests(statements))
        self.expressions.count([*values, *tests.values(), *self.direct.values()])
        body = [*self._declarations(), "", *self._combinational(), "", *self._instances(), "", *self._clocked()]
        found: list[str] = []
        for line in body:
            if line or (found and found[-1]):
                found.append(f"    {line}" if line else "")
        while found and not found[-1]:
            found.pop()
        return [f"module {NAME} (", *self._port_list(), ");", *found, "endmodule"]

    def _port_list(self) -> list[str]:
        found = ["input wire clk"] * self.clock + ["input wire rst"] * self.reset
        clocked = {id(s) for s in self._targets(self.sync)} | self._read_registers() | self._conditional()
        for port in self.ports:
            kind, init = "wire", ""
            if port.output and self._register_of(port.signal) in clocked:
                kind, init = "reg", self._init(port.signal)
            direction = "output" if port.output else "input"
            found.append(f"{direction} {kind}{declared(port.signal.shape())} {port.name}{init}")
        return [f"    {line}{',' if i < len(found) - 1 else ''}" for i, line in enumerate(found)]

    def _register_of(self, signal: Any) -> int:
        return id(signal)

    def _init(self, signal: Any) -> str:
        if id(signal) in self._read_registers():
            return ""  # a block RAM's own register has none
        return f" = {_constant(signal.init, signal.shape())}"

    def _synchronous(self, memory: Memory) -> list[Any]:
        return [p for p in memory.instance._read_ports if p._domain != "comb"]

    def _read_registers(self) -> set[int]:
        """Signals that hold what a memory's port has read."""
        data = [p._data for m in self.memories for p in self._synchronous(m)]
        return {id(self._same.get(id(d), d)) for d in data}

    def _conditional(self) -> set[int]:
        """Combinational signals that are assigned under conditions, or in parts."""
        found = [a for a, _ in assignments(self.comb)]
        counts: dict[int, int] = {}
        for a in found:
            counts[id(a.target)] = counts.get(id(a.target), 0) + 1
        top = {id(s) for s in self.comb if isinstance(s, Assignment)}
        return {id(a.target) for a in found if counts[id(a.target)] > 1 or not a.whole or id(a) not in top}

    def _declarations(self) -> list[str]:
        own, found = {id(p.signal) for p in self.ports}, []
        for signal in self._targets(self.sync):
            if id(signal) not in own:
                found.append(f"reg{declared(signal.shape())} {self._names[id(signal)]}{self._init(signal)};")
        for memory in self.memories:
            data = memory.instance._data
            attributes = "".join(f"(* {name} *) " for name in memory.instance._attrs)
            found.append(f"{attributes}reg{declared(Shape.cast(data.shape))} {memory.name} [0:{data.depth - 1}];")
        registers = self._read_registers()
        for i, signal in self._sources.items():
            stands = self._same.get(i, signal)
            if id(stands) in own or i not in self._live:
                continue
            kind = "reg" if id(stands) in registers else "wire"
            found.append(f"{kind}{declared(stands.shape())} {self._names[id(stands)]};")
        return [*found, *(line for memory in self.memories for line in self._contents(memory))]

    @staticmethod
    def _contents(memory: Memory) -> list[str]:
        data = memory.instance._data
        width = Shape.cast(data.shape).width
        rows = list(data.init)
        if not any(rows):
            return []
        found, digits = ["initial begin"], -(-width // 4)
        for start in range(0, len(rows), 4):
            some = [f"{memory.name}[{i}] = {width}'h{rows[i]:0{digits}x};" for i in range(start, len(rows))[:4]]
            found.append("    " + " ".join(some))
        return [*found, "end"]

    def _combinational(self) -> list[str]:
        """Each after what it is made of."""
        own, conditional = {id(p.signal) for p in self.ports}, self._conditional()
        made: dict[int, list[Any]] = {}
        for statement in self.comb:
            for found, _ in assignments([statement]):
                into = made.setdefault(id(found.target), [])
                if not into or into[-1] is not statement:
                    into.append(statement)
        targets = {id(s): s for s in self._targets(self.comb)}
        lines: list[str] = []
        done: set[int] = set()

        def make(i: int) -> None:
            if i in done or i not in made:
                return
            done.add(i)
            statements = _kept(made[i], {i})
            for found, tests in assignments(statements):
                for value in (found.value, *tests):
                    for signal in signals(value):
                        make(id(signal))
            signal, name = targets[i], self._names[i]
            kind = declared(signal.shape())
            if i in conditional:
                body = self._statements(statements, "=")
                lines.extend(self._flushed())
                if i not in own:
                    lines.append(f"reg{kind} {name};")
                lines.extend(["always @(*) begin", f"    {name} = {_constant(signal.init, signal.shape())};"])
                lines.extend([*(f"    {line}" for line in body), "end"])
                return
            (only,) = statements
            value = self.expressions.assigned(only.value, len(signal))
            lines.extend(self._flushed())
            lines.append(f"assign {name} = {value};" if i in own else f"wire{kind} {name} = {value};")

        for i in targets:
            make(i)
        for port in self.ports:
            if port.output and id(port.signal) not in self._driven:
                lines.append(f"assign {port.name} = {_constant(port.signal.init, port.signal.shape())};")
            elif port.output and self._names[id(port.signal)] != port.name:
                lines.append(f"assign {port.name} = {self._names[id(port.signal)]};")
        return lines

    def _connected(self, signal: Any) -> str:
        if id(signal) in self.direct:
            return self.expressions.exact(self.direct[id(signal)])
        if id(signal) in self._driven and id(signal) in self._names:
            return self._names[id(signal)]
        return self.expressions.exact(Const(signal.init, signal.shape()))

    def _instances(self) -> list[str]:
        found: list[str] = []
        for child in self.children:
            pins = [".clk(clk)"] * child.printed.clock + [".rst(rst)"] * child.printed.reset
            for port in child.printed.ports:
                unread = port.output and id(port.signal) not in self._live
                pins.append(f".{port.name}({'' if unread else self._connected(port.signal)})")
            found += [*self._flushed(), f"{child.module} {self._unique(child.name)} ("]
            found += [*(f"    {pin}{',' if i < len(pins) - 1 else ''}" for i, pin in enumerate(pins)), ");"]
        return found

    def _clocked(self) -> list[str]:
        found: list[str] = []
        for memory in self.memories:
            for port in memory.instance._write_ports:
                address, data, enable = (self._value(x) for x in (port._addr, port._data, port._en))
                write = f"{memory.name}[{address}] <= {data};"
                found += [*self._flushed(), "always @(posedge clk) begin"]
                found += [f"    {write}" if enable == "1'b1" else f"    if ({enable}) {write}", "end"]
            for port in memory.instance._read_ports:
                name = self._names[id(self._same.get(id(port._data), port._data))]
                address, enable = self._value(port._addr), self._value(port._en)
                if port._domain == "comb":
                    found += [*self._flushed(), f"assign {name} = {memory.name}[{address}];"]
                    continue
                read = f"{name} <= {memory.name}[{address}];"
                found += [*self._flushed(), "always @(posedge clk) begin"]
                found += [f"    {read}" if enable == "1'b1" else f"    if ({enable}) {read}", "end"]
        if self.sync:
            body = self._statements(self.sync, "<=")
            if self._resets:
                body.append("if (rst) begin")
                for signal in self._resets:
                    body.append(f"    {self._names[id(signal)]} <= {_constant(signal.init, signal.shape())};")
                body.append("end")
            found += ["", *self._flushed(), "", "always @(posedge clk) begin", *(f"    {x}" for x in body), "end"]
        return found

    def _value(self, value: Any) -> str:
        return self._connected(value) if isinstance(value, Signal) else self.expressions.exact(value)

    def _statements(self, statements: Iterable[Any], sign: str) -> list[str]:
        found: list[str] = []
        before: tuple[str, list[str]] | None = None  # a condition alone, and what was last written under it
        for statement in statements:
            if isinstance(statement, Assignment):
                target = self._names[id(statement.target)]
                if not statement.whole:
                    low, high = statement.start, statement.stop - 1
                    target += f"[{high}]" if low == high else f"[{high}:{low}]"
                value = self.expressions.assigned(statement.value, statement.stop - statement.start)
                found.append(f"{target} {sign} {value};")
                before = None
                continue
            cases = [(None if t is None else self.expressions.exact(t), b) for t, b in statement.cases]
            bodies = [(test, self._statements(body, sign)) for test, body in cases]
            if len(bodies) == 1 and before is not None and before[0] == bodies[0][0]:
                bodies = [(bodies[0][0], [*before[1], *bodies[0][1]])]
                del found[len(found) - before_lines :]
            lines = _written(bodies)
            before, before_lines = (bodies[0] if len(bodies) == 1 else None), len(lines)  # type: ignore[assignment]
            found += lines
        return found


def _written(bodies: list[tuple[str | None, list[str]]]) -> list[str]:
    (first, body), *others = bodies
    if not others and len(body) == 1 and len(body[0]) + len(str(first)) < 90:
        return [f"if ({first}) {body[0]}"]
    found = [f"if ({first}) begin", *(f"    {line}" for line in body)]
    for test, body in others:
        found.append("end else begin" if test is None else f"end else if ({test}) begin")
        found += [f"    {line}" for line in body]
    return [*found, "end"]


def _kept(statements: Iterable[Any], live: set[int]) -> list[Any]:
    """What assigns to these signals."""
    found: list[Any] = []
    for statement in statements:
        if isinstance(statement, Assignment):
            if id(statement.target) in live:
                found.append(statement)
            continue
        cases = [(test, tuple(_kept(body, live))) for test, body in statement.cases]
        while cases and not cases[-1][1]:
            cases.pop()
        if cases:
            found.append(Branches(tuple(cases)))
    return found


def _tests(statements: Iterable[Any]) -> Iterator[Any]:
    for statement in statements:
        if isinstance(statement, Branches):
            for test, body in statement.cases:
                if test is not None:
                    yield test
                yield from _tests(body)


def _short(value: Any, width: int) -> bool:
    """Whether it may be written between the brackets of a port."""
    if len(value) != width:
        return False
    simple = isinstance(value, (Signal, Const)) or (isinstance(value, Slice) and isinstance(value.value, Signal))
    if isinstance(value, Concat):
        return len(value.parts) <= 6 and all(_short(part, len(part)) for part in value.parts)
    if isinstance(value, Operator) and value.operator in ("s", "~", "&", "|"):
        return all(_short(x, width) and (len(value) == 1 or value.operator == "s") for x in value.operands)
    return simple


def _constant(number: int, shape: Any) -> str:
    if shape.width == 1 and not shape.signed:
        return literal(number & 1, shape)
    return str(number) if abs(number) < 1 << 31 else literal(number, shape)
