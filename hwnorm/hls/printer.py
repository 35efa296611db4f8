"""A typed graph as C++ statements: one node a line, every width from its bounds.

The text is the same in every dialect: ``i<W>`` is a signed integer of at least W bits, and the units are templates of
the header that goes with it. A scaled value stands in two variables, ``K`` and ``K_frac``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import assert_never

from hwnorm.fixed import Format, Rounding
from hwnorm.ir import Node, Op, is_flag
from hwnorm.precision import Fixed, Relative, Scaled, Type, Widened, quotient_shift
from hwnorm.views.int_ref import Program

RUN_TIME = "dx_frac"  # the one scale that is a register: it may change between calls


class Printer:
    """Names and types of one program's values, and the statement that computes each."""

    def __init__(self, program: Program) -> None:
        self.program, self.types, self.precision = program, program.types, program.precision
        self._names = {node: node.name or f"t{index}" for index, node in enumerate(program.graph)}
        self._exponents: dict[Node, str] = {}  # the variable that holds a scale's fraction bits
        for node in program.graph:
            for source in self.types[node].scale:
                self._exponents.setdefault(source, f"{self._names[node]}_frac")

    # Names, types, exponents

    def name(self, node: Node) -> str:
        """A value's variable; a literal stands for itself."""
        return str(node.value) if node.op is Op.CONST else self._names[node]

    def frac_name(self, node: Node) -> str:
        return f"{self._names[node]}_frac"

    def is_scaled(self, node: Node) -> bool:
        return bool(self.types[node].scale)

    def exponent(self, node: Node) -> str:
        """The fraction bits of a value as an expression."""
        return self._fraction(self.types[node])

    def _fraction(self, kind: Type) -> str:
        parts = [self._exponents[source] for source in kind.scale]
        return " + ".join([*parts, str(kind.frac)] if kind.frac or not parts else parts)

    def port_type(self, node: Node) -> str:
        """Of a stream or a register: exactly as wide as its values."""
        if is_flag(node):
            return "bool"
        kind = self.types[node]
        return f"i<{_signed_bits(kind.lo, kind.hi)}>"

    def width(self, node: Node) -> int:
        """That rounding a value takes: a bit more than it has, for the half that is added."""
        kind = self.types[node]
        return _signed_bits(2 * kind.lo, 2 * kind.hi)

    def type(self, node: Node) -> str:
        """Of a variable: the register's own type where it has a name."""
        named = node.name and node.op is not Op.CONST and not is_flag(node)
        return f"{node.name}_t" if named else self.port_type(node)

    def numbers(self) -> list[tuple[str, int, int]]:
        """(name, bits, integer bits) of the streams and parameters whose point is fixed: how to read them."""
        ports = {**self.program.graph.inputs, **self.program.graph.outputs}
        found = []
        for name, node in ports.items():
            kind = self.types[node]
            if not kind.scale and not is_flag(node) and node.role != "saved":
                bits = _signed_bits(kind.lo, kind.hi)
                found.append((name, bits, bits - kind.frac))
        return found

    def aliases(self) -> list[tuple[str, str]]:
        """(name, type) of every named value, each once."""
        named = {n.name: self.port_type(n) for n in self.program.graph if n.name and not is_flag(n)}
        return [(f"{name}_t", kind) for name, kind in named.items()]

    # Statements

    def statements(self, nodes: Iterable[Node]) -> list[str]:
        return [line for node in nodes for line in self.statement(node)]

    def statement(self, node: Node) -> list[str]:
        """What declares and computes a node; nothing for what is an input."""
        name, kind = self.name(node), self.type(node)
        args = [self.name(a) for a in node.args]
        match node.op:
            case Op.INPUT | Op.LAYER | Op.CONST | Op.SUM | Op.RMAX | Op.RMIN:
                return []
            case Op.ADD | Op.SUB:
                a, b = self._met(node, kind)
                return [f"const {kind} {name} = {a} {'+' if node.op is Op.ADD else '-'} {b};"]
            case Op.MAX:
                a, b = self._met(node, kind)
                return [f"const {kind} {name} = {a} > {b} ? {a} : {b};"]
            case Op.GT | Op.EQ:
                a, b = self._met(node, f"i<{self._common(node)}>")
                return [f"const bool {name} = {a} {'>' if node.op is Op.GT else '=='} {b};"]
            case Op.MUL:
                return [f"const {kind} {name} = {kind}({args[0]}) * {kind}({args[1]});"]
            case Op.SQUARE:
                return [f"const {kind} {name} = {kind}({args[0]}) * {kind}({args[0]});"]
            case Op.ABS:
                return [f"const {kind} {name} = {args[0]} < 0 ? {kind}(-{kind}({args[0]})) : {kind}({args[0]});"]
            case Op.SIGN:
                return [f"const {kind} {name} = {args[0]} > 0 ? 1 : ({args[0]} < 0 ? -1 : 0);"]
            case Op.SELECT:
                return self._select(node)
            case Op.FIRST:
                return [f"const bool {name} = {args[0]} && !{name}_seen;", f"{name}_seen = {name}_seen || {args[0]};"]
            case Op.CAST:
                return self._cast(node)
            case Op.ALIGN:
                return self._align(node)
            case Op.DIV:
                frac = quotient_shift(node, self.types, self.precision)
                work = max(self.width(node.args[0]) + frac, self.width(node.args[1]), self.width(node))
                return [f"const {kind} {name} = divide<i<{work}>>({args[0]}, {args[1]}, {frac});"]
            case Op.SQRT:
                width = self._scaled(node).width
                work = max(self.width(node.args[0]), 2 * width + 2)
                given = self.types[node.args[0]].frac // 2
                return self._scaled_result(node, f"root<i<{work}>>({args[0]}, {width}, {given})")
            case Op.RECIP:
                width = self._scaled(node).width
                work = max(self.width(node.args[0]) + 1, 2 * width + 10)
                unit = f"reciprocal_{self.precision.reciprocal}"
                fraction = self.exponent(node.args[0])
                return self._scaled_result(node, f"{unit}<i<{work}>>({args[0]}, {width}, {width}, {fraction})")
            case Op.LOG | Op.EXP:
                raise AssertionError(f"{node!r}: no datapath has this operation")
            case _:
                assert_never(node.op)

    def _scaled(self, node: Node) -> Scaled:
        role = self.precision.role(node.role)
        assert isinstance(role, Scaled)
        return role

    def _scaled_result(self, node: Node, call: str) -> list[str]:
        name, kind = self.name(node), self.type(node)
        return [
            f"const auto {name}_unit = {call};",
            f"const {kind} {name} = {kind}({name}_unit.mantissa);",
            f"const int {name}_frac = {name}_unit.frac;",
        ]

    def _met(self, node: Node, kind: str) -> tuple[str, str]:
        """Both operands at the finer one's fraction bits, which differ by a constant."""
        pair = node.args[-2:]
        fracs = [0 if _is_zero(n) else self.types[n].frac for n in pair]
        if any(_is_zero(n) for n in pair):
            fracs = [0, 0]
        finest = max(fracs)
        texts = []
        for operand, frac in zip(pair, fracs, strict=True):
            text = f"{kind}({self.name(operand)})"
            texts.append(f"({text} << {finest - frac})" if finest > frac else text)
        return texts[0], texts[1]

    def _common(self, node: Node) -> int:
        kinds = [self.types[a] for a in node.args]
        finest = max(kind.frac for kind in kinds)
        lo = min(kind.lo << (finest - kind.frac) for kind in kinds)
        return _signed_bits(lo, max(kind.hi << (finest - kind.frac) for kind in kinds))

    def _select(self, node: Node) -> list[str]:
        kind, flag = self.type(node), self.name(node.args[0])
        if kind == "bool":
            a, b = (f"bool({self.name(n)} != 0)" if n.op is Op.CONST else self.name(n) for n in node.args[1:])
        else:
            a, b = self._met(node, kind)
        return [f"const {kind} {self.name(node)} = {flag} ? {a} : {b};"]

    def _cast(self, node: Node) -> list[str]:
        (a,), name, kind = node.args, self.name(node), self.types[node]
        source, operand = self.types[a], self.name(a)
        match self.precision.role(node.role):
            case Fixed(frac, width, rounding):
                shift = f"{self.exponent(a)} - {RUN_TIME}" if node.role == "dx" else self._difference(source, frac)
                unit = "round_down" if rounding is Rounding.FLOOR else "round_half_up"
                work = max(self.width(a), self.width(node))
                limit = f", {kind.format.width}, {_flag(kind.format)}" if width or source.scale else ""
                call = f"{unit}<i<{work}>>({operand}, {shift}{limit})"
                return [f"const {self.type(node)} {name} = {self.type(node)}({call});"]
            case Scaled(width, base, (lo, hi)):
                work = max(self.width(a) + 1, width + 3)
                call = f"gain<i<{work}>>({operand}, {self.exponent(a)}, {width}, {base}, {lo}, {hi})"
                return self._scaled_result(node, call)
            case Widened(_, extra):
                wanted = f"{RUN_TIME} + {self.precision.guard}"
                return [
                    f"const int {name}_left = clamp({wanted} - ({self.exponent(a)}), 0, {extra});",
                    f"const {self.type(node)} {name} = {self.type(node)}({operand}) << {name}_left;",
                    f"const int {name}_frac = {self.exponent(a)} + {name}_left;",
                ]
            case other:
                raise AssertionError(f"{node!r}: cannot round to {other}")

    def _align(self, node: Node) -> list[str]:
        a, like = node.args
        role = self.precision.role(node.role) if node.role else Relative(0, 0)
        assert isinstance(role, Relative)
        target = self.types[like]
        shift = self._difference(self.types[a], target.frac + role.guard, target.scale)
        work = max(self.width(a), self.width(node))
        fmt = self.types[node].format
        limit = f", {fmt.width}, {_flag(fmt)}" if role.width else ""
        call = f"round_half_up<i<{work}>>({self.name(a)}, {shift}{limit})"
        return [f"const {self.type(node)} {self.name(node)} = {self.type(node)}({call});"]

    def _difference(self, a: Type, frac: int, scale: tuple[Node, ...] = ()) -> str:
        """a's fraction bits less the target's, what both have in common left out."""
        ours, theirs = Counter(a.scale), Counter(scale)
        text = " + ".join([self._exponents[n] for n in (ours - theirs).elements()])
        for n in (theirs - ours).elements():
            text += f" - {self._exponents[n]}"
        constant = a.frac - frac
        if not text:
            return str(constant)
        return f"{text.strip()} {'+' if constant >= 0 else '-'} {abs(constant)}" if constant else text.strip()


def _flag(fmt: Format) -> str:
    return "true" if fmt.signed else "false"


def _is_zero(node: Node) -> bool:
    return node.op is Op.CONST and node.value == 0


def _signed_bits(lo: int, hi: int) -> int:
    """Bits of the two's complement that holds both."""
    return max(hi.bit_length(), (~lo).bit_length() if lo < 0 else 0) + 1
