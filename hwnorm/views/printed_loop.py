"""A sweep printed as a Python function: a loop over the elements, with a line a node.

Its types are those of ``arithmetic``: every operand is made the node's own dtype first, so that nothing is wider than
its bounds and a processor's vectors hold as many as they can. The function takes the streams, the values per group, how
far each rounded value moves in each group, and what to fill: sums and extremes, streams. It takes the first piece of
every group, then the second: the order in which a batch of feature maps lies in memory.
"""

from __future__ import annotations

from functools import cached_property
from typing import assert_never

import numpy as np

from hwnorm.fixed import Rounding, integer_dtype
from hwnorm.ir import Node, Op, Rate, is_flag
from hwnorm.precision import Fixed, Relative
from hwnorm.views.arithmetic import Arithmetic, is_zero

DTYPES = {"b1": np.bool_, "i1": np.int8, "i2": np.int16, "i4": np.int32, "i8": np.int64}
NAMES = {**DTYPES, "zeros": np.zeros}  # what the function uses
STEP = 8192  # elements that are summed before the sum is widened

FRAME = """\
def sweep({arguments}):
{state}
    for p in range({any}.shape[1]):
        for g in range({any}.shape[0]):
{group}
            for start in range(0, {any}.shape[2], {step}):
{begin}
                for e in range({any}_row.shape[0]):
{lane}
{end}
"""


