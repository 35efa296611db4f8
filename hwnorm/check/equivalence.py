"""Which faults change nothing, proven by induction over clock cycles.

A sound and a faulty design get the same inputs, at any time a reset among them. The claim: registers that a simulation
of both, side by side, never saw differ, never do; nor what can be seen from outside. A SAT solver looks for states in
which the claim holds, and a cycle later does not. Most of the states that it finds cannot be reached. They are
excluded by lemmas: two values of registers (bits, or a short vector as a whole; or that one of the registers differs
between the designs) that no simulated cycle saw together, never come together. Each lemma that a proof rests on is
itself proven by the same induction, with the others' help: if they all held a cycle ago, they hold now. A lemma for
which that fails is forgotten, whether true or not, and another one is tried.

Lemmas of two properties do not say everything: that two registers are equal while a third waits takes three. What
needs such a lemma stays open, as does what takes too long.

So a verdict does not rest on the simulation, which only suggests what to prove. What a memory holds is the same in both
designs, as what it is given is the same, and otherwise unknown. Data that are not valid are not looked at: nobody does.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwnorm.check.folder import Folder
from hwnorm.check.observed import Observed, observe
from hwnorm.check.ports import Bools
from hwnorm.gates import Mutant, Netlist, mutated
from hwnorm.gates.clauses import TRUE, Circuit, Cycle, Formula
from hwnorm.gates.lanes import Words

PROVEN, LATE = "proven", "open: no proof in time"
TIMEOUT_S = 60  # of the processor, for one fault
TOGETHER = 40  # lemmas that one state is excluded by: the proof takes what it needs
PARTS = (slice(0, 32), slice(32, 512), slice(512, None))
SHORT = 8  # bits of a vector that is also looked at as a whole
Key = tuple[int | str, ...]
Lemma = tuple[Key, ...]  # one or two properties, which never hold at once


@dataclass(frozen=True)
class _Property:
    """Something that holds in a state, or does not."""

    key: Key
    now: int
    next: int
    row: Words  # when it was seen
    initially: bool  # whether it may hold at power-on
    control: bool  # one of the few that say what the design is doing, rather than with which data


class Equivalence:
    def __init__(self, netlist: Netlist, promised: Mapping[str, str], observed: Observed) -> None:
        """``promised``: as ``Circuit`` has it."""
        self._netlist, self._promised, self._observed = netlist, promised, observed
        self._circuit = Circuit(netlist, promised)
        self._formula = f = Formula()
        self._inputs = [f.fresh() for _ in self._circuit.inputs]
        self._states = [f.fresh() for _ in self._circuit.states]
        self._found = [f.fresh() for _ in range(self._circuit.found)]
        self._sound = self._circuit.cycle(f, self._inputs, self._states, self._found)
        self._properties = list(self._of_registers())
        self._induction = _Induction(f)

    def verdict(self, number: int, fault: Mutant, seconds: float = TIMEOUT_S) -> str:
        """Of a fault, and its number among those observed: "proven", or "open" and what stands in the way."""
        f, differing, states = self._formula, self._observed.differing[number], list(self._states)
        for register in differing:
            states[register] = f.fresh()
        faulty = Circuit(mutated(self._netlist, [fault]), self._promised).cycle(f, self._inputs, states, self._found)
        properties = list(self._properties)
        for register, row in differing.items():
            now = f.differs(self._states[register], states[register])
            then = f.differs(self._sound.states[register], faulty.states[register])
            properties.append(_Property(("differs", number, register), now, then, row, False, True))
        shown = list(self._shown(faulty, differing))
        try:
            failed = self._induction.prove(properties, [literal for literal, _ in shown], seconds)
        except TimeoutError:
            return LATE
        return PROVEN if failed is None else f"open: {shown[failed][1]}"

    def _of_registers(self) -> Iterator[_Property]:
        """Every bit and its inverse; every value of a short vector."""
        f, rows, names = self._formula, self._observed.states, defaultdict(list)
        initial = [self._netlist.init.get(net) for net in self._circuit.states]
        for k, net in enumerate(self._circuit.states):
            names[re.sub(r"\[\d+\]$", "", self._netlist.net_name(net))].append(k)
        for name, bits in names.items():
            for k in bits:
                for value in (0, 1):
                    now, then = ((s if value else -s) for s in (self._states[k], self._sound.states[k]))
                    row = rows[k] if value else ~rows[k]
                    yield _Property(("bit", k, value), now, then, row, initial[k] in (value, None), len(bits) == 1)
            if 2 <= len(bits) <= SHORT:
                for value in range(1 << len(bits)):
                    wanted = [value >> place & 1 for place in range(len(bits))]
                    now, then, row = TRUE, TRUE, np.full_like(rows[0], 0xFFFFFFFFFFFFFFFF)
                    for k, bit in zip(bits, wanted, strict=True):
                        now = f.both(now, self._states[k] if bit else -self._states[k])
                        then = f.both(then, self._sound.states[k] if bit else -self._sound.states[k])
                        row = row & (rows[k] if bit else ~rows[k])
                    first = all(initial[k] in (bit, None) for k, bit in zip(bits, wanted, strict=True))
                    yield _Property((name, value), now, then, row, first, True)

    def _shown(self, faulty: Cycle, differing: Mapping[int, Words]) -> Iterator[tuple[int, str]]:
        """What says that the two are not the same: a literal, and a name."""
        f, sound = self._formula, self._sound
        for k, (a, b) in enumerate(zip(sound.states, faulty.states, strict=True)):
            if k not in differing and a != b:
                yield f.differs(a, b), self._netlist.net_name(self._circuit.states[k])
        for (a, when), (b, also) in zip(sound.seen, faulty.seen, strict=True):
            if when != also:
                yield f.differs(when, also), "what is valid"
            if a != b and when != -TRUE:
                yield f.both(when, f.differs(a, b)), "an output or a memory"


class _Induction:
    """Lemmas, proven and tried, over one formula."""

    def __init__(self, formula: Formula) -> None:
        self._formula = formula
        self._proven: set[Lemma] = set()
        self._failed: set[Lemma] = set()
        self._switch: dict[Lemma, int] = {}  # a literal that, assumed, says that it holds now
        self._end = 0.0

    def prove(self, properties: Sequence[_Property], bad: Sequence[int], seconds: float) -> int | None:
        """None where in no state that can be reached one of ``bad`` is true; else one that may be."""
        self._end = time.process_time() + seconds
        self._properties = {p.key: p for p in properties}
        self._keys = [p.key for p in properties]
        self._literals = np.array([p.now for p in properties])
        self._rows = np.array([p.row for p in properties])
        self._control = np.array([p.control for p in properties])
        self._tried: dict[Lemma, int] = {}  # each with its switch
        self._rests_on: dict[Lemma, list[Lemma]] = {}  # what the proof of each used, which may be unproven yet
        self._supports = [self._formula.support([p.now]) for p in properties]
        if not bad:
            return None
        some = self._formula.any_of(bad)
        while True:
            used = self._exclude([some], bad)
            if used is None:
                return next(k for k, literal in enumerate(bad) if self._model(literal))
            if self._all_hold(used):
                return None

    def _all_hold(self, lemmas: Iterable[Lemma]) -> bool:
        """Proves lemmas and those that their proofs use, together; or forgets one."""
        todo, held = list(lemmas), dict[Lemma, None]()
        while todo:
            lemma = todo.pop()
            if lemma in held or lemma in self._proven:
                continue
            if lemma not in self._rests_on:
                goal = [self._properties[key].next for key in lemma]
                used = self._exclude(goal, goal)
                if used is None or all(self._properties[key].initially for key in lemma):
                    self._forget(lemma)
                    return False
                self._rests_on[lemma] = used
            held[lemma] = None
            todo += self._rests_on[lemma]
        for lemma in held:
            self._formula.solver.add_clause([-self._properties[key].now for key in lemma])
        self._proven.update(held)
        return True

    def _forget(self, lemma: Lemma) -> None:
        self._failed.add(lemma)
        del self._tried[lemma]
        self._rests_on = {other: used for other, used in self._rests_on.items() if lemma not in used}

    def _exclude(self, goal: Sequence[int], of: Sequence[int]) -> list[Lemma] | None:
        """The lemmas by which the goal cannot be; None where they do not suffice."""
        support = self._formula.support(of)
        near = np.array([not support.isdisjoint(s) for s in self._supports])
        while True:
            if time.process_time() > self._end:
                raise TimeoutError
            switches = {switch: lemma for lemma, switch in self._tried.items()}
            if not self._formula.solver.solve(assumptions=[*goal, *switches]):
                return [switches[s] for s in self._core(goal) if s in switches]
            self._found = np.array(self._formula.solver.get_model())
            more = self._broken(near)
            if not more:
                return None
            self._tried |= {lemma: self._switched(lemma) for lemma in more}

    def _core(self, goal: Sequence[int]) -> list[int]:
        """Of what was assumed in vain, as much as is needed, nearly."""
        core: list[int] = self._formula.solver.get_core() or []
        for switch in [literal for literal in core if literal not in goal]:
            less = [literal for literal in core if literal != switch]
            if switch in core and not self._formula.solver.solve(assumptions=less):
                core = self._formula.solver.get_core() or []
        return core

    def _broken(self, near: Bools) -> list[Lemma]:
        """Lemmas that the state which was found breaks, one of their properties near what is asked."""
        here = (self._found[np.abs(self._literals) - 1] > 0) == (self._literals > 0)
        close = np.flatnonzero(here & near)
        close = close[np.argsort(~self._control[close], kind="stable")]
        others = np.flatnonzero(here & (near | self._control))
        alone: list[Lemma] = [(self._keys[k],) for k in close if not self._rows[k].any()]
        lemmas = [lemma for lemma in alone if lemma not in self._failed]
        for k in close:
            if len(lemmas) >= TOGETHER:
                break
            apart = others
            for part in PARTS:  # most have been seen together soon
                apart = apart[~(self._rows[apart, part] & self._rows[k, part]).any(axis=1)]
            pairs = (tuple(self._keys[j] for j in sorted((int(k), int(other)))) for other in apart)
            lemmas += [pair for pair in pairs if pair not in self._failed]
        return lemmas

    def _switched(self, lemma: Lemma) -> int:
        if lemma not in self._switch:
            self._switch[lemma] = self._formula.fresh()
            clause = [-self._properties[key].now for key in lemma]
            self._formula.solver.add_clause([-self._switch[lemma], *clause])
        return self._switch[lemma]

    def _model(self, literal: int) -> bool:
        return bool((self._found[abs(literal) - 1] > 0) == (literal > 0))


def verdicts(folder: Folder, faults: Sequence[Mutant], seconds: float = TIMEOUT_S) -> list[str]:
    """Of each fault: "proven", or "open" and why."""
    if not faults:
        return []
    promised = {
        signal.signal: f"{layout.prefix}_valid"
        for layout in folder.layouts
        if not layout.driven
        for signal in layout.signals
        if signal is not layout.error
    }
    equivalence = Equivalence(folder.optimised, promised, observe(folder, faults))
    return [equivalence.verdict(number, fault, seconds) for number, fault in enumerate(faults)]
