"""Multiply-accumulates of a program: of its convolutions, matrix products, recurrent layers and attention, on data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

from hwnorm.network.onnx_graph import Node, subgraphs_of
from hwnorm.network.onnx_program import Program
from hwnorm.network.onnx_values import Shape, UnknownShapeError, Value, shape_of
from hwnorm.network.onnx_windows import convolution_macs

_MULTIPLIES = re.compile("MatMul|Gemm|Conv|Einsum|Attention|LSTM|GRU|RNN")  # and adds up, under whatever full name


def macs(program: Program, batch: int) -> int | None:
    """One sample's. None: one operator that multiplies cannot be counted."""
    total = 0
    for node in program.nodes:
        if any(map(_MULTIPLIES.search, _inside(node.attributes.values()))):
            return None  # who knows how often
        made = next((program.values[name] for name in node.outputs if name), None)
        if made is None or made.stored is not None or not _MULTIPLIES.search(node.op):
            continue
        try:
            found = _products(node, program.inputs(node), made.shape)
        except (UnknownShapeError, ValueError, IndexError):
            found = None
        if found is None:
            return None
        total += found
    return total // batch


def _inside(attributes: Iterable[Any]) -> Iterator[str]:
    """The operators of the subgraphs among a node's attributes, and of theirs."""
    for graph in (graph for one in attributes for graph in subgraphs_of(one)):
        for node in graph.node:
            yield node.op_type
            yield from _inside(node.attribute)


def _products(node: Node, inputs: Sequence[Value | None], out: Shape | None) -> int | None:
    """Of one operator, in all samples."""
    x = shape_of(inputs, 0)
    match node.op:
        case "LSTM" | "GRU" | "RNN":  # every step of every sample sees both matrices of each direction whole
            return prod(x[:2]) * (prod(shape_of(inputs, 1)) + prod(shape_of(inputs, 2)))
        case _ if out is None:
            return None
        case "Conv" | "ConvTranspose" | "FusedConv" | "ConvInteger":
            return convolution_macs(node, shape_of(inputs, 1), x, out)
        case "QLinearConv":
            return convolution_macs(node, shape_of(inputs, 3), x, out)
        case "Gemm" if node.integer("transA", 0):
            return prod(out) * x[-2]
        case "Gemm" | "MatMul" | "MatMulInteger" | "QLinearMatMul":
            return prod(out) * x[-1]
        case "Einsum":
            return _einsum(node, inputs)
        case "Attention" if node.standard:  # queries with keys, and the outcome with values
            keys = shape_of(inputs, 1)[-2] + (shape_of(inputs, 4)[-2] if node.input(4) else 0)
            return prod(x[:-1]) * keys * (x[-1] + out[-1])
        case _:
            return None


def _einsum(node: Node, inputs: Sequence[Value | None]) -> int | None:
    """Of one or two operands: the order that more are multiplied in is not said. What is summed in one operand alone is
    summed before."""
    equation = node.text("equation", "").replace(" ", "")
    terms, arrow, result = equation.partition("->")
    letters = terms.split(",")
    if len(letters) == 1:
        return 0
    if len(letters) > 2 or "." in equation:
        return None
    sizes: dict[str, int] = {}
    for at, term in enumerate(letters):
        for letter, size in zip(term, shape_of(inputs, at), strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    both = set(letters[0]) & set(letters[1])
    kept = set(result) if arrow else {letter for letter in sizes if terms.count(letter) == 1}
    return prod(sizes[letter] for letter in both | kept) if both - kept else 0
