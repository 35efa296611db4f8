"""The grammar of steps: what may stand under ``layers``, in a block and in a branch.

A step is a word (``relu``) or a mapping in which one key is an operator, a join, a block or ``do``, and the others are
its options (``{conv: 64, kernel: 3}``). Every step may have ``times`` (do it again on its own output) and ``when`` (if
the condition is false, the data pass unchanged).
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from hwnorm.network.arguments import Argument, check_names, parse_argument, suggest
from hwnorm.network.expressions import CONSTANTS, FUNCTIONS, BadExpression, Expression, from_tree
from hwnorm.network.joins import JOINS
from hwnorm.network.operators import OPERATORS, Option, Want
from hwnorm.network.yaml_nodes import Mapping as MappingNode
from hwnorm.network.yaml_nodes import Node, Scalar, Sequence, fault, shown

CHANNELS = "channels"
"""The one variable that every expression has: the channels (features) of the data that reach the step."""

COMMON = {"times": Option(Want.NATURAL), "when": Option(Want.FLAG)}
"""The options that every step has."""

RESERVED = frozenset({*OPERATORS, *JOINS, "do", *COMMON, CHANNELS, *CONSTANTS, *FUNCTIONS, "and", "or", "not"})


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


def check_name(node: Node, name: str) -> str:
    """A name that a file gives to a block, a parameter or a number."""
    if not name.isidentifier() or not name.isascii() or len(name) > 40:
        raise fault(node, f"{shown(name)} is no name: at most 40 letters, digits and _ make one")
    if name in RESERVED:
        raise fault(node, f"{name!r} is a word of the format and cannot name anything else")
    return name


def parse_signature(node: Node, text: str) -> Signature:
    """The signature that a key under ``blocks`` is. Python's parser reads it, as the head of a function."""
    if text.isidentifier():
        return Signature(node, check_name(node, text), {})
    function = _parse_head(text)
    if function is None:
        raise fault(node, f"{shown(text)} is no block; write a name, or name(first, second=default)")
    parameters: dict[str, Expression | None] = {}
    arguments, defaults = function.args.args, function.args.defaults
    without: list[ast.expr | None] = [None] * (len(arguments) - len(defaults))
    for argument, default in zip(arguments, [*without, *defaults], strict=True):
        name = check_name(node, argument.arg)
        if name in parameters:
            raise fault(node, f"the parameter {name!r} stands twice")
        try:
            parameters[name] = None if default is None else from_tree(default, ast.unparse(default))
        except BadExpression as error:
            raise fault(node, f"the default of {name!r}: {error}") from None
    return Signature(node, check_name(node, function.name), parameters)


def _parse_head(text: str) -> ast.FunctionDef | None:
    """The head of a function with plain parameters; None where the text is anything else."""
    if len(text) > 200 or not text.endswith(")"):
        return None
    try:
        body = ast.parse(f"def {text}: pass").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # what the parser says of hostile text varies
        return None
    match body:
        case [
            ast.FunctionDef(
                args=ast.arguments(posonlyargs=[], vararg=None, kwonlyargs=[], kwarg=None) as signature,
                body=[ast.Pass()],
                returns=None,
            ) as function
        ] if not any(argument.annotation for argument in signature.args):
            return function
    return None


