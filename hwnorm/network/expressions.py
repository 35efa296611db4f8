"""Arithmetic in a network file: ``n - 1``, ``4 * width``, ``stride == 1 and channels == width``.

Numbers, names, ``+ - * / // %``, comparisons, ``and or not``, ``min`` and ``max``. Python's own parser reads the text,
and only the forms named here are taken from its tree; nothing of the text is ever run. There is no power and no call
of anything else, and every result is held below ``LIMIT``, so that no text can ask for much time or memory.

Division is exact where it comes out even (``(110 - 2) / 6`` is 18), and a fraction otherwise, which whoever needs a
whole number then refuses.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Number = int | float
"""bool is an int here as everywhere in Python: a condition is a number that is 0 or not."""

LIMIT = 10**12
MAX_CHARACTERS = 120

CONSTANTS: dict[str, bool] = {"true": True, "false": False}
FUNCTIONS: dict[str, Callable[..., Number]] = {"min": min, "max": max}

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class BadExpression(ValueError):
    """The text is no arithmetic, or its value is none. The message does not name the file: the caller knows it."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. ``names`` are the variables it reads, and ``value`` must be given each of them; one that
    reads none is already its value."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    constant: Number | None = None

    def value(self, variables: Mapping[str, Number]) -> Number:
        if self.constant is not None:
            return self.constant
        return _evaluate(self.tree, variables)


def parse_expression(text: str) -> Expression:
    """The expression that ``text`` holds."""
    if len(text) > MAX_CHARACTERS:
        raise BadExpression(f"an expression of {len(text)} characters; {MAX_CHARACTERS} are allowed")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # what the parser says of hostile text varies
        raise BadExpression(f"{text!r} is no arithmetic") from None
    return from_tree(tree, text)


def from_tree(tree: ast.expr, text: str) -> Expression:
    """The same, where Python's parser has already been at work."""
    names = frozenset(_names(tree, text)) - CONSTANTS.keys()
    constant = None if names else _evaluate(tree, {})
    return Expression(text, tree, names, constant)


def _names(tree: ast.expr, text: str) -> Iterator[str]:
    """The variables of a tree, which is found to hold nothing but the forms that are allowed."""
    parts: list[ast.expr]
    match tree:
        case ast.Constant(value=int() | float()):
            return
        case ast.Name(id=name):
            yield name
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            parts = [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
            parts = [operand]
        case ast.BoolOp(values=values):
            parts = values
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            parts = [left, *others]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS and len(args) > 1:
            parts = args
        case _:
            raise BadExpression(
                f"{text!r} is no arithmetic that a network file knows: numbers, names, + - * / // %, "
                "comparisons, and, or, not, min, max"
            )
    for part in parts:
        yield from _names(part, text)


def _evaluate(tree: ast.expr, variables: Mapping[str, Number]) -> Number:
    match tree:
        case ast.Constant(value=int() | float() as value):
            return _bounded(value)
        case ast.Name(id=name):
            return CONSTANTS[name] if name in CONSTANTS else variables[name]
        case ast.BinOp(left=left, op=op, right=right):
            try:
                value = _BINARY[type(op)](_evaluate(left, variables), _evaluate(right, variables))
            except ZeroDivisionError:
                raise BadExpression("division by zero") from None
            return _bounded(value)
        case ast.UnaryOp(op=op, operand=operand):
            value = _evaluate(operand, variables)
            return not value if isinstance(op, ast.Not) else -value if isinstance(op, ast.USub) else value
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_evaluate(part, variables) for part in values)
        case ast.BoolOp(values=values):
            return any(_evaluate(part, variables) for part in values)
        case ast.Compare(left=first, ops=ops, comparators=others):
            numbers = [_evaluate(part, variables) for part in (first, *others)]
            pairs = zip(ops, numbers, numbers[1:], strict=False)
            return all(_COMPARE[type(op)](left, right) for op, left, right in pairs)
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(_evaluate(part, variables) for part in args))
        case _:
            raise AssertionError(f"not refused when parsed: {ast.dump(tree)}")


def _bounded(value: Number) -> Number:
    """A value that is below the limit; a float that is whole becomes the integer."""
    if not abs(value) <= LIMIT:  # written so that it refuses nan too
        raise BadExpression(f"a number beyond {LIMIT:.0e}")
    return int(value) if isinstance(value, float) and value.is_integer() else value
