"""What a module assigns, and when: Amaranth's statements with values that Verilog can write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Signal
from amaranth.hdl._ast import Assign, Operator, Slice, Switch

from hwnorm.rtl.verilog_values import Simplifier, operation, sliced


@dataclass(frozen=True)
class Assignment:
    target: Any
    start: int
    stop: int
    value: Any

    @property
    def whole(self) -> bool:
        return (self.start, self.stop) == (0, len(self.target))


@dataclass(frozen=True)
class Branches:
    """The first case whose test is set; a test of None is always."""

    cases: tuple[tuple[Any, tuple[Any, ...]], ...]


def assignments(statements: Iterable[Any], tests: tuple[Any, ...] = ()) -> Iterator[tuple[Assignment, tuple[Any, ...]]]:
    """All, with the tests around them."""
    for statement in statements:
        if isinstance(statement, Assignment):
            yield statement, tests
        else:
            before = tests
            for test, body in statement.cases:
                before = before if test is None else (*before, test)
                yield from assignments(body, before)


def converted(statements: Iterable[Any], simplify: Simplifier) -> list[Any]:
    found: list[Any] = []
    for statement in statements:
        if isinstance(statement, Assign):
            found += _assignment(statement, simplify)
        elif isinstance(statement, Switch):
            found += _branches(statement, simplify)
        else:
            raise AssertionError(f"no Verilog for {statement!r}")
    return found


def _assignment(statement: Any, simplify: Simplifier) -> list[Any]:
    target = statement.lhs
    while isinstance(target, Operator) and target.operator in ("u", "s"):
        target = target.operands[0]
    start, stop = 0, len(target)
    while isinstance(target, Slice):
        start, stop, target = target.start + start, target.start + stop, target.value
    assert isinstance(target, Signal), f"no Verilog for an assignment to {target!r}"
    return [Assignment(target, start, stop, simplify(statement.rhs))] if stop > start else []


def _branches(statement: Any, simplify: Simplifier) -> list[Any]:
    cases: list[tuple[Any, tuple[Any, ...]]] = []
    test = simplify(statement.test)
    for patterns, body, _ in statement.cases:
        statements = tuple(converted(body, simplify))
        for match in [None] if patterns is None else [_matched(test, pattern) for pattern in patterns]:
            if not isinstance(match, Const):
                cases.append((match, statements))
            elif match.value:
                cases.append((None, statements))
    for number, (match, _) in enumerate(cases):
        if match is None:
            del cases[number + 1 :]
            break
    while cases and not cases[-1][1]:
        cases.pop()
    if cases and cases[0][0] is None:
        return list(cases[0][1])
    return [Branches(tuple(cases))] if cases else []


def _matched(test: Any, pattern: str) -> Any:
    """An ``If`` tests one bit of all its conditions, a ``Switch`` all of a value."""
    care = [i for i, bit in enumerate(reversed(pattern)) if bit != "-"]
    if len(care) == 1 and pattern[-1 - care[0]] == "1":
        return sliced(test, care[0], care[0] + 1)
    assert len(care) == len(pattern), f"no Verilog for the pattern {pattern}"
    return operation("==", [test, Const(int(pattern, 2), len(pattern))])


def targets(statements: Iterable[Any]) -> list[Any]:
    """The signals assigned to, each once."""
    return list({id(a.target): a.target for a, _ in assignments(statements)}.values())


def kept(statements: Iterable[Any], live: set[int]) -> list[Any]:
    """What assigns to these signals."""
    found: list[Any] = []
    for statement in statements:
        if isinstance(statement, Assignment):
            if id(statement.target) in live:
                found.append(statement)
            continue
        cases = [(test, tuple(kept(body, live))) for test, body in statement.cases]
        while cases and not cases[-1][1]:
            cases.pop()
        if cases:
            found.append(Branches(tuple(cases)))
    return found


def tests(statements: Iterable[Any]) -> Iterator[Any]:
    for statement in statements:
        if isinstance(statement, Branches):
            for test, body in statement.cases:
                if test is not None:
                    yield test
                yield from tests(body)
