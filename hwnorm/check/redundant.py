"""Which faults change nothing, proven: whatever registers hold, none of them, no memory and no output sees the fault.

The cone of gates between a fault and the registers behind it is written twice, sound and faulty, and yosys' SAT solver
looks for an input on which the two differ. That registers never reach some states is not known here: a fault which
only those would show is not proven.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from hwnorm.gates import Cell, Mode, Mutant, Netlist
from hwnorm.gates.flow import run_script

TIMEOUT_S = 10
GATES = {
    **{"$_BUF_": "A", "$_NOT_": "~A", "$_AND_": "A & B", "$_OR_": "A | B", "$_XOR_": "A ^ B", "$_NAND_": "~(A & B)"},
    **{"$_NOR_": "~(A | B)", "$_XNOR_": "~(A ^ B)", "$_ANDNOT_": "A & ~B", "$_ORNOT_": "A | ~B", "$_MUX_": "S ? B : A"},
}
FAULTS = {Mode.INV: "~A", Mode.CONST0: "1'b0", Mode.CONST1: "1'b1", Mode.CNOT0: "A ^ ~B", Mode.CNOT1: "A ^ B"}
REGISTER = re.compile(r"\$_(DFF|DFFE|SDFF|SDFFE|SDFFCE)_([PN])([PN01]*)_")


def redundant(netlist: Netlist, faults: Sequence[Mutant]) -> list[bool]:
    """Of each fault whether it is proven that it changes nothing."""
    cones = _Cones(netlist)
    texts = [cones.module(f"m{k}", fault) for k, fault in enumerate(faults)]
    asked = [k for k, text in enumerate(texts) if text]
    if not asked:
        return [False] * len(faults)
    lines = ["read_verilog design", "proc"]
    lines += [f"tee -a netlist sat -timeout {TIMEOUT_S} -prove differs 0 m{k}" for k in asked]
    log = run_script("\n".join(lines), "\n".join(text for text in texts if text)).decode()
    parts = re.split(r"Setting up SAT problem", log)[1:]
    assert len(parts) == len(asked)
    proven = {k for k, part in zip(asked, parts, strict=True) if "SUCCESS!" in part}
    return [k in proven for k in range(len(faults))]


class _Cones:
    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.driver: dict[int, Cell] = {}
        self.readers: dict[int, list[Cell]] = {}
        for cell in netlist.cells:
            for pin, bits in cell.pins.items():
                for net in bits:
                    if pin not in cell.outputs:
                        self.readers.setdefault(net, []).append(cell)
                    elif cell.type in GATES:
                        self.driver[net] = cell
        self.ports = {net for nets in netlist.outputs.values() for net in nets}

    def module(self, name: str, fault: Mutant) -> str:
        """Empty where the fault is in a state, or in a cell that is no gate or register known here."""
        cell = self.netlist.cells[fault.cell]
        output = fault.pin in cell.outputs
        if output and cell.type not in GATES:
            return ""
        if not output and cell.type not in GATES and not REGISTER.fullmatch(cell.type):
            return ""
        origin = cell.pins[fault.pin][fault.bit]
        control = f"n{cell.pins[fault.control[0]][fault.control[1]]}" if fault.control else "1'b0"
        wrong = _put(FAULTS[fault.mode], {"A": f"n{origin}", "B": control})
        faulty: dict[int, str] = {}
        at_register: Cell | None = None
        if output:
            faulty[origin] = wrong
        elif cell.type in GATES:
            (result,) = cell.pins["Y"]
            pins = {pin: f"n{bits[0]}" for pin, bits in cell.pins.items()} | {fault.pin: f"({wrong})"}
            faulty[result] = _put(GATES[cell.type], pins)
        else:
            at_register = cell
        changed, order = self._forward(faulty)
        for gate in order:
            (result,) = gate.pins["Y"]
            faulty[result] = _put(GATES[gate.type], {p: _net(b[0], changed) for p, b in gate.pins.items()})
        ends = [(f"n{net}", f"f{net}") for net in changed & self.ports]
        seen = changed & self.ports
        for reader in self._registers(changed, at_register):
            if REGISTER.fullmatch(reader.type):
                sound = {pin: f"n{bits[0]}" for pin, bits in reader.pins.items()}
                bad = {pin: _net(bits[0], changed) for pin, bits in reader.pins.items()}
                if reader is at_register:
                    bad[fault.pin] = f"({wrong})"
                ends.append((_next(reader.type, sound), _next(reader.type, bad)))
                seen |= {bits[0] for pin, bits in reader.pins.items() if pin != "C"}  # Q too: what it keeps
            else:
                inputs = [n for pin, bits in reader.pins.items() if pin not in reader.outputs for n in bits]
                ends += [(f"n{net}", f"f{net}") for net in inputs if net in changed]
                seen |= {net for net in inputs if net in changed}
        needed = seen | {origin} | {b[0] for g in order for p, b in g.pins.items() if p != "Y"}
        needed |= {n for bits in cell.pins.values() for n in bits}
        return self._text(name, needed, changed, faulty, ends)

    def _forward(self, start: Mapping[int, str]) -> tuple[set[int], list[Cell]]:
        """Nets that a fault may reach before a register, and the gates on the way, in order."""
        changed, gates, todo = set(start), {}, list(start)
        while todo:
            for gate in self.readers.get(todo.pop(), ()):
                if gate.type in GATES and gate.pins["Y"][0] not in changed:
                    gates[gate.pins["Y"][0]] = gate
                    changed.add(gate.pins["Y"][0])
                    todo.append(gate.pins["Y"][0])
        return changed, list(gates.values())

    def _registers(self, changed: Iterable[int], own: Cell | None) -> list[Cell]:
        found = {id(cell): cell for net in changed for cell in self.readers.get(net, ()) if cell.type not in GATES}
        return [*found.values(), *([own] if own is not None else [])]

    def _text(
        self, name: str, needed: set[int], changed: set[int], faulty: Mapping[int, str], ends: list[tuple[str, str]]
    ) -> str:
        lines, inputs, done, todo = [], [], set(), [net for net in needed if net > 1]
        while todo:
            net = todo.pop()
            if net in done or net < 2:
                continue
            done.add(net)
            gate = self.driver.get(net)
            if gate is None:
                inputs.append(f"n{net}")
                continue
            pins = {pin: f"n{bits[0]}" for pin, bits in gate.pins.items()}
            lines += [f"  wire n{net};", f"  assign n{net} = {_put(GATES[gate.type], pins)};"]
            todo += [bits[0] for pin, bits in gate.pins.items() if pin != "Y"]
        wires = [f"  wire f{net};" for net in changed]
        wires += [f"  assign f{net} = {text};" for net, text in faulty.items()]
        differs = " | ".join(f"(({a}) ^ ({b}))" for a, b in ends) or "1'b0"
        head = f"module {name}({', '.join([*(f'input {i}' for i in inputs), 'output differs'])});"
        constants = ["  wire n0 = 1'b0;", "  wire n1 = 1'b1;"]
        return "\n".join([head, *constants, *lines, *wires, f"  assign differs = {differs};", "endmodule"])


def _net(net: int, changed: set[int]) -> str:
    return f"f{net}" if net in changed else f"n{net}"


def _put(expression: str, pins: Mapping[str, str]) -> str:
    return re.sub(r"(?<!')\b[ABS]\b", lambda match: pins[match[0]], expression)


def _next(kind: str, pins: Mapping[str, str]) -> str:
    """What a register holds after the edge."""
    match = REGISTER.fullmatch(kind)
    assert match is not None
    family, _, more = match.groups()

    def active(pin: str, level: str) -> str:
        return pins[pin] if level == "P" else f"~{pins[pin]}"

    d, q = pins["D"], pins["Q"]
    match family:
        case "DFF":
            return d
        case "DFFE":
            return f"({active('E', more[0])}) ? {d} : {q}"
        case "SDFF":
            return f"({active('R', more[0])}) ? 1'b{more[1]} : {d}"
        case "SDFFE":
            return f"({active('R', more[0])}) ? 1'b{more[1]} : ({active('E', more[2])}) ? {d} : {q}"
        case _:
            reset = f"({active('R', more[0])}) ? 1'b{more[1]} : {d}"
            return f"({active('E', more[2])}) ? ({reset}) : {q}"
