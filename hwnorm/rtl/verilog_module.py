"""A block's module as lines of Verilog: ports, registers, what is combinational, instances, what is clocked."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from amaranth.hdl import Shape, Signal

from hwnorm.rtl.verilog_expressions import UNSIZED, Expressions, declared, literal
from hwnorm.rtl.verilog_statements import Assignment, assignments, kept, targets, tests
from hwnorm.rtl.verilog_values import signals
from hwnorm.rtl.verilog_wiring import Child, Store, Wiring

NAME = "@module@"  # where a module's own name will stand
ROOM = 108  # of a line inside a module


class ModuleText:
    """Of a block whose instances' modules are printed already."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = w = wiring
        self._names = w.names
        self._resets = [signal for signal in targets(w.sync) if not signal.reset_less]
        self.reset = bool(self._resets) or any(child.reset for child in w.children)
        self.clock = (
            bool(w.sync) or any(c.clock for c in w.children) or any(m.writes or m.clocked_reads for m in w.memories)
        )
        #: what a memory's port has read: a block RAM's own register, which no reset and no initial value reaches
        self._read = {id(w.same.get(id(p._data), p._data)) for m in w.memories for p in m.clocked_reads}
        self._registers = {id(signal) for signal in targets(w.sync)} | self._read | w.conditional
        self._pending: list[str] = []  # wires that the next line needs
        self._made: dict[tuple[str, str], str] = {}
        self._expressions = Expressions(lambda signal: self._names[id(signal)], self._wire)
        values = [found.value for found, _ in assignments([*w.sync, *w.comb])]
        self._expressions.count([*values, *tests([*w.sync, *w.comb]), *w.direct.values()])

    def lines(self) -> list[str]:
        body = [*self._declarations(), "", *self._combinational(), "", *self._instances(), "", *self._memories()]
        body += ["", *self._clocked()]
        found: list[str] = []
        for line in body:
            if line or (found and found[-1]):
                found.append(f"    {line}".rstrip())
        while found and not found[-1]:
            found.pop()
        return [f"module {NAME} (", *self._port_list(), ");", *found, "endmodule"]

    def _wire(self, hint: str, shape: Any, value: str) -> str:
        key = (declared(shape), value)
        if key not in self._made:
            self._made[key] = self.wiring.taken.unique(hint)
            self._pending.append(f"wire{declared(shape)} {self._made[key]} = {value};")
        return self._made[key]

    def _with_wires(self, lines: Iterable[str]) -> list[str]:
        """Lines that are written already, behind the wires that they need."""
        lines = list(lines)
        pending, self._pending = self._pending, []
        return [*pending, *lines]

    # Declarations

    def _port_list(self) -> list[str]:
        found = ["input wire clk"] * self.clock + ["input wire rst"] * self.reset
        for port in self.wiring.ports:
            kind, init = "wire", ""
            if port.output and id(port.signal) in self._registers:
                kind, init = "reg", self._init(port.signal)
            direction = "output" if port.output else "input"
            found.append(f"{direction} {kind}{declared(port.signal.shape())} {port.name}{init}")
        return [f"    {line}{',' if number < len(found) else ''}" for number, line in enumerate(found, 1)]

    def _init(self, signal: Any) -> str:
        return "" if id(signal) in self._read | self.wiring.conditional else f" = {constant(signal)}"

    def _declarations(self) -> list[str]:
        w = self.wiring
        kinds = [("reg", signal) for signal in targets(w.sync) if id(signal) not in w.own]
        for i, source in w.sources.items():
            signal = w.same.get(i, source)
            if id(signal) not in w.own and i in w.live:
                kinds.append(("reg" if id(signal) in self._read else "wire", signal))
        found = []
        for start, group in groupby(kinds, lambda kind: kind[0] + declared(kind[1].shape())):
            names = [self._names[id(s)] + (self._init(s) if kind == "reg" else "") for kind, s in group]
            found += _filled(start, names)
        return [*found, *(line for memory in w.memories for line in self._memory(memory))]

    @staticmethod
    def _memory(memory: Store) -> list[str]:
        data = memory.instance._data
        shape, rows = Shape.cast(data.shape), list(data.init)
        named = memory.instance._attrs.items()
        attributes = ", ".join(name if value == 1 else f'{name} = "{value}"' for name, value in named)
        register = f"reg{declared(shape)} {memory.name} [0:{data.depth - 1}];"
        found = [f"(* {attributes} *) {register}" if attributes else register]
        if any(rows):
            digits = -(-shape.width // 4)
            words = [f"{memory.name}[{i}] = {shape.width}'h{row:0{digits}x};" for i, row in enumerate(rows)]
            found += ["initial begin", *(f"    {' '.join(words[i : i + 4])}" for i in range(0, len(words), 4)), "end"]
        return found

    # What is combinational

    def _combinational(self) -> list[str]:
        """Each signal behind those that it is made of."""
        w, lines = self.wiring, list[str]()
        by_target = {id(signal): signal for signal in targets(w.comb)}
        done: set[int] = set()

        def make(i: int) -> None:
            if i in done or i not in by_target:
                return
            done.add(i)
            statements = kept(w.comb, {i})
            for found, conditions in assignments(statements):
                for signal in (s for value in (found.value, *conditions) for s in signals(value)):
                    make(id(signal))
            lines.extend(self._assigned(by_target[i], statements))

        for i in by_target:
            make(i)
        for port in w.ports:
            if port.output and id(port.signal) not in w.driven:
                lines.append(f"assign {port.name} = {constant(port.signal)};")
            elif self._names[id(port.signal)] != port.name:
                lines.append(f"assign {port.name} = {self._names[id(port.signal)]};")
        return lines

    def _assigned(self, signal: Any, statements: list[Any]) -> list[str]:
        name, kind, own = self._names[id(signal)], declared(signal.shape()), id(signal) in self.wiring.own
        if id(signal) not in self.wiring.conditional:
            value = self._expressions.assigned(statements[0].value, len(signal))
            return self._with_wires([f"assign {name} = {value};" if own else f"wire{kind} {name} = {value};"])
        body = [f"{name} = {constant(signal)};", *self._statements(statements, "=")]
        declaration = [] if own else [f"reg{kind} {name};"]
        return self._with_wires([*declaration, "always @(*) begin", *(f"    {line}" for line in body), "end"])

    # Instances and memories

    def _connected(self, value: Any) -> str:
        if id(value) in self.wiring.direct:
            return self._expressions.exact(self.wiring.direct[id(value)])
        return self._expressions.exact(self.wiring.resolved(value) if isinstance(value, Signal) else value)

    def _instances(self) -> list[str]:
        return [line for child in self.wiring.children for line in self._instance(child)]

    def _instance(self, child: Child) -> list[str]:
        clocks = [".clk(clk)"] * child.clock + [".rst(rst)"] * child.reset
        pins = [f".{port.name}({self._connected(port.signal)})" for port in child.ports]
        short = f"{child.module} {child.name} ({', '.join([*clocks, *pins])});"
        if len(short) <= ROOM:
            return self._with_wires([short])
        rows = [", ".join(clocks)] * bool(clocks) + pins
        rows = [f"    {row}{',' if number < len(rows) else ''}" for number, row in enumerate(rows, 1)]
        return self._with_wires([f"{child.module} {child.name} (", *rows, ");"])

    def _memories(self) -> list[str]:
        found = []
        for memory in self.wiring.memories:
            clocked = []
            for port in memory.writes:
                address, data = self._connected(port._addr), self._connected(port._data)
                clocked.append(self._enabled(port, f"{memory.name}[{address}] <= {data};"))
            for port in memory.reads:
                name = self._names[id(port._data)]
                word = f"{memory.name}[{self._connected(port._addr)}]"
                if port._domain != "comb":
                    clocked.append(self._enabled(port, f"{name} <= {word};"))
                else:
                    found += self._with_wires([f"assign {name} = {word};"])
            if clocked:
                found += self._with_wires(["always @(posedge clk) begin", *(f"    {x}" for x in clocked), "end"])
        return found

    def _enabled(self, port: Any, statement: str) -> str:
        enable = self._connected(port._en)
        return statement if enable == "1'b1" else f"if ({enable}) {statement}"

    # What is clocked

    def _clocked(self) -> list[str]:
        if not self.wiring.sync:
            return []
        body = self._statements(self.wiring.sync, "<=")
        if self._resets:
            resets = [f"{self._names[id(signal)]} <= {constant(signal)};" for signal in self._resets]
            body += _branches([("rst", resets)])
        wires = self._with_wires([])
        return [*wires, "", "always @(posedge clk) begin", *(f"    {line}" for line in body), "end"]

    def _statements(self, statements: Iterable[Any], sign: str) -> list[str]:
        """Neighbours under the same condition share it."""
        blocks: list[Any] = []  # a line, or the cases of a condition
        for statement in statements:
            if isinstance(statement, Assignment):
                blocks.append(self._assignment(statement, sign))
                continue
            cases = []
            for test, body in statement.cases:
                cases.append(("" if test is None else self._expressions.exact(test), self._statements(body, sign)))
            before = blocks[-1] if blocks else None
            if isinstance(before, list) and len(before) == len(cases) == 1 and before[0][0] == cases[0][0]:
                before[0][1].extend(cases[0][1])
            else:
                blocks.append(cases)
        return [line for x in blocks for line in ([x] if isinstance(x, str) else _branches(x))]

    def _assignment(self, statement: Assignment, sign: str) -> str:
        target, low, high = self._names[id(statement.target)], statement.start, statement.stop - 1
        if not statement.whole:
            target += f"[{high}]" if low == high else f"[{high}:{low}]"
        return f"{target} {sign} {self._expressions.assigned(statement.value, high + 1 - low)};"


def constant(signal: Any) -> str:
    """A signal's initial value."""
    number, shape = signal.init, signal.shape()
    if shape == Shape(1) or abs(number) >= UNSIZED:
        return literal(number, shape)
    return str(number)


def _filled(start: str, names: list[str]) -> list[str]:
    """Declarations of one kind, as many on a line as there is room for."""
    found = [f"{start} {names[0]}"]
    for name in names[1:]:
        if len(found[-1]) + len(name) > ROOM:
            found[-1] += ";"
            found.append(f"{start} {name}")
        else:
            found[-1] += f", {name}"
    return [*found[:-1], f"{found[-1]};"]


def _branches(cases: list[tuple[str, list[str]]]) -> list[str]:
    (first, body), *others = cases
    if not others and len(body) == 1 and len(first) + len(body[0]) < ROOM - 20:
        return [f"if ({first}) {body[0]}"]
    found = [f"if ({first}) begin", *(f"    {line}" for line in body)]
    for test, body in others:
        found.append(f"end else if ({test}) begin" if test else "end else begin")
        found += [f"    {line}" for line in body]
    return [*found, "end"]
