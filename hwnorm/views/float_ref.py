"""The graph in float64: the same mathematics with nothing rounded.

Elements have shape (groups, elements), values per group (groups, 1). CAST and ALIGN are the identity; a reciprocal and
a quotient of zero are zero, which is what the hardware makes of a group without deviation.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from hwnorm.ir import Graph, Node, Op, Setting

Floats = npt.NDArray[np.float64]


def evaluate(
    graph: Graph, inputs: dict[str, Any], setting: Setting, registers: dict[str, float] | None = None
) -> dict[str, Floats]:
    """Every output of the graph, and every node that has a name, by name; an output's own name wins.

    ``registers`` replaces registers of the layer by what the hardware really holds: E is an integer there.
    """
    held = registers or {}
    values: dict[Node, Any] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for node in graph:
            values[node] = _value(node, [values[a] for a in node.args], inputs, setting, held)
    found = {node.name: values[node] for node in graph if node.name}
    return found | {name: values[node] for name, node in graph.outputs.items()}


def _value(node: Node, args: list[Any], inputs: dict[str, Any], setting: Setting, held: dict[str, float]) -> Any:
    match node.op:
        case Op.INPUT:
            return np.asarray(inputs[node.name], dtype=np.float64)
        case Op.LAYER:
            assert callable(node.value)
            return held[node.name] if node.name in held else float(node.value(setting))
        case Op.CONST:
            assert isinstance(node.value, int | float | Fraction)
            return float(node.value)
        case Op.ADD:
            return args[0] + args[1]
        case Op.SUB:
            return args[0] - args[1]
        case Op.MUL:
            return args[0] * args[1]
        case Op.DIV:
            return np.where(args[1] == 0, 0.0, args[0] / np.where(args[1] == 0, 1.0, args[1]))
        case Op.SQUARE:
            return args[0] * args[0]
        case Op.ABS:
            return np.abs(args[0])
        case Op.SIGN:
            return np.sign(args[0])
        case Op.MAX:
            return np.maximum(args[0], args[1])
        case Op.SQRT:
            return np.sqrt(args[0])
        case Op.RECIP:
            return np.where(args[0] == 0, 0.0, 1.0 / np.where(args[0] == 0, 1.0, args[0]))
        case Op.LOG:
            return np.log(args[0])
        case Op.EXP:
            return np.exp(args[0])
        case Op.GT:
            return (args[0] > args[1]) * 1.0
        case Op.EQ:
            return (args[0] == args[1]) * 1.0
        case Op.SELECT:
            return np.where(args[0] != 0, args[1], args[2])
        case Op.FIRST:
            return (args[0] != 0) & (np.cumsum(args[0] != 0, axis=-1) == 1)
        case Op.SUM:
            return np.sum(args[0], axis=-1, keepdims=True)
        case Op.RMAX:
            return np.max(args[0], axis=-1, keepdims=True)
        case Op.RMIN:
            return np.min(args[0], axis=-1, keepdims=True)
        case Op.CAST | Op.ALIGN:
            return args[0]
        case _:
            assert_never(node.op)
