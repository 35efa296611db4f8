"""Amaranth's expressions as Verilog's, bit for bit.

An operator of Amaranth has a width and a sign of its own, an operator of Verilog takes them from where it stands. So
there are two ways to write a value. *In context*, as what an assignment to so many bits takes: the lowest bits of sums,
products and choices depend on the lowest bits of their operands alone, which is all that is asked of them; the operands
are extended by Verilog if they are all of one sign, and made to be where they are not. *Exactly*, as what stands in a
concatenation, a comparison or a condition: where Verilog's width and sign would not be Amaranth's, the value gets a
wire that has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, NamedTuple

from amaranth.hdl import Const, Shape, Signal
from amaranth.hdl._ast import Concat, Operator, Slice, SwitchValue

from hwnorm.rtl.verilog_values import COMPARISONS, choice, joined, low_bits, narrows, operands, selection, signals

UNSIZED = 1 << 31  # literals below it need no width: they are signed and have 32 bits, and fit what is around them
OPPOSITES = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "b": "==", "r|": "=="}
ISOLATED = (*COMPARISONS, "b", "r|", "r&", "r^")  # one bit, whatever is around them
WORDS = {
    **{"+": "sum", "-": "difference", "*": "product", "<<": "shifted", ">>": "shifted", "~": "not"},
    **{"&": "and", "|": "or", "^": "xor", "s": "signed", "==": "equal", "!=": "different"},
    **{"<": "less", "<=": "most", ">": "more", ">=": "least", "b": "some", "r|": "some", "r&": "all", "r^": "odd"},
}


class Text(NamedTuple):
    text: str
    operator: str = ""  # outermost: "" of a name or what stands in brackets, "u" of any unary one

    def within(self, operator: str) -> str:
        """As an operand."""
        bare = not self.operator or (self.operator == "u" and operator != "u")
        return self.text if bare or (operator == self.operator and operator in "&|^+") else f"({self.text})"


def declared(shape: Any) -> str:
    """What stands between ``wire`` and a name."""
    sign = " signed" if shape.signed else ""
    return f"{sign} [{shape.width - 1}:0]" if shape.width > 1 or shape.signed else sign


def literal(number: int, shape: Any) -> str:
    """With its width; of no bits at all, one."""
    shape = shape if shape.width else Shape(1)
    sign = "s" if shape.signed else ""
    return f"{'-' if number < 0 else ''}{shape.width}'{sign}{'b' if shape == Shape(1) else 'd'}{abs(number)}"


class Expressions:
    """Of one module. ``name`` gives a signal's, ``wire`` declares one with a value and returns its name."""

    def __init__(self, name: Callable[[Any], str], wire: Callable[[str, Any, str], str]) -> None:
        self._name, self._declare = name, wire
        self._uses: dict[int, int] = {}
        self._reach: dict[int, int] = {}  # the bits that are asked for
        self._wires: dict[int, str] = {}
        self._defined: set[int] = set()  # what is being written as a wire's own definition

    def count(self, values: Iterable[Any]) -> None:
        """All values that will be written: what is long, or arithmetic, and used more than once gets a wire."""
        for value in values:
            self._count(value, len(value))

    def _count(self, value: Any, bits: int) -> None:
        if isinstance(value, Slice):
            return self._count(value.value, value.stop)
        if isinstance(value, (Operator, SwitchValue)):
            bits = bits if narrows(value) else len(value)
            self._uses[id(value)] = self._uses.get(id(value), 0) + 1
            self._reach[id(value)] = max(self._reach.get(id(value), 0), bits)
            if self._uses[id(value)] > 1:
                return None
        for operand in operands(value):
            self._count(operand, len(operand))
        return None

    def _shared(self, value: Any) -> bool:
        uses = self._uses.get(id(value), 0)
        if uses < 2 or id(value) in self._defined:
            return False
        arithmetic = isinstance(value, Operator) and value.operator in ("+", "-", "*")
        return arithmetic or uses * len(signals(value)) >= 6

    # In context

    def assigned(self, value: Any, width: int) -> str:
        """What an assignment to a signal of this width takes."""
        value = low_bits(value, width, self._shared)
        return self._context(value, width, self._needs_sign(value, width)).text

    def _transparent(self, value: Any, width: int, sign: bool) -> bool:
        """Whether its operands may stand in the same context."""
        if self._shared(value):
            return False
        if isinstance(value, SwitchValue):
            return selection(value) is None
        if not isinstance(value, Operator):
            return False
        match value.operator:
            case "+" | "-" | "*" | "&" | "|" | "^" | "<<":
                return True
            case "~":
                return len(value) >= width or bool(value.shape().signed)
            case ">>":
                return bool(value.shape().signed) == sign
        return False

    def _in_context(self, value: Any) -> tuple[Any, ...]:
        picked = choice(value)
        if picked is not None:
            return picked[1:]
        return value.operands[:1] if value.operator in ("<<", ">>") else tuple(value.operands)

    def _needs_sign(self, value: Any, width: int) -> bool:
        """Whether an operand has to be extended by its sign."""
        if isinstance(value, Operator) and value.operator == ">>" and value.shape().signed:
            return True
        if self._transparent(value, width, False):
            return any(self._needs_sign(x, width) for x in self._in_context(value))
        return bool(value.shape().signed) and len(value) < width and not isinstance(value, Const)

    def _context(self, value: Any, width: int, sign: bool) -> Text:
        if not self._transparent(value, width, sign):
            return self._operand(value, width, sign)
        picked = choice(value)
        if picked is not None:
            chosen, otherwise = (self._context(x, width, sign) for x in picked[1:])
            return self._choice(picked[0], chosen, otherwise)
        operator, args = value.operator, value.operands
        if operator in ("<<", ">>"):
            narrow = operator == ">>" and not isinstance(args[0], Const)  # nothing may be lost at the top
            moved = self._atom(args[0]) if narrow else self._context(args[0], width, sign)
            operator = ">>>" if operator == ">>" and sign else operator
            return Text(f"{moved.within(operator)} {operator} {self._amount(args[1])}", operator)
        if len(args) == 1:
            return Text(operator + self._context(args[0], width, sign).within("u"), "u")
        a, b = (self._context(x, width, sign) for x in args)
        return _binary(a, operator, b)

    def _operand(self, value: Any, width: int, sign: bool) -> Text:
        """Extended to the context's width by its own sign, if ``sign`` is the context's."""
        if isinstance(value, Const):
            number = value.value
            if width == 1 and not sign:
                return Text(literal(number & 1, Shape(1)))
            if not -(1 << width - 1) <= number < 1 << width:
                number &= (1 << width) - 1
            if abs(number) < UNSIZED:
                return Text(str(number), "u" if number < 0 else "")
            return Text(literal(number & ((1 << width) - 1), Shape(width)).replace("'", "'s" if sign else "'"))
        if sign and not value.shape().signed:
            value = value if len(value) >= width else joined([value, Const(0, 1)])
            return Text(f"$signed({self._exact(value).text})")
        if not sign and isinstance(value, Operator) and value.operator == "s" and not self._shared(value):
            value = value.operands[0]
        return self._atom(value)

    # Exactly

    def exact(self, value: Any) -> str:
        """What has the value's width and sign wherever it stands alone: a condition, a port, an index."""
        return self._exact(value).text

    def _amount(self, value: Any) -> str:
        return str(value.value) if isinstance(value, Const) else self._exact(value).within(">>")

    def _atom(self, value: Any) -> Text:
        """What nothing around it can widen."""
        if isinstance(value, SwitchValue):
            isolated = selection(value) is not None
        else:
            isolated = not isinstance(value, Operator) or value.operator in (*ISOLATED, "s")
        return self._exact(value) if isolated or self._shared(value) else self._wire(value, len(value))

    def _exact(self, value: Any) -> Text:
        if self._shared(value):
            return self._wire(value, self._reach[id(value)])
        match value:
            case Signal():
                return Text(self._name(value))
            case Const():
                return Text(literal(value.value, value.shape()), "u" if value.value < 0 else "")
            case Slice():
                return self._slice(value)
            case Concat():
                return self._concat(value.parts)
        selected = selection(value)
        if selected is not None:
            return self._selected(*selected)
        picked = choice(value)
        if picked is not None:
            if not all(_fits(x, value.shape()) for x in picked[1:]):
                return self._wire(value, len(value))
            chosen, otherwise = (self._of_shape(x, value.shape()) for x in picked[1:])
            return self._choice(picked[0], chosen, otherwise)
        operator, args = value.operator, value.operands
        match operator:
            case "s":
                return Text(f"$signed({self._exact(args[0]).text})")
            case "~":
                opposite = self._opposite(args[0])
                if opposite is not None:
                    return opposite
                return Text("~" + self._exact(args[0]).within("u"), "u")
            case "b" | "r|":
                return Text(f"{self._atom(args[0]).within('!=')} != 0", "!=")
            case "r&" | "r^":
                return Text(operator[1] + self._exact(args[0]).within("u"), "u")
            case "<" | "<=" | "==" | "!=" | ">" | ">=":
                return self._comparison(operator, *args)
            case ">>":
                moved, shift = self._exact(args[0]), ">>>" if value.shape().signed else ">>"
                return Text(f"{moved.within(shift)} {shift} {self._amount(args[1])}", shift)
            case "&" | "|" | "^":
                if all(_fits(x, value.shape()) for x in args):
                    a, b = (self._of_shape(x, value.shape()) for x in args)
                    return _binary(a, operator, b)
        return self._wire(value, len(value))

    def _opposite(self, value: Any) -> Text | None:
        """Of a comparison."""
        if self._shared(value) or not isinstance(value, Operator) or value.operator not in OPPOSITES:
            return None
        args = value.operands if len(value.operands) == 2 else [*value.operands, Const(0, 1)]
        return self._comparison(OPPOSITES[value.operator], *args)

    def _of_shape(self, value: Any, shape: Any) -> Text:
        """The exact text of what fits the shape."""
        if isinstance(value, Const):
            return Text(literal(value.value, shape), "u" if value.value < 0 else "")
        return self._exact(value)

    def _choice(self, test: Any, chosen: Text, otherwise: Text) -> Text:
        rest = otherwise.text if otherwise.operator == "?" else otherwise.within("?")
        return Text(f"{self._exact(test).within('?')} ? {chosen.within('?')} : {rest}", "?")

    def _selected(self, index: Any, items: list[Any]) -> Text:
        """All items side by side, of which the index takes one."""
        width, row = len(items[0]), joined(items)
        hint = "_".join(["items", *(self._name(signal) for signal in signals(row)[:2])])
        name = self._declare(hint, Shape(len(row)), self.assigned(row, len(row)))
        if width == 1:
            return Text(f"{name}[{self.exact(index)}]")
        start = joined([Const(0, width.bit_length() - 1), index])
        return Text(f"{name}[{self.exact(start)} +: {width}]")

    def _comparison(self, operator: str, a: Any, b: Any) -> Text:
        """Of two signed or two unsigned sides; a literal without a width is either."""
        values = [x for x in (a, b) if not isinstance(x, Const)]
        negative = any(isinstance(x, Const) and x.value < 0 for x in (a, b))
        sign = negative or any(x.shape().signed for x in values)
        sides = [self._operand(x, 1 + max(len(a), len(b)), sign) for x in (a, b)]
        return Text(f"{sides[0].within(operator)} {operator} {sides[1].within(operator)}", operator)

    def _slice(self, value: Any) -> Text:
        inner, start, stop = value.value, value.start, value.stop
        if isinstance(inner, Signal):
            name, width = self._name(inner), len(inner)
        elif self._shared(inner):
            width = self._reach[id(inner)]
            name = self._wire(inner, width).text
        else:
            width = stop if narrows(inner) else len(inner)
            name = self._wire(inner, width).text
        signed = inner.shape().signed and width == len(inner)
        if (start, stop) == (0, width):
            # Icarus 11 takes a part-select of all of a signed vector as signed, in a shift's amount.
            return Text(f"$unsigned({name})" if signed else name)
        return Text(f"{name}[{start}]" if stop == start + 1 else f"{name}[{stop - 1}:{start}]")

    def _concat(self, parts: Iterable[Any]) -> Text:
        texts = [self._bits(part) for part in reversed(list(parts))]
        found = []
        for text, run in groupby(texts):
            count = len(list(run))
            found.append(text if count == 1 else f"{{{count}{{{text}}}}}")
        if len(found) == 1:
            return Text(found[0])
        return Text(f"{{{', '.join(found)}}}")

    def _bits(self, value: Any) -> str:
        """Where a sign does not matter."""
        whole = isinstance(value, Slice) and (value.start, value.stop) == (0, len(value.value))
        if whole and isinstance(value.value, Signal):
            value = value.value
        return self._exact(value).text

    # Wires

    def _wire(self, value: Any, width: int) -> Text:
        """The lowest bits of a value under a name."""
        shared = self._shared(value)
        if shared and id(value) in self._wires:
            return Text(self._wires[id(value)])
        shape = Shape(width, signed=value.shape().signed and width == len(value))
        self._defined.add(id(value))
        definition = self.assigned(value, width)
        self._defined.discard(id(value))
        name = self._declare(described(value, self._name), shape, definition)
        if shared:
            self._wires[id(value)] = name
        return Text(name)


def _binary(a: Text, operator: str, b: Text) -> Text:
    return Text(f"{a.within(operator)} {operator} {b.within(operator)}", operator)


def _fits(value: Any, shape: Any) -> bool:
    """Whether it has exactly this shape, or is a constant that can."""
    if isinstance(value, Const):
        low, high = (-(1 << shape.width - 1), 1 << shape.width - 1) if shape.signed else (0, 1 << shape.width)
        return bool(low <= value.value < high)
    return bool(value.shape() == shape)


def described(value: Any, name: Callable[[Any], str]) -> str:
    """``sum_K_x``: what it is, and of what."""
    word = "chosen" if isinstance(value, SwitchValue) else WORDS.get(getattr(value, "operator", ""), "bits")
    return "_".join([word, *(name(signal) for signal in signals(value)[:2])])
