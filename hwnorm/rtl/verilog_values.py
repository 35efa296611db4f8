"""Amaranth's values in the few forms that Verilog can write: slices reach down to signals, concatenations are flat,
what is constant is folded, every choice has two ways. The value stays the same, and so does its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Const, Mux, Shape, Signal
from amaranth.hdl._ast import Concat, Operator, Part, Slice, SwitchValue

NOTHING = Const(0, 0)
UNARY = ("+", "-", "~", "b", "r|", "r&", "r^", "u", "s")
COMPARISONS = ("<", "<=", "==", "!=", ">", ">=")
BINARY = ("+", "-", "*", "&", "|", "^", "<<", ">>", *COMPARISONS)


def signals(value: Any) -> list[Any]:
    """The signals that a value reads, each once, from left to right."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Signal):
            found[id(part)] = part
        waiting.extend(reversed(operands(part)))
    return list(found.values())


def operands(value: Any) -> tuple[Any, ...]:
    match value:
        case Const() | Signal():
            return ()
        case Slice():
            return (value.value,)
        case Part():
            return (value.value, value.offset)
        case Concat():
            return tuple(value.parts)
        case Operator():
            return tuple(value.operands)
        case SwitchValue():
            return (value.test, *(v for _, v in value.cases))
        case _:
            raise AssertionError(f"no Verilog for {type(value).__name__}: {value!r}")


def choice(value: Any) -> tuple[Any, Any, Any] | None:
    """(test, value if set, value if not) of a simplified choice."""
    if not isinstance(value, SwitchValue):
        return None
    (_, otherwise), (_, chosen) = value.cases
    return value.test, chosen, otherwise


class Simplifier:
    """Gives the same object for the same object, so that what is shared stays so.

    ``resolved`` gives what stands for a signal: itself, or a constant where nothing drives it.
    """

    def __init__(self, resolved: Callable[[Any], Any]) -> None:
        self._resolved = resolved
        self._made: dict[int, tuple[Any, Any]] = {}  # with the key's object, so that it lives

    def __call__(self, value: Any) -> Any:
        if id(value) not in self._made:
            self._made[id(value)] = value, self._simplified(value)
        return self._made[id(value)][1]

    def _simplified(self, value: Any) -> Any:
        match value:
            case Signal():
                return self._resolved(value)
            case Const():
                return value
            case Slice():
                return sliced(self(value.value), value.start, value.stop)
            case Part():
                offset = self(value.offset)
                assert isinstance(offset, Const), f"no Verilog for a variable part: {value!r}"
                start = offset.value * value.stride
                assert start + value.width <= len(value.value), f"no Verilog for a part that passes the end: {value!r}"
                return sliced(self(value.value), start, start + value.width)
            case Concat():
                return joined([self(part) for part in value.parts])
            case Operator():
                return operation(value.operator, [self(x) for x in value.operands])
            case SwitchValue():
                return self._choice(value)
            case _:
                raise AssertionError(f"no Verilog for {type(value).__name__}: {value!r}")

    def _choice(self, value: Any) -> Any:
        test, shape, found = self(value.test), value.shape(), None
        for patterns, case in reversed(value.cases):
            if patterns is None:
                found = self(case)
                continue
            for pattern in patterns:
                assert "-" not in pattern, f"no Verilog for a pattern with holes: {value!r}"
                found = _chosen(test, int(pattern, 2), self(case), NOTHING if found is None else found, shape)
        return found


def _chosen(test: Any, key: int, case: Any, otherwise: Any, shape: Any) -> Any:
    if shape.width == 0:
        return NOTHING
    if isinstance(test, Const):
        picked = case if test.value & ((1 << len(test)) - 1) == key else otherwise
        if isinstance(picked, Const):
            return Const(picked.value, shape)
        if picked.shape() == shape:
            return picked
    if key == 0:
        return Mux(operation("b", [test]), otherwise, case)
    return Mux(operation("==", [test, Const(key, Shape(len(test)))]), case, otherwise)


def unsigned_of(value: Any) -> Any:
    """The bits of a value."""
    return sliced(value, 0, len(value)) if value.shape().signed else value


def sliced(value: Any, start: int, stop: int) -> Any:
    if start == stop:
        return NOTHING
    match value:
        case Const():
            return Const((value.value >> start) & ((1 << (stop - start)) - 1), stop - start)
        case Slice():
            return sliced(value.value, value.start + start, value.start + stop)
        case Concat():
            found, at = [], 0
            for part in value.parts:
                low, high = max(start - at, 0), min(stop - at, len(part))
                if low < high:
                    found.append(sliced(part, low, high))
                at += len(part)
            return joined(found)
        case Operator(operator="s"):
            return sliced(value.operands[0], start, stop)
        case Operator(operator=">>"):
            moved, by = value.operands
            if isinstance(by, Const) and stop + by.value <= len(moved):
                return sliced(moved, start + by.value, stop + by.value)
    if (start, stop) == (0, len(value)) and not value.shape().signed:
        return value
    return Slice(value, start, stop)


def joined(parts: list[Any]) -> Any:
    found: list[Any] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Concat) else [part]:
            piece = unsigned_of(piece.operands[0] if isinstance(piece, Operator) and piece.operator == "s" else piece)
            if not len(piece):
                continue
            merged = _neighbours(found[-1], piece) if found else None
            if merged is not None:
                found[-1] = merged
            else:
                found.append(piece)
    if not found:
        return NOTHING
    return found[0] if len(found) == 1 else Concat(found)


