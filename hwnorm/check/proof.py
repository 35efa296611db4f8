"""A block beside itself with a fault in it, from any state: whether anybody can tell them apart.

Both are the same at first but for registers that are *apart*: where the fault ever made a difference that is not proven
to be none, both are unknown, each for itself. Which these are is found by going round until there are no more, so that
the claim holds for any number of groups. What a block shows to others while they look at it must be equal; that is the
whole proof, as nothing else of it is seen.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwnorm.check.equivalence import LATE, PROVEN
from hwnorm.gates import Mutant, Netlist
from hwnorm.gates.clauses import DRAWS, TRUE, Literals
from hwnorm.gates.unrolling import UNREAD, Unrolling, Values, moved, part_of

LEAST, QUICK, THOROUGH = 1, 100, 5000  # cases: of what nothing depends on, on the way, and where it decides
TIMEOUT_S = 240  # of the processor, for one fault


@dataclass(frozen=True)
class Range:
    """Of a value at a port."""

    lo: int
    hi: int


@dataclass(frozen=True)
class Layers:
    """The ports of registers by their names, and what they may hold together; a name in no word: anything, if it
    stays. ``ranges``: of each layer's words, those of other ports while it is loaded."""

    ports: Mapping[str, str]
    words: Sequence[Mapping[str, int]] = ()
    ranges: Sequence[Mapping[str, Range]] = ()


