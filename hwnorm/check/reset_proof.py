"""A sweep beside one of which a reset forgets less than it should.

Without a reset both do the same; what came apart in one leaves the pipeline before it is looked at. Operands that were
copied by mistake stay, until the next group's first beat copies others. What the neighbours promise: behind a reset no
beat comes before a first one; and they do not look at ``release`` before the stage in front can have found anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwnorm.check.proof import THOROUGH
from hwnorm.check.window_proof import BlockProof, Window
from hwnorm.gates import Mutant, Netlist
from hwnorm.gates.clauses import TRUE
from hwnorm.gates.unrolling import Values

Shown = Mapping[int, int]  # nets, and what says when they matter


@dataclass(frozen=True)
class _Run:
    seen: str | None
    ever: set[int]  # the states that were apart in any cycle
    end: Values  # and that are behind it


class ResetProof(BlockProof):
    def __init__(self, netlist: Netlist, instance: str, faults: Sequence[Mutant], of: Window) -> None:
        super().__init__(netlist, instance, faults, of)
        cycles = of.cycles
        looked_at = {net: when for net, when in self.shown.items() if net not in self.nets(["release"])}
        self._early = [{}, *[looked_at] * (of.released - 1)]  # in the cycle of a reset nobody looks
        reset, waits = self._given(rst=TRUE), self._given(rst=-TRUE, valid=-TRUE)
        begins, goes_on = self._given(rst=-TRUE, valid=TRUE, first=TRUE), self._given(rst=-TRUE)
        beats = [begins, *[goes_on] * cycles]
        self._without = self.frames(self.unknown, [goes_on])
        self._soon = [self.frames(self.unknown, [reset, *[waits] * late, *beats]) for late in range(cycles)]
        self._quiet = self.frames(self.unknown, [reset, *[waits] * cycles])
        resting = {s: v for s, v in self.unrolling.after(self._quiet[-1]).items() if abs(v) == TRUE}
        waiting, resting = self.resting(resting, lambda states: self.frame(states, waits))
        self._waits = [waiting]
        self._late = self.frames({**self.unknown, **resting}, beats)

    def _given(self, **bits: int) -> Values:
        """Of ports of one bit, as far as the block reads them."""
        ports = self.block.inputs
        return {ports[name][0]: bit for name, bit in bits.items() if name in ports}

    def shows(self, number: int) -> str | None:
        unset = [state for state in self.unrolling.states if state not in self.initial]
        without = self._run(number, self._without, ())
        if without.seen is not None or without.end or unset:
            return without.seen or self._first([*without.end, *unset])
        apart, left = set[int](), set[int]()  # at a reset; and behind one, while no beat has come
        before = -1
        while len(apart) + len(left) != before:
            before = len(apart) + len(left)
            quiet, waits = self._run(number, self._quiet, apart, self._early), self._run(number, self._waits, left)
            begun = [self._run(number, of, apart, self._early) for of in self._soon]
            begun.append(self._run(number, self._late, left))
            for run in (quiet, waits, *begun):
                if run.seen is not None:
                    return run.seen
                apart |= run.ever
            for run in begun:
                if run.end:
                    return self._first(run.end)
            left |= {*quiet.end, *waits.end}
        return None

    def _first(self, states: Iterable[int]) -> str:
        return self.block.net_name(next(iter(states)))

    def _run(self, number: int, frames: Sequence[Values], begin: Iterable[int], early: Sequence[Shown] = ()) -> _Run:
        """From states in which some are apart. ``early``: what is shown in the first cycles."""
        states, ever, seen = {state: self.other[state] for state in begin}, set(begin), None
        for cycle, of in enumerate(frames):
            found = self.unrolling.beside(self.literals, of, number, states)
            shown = early[cycle] if cycle < len(early) else self.shown
            seen = seen or self.seen(of, found, shown, THOROUGH)
            states = self.becomes(of, found, 0)  # apart is what is not seen to be the same at once
            ever |= states.keys()
        return _Run(seen, ever, states)
