"""One clock cycle of a netlist as clauses for a SAT solver (pip's python-sat).

A literal is a number, its negation the number below zero. `Formula` makes literals of gates, each once: what is the
same in two circuits over the same literals is one literal, and needs no solver to be compared. `Cycle` is a circuit
over literals for its inputs and states: what the states become, and what can be seen from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any

from hwnorm.errors import MissingTool
from hwnorm.gates.cut import Cut
from hwnorm.gates.logic import Expression
from hwnorm.gates.netlist import Netlist
from hwnorm.gates.parts import Parts

TRUE = 1
SOLVER = "cadical153"
BOUNDED = "glucose4"  # which ends after a number of conflicts, where asked to
DRAWS = 512
NEAREST = (100, 300, 1000, 2000, 4000, 8000, 1 << 60)  # gates
AT_ONCE, IN_A_CASE = 3000, 100  # conflicts
DEEPEST = 64  # literals that a case tells


class Literals:
    """Gates over literals, each made once, and never one whose value is known. Beside each stands what it is for inputs
    drawn at random, a bit for each draw: literals for which that differs are different, without a proof."""

    def __init__(self) -> None:
        self.draws = Random(0)
        self.shown = {TRUE: (1 << DRAWS) - 1}
        self._size = TRUE
        self._made: dict[tuple[str, int, int], int] = {}
        self._operands: dict[int, tuple[str, int, int]] = {}

    def fresh(self, shown: int | None = None) -> int:
        self._size += 1
        self.shown[self._size] = self.draws.getrandbits(DRAWS) if shown is None else shown
        return self._size

    def value(self, literal: int) -> int:
        """Of a literal, for the inputs that were drawn."""
        return self.shown[literal] if literal > 0 else self.shown[-literal] ^ self.shown[TRUE]

    def both(self, a: int, b: int) -> int:
        if -TRUE in (a, b) or a == -b:
            return -TRUE
        if a in (TRUE, b):
            return b
        if b == TRUE:
            return a
        return self._gate("&", a, b)

    def either(self, a: int, b: int) -> int:
        return -self.both(-a, -b)

    def differs(self, a: int, b: int) -> int:
        if abs(a) == TRUE:
            return -b if a == TRUE else b
        if abs(b) == TRUE:
            return -a if b == TRUE else a
        if abs(a) == abs(b):
            return -TRUE if a == b else TRUE
        found = self._gate("^", abs(a), abs(b))
        return found if (a < 0) == (b < 0) else -found

    def choose(self, which: int, a: int, b: int) -> int:
        return a if a == b else self.either(self.both(which, a), self.both(-which, b))

    def of(self, expression: Expression, pins: Sequence[int]) -> int:
        if isinstance(expression, int):
            return pins[expression]
        operator, *operands = expression
        found = [self.of(operand, pins) for operand in operands]
        match operator:
            case "0" | "1":
                return TRUE if operator == "1" else -TRUE
            case "!":
                return -found[0]
            case "&":
                return self.both(*found)
            case "|":
                return self.either(*found)
            case _:
                return self.differs(*found)

    def settle(self, cut: Cut, given: Mapping[int, int]) -> dict[int, int]:
        """All nets, of inputs and states; of what is constant what is given goes before. What nobody drives is 0."""
        of = {0: -TRUE, 1: TRUE, **{net: TRUE if mask else -TRUE for net, mask in cut.constants.items()}, **given}
        for gate in cut.gates:
            of[gate.output] = self.of(gate.expression, [of.get(net, -TRUE) for net in gate.pins])
        return of

    def below(self, literals: Iterable[int]) -> dict[int, tuple[str, int, int] | None]:
        """The numbers that literals are made of, themselves among them: gates with their operands, and inputs."""
        found: dict[int, tuple[str, int, int] | None] = {}
        todo = [abs(literal) for literal in literals]
        while todo:
            number = todo.pop()
            if number not in found and number != TRUE:
                gate = found[number] = self._operands.get(number)
                todo += [abs(operand) for operand in gate[1:]] if gate else ()
        return found

    def support(self, literals: Iterable[int]) -> frozenset[int]:
        """The fresh numbers that literals are made of."""
        return frozenset(number for number, gate in self.below(literals).items() if gate is None)

    def can_be(self, literals: Sequence[int], cases: int) -> bool | None:
        """Whether literals can all be true; None where that was not found out. At first only the gates nearest to them
        are looked at, what feeds those may be anything: often that is enough to see that they cannot. What is too hard
        is cut into cases, as many as may be."""
        if -TRUE in literals:
            return False
        if self.seen(literals):
            return True
        wanted = [literal for literal in literals if literal != TRUE]
        for most in NEAREST:
            gates, whole = self._nearest(wanted, most)
            with solver(BOUNDED) as found:
                for number, gate in gates.items():
                    found.append_formula(clauses_of(number, *gate))
                for literal in wanted:
                    found.add_clause([literal])
                found.conf_budget(AT_ONCE)
                answer: bool | None = found.solve_limited()
                if answer is None and whole:
                    answer = _by_cases(found, gates.values(), cases)
            if answer is False or whole:
                return answer
        raise AssertionError("the last is all")

    def seen(self, literals: Iterable[int]) -> int:
        """The draws in which all are true."""
        found = self.shown[TRUE]
        for literal in literals:
            found &= self.value(literal)
        return found

    def _nearest(self, literals: Iterable[int], most: int) -> tuple[dict[int, tuple[str, int, int]], bool]:
        """As many of the gates below, the last made first, and whether these are all."""
        found: dict[int, tuple[str, int, int]] = {}
        todo = [-abs(literal) for literal in literals]
        heapify(todo)
        while todo:
            number = -heappop(todo)
            gate = None if number in found else self._operands.get(number)
            if gate:
                if len(found) == most:
                    return found, False
                found[number] = gate
                for operand in gate[1:]:
                    heappush(todo, -abs(operand))
        return found, True

    def _gate(self, operator: str, a: int, b: int) -> int:
        key = (operator, min(a, b), max(a, b))
        if key not in self._made:
            x, y = self.value(a), self.value(b)
            c = self._made[key] = self.fresh(x & y if operator == "&" else x ^ y)
            self._operands[c] = key
            self._define(c, *key)
        return self._made[key]

    def _define(self, number: int, operator: str, a: int, b: int) -> None:
        """Somebody may want to know."""


class Formula(Literals):
    """All of it told to one solver."""

    def __init__(self) -> None:
        super().__init__()
        self.solver: Any = solver(SOLVER)
        self.solver.add_clause([TRUE])

    def any_of(self, literals: Iterable[int]) -> int:
        """A literal that, assumed, wants one of them."""
        found = self.fresh()
        self.solver.add_clause([-found, *literals])
        return found

    def _define(self, number: int, operator: str, a: int, b: int) -> None:
        for clause in clauses_of(number, operator, a, b):
            self.solver.add_clause(clause)


def _by_cases(found: Any, gates: Iterable[tuple[str, int, int]], most: int) -> bool | None:
    """What a solver did not find out at once: with the literal that most gates read false, then true, and where that is
    not enough with the next one. Of a division so the divisor is told first, and no step is left to be guessed."""
    readers = Counter(abs(operand) for _, *operands in gates for operand in operands)
    pivots = [number for number, _ in readers.most_common(DEEPEST)]
    todo: list[list[int]] = [[]]
    for _ in range(most):
        case = todo.pop()
        found.conf_budget(IN_A_CASE)
        answer: bool | None = found.solve_limited(assumptions=case)
        if answer is None and len(case) < len(pivots):
            pivot = pivots[len(case)]
            todo += [[*case, pivot], [*case, -pivot]]
        elif answer is not False:
            return answer
        if not todo:
            return False
    return None


def solver(name: str) -> Any:
    try:
        from pysat.solvers import Solver
    except ImportError:
        raise MissingTool("no python-sat: it was looked for in this Python; pip install python-sat") from None
    return Solver(name=name)


def clauses_of(c: int, operator: str, a: int, b: int) -> list[list[int]]:
    if operator == "^":
        return [[-c, a, b], [-c, -a, -b], [c, -a, b], [c, a, -b]]
    return [[-c, a], [-c, b], [c, -a, -b]]


def states_of(parts: Parts) -> list[int]:
    """The nets that hold something from one cycle to the next: registers, and what clocked ports have read."""
    clocked = [port for _, memory in parts.memories for port in memory.reads if port.edge is not None]
    return [register.state for register in parts.registers] + [net for port in clocked for net in port.data]


@dataclass(frozen=True)
class Cycle:
    states: tuple[int, ...]  # what they become, in the order of ``Circuit.states``
    seen: tuple[tuple[int, int], ...]  # what matters from outside: a literal, and when it matters


class Circuit:
    """A netlist, ready to be written as clauses: what memories are given is seen from outside."""

    def __init__(self, netlist: Netlist, promised: Mapping[str, str]) -> None:
        """``promised``: by the name of an output that of the one-bit output which says when it matters."""
        self.netlist, self._promised, self._cut = netlist, promised, (cut := Cut(netlist))
        self._clocked = [port for port in cut.reads if port.edge is not None]
        self.states = states_of(cut.parts)
        self.inputs = [*cut.inputs, *(net for port in cut.reads if port.edge is None for net in port.data)]

    @cached_property
    def found(self) -> int:
        """How many bits clocked ports find in memories."""
        return sum(len(port.data) for port in self._clocked)

    def cycle(self, formula: Formula, inputs: Sequence[int], states: Sequence[int], found: Sequence[int]) -> Cycle:
        given = dict(zip(self.inputs, inputs, strict=True)) | dict(zip(self.states, states, strict=True))
        of = formula.settle(self._cut, given)
        after, left = [of.get(register.d, -TRUE) for register in self._cut.parts.registers], iter(found)
        for port in self._clocked:
            reset = formula.both(of[port.reset], of[port.enable]) if port.enable_over_reset else of[port.reset]
            for net, value in zip(port.data, port.reset_value, strict=True):
                shown = formula.choose(of[port.enable], next(left), of[net])
                after.append(formula.choose(reset, TRUE if value else -TRUE, shown))
        return Cycle(tuple(after), tuple(self._seen(of)))

    def _seen(self, of: Mapping[int, int]) -> Iterable[tuple[int, int]]:
        outputs = self.netlist.outputs
        for name, nets in outputs.items():
            when = of[outputs[self._promised[name]][0]] if name in self._promised else TRUE
            yield from ((of.get(net, -TRUE), when) for net in nets)
        yield from ((of.get(net, -TRUE), of[when]) for net, when in self._cut.told)
