"""The order in which a netlist's parts are evaluated, and where its nets stand.

Every net has a row of the simulator's values: first the constants, inputs and states, then the gates, those of one
function that are evaluated together beside each other, so that a group's results are one slice. A net that nothing
drives reads as 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnorm.errors import InputError
from hwnorm.gates.fusing import fused
from hwnorm.gates.logic import Expression
from hwnorm.gates.memory import Edge, Memory
from hwnorm.gates.netlist import Netlist
from hwnorm.gates.order import driver_of, in_order, readers_of
from hwnorm.gates.parts import Gate, Parts, parts_of

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Group:
    """Gates of one function: row ``pins[p, g]`` is pin p of gate g, whose result is row ``out[g]``."""

    expression: Expression
    pins: Rows
    out: Rows


@dataclass(frozen=True, slots=True)
class Lookup:
    """A combinational read port, and the rows of its data."""

    memory: int
    port: int
    out: Rows


@dataclass(frozen=True, slots=True)
class Commit:
    """What an edge stores: row ``d[k]`` into row ``first + k``, and the clocked read ports' data."""

    edge: Edge
    d: Rows
    first: int
    reads: tuple[tuple[int, int], ...]  # memory, port


@dataclass(frozen=True, slots=True)
class Program:
    size: int
    sources: int  # rows that no step writes; those of the steps follow, in order
    row: npt.NDArray[np.intp]  # of a net's number
    inputs: dict[str, int]  # the first row; the others follow
    outputs: dict[str, Rows]
    constants: tuple[tuple[int, int], ...]  # row, a bit for each stream
    init: tuple[tuple[int, int | None], ...]  # of the states
    steps: tuple[Group | Lookup, ...]
    commits: tuple[Commit, ...]
    follows: tuple[Rows, Rows]  # states with an asynchronous pin, and what they show
    memories: tuple[Memory, ...]
    drivers: dict[int, int]  # net -> cell
    gated: frozenset[int]  # nets of clocks that gates look at
    times: tuple[tuple[Group | Lookup, ...], ...]  # what may change at time 1, 2, ...; of ports alone none

    @property
    def clocks(self) -> frozenset[int]:
        """Nets."""
        return frozenset(commit.edge.clock for commit in self.commits)


