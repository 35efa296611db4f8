"""A graph's values as the equations that a reader knows: ``D0 = 2 * (m * P - n * S)``."""

from __future__ import annotations

from collections.abc import Iterable

from hwnorm.ir import LEAVES, REDUCTIONS, Node, Op, mask_symbol

INFIX = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*", Op.DIV: "/", Op.GT: ">", Op.EQ: "=="}
WORDS = {
    **{Op.SUM: "sum", Op.RMAX: "max", Op.RMIN: "min", Op.MAX: "max", Op.FIRST: "first", Op.SIGN: "sign"},
    **{Op.ABS: "abs", Op.SQRT: "sqrt", Op.LOG: "log", Op.EXP: "exp", Op.CAST: "round", Op.ALIGN: "round"},
}


def equations(nodes: Iterable[Node], outputs: dict[Node, str]) -> list[str]:
    """One line for every named value and every output among the nodes, in terms of named values."""
    found = []
    for node in nodes:
        name = node.name or outputs.get(node, "")
        if name and node.op not in LEAVES:
            found.append(f"{name} = {_text(node, outermost=True)}")
    return found


def _operand(node: Node) -> str:
    if node.name or node.op in LEAVES:
        return str(node.value) if node.op is Op.CONST else node.name
    return _text(node)


def _text(node: Node, outermost: bool = False) -> str:
    args = [_operand(a) for a in node.args]
    match node.op:
        case Op.ADD | Op.SUB | Op.MUL | Op.DIV | Op.GT | Op.EQ:
            text = f"{args[0]} {INFIX[node.op]} {args[1]}"
            return text if outermost else f"({text})"
        case Op.SQUARE:
            return f"{args[0]}^2"
        case Op.RECIP:
            text = f"1 / {args[0]}"
            return text if outermost else f"({text})"
        case Op.SELECT:
            if mask_symbol(node.args[0]):
                return f"[{args[0]}] {args[1]}"
            text = f"{args[0]} ? {args[1]} : {args[2]}"
            return text if outermost else f"({text})"
        case Op.CAST | Op.ALIGN:
            return _bare(args[0]) if outermost else f"round({_bare(args[0])})"
        case op if op in REDUCTIONS or op in WORDS:
            return f"{WORDS[op]}({', '.join(_bare(a) for a in args)})"
        case Op.INPUT | Op.LAYER | Op.CONST:
            return _operand(node)
        case _:
            raise AssertionError(f"{node!r} has no equation")


def _bare(text: str) -> str:
    """Without the outer brackets that a call's own make superfluous."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and at < len(text) - 1:
            return text
    return text[1:-1]