class Grammar:
    """Reads steps, knowing which blocks there are; ``used`` gathers every block and name that is mentioned."""

    def __init__(self, blocks: Mapping[str, Signature]) -> None:
        self.blocks = blocks
        self.used: set[str] = set()

    def argument(self, node: Node, key: str, option: Option, known: Collection[str]) -> Argument:
        argument = parse_argument(node, key, option, known)
        for expression in argument.expressions:
            self.used |= expression.names
        return argument

    def check_parameters(self, signature: Signature, known: Collection[str]) -> None:
        """A block's parameters: no block is called so, and each default uses ``known`` and those before it."""
        names = set(known)
        for parameter, default in signature.parameters.items():
            if parameter in self.blocks:  # in a step, it would be both an option and a second word
                raise fault(signature.node, f"{parameter!r} is a block, and a parameter of {signature.name!r}")
            if default is not None:
                check_names(default, names, signature.node, parameter)
                self.used |= default.names
            names.add(parameter)

    def steps(self, node: Node, key: str, known: Collection[str]) -> tuple[Step, ...]:
        """A list of steps, the value of ``key``."""
        if not isinstance(node, Sequence):
            raise fault(node, f"'{key}' must be a list of steps, not {node.kind}")
        return tuple(self.step(item, known) for item in node.items)

    def step(self, node: Node, known: Collection[str]) -> Step:
        match node:
            case Scalar():
                return self._step(node, node.text, None, {}, known)
            case Sequence():
                raise fault(node, "a step is a word or a mapping, not a list; put 'do:' before the list")
            case MappingNode(entries=entries):
                words = [key for key in entries if self._is_word(key)]
                if len(words) > 1:
                    raise fault(node, f"{words[0]!r} and {words[1]!r} in one step; make each its own step")
                word = words[0] if words else next(iter(entries), "")
                rest = {key: value for key, value in entries.items() if key != word}
                return self._step(node, word, entries.get(word), rest, known)

    def _is_word(self, key: str) -> bool:
        return key in OPERATORS or key in JOINS or key in self.blocks or key == "do"

    def _step(self, node: Node, word: str, value: Node | None, rest: dict[str, Node], known: Collection[str]) -> Step:
        """The step of a word, with what stands behind it (None: the word is alone) and its options."""
        if not self._is_word(word):
            raise fault(node, f"unknown step {shown(word)}; {suggest(word, [*OPERATORS, *JOINS, 'do', *self.blocks])}")
        branches: tuple[tuple[Step, ...], ...] = ()
        written = dict(rest)
        main, options = self._options(word)
        if word == "do" or word in JOINS:
            branches = self._branches(node, word, value, known)
        elif value is not None and not (isinstance(value, Scalar) and value.empty):
            if main is None:
                raise fault(value, f"'{word}' takes no value; write {{{word}: , option: ...}}")
            written[main] = value
        for key, option_node in rest.items():
            if (key not in options and key not in COMMON) or key == main:
                allowed = [name for name in (*options, *COMMON) if name != main]
                raise fault(option_node, f"{word}: no option {shown(key)}; {suggest(key, allowed)}")
        for key, option in options.items():
            if option.required and key not in written:
                example = f"{{{word}: ...}}" if key == main else f"{{{word}: ..., {key}: ...}}"
                raise fault(node, f"{word}: '{key}' is missing; write {example}")
        arguments = {
            key: self.argument(option_node, word if key == main else key, (options | COMMON)[key], known)
            for key, option_node in written.items()
        }
        times, when = arguments.pop("times", None), arguments.pop("when", None)
        return Step(node, word, arguments, branches, times, when)

    def _options(self, word: str) -> tuple[str | None, dict[str, Option]]:
        """Which option stands behind the word itself, and all that there are."""
        if word in OPERATORS:
            return OPERATORS[word].main, dict(OPERATORS[word].options)
        if word in self.blocks:
            self.used.add(word)
            parameters = self.blocks[word].parameters
            options = {name: Option(Want.NUMBER, required=default is None) for name, default in parameters.items()}
            return next(iter(parameters), None), options
        return None, {}

    def _branches(
        self, node: Node, word: str, value: Node | None, known: Collection[str]
    ) -> tuple[tuple[Step, ...], ...]:
        """The list of a ``do``, or the branches of a join, of which each is a step or a list of steps."""
        if word == "do":
            return (self.steps(value or node, word, known),)
        if not isinstance(value, Sequence) or not value.items:
            found = value.kind if value is not None and not isinstance(value, Sequence) else "nothing"
            raise fault(value or node, f"'{word}' must be a list of branches, not {found}")
        return tuple(
            self.steps(item, word, known) if isinstance(item, Sequence) else (self.step(item, known),)
            for item in value.items
        )
