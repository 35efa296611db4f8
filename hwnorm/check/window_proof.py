"""Anything but a stage beside itself with a fault: some cycles under whatever inputs; equal so long, equal for ever.

A pipeline without feedback needs as many cycles as it is deep. Data are looked at while their ``valid`` is high.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hwnorm.check.proof import QUICK, THOROUGH, Layers, Proof, Range
from hwnorm.gates import Mutant, Netlist
from hwnorm.gates.clauses import TRUE
from hwnorm.gates.unrolling import UNREAD, Values, together


@dataclass(frozen=True)
class Operand:
    """A port's range when a register copies it, by the register: at once with a group's first beat (""), or while a
    flag is high that follows that beat."""

    values: Range
    copies: Mapping[str, str]


@dataclass(frozen=True)
class Window:
    """What is known of a block: after how many cycles nothing of a beat is left in it; its outputs, and of each the
    one-bit output that says when it matters, or ""; ports of a layer's registers; ports that it copies.
    ``released``: cycles from a reset on in which nobody looks at ``release``."""

    cycles: int
    shown: Mapping[str, str]
    layer: Layers = field(default_factory=lambda: Layers({}))
    operands: Mapping[str, Operand] = field(default_factory=dict)
    released: int = 0


class BlockProof(Proof):
    """Of anything but a stage: its cycles, and when what it shows matters."""

    def __init__(self, netlist: Netlist, instance: str, faults: Sequence[Mutant], of: Window) -> None:
        super().__init__(netlist, instance, faults)
        self._operands = of.operands
        self._layer = self.layers(of.layer)
        outputs = self.block.outputs
        looked_at = of.shown or dict.fromkeys(outputs, "")
        times = {name: outputs[when][0] if when in outputs else 1 for name, when in looked_at.items()}
        shown = [(net, when) for name, when in times.items() for net in self.nets([name])]
        self.shown = together([*self.unrolling.told.items(), *shown])

    def frames(self, states: Values, given: Iterable[Values]) -> list[Values]:
        """Cycles one behind the other, with what is given of each one's inputs."""
        found = list[Values]()
        for one in given:
            found.append(self.frame(states, one))
            states = self.unrolling.after(found[-1])
        return found

    def frame(self, states: Values, given: Values) -> Values:
        f, ports = self.literals, self.block.inputs
        given = {**self._layer, **given}
        begins = f.fresh()
        if self._operands:
            beat = [ports[name][0] for name in ("valid", "first")]
            given = {net: f.fresh() for net in beat} | given
            begins = f.both(*(given[net] for net in beat))
        for name, operand in self._operands.items():
            found, known = self.drawn(ports.get(name, ()), operand.values)
            given |= found
            for flag in dict.fromkeys(operand.copies.values()):
                copied = self._state(states, flag) if flag else begins
                self.assumed += [f.either(-copied, limit) for limit in known]
        return self.unrolling.settle(f, {**states, **self.inputs(given)})

    def _state(self, states: Values, name: str) -> int:
        """Of one bit; false where the block has no register of that name any more."""
        (net, *_) = self.block.labels.get(name) or (0,)
        return states.get(net, -TRUE)


class WindowProof(BlockProof):
    def __init__(self, netlist: Netlist, instance: str, faults: Sequence[Mutant], of: Window) -> None:
        super().__init__(netlist, instance, faults, of)
        copies: Values = {}
        states = set(self.unrolling.states)
        for operand in of.operands.values():
            for name in operand.copies:
                nets = [n if n < 2 or n in states else UNREAD for n in self.block.labels.get(name, ())]
                if states.intersection(nets):
                    values = Range(min(operand.values.lo, 0), max(operand.values.hi, 0))
                    found, known = self.drawn(nets, values)
                    copies |= found
                    self.assumed += known
        self._window = self.frames({**self.unknown, **copies}, [{}] * of.cycles)
        self._beginning = self.frames({**self.unknown, **self.initial}, [{}] * of.cycles)

    def shows(self, number: int) -> str | None:
        apart = {state for state in self.unrolling.states if state not in self.initial}
        before = -1
        while len(apart) != before:
            before = len(apart)
            seen = self._begin(number, apart) or self._go_on(number, apart)
            if seen is not None:
                return seen
        return None

    def _begin(self, number: int, apart: set[int]) -> str | None:
        """From power-on as many cycles as the other takes to be equal."""
        states = {state: self.other[state] for state in apart if state not in self.initial}
        for of in self._beginning:
            found = self.unrolling.beside(self.literals, of, number, states)
            seen = self.seen(of, found, self.shown, THOROUGH)
            if seen:
                return seen
            states = self.becomes(of, found, QUICK)
            apart.update(states)
        return None

    def _go_on(self, number: int, apart: set[int]) -> str | None:
        """What is not apart was equal so long, and is."""
        states = {state: self.other[state] for state in apart}
        for of in self._window[:-1]:
            found = self.unrolling.beside(self.literals, of, number, states)
            states = {s: v for s, v in self.unrolling.apart_after(found).items() if s in apart}
        of = self._window[-1]
        found = self.unrolling.beside(self.literals, of, number, states)
        apart.update(self.becomes(of, found, QUICK))
        return self.seen(of, found, self.shown, THOROUGH)
