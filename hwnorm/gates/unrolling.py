"""A sound design and faulty ones, cycle by cycle over literals: a fault is worked out only where it makes a difference.

What a fault leaves as it is, is the same literal in both designs, and so is what it changes by a way round that comes
to the same. The faults are those of `mutated`, a mask each: so sound and faulty are one netlist with other constants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush

from hwnorm.gates.clauses import TRUE, Literals
from hwnorm.gates.cut import Cut
from hwnorm.gates.mutation import Mutant, mutated
from hwnorm.gates.netlist import Netlist

Values = dict[int, int]  # literals by net
UNREAD = -1  # in the place of a net: a bit of an input that nothing in a part reads


def part_of(netlist: Netlist, instance: str) -> Netlist:
    """An instance and those in it as a netlist of its own, whose ports have their names in there; bits of an input that
    are not read are UNREAD. "": the top without its instances."""
    prefix = f"{instance}." if instance else ""
    inside = [c for c in netlist.cells if c.instance == instance or (prefix and c.instance.startswith(prefix))]
    numbers = {id(cell) for cell in inside}
    outside = [cell for cell in netlist.cells if id(cell) not in numbers]
    driven = {net for cell in inside for pin in cell.outputs for net in cell.pins.get(pin, ())}
    read = {net for cell in inside for pin in set(cell.pins) - cell.outputs for net in cell.pins[pin] if net > 1}
    told = {net for cell in outside for pin in set(cell.pins) - cell.outputs for net in cell.pins[pin]}
    told |= {net for nets in netlist.outputs.values() for net in nets}
    given, shown = read - driven, driven & told
    names = {
        label.removeprefix(prefix): nets
        for label, nets in netlist.labels.items()
        if label.startswith(prefix) and "." not in label.removeprefix(prefix)
    }

    def ports(named: dict[str, tuple[int, ...]], wanted: set[int]) -> dict[str, tuple[int, ...]]:
        found = {name: nets for name, nets in named.items() if wanted.issuperset(n for n in nets if n > 1)}
        known = {net for nets in found.values() for net in nets}
        found |= {netlist.net_name(net): (net,) for net in sorted(wanted - known)}
        return {name: nets for name, nets in found.items() if any(net > 1 for net in nets)}

    taken = {name: tuple(n if n < 2 or n in given else UNREAD for n in nets) for name, nets in names.items()}
    return replace(netlist, inputs=ports(taken, given), outputs=ports(names, shown), cells=tuple(inside))


def moved(fault: Mutant, netlist: Netlist, part: Netlist) -> Mutant:
    """A fault of a netlist in a part of it."""
    cell = netlist.cells[fault.cell]
    return replace(fault, cell=next(k for k, other in enumerate(part.cells) if other is cell))


def together(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """With each net the one that says when it matters; where several do: 1, always."""
    found: dict[int, int] = {}
    for net, when in pairs:
        found[net] = when if found.get(net, when) == when else 1
    return found


class Unrolling:
    """``states``: the nets that hold something. What a memory holds is unknown, what it is given is ``told``."""

    def __init__(self, netlist: Netlist, faults: Sequence[Mutant]) -> None:
        self.netlist = mutated(netlist, faults)
        self._cut = cut = Cut(self.netlist)
        self._readers = defaultdict[int, list[int]](list)
        for place, gate in enumerate(cut.gates):
            for net in gate.pins:
                self._readers[net].append(place)
        self._registers = {register.state: register.d for register in cut.parts.registers}
        self.states = list(self._registers)
        self._follows = defaultdict[int, list[int]](list)
        for state, d in self._registers.items():
            self._follows[d].append(state)
        fresh = self.netlist.constants.keys() - netlist.constants.keys()
        self._masks = sorted(fresh, key=lambda net: self.netlist.constants[net])
        self.inputs = [*cut.inputs, *(net for port in cut.reads for net in port.data)]
        self.told = together(cut.told)

    def settle(self, literals: Literals, given: Mapping[int, int]) -> Values:
        """All nets of the sound design, of inputs and states."""
        return literals.settle(self._cut, {**dict.fromkeys(self._masks, -TRUE), **given})

    def after(self, of: Mapping[int, int]) -> Values:
        """What the states become."""
        return {state: of.get(d, -TRUE) for state, d in self._registers.items()}

    def becomes(self, of: Mapping[int, int], state: int) -> int:
        return of.get(self._registers[state], -TRUE)

    def beside(self, literals: Literals, of: Mapping[int, int], fault: int, apart: Mapping[int, int]) -> Values:
        """The nets that differ in a faulty design, whose states differ by ``apart``."""
        found = {self._masks[fault]: TRUE, **apart}
        todo: list[int] = []
        queued = set[int]()

        def changed(net: int) -> None:
            for place in self._readers.get(net, ()):
                if place not in queued:
                    queued.add(place)
                    heappush(todo, place)

        for net in found:
            changed(net)
        while todo:
            gate = self._cut.gates[heappop(todo)]
            value = literals.of(gate.expression, [found.get(net, of.get(net, -TRUE)) for net in gate.pins])
            if value != of[gate.output]:
                found[gate.output] = value
                changed(gate.output)
        return found

    def apart_after(self, found: Mapping[int, int]) -> Values:
        """The states that will differ, of the nets that do."""
        return {state: value for net, value in found.items() for state in self._follows.get(net, ())}
