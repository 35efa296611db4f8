"""What a netlist does, in three kinds of part: gates, registers, memories. Here every cell gets its meaning, or is
refused by name.

A register is a plain one, ``state := d`` at an edge: enables and synchronous resets are gates before it. With an
asynchronous pin what it shows is a gate behind its state, and the state follows that once all has settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from hwnorm.errors import InputError
from hwnorm.gates.celltypes import STATE, CellType, State
from hwnorm.gates.logic import Expression, Function, fold, function
from hwnorm.gates.memory import Edge, Memory, Nets, memory_of
from hwnorm.gates.netlist import Cell, Netlist

HIDDEN = -1  # the cell of a gate that is only part of one
EDITED = -2  # the cell of a gate that a mutation put in


@dataclass(frozen=True, slots=True)
class Gate:
    expression: Expression
    pins: Nets
    output: int
    cell: int  # its place in the netlist, or HIDDEN, or EDITED

    @property
    def outputs(self) -> Nets:
        return (self.output,)


@dataclass(frozen=True, slots=True)
class Register:
    edge: Edge
    d: int
    state: int
    init: int | None
    cell: int


@dataclass
class Parts:
    gates: list[Gate] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    memories: list[tuple[int, Memory]] = field(default_factory=list)  # each with its cell
    follows: list[tuple[int, int]] = field(default_factory=list)  # a state, and the net that shows it
    drivers: dict[int, int] = field(default_factory=dict)  # net -> cell


def parts_of(netlist: Netlist) -> Parts:
    """InputError for a cell that is not known, a latch, a net with two drivers or a clock that is no input."""
    return _Builder(netlist).parts


class _Builder:
    def __init__(self, netlist: Netlist) -> None:
        self.netlist, self.parts = netlist, Parts()
        self._next = netlist.fresh()
        self._inputs = {net for bits in netlist.inputs.values() for net in bits}
        for index, cell in enumerate(netlist.cells):
            if cell.type == "$mem_v2":
                self._memory(index, cell)
            else:
                self._cell(index, cell, self._behaviour(cell))
        for edit in netlist.edits:
            read = function(edit.function)
            pins = tuple(edit.pins[name] for name in read.pins)
            self._drive(edit.output, EDITED)
            self.parts.gates.append(Gate(read.expression, pins, edit.output, EDITED))
        self._resolve_clocks()

    def _behaviour(self, cell: Cell) -> CellType:
        found = self.netlist.behaviour(cell)
        if found is not None and not found.latch:
            return found
        place = f"cell {cell.name}" + (f" in {cell.instance}" if cell.instance else "")
        if found is not None:
            raise InputError(f"{place} is a latch ({cell.type}): only clocked registers can be simulated")
        library = self.netlist.library
        if library is not None and cell.type in library.cells:
            why = library.cells[cell.type].why
            raise InputError(f"{place}: type {cell.type} of {library.name} cannot be simulated: {why}")
        way = "name its Liberty file" if not cell.type.startswith("$") else "map it to gates first (techmap, simplemap)"
        if cell.type in (*_LEFT_OVER, "$mem"):
            way = "only $mem_v2, gates and registers are: run proc; memory -nomap; techmap"
        raise InputError(f"{place}: unknown cell type {cell.type}; flatten the design, or {way}")

    def _cell(self, index: int, cell: Cell, behaviour: CellType) -> None:
        binding = {pin: bits[0] for pin, bits in cell.pins.items() if bits}
        if behaviour.state is not None:
            shown = next((o for o, f in behaviour.outputs.items() if o in binding and f == function(STATE)), None)
            binding[STATE] = binding[shown] if shown else self._new()
            self._register(index, cell, behaviour.state, binding)
        for pin, what in behaviour.outputs.items():
            if pin in binding and binding[pin] != binding.get(STATE):
                self._drive(binding[pin], index)
                self._gate(what, binding, index, cell, binding[pin])

    def _register(self, index: int, cell: Cell, state: State, binding: dict[str, int]) -> None:
        shown = binding[STATE]
        self._drive(shown, index)
        d = self._gate(state.next_state, binding, HIDDEN, cell)
        kept = shown
        if state.asynchronous is not None:
            kept = self._new()
            self._gate(state.asynchronous, {**binding, STATE: kept}, index, cell, shown)
            d = self._gate(state.asynchronous, {**binding, STATE: d}, HIDDEN, cell)
            self.parts.follows.append((kept, shown))
        edge = Edge(binding[state.clock], state.rising)
        self.parts.registers.append(Register(edge, d, kept, self.netlist.init.get(shown), index))

    def _gate(
        self, what: Function, binding: Mapping[str, int], index: int, cell: Cell, output: int | None = None
    ) -> int:
        """The net that a function drives: the output, or a new one (or none, where it is a pin as it is)."""
        missing = [pin for pin in what.pins if pin not in binding]
        if missing:
            raise InputError(f"cell {cell}: pin {missing[0]} is not connected")
        pins = tuple(binding[pin] for pin in what.pins)
        if output is None:
            if what.expression == 0:
                return pins[0]
            output = self._new()
        self.parts.gates.append(Gate(fold(what.expression), pins, output, index))
        return output

    def _memory(self, index: int, cell: Cell) -> None:
        memory = memory_of(cell)
        reads = []
        for read in memory.reads:
            for net in read.data:
                self._drive(net, index)
            if read.edge is None or read.clear == 0:
                reads.append(read)
                continue
            kept = tuple(self._new() for _ in read.data)  # as a register with an asynchronous reset
            for net, state, value in zip(read.data, kept, read.clear_value, strict=True):
                shown = function("A|B" if value else "A&!B")
                self.parts.gates.append(Gate(shown.expression, (state, read.clear), net, index))
                self.parts.follows.append((state, net))
            reads.append(replace(read, data=kept))
        self.parts.memories.append((index, replace(memory, reads=tuple(reads))))

    def _resolve_clocks(self) -> None:
        self._wires = {gate.output: gate for gate in self.parts.gates if gate.expression in (0, ("!", 0))}
        cells = self.netlist.cells
        self.parts.registers = [replace(r, edge=self._edge(cells[r.cell], r.edge)) for r in self.parts.registers]
        memories = []
        for index, memory in self.parts.memories:
            edge = partial(self._edge, cells[index])
            reads = tuple(replace(port, edge=port.edge and edge(port.edge)) for port in memory.reads)
            writes = tuple(replace(port, edge=edge(port.edge)) for port in memory.writes)
            memories.append((index, replace(memory, reads=reads, writes=writes)))
        self.parts.memories = memories

    def _edge(self, cell: Cell, edge: Edge) -> Edge:
        """The edge of an input that a clock pin sees, through buffers and inverters."""
        net, rising = edge.clock, edge.rising
        while net not in self._inputs:
            gate = self._wires.get(net)
            if gate is None:
                name = "constant" if net < 2 else self.netlist.net_name(net)
                raise InputError(f"cell {cell}: its clock ({name}) is not an input of {self.netlist.name}")
            net, rising = gate.pins[0], rising == (gate.expression == 0)
        return Edge(net, rising)

    def _drive(self, net: int, index: int) -> None:
        if net < 2 or net in self._inputs or net in self.parts.drivers:
            others = self.parts.drivers.get(net)
            other = "an input" if others is None else "another mutation" if others < 0 else self.netlist.cells[others]
            cell = "a mutation" if index < 0 else f"cell {self.netlist.cells[index]}"
            raise InputError(
                f"{cell} drives {self.netlist.net_name(net)}, as does {'a constant' if net < 2 else other}"
            )
        self.parts.drivers[net] = index

    def _new(self) -> int:
        self._next += 1
        return self._next - 1


_LEFT_OVER = ("$memrd", "$memwr", "$memrd_v2", "$memwr_v2", "$meminit", "$meminit_v2")