class Proof(ABC):
    """What all proofs have in common: a block, its faults, and whether two literals are the same."""

    def __init__(self, netlist: Netlist, instance: str, faults: Sequence[Mutant]) -> None:
        self.block = part_of(netlist, instance)
        self.unrolling = Unrolling(self.block, [moved(fault, netlist, self.block) for fault in faults])
        self.literals = f = Literals()
        self.unknown = {state: f.fresh() for state in self.unrolling.states}
        self.other = {state: f.fresh() for state in self.unrolling.states}
        self.assumed: list[int] = []
        self.cases: list[int] = []  # of layers: of which one is true
        self._drawn_cases: list[int] = []
        init = self.unrolling.netlist.init
        self.initial = {s: TRUE if init[s] else -TRUE for s in self.unrolling.states if s in init}
        self.world = 0  # which of several ranges of what is given are looked at, each with assumptions of its own
        self._known: dict[tuple[int, int], tuple[bool, int]] = {}  # that it is false, or how hard that was tried
        self._end, self.guess, self.doubt = 0.0, False, False

    def nets(self, names: Iterable[str]) -> list[int]:
        """Of outputs; one whose name is a word of Verilog has an underscore behind it there."""
        outputs = self.block.outputs
        return [n for name in names for n in outputs.get(name) or outputs.get(f"{name}_", ()) if n > 1]

    def inputs(self, given: Mapping[int, int]) -> Values:
        return {net: given[net] if net in given else self.literals.fresh() for net in self.unrolling.inputs}

    def drawn(self, nets: Sequence[int], values: Range, in_case: Sequence[Range] = ()) -> tuple[Values, list[int]]:
        """Literals for a port, drawn in its range, and what says that they are in it. ``in_case``: in each case a range
        of its own."""
        ranges = [in_case[case] for case in self._drawn_cases] if in_case else [values] * DRAWS
        return self._taken(nets, [self._draw(one) for one in ranges], values, in_case)

    def _draw(self, values: Range) -> int:
        draws, few = self.literals.draws, [values.lo, values.hi, min(max(0, values.lo), values.hi)]
        return draws.choice(few) if draws.random() < 0.2 else draws.randint(values.lo, values.hi)

    def _taken(
        self, nets: Sequence[int], drawn: Sequence[int], values: Range, in_case: Sequence[Range]
    ) -> tuple[Values, list[int]]:
        f, found, bits = self.literals, dict[int, int](), list[int]()
        for place, net in enumerate(nets):
            if net in (0, 1):
                bits.append(TRUE if net else -TRUE)
                continue
            if net == UNREAD or net not in found:
                found[net] = f.fresh(sum((value >> place & 1) << n for n, value in enumerate(drawn)))
            bits.append(found[net])
        found.pop(UNREAD, None)
        signed = values.lo < 0
        limits = self.within(bits, values, signed)
        for case, own in zip(self.cases if in_case else (), in_case, strict=True):
            limits += [f.either(-case, limit) for limit in self.within(bits, own, signed)]
        return found, limits

    def within(self, bits: Sequence[int], values: Range, signed: bool) -> list[int]:
        """What says that a number is in a range."""
        offset = 1 << (len(bits) - 1) if signed else 0
        bits = [*bits[:-1], -bits[-1]] if signed else bits
        below = at_most(self.literals, bits, values.hi + offset)
        return [below, at_most(self.literals, [-bit for bit in bits], ~(values.lo + offset))]

    def layers(self, layer: Layers) -> Values:
        """Registers that hold one of the layers there are."""
        f, found = self.literals, dict[int, int]()
        ports = {name: self.block.inputs[port] for name, port in layer.ports.items() if port in self.block.inputs}
        known_together = set(layer.words[0]) if layer.words else set()
        alone = [nets for name, nets in ports.items() if name not in known_together]  # a set has no order that stays
        found |= {net: f.fresh() for nets in alone for net in nets if net > 1}
        if not known_together:
            return found
        count = len(layer.words)
        self._drawn_cases = [f.draws.randrange(count) for _ in range(DRAWS)]
        places = range(2, 2 + (count - 1).bit_length())
        which, known = self._taken(places, self._drawn_cases, Range(0, count - 1), ())
        self.assumed += known
        self.cases = [equal(f, list(which.values()), number) for number in range(count)]
        for name in [name for name in ports if name in known_together]:
            for place, net in enumerate(ports[name]):
                if net < 2:
                    continue
                bits = [TRUE if words[name] >> place & 1 else -TRUE for words in layer.words]
                found[net] = looked_up(f, list(which.values()), bits)
        return found

    def same(self, a: int, b: int, cases: int, when: int = TRUE) -> bool:
        """Proven to be, where ``when`` is true; or in a first guess not seen to differ."""
        differ = self.literals.both(when, self.literals.differs(a, b))
        known, tried = self._known.get((self.world, differ), (False, 0))
        if differ == -TRUE or known:
            return True
        if self.guess:
            return not self.literals.seen([differ, *self.assumed])
        if time.process_time() > self._end:
            raise TimeoutError
        if tried < cases:
            found = self.literals.can_be([differ, *self.assumed], cases)
            known = found is False
            self.doubt = found is None
            self._known[self.world, differ] = known, cases if found is None else THOROUGH
        return known

    def verdict(self, number: int, seconds: float = TIMEOUT_S) -> str:
        """Of a fault: "proven", or "open" and where it may be seen. What is seen already when nothing is a difference
        that was not drawn, need not be tried in earnest."""
        self._end = time.process_time() + seconds
        try:
            for self.guess in (True, False):
                self.doubt = False
                seen = self.shows(number)
                if seen is not None:
                    return f"{'open' if self.doubt else 'refuted'}: {seen}"
        except TimeoutError:
            return LATE
        return PROVEN

    @abstractmethod
    def shows(self, number: int) -> str | None:
        """Where a fault may be seen; None where nobody can see it."""

    def resting(self, known: Values, cycle: Callable[[Values], Values], cases: int = 0) -> tuple[Values, Values]:
        """A cycle of what is given alike in any number of them, and what of the known states stays so: it is seen, or
        proven; the others may be anything. ``cycle``: of states."""
        anything = {state: self.literals.fresh() for state in self.unrolling.states}
        while True:
            of = cycle({**anything, **known})
            after = self.unrolling.after(of)
            kept = {s: v for s, v in known.items() if after[s] == v or (cases and self.same(after[s], v, cases))}
            if len(kept) == len(known):
                return of, known
            known = kept

    def becomes(self, of: Values, found: Values, cases: int) -> Values:
        """The states that will differ, as far as it is not proven that they do not."""
        after = self.unrolling.apart_after(found).items()
        return {s: v for s, v in after if not self.same(self.unrolling.becomes(of, s), v, cases)}

    def seen(self, of: Values, found: Values, when: Mapping[int, int], cases: int) -> str | None:
        """The first net by which it shows."""
        for net, valid in when.items():
            if net in found:
                matters = TRUE if valid == 1 else of[valid]
                if not self.same(of[net], found[net], cases, matters):
                    return self.block.net_name(net)
        return None


def at_most(literals: Literals, bits: Sequence[int], bound: int) -> int:
    """Whether unsigned bits, the lowest first, are no more than a bound; of the bound so many bits count."""
    found = TRUE
    for place, bit in enumerate(bits):
        found = literals.either(-bit, found) if bound >> place & 1 else literals.both(-bit, found)
    return found


def equal(literals: Literals, bits: Sequence[int], number: int) -> int:
    """Whether bits, the lowest first, are a number."""
    found = TRUE
    for place, bit in enumerate(bits):
        found = literals.both(found, bit if number >> place & 1 else -bit)
    return found


def looked_up(literals: Literals, select: Sequence[int], values: Sequence[int]) -> int:
    """The value of the number that ``select`` is, the lowest bit first; past the end the last one's."""
    if not select:
        return values[0]
    half = 1 << (len(select) - 1)
    low, high = values[:half], values[half:] or values[-1:]
    return literals.choose(select[-1], looked_up(literals, select[:-1], high), looked_up(literals, select[:-1], low))
