"""The grammar of steps: what may stand under ``layers``, in a block and in a branch.

A step is a word (``relu``) or a mapping in which one key is an operator, a join, a block or ``do``, and the others are
its options (``{conv: 64, kernel: 3}``). Every step may have ``times`` (do it again on its own output) and ``when`` (if
the condition is false, the data pass unchanged). Everything that can be known without running is checked here, in
blocks that nobody uses too: words, options, kinds of value, names in expressions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwnorm.errors import did_you_mean
from hwnorm.network.expressions import BadExpression, Expression, Number, from_tree, parse_expression
from hwnorm.network.operators import JOINS, OPERATORS, Option, Want
from hwnorm.network.yaml_nodes import Mapping as MappingNode
from hwnorm.network.yaml_nodes import Node, Scalar, Sequence, fault, shown

CHANNELS = "channels"
"""The one variable that every expression has: the channels (features) of the data that reach the step."""

MAX_SIZE = 10**9  # of any one count: tokens of a vocabulary, features, a kernel


@dataclass(frozen=True, slots=True)
class Argument:
    """The value behind an option; ``key`` is what a message calls it. Constants are computed and checked once."""

    node: Node
    key: str
    option: Option
    expressions: tuple[Expression, ...] = ()
    constant: Any = None

    def value(self, variables: Mapping[str, Number]) -> Any:
        if self.constant is not None:
            return self.constant
        return self._checked([self._number(expression, variables) for expression in self.expressions])

    def _number(self, expression: Expression, variables: Mapping[str, Number]) -> Number:
        try:
            return expression.value(variables)
        except BadExpression as error:
            raise fault(self.node, f"'{self.key}': {error}") from None

    def _checked(self, numbers: list[Number]) -> Any:
        want = self.option.want
        match want:
            case Want.NUMBER:
                return numbers[0]
            case Want.FLAG:
                fits = [number in (0, 1) for number in numbers]
            case Want.COUNT | Want.COUNTS:
                fits = [isinstance(number, int) and 1 <= number <= MAX_SIZE for number in numbers]
            case _:
                fits = [isinstance(number, int) and 0 <= number <= MAX_SIZE for number in numbers]
        for number, expression, fit in zip(numbers, self.expressions, fits, strict=True):
            if not fit:
                shape = f"{number}" if expression.constant is not None else f"{expression.text} = {number}"
                limit = f" of at most {MAX_SIZE}" if number > MAX_SIZE else ""
                raise fault(self.node, f"'{self.key}' must be {want.value}{limit}, not {shape}")
        if want is Want.FLAG:
            return bool(numbers[0])
        return tuple(numbers) if want in (Want.COUNTS, Want.NATURALS) else numbers[0]


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``branches`` are those of a join, or the one list of a ``do``."""

    node: Node
    word: str
    arguments: dict[str, Argument] = field(default_factory=dict)
    branches: tuple[tuple[Step, ...], ...] = ()
    times: Argument | None = None
    when: Argument | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """``basic(width, stride=1)``: a block's name and its parameters, each with its default or None. The first
    parameter is the one whose value stands behind the block's name."""

    node: Node
    name: str
    parameters: dict[str, Expression | None]


RESERVED = frozenset({*OPERATORS, *JOINS, "do", "times", "when", CHANNELS, "true", "false", "min", "max"})


def check_name(node: Node, name: str) -> str:
    """A name that a file gives to a block, a parameter or a number."""
    if not name.isidentifier() or not name.isascii() or len(name) > 40:
        raise fault(node, f"{shown(name)} is no name: letters, digits and _ make one")
    if name in RESERVED:
        raise fault(node, f"{name!r} is a word of the format and cannot name anything else")
    return name


def parse_signature(node: Node, text: str) -> Signature:
    """The signature that a key under ``blocks`` is. Python's parser reads it, as the head of a function."""
    wrong = fault(node, f"{shown(text)} is no block; write a name, or name(first, second=default)")
    if text.isidentifier():
        return Signature(node, check_name(node, text), {})
    try:
        if len(text) > 200:
            raise wrong
        module = ast.parse(f"def {text}: pass")
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # InputError is a ValueError too
        raise wrong from None
    match module.body:
        case [
            ast.FunctionDef(
                name=name,
                args=ast.arguments(posonlyargs=[], args=args, vararg=None, kwonlyargs=[], kwarg=None) as signature,
                body=[ast.Pass()],
                returns=None,
            )
        ] if text.endswith(")"):
            pass
        case _:
            raise wrong
    parameters: dict[str, Expression | None] = {}
    defaults = [None] * (len(args) - len(signature.defaults)) + list(signature.defaults)
    for argument, default in zip(args, defaults, strict=True):
        try:
            value = None if default is None else from_tree(default, ast.unparse(default))
        except BadExpression as error:
            raise fault(node, f"the default of {argument.arg!r}: {error}") from None
        parameters[check_name(node, argument.arg)] = value
    return Signature(node, check_name(node, name), parameters)


