"""A scalar stage beside itself with a fault: it runs from ``start`` for as long as its schedule says.

What its neighbours promise: no start before the token (and a cycle more, which ``free`` takes), and none so soon after
a reset that the sweep in front cannot have brought a group yet; a layer that stays, sums and fields in the range that
the generator derived for them for groups of its length, and so together that what is computed of them is in its own (no
deviation is negative); and they look at its values while ``token`` or ``result_valid`` is high. A reset may come at any
time. In a run all control is constant, so of most of the circuit nothing is left; behind it what it found stands.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from hwnorm.check.proof import LEAST, QUICK, THOROUGH, TIMEOUT_S, Layers, Proof, Range
from hwnorm.gates import Mutant, Netlist
from hwnorm.gates.clauses import TRUE
from hwnorm.gates.unrolling import Values
from hwnorm.rtl.cells import Kind
from hwnorm.rtl.stage import StageBlock

RUNNING = (Kind.ADD, Kind.SUB, Kind.PORT)  # what may run by bit by bit


@dataclass(frozen=True)
class Known:
    """In which range a value is in a run: one that stands in a cycle, or comes bit by bit from there on, the lowest
    first, through one register."""

    label: str  # of its nets
    cycle: int
    width: int
    values: Range

    @property
    def signed(self) -> bool:
        return self.values.lo < 0

    def bits(self, frames: Sequence[Values], labels: Mapping[str, Sequence[int]]) -> list[int]:
        """None at all where the netlist has no such nets, fewer where a run ends before."""
        nets = labels.get(self.label, ())
        if len(nets) == self.width:
            return [frames[self.cycle][net] if net > 1 else TRUE if net else -TRUE for net in nets]
        return [frame[nets[0]] for frame in frames[self.cycle :][: self.width]] if len(nets) == 1 else []


@dataclass(frozen=True)
class _World:
    """Some of the groups there are: how their ports are drawn, and what is assumed while one of them runs."""

    group: Values
    assumed: list[int]


@dataclass
class _Phase:
    """States from which a stage may start: what is known of them, and what it does then in one of the worlds."""

    world: int
    first: bool  # behind a reset
    known: Values
    frames: list[Values] = field(default_factory=list)  # a run
    end: Values = field(default_factory=dict)
    before: Values = field(default_factory=dict)  # a cycle without a start, before it
    behind: dict[tuple[bool, bool], Values] = field(default_factory=dict)  # and behind it: guessed, thorough


class StageProof(Proof):
    def __init__(
        self,
        netlist: Netlist,
        instance: str,
        faults: Sequence[Mutant],
        latency: int,
        captured: Mapping[str, Range],
        layer: Layers,
        known_values: Sequence[Known] = (),
        quiet: int = 0,
        worlds: Sequence[Mapping[str, Range]] = ({},),
    ) -> None:
        """``captured``: ports; in each of the ``worlds`` some in ranges of their own, every group is in one of them.
        ``known_values``: of what is computed. ``quiet``: cycles without a start behind a reset."""
        super().__init__(netlist, instance, faults)
        f, ports = self.literals, self.block.inputs
        self.length, self._quiet = latency + 2, quiet
        self._token = latency + 1  # the cycle in which it is there
        self._next_layer = self.layers(layer)  # which a host may load when a group has left
        self._layer = self.layers(layer)
        self._worlds = [self._world(captured, own, layer) for own in worlds]
        (self._reset,), (self._start,) = ports["rst"], ports["start"]
        self._always = dict.fromkeys(self.nets(["free", "token", "result_valid"]), 1)
        self._data = {net: 1 for nets in self.block.outputs.values() for net in nets if net > 1}
        everything = {**self.unknown, **self.inputs({self._reset: TRUE})}
        self._broken_off = self.unrolling.settle(f, everything)
        after = self.unrolling.after(self._broken_off)
        fresh = {s: v for s, v in after.items() if abs(v) == TRUE and self.initial.get(s) == v}
        first = [_Phase(world, True, fresh) for world in range(len(worlds))]
        then = [_Phase(world, False, {}) for world in range(len(worlds))]
        known = _constants([self._run(phase) for phase in first])
        while True:
            for phase in then:
                phase.known = known
            kept = _constants([known, *map(self._run, then)])
            if len(kept) == len(known):
                break
            known = kept
        self.phases = [*first, *then]
        for phase in self.phases:
            for value in known_values:
                bits = value.bits(phase.frames, self.block.labels)
                if len(bits) == value.width:  # or it is not all there when the stage is done
                    self._worlds[phase.world].assumed.extend(self.within(bits, value.values, value.signed))

    def _world(self, captured: Mapping[str, Range], own: Mapping[str, Range], layer: Layers) -> _World:
        world = _World({}, list(self.assumed))
        for name in filter(self.block.inputs.__contains__, captured):
            nets, values = self.block.inputs[name], own.get(name, captured[name])
            if values.lo == values.hi:
                world.group.update({n: TRUE if values.lo >> k & 1 else -TRUE for k, n in enumerate(nets) if n > 1})
                continue
            in_case = [] if name in own else [of.get(name, values) for of in layer.ranges]
            found, limits = self.drawn(nets, values, in_case)
            world.group.update(found)
            world.assumed.extend(limits)
        return world

    def _behind(self, phase: _Phase, thorough: bool) -> Values:
        """A cycle without a start after a run; thorough: with all that stays as it is. It is the same for all faults,
        and takes no time of any. The layer may be the next one."""
        key = self.guess, thorough
        if key not in phase.behind:
            began, end, idle = time.process_time(), self._end, partial(self._idle, layer=self._next_layer)
            self._end = began + TIMEOUT_S
            try:
                phase.behind[key], _ = self.resting(phase.end, idle, LEAST if thorough else 0)
            except TimeoutError:
                phase.behind[key] = self._behind(phase, False)
            self._end = end + time.process_time() - began
        return phase.behind[key]

    def _idle(self, states: Values, layer: Values) -> Values:
        """A cycle without a start."""
        given = self.inputs({self._reset: -TRUE, self._start: -TRUE, **layer})
        return self.unrolling.settle(self.literals, {**states, **given})

    def _run(self, phase: _Phase) -> Values:
        """Most of what a run leaves stands behind it; for the next one's beginning only what is constant is taken from
        there, as it is of another group."""
        phase.before, phase.known = self.resting(phase.known, partial(self._idle, layer=self._layer))
        states, phase.frames = {**self.unknown, **phase.known}, []
        for cycle in range(self.length):
            given = {**self._layer, self._reset: -TRUE, **({} if cycle else self._worlds[phase.world].group)}
            given[self._start] = -TRUE if cycle else TRUE
            phase.frames.append(self.unrolling.settle(self.literals, {**states, **self.inputs(given)}))
            states = self.unrolling.after(phase.frames[-1])
        phase.end = states
        return states

    def shows(self, number: int) -> str | None:
        unset = {state for state in self.unrolling.states if state not in self.initial}
        self._apart: list[set[int]] = [set(unset), set()]
        before = -1
        while (now := sum(map(len, self._apart))) != before:
            before = now
            seen = next(filter(None, self._round(number)), None)
            if seen is not None:
                return seen
        return None

    def _round(self, number: int) -> Iterator[str | None]:
        ever = set[int]()
        for phase in self.phases:
            self.world, self.assumed = phase.world, self._worlds[phase.world].assumed
            apart = self._apart[not phase.first]
            if phase.first:
                apart, seen = self._later(number, phase.before, ever)
                yield seen
                yield self._rests(number, phase.before, apart, self._always, ever)
            states = self._states(apart)
            for cycle, of in enumerate(phase.frames):
                found = self.unrolling.beside(self.literals, of, number, states)
                deciding = cycle >= self._token
                yield self.seen(of, found, self._always, THOROUGH)
                if deciding:
                    yield self.seen(of, found, self._data, THOROUGH)
                states = self.becomes(of, found, THOROUGH if cycle >= self._token - 1 else QUICK)
                ever |= states.keys()
            self._apart[1] |= states.keys()
            if not any(self._stands(number, self._behind(phase, thorough), states) for thorough in (False, True)):
                yield self._rests(number, self._behind(phase, True), self._apart[1], self._data, ever)
        self.world, self.assumed = len(self._worlds), []  # of a group that was broken off nothing is
        of = self._broken_off
        found = self.unrolling.beside(self.literals, of, number, self._states(ever))
        self._apart[0] |= self.becomes(of, found, QUICK).keys()

    def _later(self, number: int, of: Values, ever: set[int]) -> tuple[set[int], str | None]:
        """The states that may still differ when the first start after a reset may come; where it shows until then."""
        apart = set(self._apart[0])
        for _ in range(self._quiet):
            ever |= apart
            found = self.unrolling.beside(self.literals, of, number, self._states(apart))
            seen = self.seen(of, found, self._always, THOROUGH)
            if seen:
                return apart, seen
            apart = set(self.becomes(of, found, QUICK))
        return apart, None

    def _stands(self, number: int, of: Values, states: Values) -> bool:
        """Whether what a run left apart stays as it is, and does not show."""
        found = self.unrolling.beside(self.literals, of, number, states)
        return not self.seen(of, found, self._data, QUICK) and self.becomes(of, found, QUICK) == states

    def _rests(self, number: int, of: Values, apart: set[int], when: Mapping[int, int], ever: set[int]) -> str | None:
        """Cycles without a start; ``apart`` grows by what differs in any of them. Where it shows, if it does."""
        while True:
            found = self.unrolling.beside(self.literals, of, number, self._states(apart))
            seen = self.seen(of, found, when, THOROUGH)
            more = self.becomes(of, found, QUICK).keys() - apart
            apart |= more
            ever |= apart
            if seen or not more:
                return seen

    def _states(self, apart: Iterable[int]) -> Values:
        return {state: self.other[state] for state in apart}


def _constants(ends: Sequence[Values]) -> Values:
    """What is the same constant in all of them."""
    first, *others = ends
    return {s: v for s, v in first.items() if abs(v) == TRUE and all(end[s] == v for end in others)}


def known_of(instance: str, stage: StageBlock) -> list[Known]:
    """Ranges of what a stage computes that its operands' do not tell: of what runs those that any group keeps, of what
    a serial unit found those of its contract."""
    plan, found = stage.plan, list[Known]()
    for cell in plan.cells:
        base, shift = plan.unshifted(cell)
        values = Range(-(-cell.lo >> shift), cell.hi >> shift)
        if base is not cell and base in plan.serial and base.kind in RUNNING:
            if (values.lo, values.hi) != (base.lo, base.hi):
                name, bit = (base.args[0], base.param) if base.kind is Kind.PORT else (base, "bit")
                label = f"{instance}.{stage.names.of(name)}_{bit}"
                found.append(Known(label, plan.ready[base] + 1, base.format.width, values))
        elif cell.kind is Kind.PORT and cell not in plan.serial:
            label = f"{instance}.{stage.names.of(cell)}"
            found.append(Known(label, plan.ready[cell] + 1, cell.format.width, Range(cell.lo, cell.hi)))
    return found