def compile_netlist(netlist: Netlist, ports_alone: bool = False) -> Program:
    """InputError for a combinational loop, with the cells on it; and as ``parts_of`` says. ``ports_alone``: of the nets
    between gates some may be gone; their row is past the last one."""
    parts, gone = parts_of(netlist), list[int]()
    nodes = _nodes(parts)
    earliest, levels = _levels(netlist, nodes)
    if ports_alone:
        parts, gone = fused(parts, {net for nets in netlist.outputs.values() for net in nets})
        nodes = _nodes(parts)
        earliest, levels = _levels(netlist, nodes)
    rows = _Rows()
    inputs = {name: rows.add(nets) for name, nets in netlist.inputs.items()}
    constants = tuple((rows.add([net]), mask) for net, mask in netlist.constants.items())
    edges = dict.fromkeys([r.edge for r in parts.registers] + [e for _, m in parts.memories for e in m.edges])
    firsts, init = {}, []
    for edge in edges:
        states = [register for register in parts.registers if register.edge == edge]
        firsts[edge] = rows.add([register.state for register in states])
        init += [(firsts[edge] + k, register.init) for k, register in enumerate(states)]
    for _, memory in parts.memories:
        for port in memory.reads:
            if port.edge is not None:
                first = rows.add(port.data)
                init += [(first + k, value) for k, value in enumerate(port.init)]
    sources = rows.size
    batches = _batches(nodes, levels)
    for index in (index for batch in batches for index in batch):
        rows.add(nodes[index].outputs)
    row = rows.table(netlist.fresh())
    row[gone] = rows.size
    assert not set(gone).intersection(net for node in nodes for net in node.pins), "somebody reads what is gone"
    at_time: list[list[int]] = [[] for _ in range(0 if ports_alone else max(levels, default=0))]
    for index, (low, high) in enumerate(zip(earliest, levels, strict=True) if at_time else ()):
        for time in range(low, high + 1):
            at_time[time - 1].append(index)
    return Program(
        size=rows.size,
        sources=sources,
        row=row,
        inputs=inputs,
        outputs={name: row[list(nets)] for name, nets in netlist.outputs.items()},
        constants=constants,
        init=tuple(init),
        steps=tuple(_step(nodes, batch, row) for batch in batches),
        commits=tuple(_commit(edge, parts, firsts[edge], row) for edge in edges),
        follows=(row[[state for state, _ in parts.follows]], row[[shown for _, shown in parts.follows]]),
        memories=tuple(memory for _, memory in parts.memories),
        drivers=parts.drivers,
        gated=frozenset(net for gate in parts.gates for net in gate.pins) & {edge.clock for edge in edges},
        times=tuple(tuple(_step(nodes, batch, row) for batch in _by_kind(nodes, layer)) for layer in at_time),
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """A combinational read port as a node of the graph, beside the gates."""

    memory: int
    port: int
    pins: Sequence[int]
    outputs: Sequence[int]
    cell: int


def _nodes(parts: Parts) -> list[Gate | _Read]:
    reads = (
        _Read(m, k, port.address, port.data, cell)
        for m, (cell, memory) in enumerate(parts.memories)
        for k, port in enumerate(memory.reads)
        if port.edge is None
    )
    return [*parts.gates, *reads]


class _Rows:
    """Rows in the order in which nets are added; 0 and 1 are there."""

    def __init__(self) -> None:
        self._rows = {0: 0, 1: 1}
        self.size = 2

    def add(self, nets: Iterable[int]) -> int:
        first = self.size
        for net in nets:
            self._rows[net] = self.size
            self.size += 1
        return first

    def table(self, nets: int) -> Rows:
        table = np.zeros(max(nets, *self._rows) + 1, np.intp)
        table[list(self._rows)] = list(self._rows.values())
        return table


def _batches(nodes: Sequence[Gate | _Read], levels: Sequence[int]) -> list[list[int]]:
    """An order of evaluation in few steps, each of nodes of one kind: a step is a few calls whatever its size.

    Next is always the kind of which a node has most behind it; the others gather until they are waited for.
    """
    readers, waiting = readers_of([node.pins for node in nodes], [node.outputs for node in nodes])
    behind = [0] * len(nodes)
    for index in sorted(range(len(nodes)), key=levels.__getitem__, reverse=True):
        behind[index] = max((1 + behind[reader] for reader in readers[index]), default=0)
    ready = _kinds(nodes, (index for index, count in enumerate(waiting) if not count))
    batches = []
    while ready:
        batch = ready.pop(max(ready, key=lambda kind: (max(behind[index] for index in ready[kind]), repr(kind))))
        batches.append(batch)
        freed = []
        for reader in (reader for index in batch for reader in readers[index]):
            waiting[reader] -= 1
            if not waiting[reader]:
                freed.append(reader)
        for kind, more in _kinds(nodes, freed).items():
            ready.setdefault(kind, []).extend(more)
    return batches


def _by_kind(nodes: Sequence[Gate | _Read], indexes: Iterable[int]) -> list[list[int]]:
    kinds = _kinds(nodes, indexes)
    return [kinds[kind] for kind in sorted(kinds, key=repr)]


def _kinds(nodes: Sequence[Gate | _Read], indexes: Iterable[int]) -> dict[Any, list[int]]:
    kinds: dict[Any, list[int]] = defaultdict(list)
    for index in indexes:
        node = nodes[index]
        kinds[node.expression if isinstance(node, Gate) else (node.memory, node.port)].append(index)
    return dict(kinds)


def _step(nodes: Sequence[Gate | _Read], batch: Sequence[int], row: Rows) -> Group | Lookup:
    first = nodes[batch[0]]
    if isinstance(first, _Read):
        return Lookup(first.memory, first.port, row[list(first.outputs)])
    pins = np.array([nodes[index].pins for index in batch], np.intp).reshape(len(batch), -1).T
    return Group(first.expression, row[pins], row[[nodes[index].outputs[0] for index in batch]])


def _commit(edge: Edge, parts: Parts, first: int, row: Rows) -> Commit:
    reads = tuple(
        (m, k)
        for m, (_, memory) in enumerate(parts.memories)
        for k, port in enumerate(memory.reads)
        if port.edge == edge
    )
    return Commit(edge, row[[r.d for r in parts.registers if r.edge == edge]], first, reads)


def _levels(netlist: Netlist, nodes: Sequence[Gate | _Read]) -> tuple[list[int], list[int]]:
    """Of each node the shortest and the longest way to it from an input, a state or a constant, itself included."""
    reads, drives = [node.pins for node in nodes], [node.outputs for node in nodes]
    order, driver = in_order(reads, drives), driver_of(drives)
    if len(order) < len(nodes):
        raise InputError(_loop(netlist, nodes, driver, set(range(len(nodes))).difference(order)))
    shortest, longest = [1] * len(nodes), [1] * len(nodes)
    for index in order:
        before = [driver[net] for net in reads[index] if net in driver]
        if before:
            longest[index] = 1 + max([longest[k] for k in before])
            if all(net < 2 or net in driver for net in reads[index]):
                shortest[index] = 1 + min([shortest[k] for k in before])
    return shortest, longest


def _loop(netlist: Netlist, nodes: Sequence[Gate | _Read], driver: dict[int, int], stuck: set[int]) -> str:
    """A loop among the nodes that are stuck: each of them waits for another."""
    seen: dict[int, int] = {}
    at = min(stuck)
    while at not in seen:
        seen[at] = len(seen)
        at = next(driver[net] for net in nodes[at].pins if driver.get(net) in stuck)
    loop = list(seen)[seen[at] :][::-1]
    cells = [str(netlist.cells[nodes[i].cell]) if nodes[i].cell >= 0 else "part of a register" for i in loop]
    shown = " -> ".join([*cells[:8], "..."] if len(cells) > 8 else cells)
    return f"a combinational loop of {len(loop)} cells: {shown} -> {cells[0]}"
