"""The values of a network file: numbers, conditions and words behind a key, and the names that expressions may use.

Whatever can be computed without running the network is computed and checked when it is read, so that a wrong value is
found in blocks that nobody uses too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hwnorm.errors import did_you_mean
from hwnorm.network.expressions import CONSTANTS, BadExpression, Expression, Number, parse_expression
from hwnorm.network.operators import Option, Want
from hwnorm.network.yaml_nodes import Node, Scalar, Sequence, fault, shown

MAX_SIZE = 10**9  # of any one number: words of a vocabulary, features, a kernel


def suggest(text: str, known: Iterable[str]) -> str:
    """``did_you_mean`` for text of any length and any number of names: a list of them is cut short."""
    hint = did_you_mean(text[:40], known)
    return hint if len(hint) <= 240 else f"{hint[: hint.rindex(',', 0, 230)]}, ..."


@dataclass(frozen=True, slots=True)
class Argument:
    """The value behind an option; ``key`` is what a message calls it. A constant is already there."""

    node: Node
    key: str
    option: Option
    expressions: tuple[Expression, ...] = ()
    constant: Any = None

    def value(self, variables: Mapping[str, Number]) -> Any:
        """The value where ``variables`` hold, of the kind that the option wants."""
        if self.constant is not None:
            return self.constant
        numbers = []
        for expression in self.expressions:
            try:
                number = expression.value(variables)
            except BadExpression as error:
                raise fault(self.node, f"'{self.key}': {error}") from None
            if not _fits(number, self.option.want):
                number_text = f"{number}" if expression.constant is not None else f"{expression.text} = {number}"
                limit = f" of at most {MAX_SIZE}" if number > MAX_SIZE else ""
                raise fault(self.node, f"'{self.key}' must be {self.option.want.value}{limit}, not {number_text}")
            numbers.append(number)
        if self.option.want in (Want.COUNTS, Want.NATURALS):
            return tuple(numbers)
        return bool(numbers[0]) if self.option.want is Want.FLAG else numbers[0]


def _fits(number: Number, want: Want) -> bool:
    match want:
        case Want.FLAG:
            return number in (0, 1)
        case Want.COUNT | Want.COUNTS:
            return _is_whole(number) and 1 <= number <= MAX_SIZE
        case Want.NATURAL | Want.NATURALS:
            return _is_whole(number) and 0 <= number <= MAX_SIZE
        case _:
            return True


def _is_whole(number: Number) -> bool:
    """To Python a flag is one as well."""
    return isinstance(number, int) and not isinstance(number, bool)


def parse_argument(node: Node, key: str, option: Option, known: Iterable[str]) -> Argument:
    """The value of an option, whose expressions may use the names in ``known``."""
    parts: list[Node] = [node]
    if isinstance(node, Sequence) and option.want in (Want.COUNTS, Want.NATURALS):
        parts = node.items
        if not 1 <= len(parts) <= 3:
            raise fault(node, f"'{key}' takes one to three numbers, not {len(parts)}")
    expressions = []
    for part in parts:
        if not isinstance(part, Scalar) or part.empty:
            raise fault(part, f"'{key}' must be {option.want.value}, not {part.kind}")
        if option.want is Want.WORD:
            if part.text not in option.words:
                raise fault(part, f"'{key}' cannot be {shown(part.text)}; {suggest(part.text, option.words)}")
            return Argument(part, key, option, constant=part.text)
        try:
            expression = parse_expression(part.text)
        except BadExpression as error:
            raise fault(part, f"'{key}': {error}") from None
        check_names(expression, known, part, key)
        expressions.append(expression)
    argument = Argument(node, key, option, tuple(expressions))
    if any(expression.names for expression in expressions):
        return argument
    return Argument(node, key, option, tuple(expressions), argument.value({}))


def check_names(expression: Expression, known: Iterable[str], node: Node, key: str) -> None:
    """Refuses an expression that uses a name which is not in ``known``."""
    for name in sorted(expression.names.difference(known)):
        raise fault(node, f"'{key}': nothing is called {shown(name)} here; {suggest(name, {*known, *CONSTANTS})}")