class Loop:
    """``nodes`` are what is evaluated per element, in order; ``results`` what is reduced and written."""

    def __init__(self, arithmetic: Arithmetic, nodes: tuple[Node, ...], results: tuple[Node, ...]) -> None:
        self.arithmetic, self.nodes, self.results = arithmetic, nodes, results
        self.reduces = [n for n in results if n.rate is Rate.STAT]
        self.writes = [n for n in results if n.rate is Rate.ELEM]
        used = list(dict.fromkeys(a for n in (*nodes, *self.reduces) for a in n.args if a not in nodes))
        self.streams = [n for n in used if n.rate is Rate.ELEM]
        self.per_group = [n for n in used if n.rate is Rate.STAT and n.op is not Op.CONST]
        self.rounded = [n for n in nodes if n.op in (Op.CAST, Op.ALIGN)]
        self.firsts = [n for n in nodes if n.op is Op.FIRST]
        named = dict.fromkeys((*self.streams, *self.per_group, *nodes, *results))
        self.names = {node: f"{node.name or 't'}_{index}" for index, node in enumerate(named)}

    @cached_property
    def fits(self) -> bool:
        """False where a value is a Python integer."""
        held = (*self.nodes, *self.streams, *self.per_group, *self.reduces)
        return all(self.arithmetic.dtype(node).kind != "O" for node in held)

    @cached_property
    def text(self) -> str:
        arrays = [f"{self.names[n]}s" for n in (*self.streams, *self.per_group)]
        arrays += [f"{self.names[n]}_shifts" for n in self.rounded] + [f"{self.names[n]}s" for n in self.results]

        def indented(depth: int, lines: list[str]) -> str:
            return "\n".join("    " * depth + line for line in lines or ["pass"])

        return FRAME.format(
            arguments=", ".join(arrays),
            any=arrays[0],
            step=STEP,
            state=indented(1, [f"{self.names[n]}_found = zeros({arrays[0]}.shape[0], b1)" for n in self.firsts]),
            group=indented(3, self._group()),
            begin=indented(4, self._begin()),
            lane=indented(5, self._lane()),
            end=indented(4, self._end()),
        )

    def _group(self) -> list[str]:
        name = self.names
        lines = [f"{name[n]} = {name[n]}s[g]" for n in self.per_group]
        for n in self.rounded:
            kind = self._dtype(n.args[0])
            most = 8 * DTYPES[kind]().itemsize - 1  # leaves nothing of a value that has a bit free
            lines.append(f"{name[n]}_right = min({name[n]}_shifts[g], {most})")
            lines.append(f"{name[n]}_half = {kind}((i8(1) << {name[n]}_right) >> 1)")
        return lines

    def _begin(self) -> list[str]:
        """Rows, for an index that begins at 0 is known not to be negative: only such loops become vector code."""
        name = self.names
        rows = [f"{name[n]}s" for n in (*self.streams, *self.writes)]
        lines = [f"{row}_row = {row}[g, p, start : start + {STEP}]" for row in rows]
        lines += [
            f"{name[n]} = {self._part(n)}(0)" if n.op is Op.SUM else f"{name[n]} = {name[n]}s[g, 0]"
            for n in self.reduces
        ]
        return lines + [f"{name[n]}_seen = {name[n]}_found[g]" for n in self.firsts]

    def _end(self) -> list[str]:
        name = self.names
        lines = [f"{name[n]}s[g, 0] {'+=' if n.op is Op.SUM else '='} {name[n]}" for n in self.reduces]
        return lines + [f"{name[n]}_found[g] = {name[n]}_seen" for n in self.firsts]

    def _lane(self) -> list[str]:
        name = self.names
        lines = [f"{name[n]} = {name[n]}s_row[e]" for n in self.streams]
        for node in self.nodes:
            lines.append(f"{name[node]} = {self._expression(node)}")
            if node.op is Op.FIRST:
                lines.append(f"{name[node]}_seen = {name[node]}_seen or {name[node]}")
        for node in self.reduces:
            element = name[node.args[0]]
            match node.op:
                case Op.SUM:
                    part = self._part(node)
                    lines.append(f"{name[node]} = {part}({name[node]} + {part}({element}))")
                case Op.RMAX:
                    lines.append(f"{name[node]} = max({name[node]}, {element})")
                case _:
                    lines.append(f"{name[node]} = min({name[node]}, {element})")
        return lines + [f"{name[n]}s_row[e] = {name[n]}" for n in self.writes]

    def _part(self, node: Node) -> str:
        """The dtype of a sum over one step; that of the whole sum where groups are shorter than a step needs it."""
        kind = self.arithmetic.types[node.args[0]]
        found = integer_dtype(STEP * kind.lo, STEP * kind.hi)
        if found.kind == "O":
            return self._dtype(node)
        return found.str[1:].replace("i1", "i4").replace("i2", "i4")

    def _dtype(self, node: Node) -> str:
        return self.arithmetic.dtype(node).str[1:]

    def _operand(self, node: Node) -> str:
        return str(node.value) if node.op is Op.CONST else self.names[node]

    def _expression(self, node: Node) -> str:
        kind, args = self._dtype(node), [self._operand(a) for a in node.args]
        match node.op:
            case Op.ADD | Op.SUB:
                a, b = self._met(node.args, kind)
                return f"{kind}({a} {'+' if node.op is Op.ADD else '-'} {b})"
            case Op.MUL:
                return f"{kind}({kind}({args[0]}) * {kind}({args[1]}))"
            case Op.SQUARE:
                return f"{kind}({kind}({args[0]}) * {kind}({args[0]}))"
            case Op.MAX:
                a, b = self._met(node.args, kind)
                return f"max({a}, {b})"
            case Op.ABS:
                return f"{kind}(abs({kind}({args[0]})))"
            case Op.SIGN:
                return f"{kind}({args[0]} > 0) - {kind}({args[0]} < 0)"
            case Op.GT | Op.EQ:
                a, b = self._met(node.args, self.arithmetic.common(node.args).str[1:])
                return f"{a} {'>' if node.op is Op.GT else '=='} {b}"
            case Op.SELECT if is_flag(node):
                return f"{args[1]} != 0 if {args[0]} else {args[2]} != 0"
            case Op.SELECT:
                a, b = self._met(node.args[1:], kind)
                return f"{a} if {args[0]} else {b}"
            case Op.FIRST:
                return f"{args[0]} and not {self.names[node]}_seen"
            case Op.CAST | Op.ALIGN:
                return self._rounded(node)
            case Op.INPUT | Op.LAYER | Op.CONST | Op.SUM | Op.RMAX | Op.RMIN:
                raise AssertionError(f"{node!r} is not evaluated in a loop")
            case Op.DIV | Op.SQRT | Op.RECIP | Op.LOG | Op.EXP:
                raise AssertionError(f"{node!r}: no datapath has this operation per element")
            case _:
                assert_never(node.op)

    def _met(self, nodes: tuple[Node, ...], kind: str) -> tuple[str, str]:
        """Both at the finer one's fraction bits; a literal 0 has any scale."""
        fracs = [self.arithmetic.types[n].frac for n in nodes]
        finest = 0 if any(is_zero(n) for n in nodes) else max(fracs)
        a, b = (
            f"({kind}({self._operand(n)}) << {finest - frac})" if finest > frac else f"{kind}({self._operand(n)})"
            for n, frac in zip(nodes, fracs, strict=True)
        )
        return a, b

    def _rounded(self, node: Node) -> str:
        """Half up or down, then saturated where the role has a width."""
        role = self.arithmetic.precision.role(node.role) if node.role else Relative(0, 0)
        assert isinstance(role, Fixed | Relative)
        source, name = node.args[0], self.names[node]
        half = "" if isinstance(role, Fixed) and role.rounding is Rounding.FLOOR else f" + {name}_half"
        kind = self._dtype(source)
        moved = f"{kind}(({kind}({self._operand(source)}){half}) >> {name}_right)"
        if isinstance(role, Relative) and not role.width:
            return f"{self._dtype(node)}({moved})"
        fmt = self.arithmetic.types[node].format
        wide = max(kind, integer_dtype(fmt.lo, fmt.hi).str[1:])  # by name: i1 < i2 < i4 < i8
        return f"{self._dtype(node)}(min(max({wide}({moved}), {wide}({fmt.lo})), {wide}({fmt.hi})))"