def _neighbours(low: Any, high: Any) -> Any:
    """One slice or constant for two that follow each other."""
    if isinstance(low, Const) and isinstance(high, Const):
        return Const(low.value | high.value << len(low), len(low) + len(high))
    if isinstance(low, Slice) and isinstance(high, Slice) and low.value is high.value and low.stop == high.start:
        return sliced(low.value, low.start, high.stop)
    return None


def operation(operator: str, args: list[Any]) -> Any:
    """Of simplified operands."""
    assert operator in (UNARY if len(args) == 1 else BINARY), f"no Verilog for the operator {operator} of {args!r}"
    if len(args) == 1:
        return _unary(operator, args[0])
    if operator == ">>" and isinstance(args[1], Const) and args[1].value == 0:
        return args[0]
    decided = _decided(operator, *args)
    if decided is not None:
        return decided
    if operator in ("&", "|", "^"):
        for a, b in (args, args[::-1]):
            if isinstance(a, Const) and not a.shape().signed and not b.shape().signed and len(a) <= len(b):
                if a.value == 0:
                    return Const(0, len(b)) if operator == "&" else b
                if operator != "^" and a.value == (1 << len(b)) - 1:
                    return b if operator == "&" else Const(a.value, len(b))
    return _some(Operator(operator, args))


def _some(value: Any) -> Any:
    return value if len(value) else NOTHING


def _decided(operator: str, a: Any, b: Any) -> Any:
    """A comparison whose answer the widths know."""
    if operator not in COMPARISONS:
        return None
    (low, high), (least, most) = bounds(a), bounds(b)
    match operator:
        case "<" | ">=":
            known = True if high < least else False if low >= most else None
        case ">" | "<=":
            known = True if low > most else False if high <= least else None
        case _:
            known = False if high < least or low > most else None
    if known is None:
        return None
    return Const(int(known == (operator in ("<", ">", "=="))), 1)


def bounds(value: Any) -> tuple[int, int]:
    """What a value of this shape may be."""
    if isinstance(value, Const):
        return value.value, value.value
    half = 1 << max(len(value) - 1, 0)
    return (-half, half - 1) if value.shape().signed else (0, (1 << len(value)) - 1)


def _unary(operator: str, a: Any) -> Any:
    match operator:
        case "+":
            return a
        case "u":
            return unsigned_of(a)
        case "s":
            if a.shape().signed:
                return a
            if isinstance(a, Const):
                return Const(a.value, Shape(len(a), signed=True))
            if isinstance(a, Slice) and a.start == 0 and a.stop == len(a.value) and a.value.shape().signed:
                return a.value
        case "b" | "r|" | "r&" | "r^":
            if len(a) == 0:
                return Const(int(operator == "r&"), 1)
            if len(a) == 1:
                return unsigned_of(a)
        case "~":
            if isinstance(a, Const):
                return Const(~a.value if a.shape().signed else ~a.value & ((1 << len(a)) - 1), a.shape())
            if isinstance(a, Operator) and a.operator == "~":
                return a.operands[0]
    return _some(Operator(operator, [a]))


NARROWING = ("+", "-", "*", "&", "|", "^", "~", "s", "<<")  # their lowest bits depend on their operands' lowest bits


def narrows(value: Any) -> bool:
    return isinstance(value, SwitchValue) or (isinstance(value, Operator) and value.operator in NARROWING)


def low_bits(value: Any, width: int, shared: Callable[[Any], bool]) -> Any:
    """A value that agrees with this one in its lowest bits, and has no operand wider than they are."""
    if len(value) <= width:
        return value
    if shared(value) or not narrows(value):
        return sliced(value, 0, width)
    picked = choice(value)
    if picked is not None:
        test, chosen, otherwise = picked
        return Mux(test, low_bits(chosen, width, shared), low_bits(otherwise, width, shared))
    if value.operator == "<<":
        moved, by = value.operands
        return Operator("<<", [low_bits(moved, width, shared), by])
    args = [low_bits(x, width, shared) for x in value.operands]
    return args[0] if value.operator == "s" else Operator(value.operator, args)


def selection(value: Any) -> tuple[Any, list[Any]] | None:
    """(index, what it selects): of a tree of choices by the bits of one signal, more than four of them."""
    picked = choice(value)
    bit = _bit(picked[0]) if picked is not None else None
    if bit is None or not 2 <= bit[1] < 7:
        return None
    items = _items(value, bit[0], bit[1] + 1)
    if len({id(x) for x in items}) <= 4:
        return None
    width = len(value)
    if value.shape().signed or width not in (1, 2, 4, 8) or not all(_is_wiring(x) for x in items):
        return None
    if not all(len(x) == width or (isinstance(x, Const) and 0 <= x.value < 1 << width) for x in items):
        return None
    return sliced(bit[0], 0, bit[1] + 1), [Const(x.value, width) if isinstance(x, Const) else x for x in items]


def _bit(test: Any) -> tuple[Any, int] | None:
    """(signal, number) of a bit."""
    one = isinstance(test, Slice) and isinstance(test.value, Signal) and len(test) == 1
    return (test.value, test.start) if one else None


def _items(value: Any, index: Any, bits: int) -> list[Any]:
    if bits == 0:
        return [value]
    picked = choice(value)
    bit = _bit(picked[0]) if picked is not None else None
    if picked is not None and bit is not None and bit[0] is index and bit[1] == bits - 1:
        return [*_items(picked[2], index, bits - 1), *_items(picked[1], index, bits - 1)]
    return 2 * _items(value, index, bits - 1)


def _is_wiring(value: Any) -> bool:
    if isinstance(value, Concat):
        return all(_is_wiring(part) for part in value.parts)
    return isinstance(value, (Signal, Const)) or (isinstance(value, Slice) and isinstance(value.value, Signal))
