"""Boolean functions: Liberty's notation in, a few NumPy operations out.

An expression is a pin's number, or a tuple: ("0",), ("1",), ("!", a), ("&", a, b), ("|", a, b), ("^", a, b). The
notation is Liberty's: ``!a`` or ``a'``; ``a ^ b``; ``a * b``, ``a & b`` or ``a b``; ``a + b`` or ``a | b``; each binds
tighter than the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from hwnorm.errors import InputError

Expression = int | tuple[Any, ...]
TOKEN = re.compile(r"\s*(?:([A-Za-z_$][\w$\[\].]*|\d+)|([!'^*&+|()]))\s*")
UFUNCS: dict[str, Any] = {"&": np.bitwise_and, "|": np.bitwise_or, "^": np.bitwise_xor}


@dataclass(frozen=True, slots=True)
class Function:
    """A Boolean function of named pins; ``expression`` refers to them by position."""

    pins: tuple[str, ...]
    expression: Expression


@cache
def function(text: str) -> Function:
    """Reads the notation above; pins are numbered as they appear."""
    tokens = _tokens(text)
    pins: list[str] = []
    position = 0

    def peek() -> str:
        return tokens[position] if position < len(tokens) else ""

    def take() -> str:
        nonlocal position
        position += 1
        return tokens[position - 1] if position <= len(tokens) else ""

    def operand() -> Expression:
        token = take()
        result: Expression
        if token == "!":
            return negated(operand())
        if token == "(":
            result = either()
            if take() != ")":
                raise InputError(f"function {text!r}: a parenthesis is not closed")
        elif token in ("0", "1"):
            result = (token,)
        elif token and token not in "'^*&+|)":
            if token not in pins:
                pins.append(token)
            result = pins.index(token)
        else:
            raise InputError(f"function {text!r}: a pin is missing before {token or 'the end'!r}")
        while peek() == "'":
            take()
            result = negated(result)
        return result

    def exclusive() -> Expression:
        result = operand()
        while peek() == "^":
            take()
            result = ("^", result, operand())
        return result

    def both() -> Expression:
        result = exclusive()
        while peek() and peek() not in "+|)":
            if peek() in "*&":
                take()
            result = ("&", result, exclusive())
        return result

    def either() -> Expression:
        result = both()
        while peek() in ("+", "|"):
            take()
            result = ("|", result, both())
        return result

    result = either()
    if position < len(tokens):
        raise InputError(f"function {text!r}: {tokens[position]!r} was not expected")
    return Function(tuple(pins), result)


def negated(a: Expression) -> Expression:
    return a[1] if isinstance(a, tuple) and a[0] == "!" else ("!", a)


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise InputError(f"function {text!r}: {text[position]!r} was not expected")
        tokens.append(match[1] or match[2])
        position = match.end()
    return tokens


def leaves(a: Expression) -> Iterator[int]:
    """The pins of an expression, as often as they occur."""
    if isinstance(a, int):
        yield a
    else:
        for operand in a[1:]:
            yield from leaves(operand)


Operation = tuple[Any, tuple[int, ...], int]
"""A ufunc, the planes it reads and the plane it writes."""
OUT = -1  # the plane of the result


@cache
def operations(expression: Expression) -> tuple[tuple[Operation, ...], int]:
    """An expression as operations on planes, and how many planes they need: one a pin at first, and the result's.

    A plane whose pin is not read again serves for what comes between.
    """
    left: dict[int, int] = {}
    for pin in leaves(expression):
        left[pin] = left.get(pin, 0) + 1
    free: list[int] = []
    planes = max(left, default=-1) + 1
    found: list[Operation] = []

    def done(plane: int) -> None:
        if plane in left:
            left[plane] -= 1
            if left[plane]:
                return
        if plane != OUT:
            free.append(plane)

    def emit(a: Expression, target: int | None) -> int:
        nonlocal planes
        if isinstance(a, int):
            if target is not None:
                found.append((np.positive, (a,), target))
            return a if target is None else target
        if a[0] in ("0", "1"):
            raise AssertionError("a constant inside a function is folded before")
        sources = (
            (emit(a[1], target if isinstance(a[1], tuple) else None),)
            if a[0] == "!"
            else tuple(emit(b, None) for b in a[1:])
        )
        for plane in sources:
            done(plane)
        if target is None:
            if not free:
                free.append(planes)
                planes += 1
            place = free.pop()
        else:
            place = target
        found.append((np.invert if a[0] == "!" else UFUNCS[a[0]], sources, place))
        return place

    folded = fold(expression)
    if isinstance(folded, tuple) and folded[0] in ("0", "1"):
        return ((np.bitwise_and if folded[0] == "0" else np.bitwise_or, (), OUT),), planes
    emit(folded, OUT)
    return tuple(found), planes


def fold(a: Expression) -> Expression:
    """The expression without constants inside."""
    if isinstance(a, int) or len(a) == 1:
        return a
    b = [fold(x) for x in a[1:]]
    if a[0] == "!":
        return ("1",) if b[0] == ("0",) else ("0",) if b[0] == ("1",) else negated(b[0])
    for x, y in (b, b[::-1]):
        if x == ("0",):
            return ("0",) if a[0] == "&" else y
        if x == ("1",):
            return y if a[0] == "&" else ("1",) if a[0] == "|" else fold(("!", y))
    return (a[0], *b)


def value(a: Expression, pins: tuple[int, ...]) -> int:
    """The function's value, bit by bit of Python integers of which -1 is all ones."""
    if isinstance(a, int):
        return pins[a]
    match a:
        case ("0",):
            return 0
        case ("1",):
            return -1
        case ("!", b):
            return ~value(b, pins)
        case ("&", b, c):
            return value(b, pins) & value(c, pins)
        case ("|", b, c):
            return value(b, pins) | value(c, pins)
        case ("^", b, c):
            return value(b, pins) ^ value(c, pins)
        case _:
            raise AssertionError(a)
