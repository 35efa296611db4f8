"""A netlist cut at its registers and memories, for whoever follows it cycle by cycle without simulating it.

Memories are no part of it: what they read comes in, as what an input is does; what they are given is told to outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwnorm.errors import InputError
from hwnorm.gates.memory import Memory
from hwnorm.gates.netlist import Netlist
from hwnorm.gates.order import as_needed
from hwnorm.gates.parts import Gate, parts_of


class Cut:
    """``gates``: each behind those that drive it. ``inputs``: of the netlist, without its clock. ``reads``: the ports
    that read memories. ``told``: what memories are given, with each net the one that says when it matters, or 1."""

    def __init__(self, netlist: Netlist) -> None:
        """InputError where it has several clocks, or asynchronous resets."""
        self.parts = parts = parts_of(netlist)
        memories = [memory for _, memory in parts.memories]
        edges = {r.edge for r in parts.registers} | {edge for memory in memories for edge in memory.edges}
        if parts.follows or len(edges) > 1:
            raise InputError(f"{netlist.name}: only a design with one clock and no asynchronous reset can be proven")
        clocks = {edge.clock for edge in edges}
        self.constants, self.gates = netlist.constants, _ordered(parts.gates)
        inputs = [net for nets in netlist.inputs.values() for net in nets if net > 1 and net not in clocks]
        self.inputs = list(dict.fromkeys(inputs))
        self.reads = [port for memory in memories for port in memory.reads]
        self.told = [pair for memory in memories for pair in _told(memory)]


def _ordered(gates: Sequence[Gate]) -> list[Gate]:
    """There is no loop among them, or the simulator would have said so."""
    return [gates[k] for k in as_needed([gate.pins for gate in gates], [gate.outputs for gate in gates])]


def _told(memory: Memory) -> Iterator[tuple[int, int]]:
    for read in memory.reads:
        when = 1 if read.edge is None else read.enable
        yield from ((net, 1) for net in (read.enable, read.reset))
        yield from ((net, when) for net in read.address)
    for write in memory.writes:
        yield from ((net, 1) for net in write.enable)
        yield from zip(write.data, write.enable, strict=True)
        yield from ((net, enable) for net in write.address for enable in dict.fromkeys(write.enable))