def parse_argument(node: Node, key: str, option: Option, known: Iterable[str]) -> Argument:
    """The value of an option, whose expressions may use the names in ``known``."""
    parts: list[Node] = [node]
    if isinstance(node, Sequence) and option.want in (Want.COUNTS, Want.NATURALS):
        parts = list(node.items)
        if not 1 <= len(parts) <= 3:
            raise fault(node, f"'{key}' takes one to three numbers, not {len(parts)}")
    expressions = []
    for part in parts:
        if not isinstance(part, Scalar) or part.empty:
            found = "nothing" if isinstance(part, Scalar) else part.kind
            raise fault(part, f"'{key}' must be {option.want.value}, not {found}")
        if option.want is Want.WORD:
            if part.text not in option.words:
                raise fault(part, f"'{key}' cannot be {shown(part.text)}; {did_you_mean(part.text[:40], option.words)}")
            return Argument(part, key, option, constant=part.text)
        expressions.append(_expression(part, key, known))
    argument = Argument(node, key, option, tuple(expressions))
    if any(expression.names for expression in expressions):
        return argument
    return Argument(node, key, option, tuple(expressions), argument.value({}))


def _expression(node: Scalar, key: str, known: Iterable[str]) -> Expression:
    try:
        expression = parse_expression(node.text)
    except BadExpression as error:
        raise fault(node, f"'{key}': {error}") from None
    _check_names(expression, known, node, key)
    return expression


def _check_names(expression: Expression, known: Iterable[str], node: Node, key: str) -> None:
    for name in sorted(expression.names.difference(known)):
        raise fault(node, f"'{key}': nothing is called {shown(name)} here; {did_you_mean(name[:40], known)}")


class Grammar:
    """Reads steps, knowing which blocks there are; ``used`` gathers every block and name that a step mentions."""

    def __init__(self, blocks: Mapping[str, Signature]) -> None:
        self.blocks = blocks
        self.used: set[str] = set()

    def note(self, argument: Argument) -> Argument:
        """Remembers the names that an argument uses."""
        for expression in argument.expressions:
            self.used |= expression.names
        return argument

    def note_defaults(self, signature: Signature, known: Iterable[str]) -> None:
        """The same for the defaults of a block, each of which may use ``known`` and the parameters before it."""
        names = set(known)
        for parameter, default in signature.parameters.items():
            if default is not None:
                _check_names(default, names, signature.node, parameter)
                self.used |= default.names
            names.add(parameter)

    def steps(self, node: Node, key: str, known: Iterable[str]) -> tuple[Step, ...]:
        """A list of steps, the value of ``key``."""
        if not isinstance(node, Sequence):
            raise fault(node, f"'{key}' must be a list of steps, not {node.kind}")
        return tuple(self.step(item, known) for item in node.items)

    def step(self, node: Node, known: Iterable[str]) -> Step:
        match node:
            case Scalar():
                return self._named(node, node.text, None, {}, known)
            case Sequence():
                raise fault(node, "a step is a word or a mapping, not a list; put 'do:' before the list")
            case MappingNode(entries=entries):
                words = [
                    key for key in entries if key in OPERATORS or key in JOINS or key in self.blocks or key == "do"
                ]
                if len(words) > 1:
                    raise fault(node, f"{words[0]!r} and {words[1]!r} in one step; make each its own step")
                word = words[0] if words else next(iter(entries), "")
                rest = {key: value for key, value in entries.items() if key != word}
                return self._named(node, word, entries.get(word), rest, known)

    def _named(self, node: Node, word: str, value: Node | None, rest: dict[str, Node], known: Iterable[str]) -> Step:
        """The step of a word, what stands behind it, and its options."""
        options: dict[str, Option] = {}
        main: str | None = None
        branches: tuple[tuple[Step, ...], ...] = ()
        if word == "do":
            branches = (self.steps(value or node, word, known),)
        elif word in JOINS:
            if not isinstance(value, Sequence) or not value.items:
                raise fault(
                    value or node, f"'{word}' must be a list of branches, not {value.kind if value else 'a word'}"
                )
            branches = tuple(
                self.steps(item, word, known) if isinstance(item, Sequence) else (self.step(item, known),)
                for item in value.items
            )
        elif word in OPERATORS:
            options = dict(OPERATORS[word].options)
            main = OPERATORS[word].main
        elif word in self.blocks:
            self.used.add(word)
            parameters = self.blocks[word].parameters
            options = {name: Option(Want.NUMBER, required=default is None) for name, default in parameters.items()}
            main = next(iter(parameters), None)
        else:
            everything = [*OPERATORS, *JOINS, "do", *self.blocks]
            raise fault(node, f"unknown step {shown(word)}; {did_you_mean(word[:40], everything)}")

        written = {key: value for key, value in rest.items() if key not in ("times", "when")}
        for key, option_node in written.items():
            if key not in options or key == main:
                allowed = [name for name in options if name != main]
                raise fault(
                    option_node,
                    f"{word}: no option {shown(key)}; {did_you_mean(key[:40], [*allowed, 'times', 'when'])}",
                )
        if main is not None and not (value is None or (isinstance(value, Scalar) and value.empty)):
            written[main] = value
        elif (
            main is None
            and not branches
            and isinstance(value, Node)
            and not (isinstance(value, Scalar) and value.empty)
        ):
            raise fault(value, f"'{word}' takes no value; write {{{word}: , option: ...}}")
        for key, option in options.items():
            if option.required and key not in written:
                example = f"{{{word}: ...}}" if key == main else f"{{{word}: ..., {key}: ...}}"
                raise fault(node, f"{word}: '{key}' is missing; write {example}")

        def argument(key: str, option_node: Node, option: Option) -> Argument:
            return self.note(parse_argument(option_node, word if key == main else key, option, known))

        return Step(
            node,
            word,
            {key: argument(key, option_node, options[key]) for key, option_node in written.items()},
            branches,
            argument("times", rest["times"], Option(Want.NATURAL)) if "times" in rest else None,
            argument("when", rest["when"], Option(Want.FLAG)) if "when" in rest else None,
        )
