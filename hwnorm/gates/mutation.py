"""Faults in a netlist, one in each stream: a check that misses one of them misses bugs.

As yosys' ``mutate`` has them, on one bit of one pin of a cell: inverted, stuck at 0, stuck at 1, or inverted where
another bit of the port, or for a gate's output one of its inputs, is 0 or 1 (which makes another gate of it). At an
input only this cell sees the fault, at an output all readers. Clocks are spared.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from hwnorm.gates.lanes import Ints
from hwnorm.gates.netlist import Cell, Edit, Netlist


class Mode(StrEnum):
    INV = "inv"
    CONST0 = "const0"
    CONST1 = "const1"
    CNOT0 = "cnot0"
    CNOT1 = "cnot1"


FUNCTIONS = {  # A: the bit, M: ones in the mutant's stream, B: the controlling bit
    **{Mode.INV: "A^M", Mode.CONST0: "A&!M", Mode.CONST1: "A|M"},
    **{Mode.CNOT0: "A^(M&!B)", Mode.CNOT1: "A^(M&B)"},
}


@dataclass(frozen=True, slots=True)
class Mutant:
    mode: Mode
    cell: int  # its place in the netlist
    name: str  # of the cell
    type: str
    instance: str
    pin: str
    bit: int
    control: tuple[str, int] | None  # a pin of the same cell, and its bit
    src: str  # where in the source: that of the cell, or of the nearest net or cell that it feeds

    def __str__(self) -> str:
        where = f"{self.instance or 'top'}: {self.name} ({self.type}) {self.pin}[{self.bit}]"
        control = f" by {self.control[0]}[{self.control[1]}]" if self.control else ""
        return f"{self.mode} at {where}{control}" + (f", {self.src}" if self.src else "")


def mutants(netlist: Netlist, count: int, seed: int = 0) -> list[Mutant]:
    """``count`` different faults (or all, where there are fewer), drawn evenly: no cell is hit a second time before
    each was hit once."""
    drawn = random.Random(seed)
    sources = _sources(netlist)
    each: list[list[Mutant]] = []
    for index, cell in enumerate(netlist.cells):
        found = list(_of_cell(netlist, index, cell, sources[index]))
        drawn.shuffle(found)
        each.append(found)
    drawn.shuffle(each)
    rounds = max(map(len, each), default=0)
    return [found[turn] for turn in range(rounds) for found in each if turn < len(found)][:count]


def mutated(netlist: Netlist, faults: Sequence[Mutant]) -> Netlist:
    """A netlist in which fault k is there in stream k and in no other; further streams are sound."""
    connected = [{pin: list(bits) for pin, bits in cell.pins.items()} for cell in netlist.cells]
    fresh = netlist.fresh()
    edits, constants, init = list(netlist.edits), dict(netlist.constants), dict(netlist.init)
    for stream, fault in enumerate(faults):
        pins = connected[fault.cell]
        mask, net, fresh = fresh, fresh + 1, fresh + 2
        constants[mask] = 1 << stream
        old = pins[fault.pin][fault.bit]
        control = pins[fault.control[0]][fault.control[1]] if fault.control else 0
        pins[fault.pin][fault.bit] = net
        if fault.pin in netlist.cells[fault.cell].outputs:
            edits.append(Edit(FUNCTIONS[fault.mode], {"A": net, "M": mask, "B": control}, old))
            if old in init:
                init[net] = init[old]
        else:
            edits.append(Edit(FUNCTIONS[fault.mode], {"A": old, "M": mask, "B": control}, net))
    cells = tuple(
        replace(cell, pins={pin: tuple(bits) for pin, bits in pins.items()})
        for cell, pins in zip(netlist.cells, connected, strict=True)
    )
    return replace(netlist, cells=cells, edits=tuple(edits), constants=constants, init=init)


def survivors(netlist: Netlist, faults: Sequence[Mutant], stimuli: Mapping[str, Ints]) -> list[Mutant]:
    """The faults that no output shows in any cycle, with stimuli as ``run`` takes them for one stream (an axis of
    streams of length 1): each fault's stream is compared with a sound one."""
    count = len(faults) + 1
    alive = np.ones(count, bool)
    for values in mutated(netlist, faults).simulator(count).run(stimuli).values():
        same = values == values[..., -1:]
        alive &= same.reshape(-1, count).all(axis=0)
    return [fault for fault, living in zip(faults, alive, strict=False) if living]


def _of_cell(netlist: Netlist, index: int, cell: Cell, src: str) -> Iterator[Mutant]:
    behaviour = netlist.behaviour(cell)
    clocks = {"RD_CLK", "WR_CLK", behaviour.state.clock if behaviour and behaviour.state else ""}
    combinational = behaviour is not None and behaviour.state is None
    inputs = [pin for pin, bits in cell.pins.items() if pin not in cell.outputs and bits and bits[0] > 1]
    for pin, bits in cell.pins.items():
        for bit, net in enumerate(bits if pin not in clocks else ()):
            if net < 2:
                continue  # a constant, or not connected
            others = [(pin, other) for other in range(len(bits)) if other != bit and bits[other] > 1]
            if combinational and pin in cell.outputs:  # at an input, most gates hide it
                others = others or [(other, 0) for other in inputs if other != pin and other not in clocks]
            for mode in (Mode.INV, Mode.CONST0, Mode.CONST1):
                yield Mutant(mode, index, cell.name, cell.type, cell.instance, pin, bit, None, src)
            for place, mode in enumerate((Mode.CNOT0, Mode.CNOT1) if others else ()):
                control = others[(bit + place) % len(others)]
                yield Mutant(mode, index, cell.name, cell.type, cell.instance, pin, bit, control, src)


def _sources(netlist: Netlist) -> list[str]:
    """Of each cell where it comes from. Mapped gates have forgotten it: then that of what they feed first."""
    readers: dict[int, list[int]] = {}
    for index, cell in enumerate(netlist.cells):
        for pin, bits in cell.pins.items():
            if pin not in cell.outputs:
                for net in bits:
                    readers.setdefault(net, []).append(index)
    found = [cell.src or _of_nets(netlist, cell) for cell in netlist.cells]
    waiting = [index for index, src in enumerate(found) if not src]
    while waiting:
        known = {
            index: next(
                (found[r] for net in _driven(netlist.cells[index]) for r in readers.get(net, ()) if found[r]), ""
            )
            for index in waiting
        }
        if not any(known.values()):
            break
        for index, src in known.items():
            found[index] = src
        waiting = [index for index in waiting if not found[index]]
    return found


def _driven(cell: Cell) -> list[int]:
    return [net for pin in sorted(cell.outputs) for net in cell.pins.get(pin, ())]


def _of_nets(netlist: Netlist, cell: Cell) -> str:
    return next((netlist.sources[net] for net in _driven(cell) if net in netlist.sources), "")
