"""Trainable numbers and multiply-accumulates of a program.

A stored tensor trains where an operator takes it as weight, bias, gamma or beta, as a table to look up, or adds or
multiplies it elementwise (learned positions and scales; fixed ones cannot be told from them). Running statistics,
single numbers, indices, and what is subtracted, divided by or compared with do not.
"""

from __future__ import annotations

from math import prod

from hwnorm.network.onnx_program import WEIGHTS, Program
from hwnorm.network.onnx_windows import convolution_macs

_TRAINED: dict[str, tuple[int, ...]] = {
    **WEIGHTS,
    "BatchNormalization": (1, 2),  # 3 and 4 are running statistics
    "MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3), "Gemm": (0, 1, 2), "Gather": (0,),
    "Einsum": (0, 1, 2, 3), "Add": (0, 1), "Mul": (0, 1), "Concat": tuple(range(64)), "Expand": (0,),
    "BiasGelu": (1,), "Attention": (1, 2), "SkipLayerNormalization": (2, 3, 4),
}  # fmt: skip

_SINGLE = ("PRelu", "Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "InstanceNormalization")


def parameters(program: Program, neutral: frozenset[str]) -> int | None:
    """All that trains; ``neutral`` are inputs of norms that stand in the place of a gamma or beta. None: not known."""
    counted: set[str] = set()
    anonymous = 0  # weights that are constants: old exporters write them so
    for node in program.nodes:
        out = program.values.get(node.outputs[0]) if node.outputs and node.outputs[0] else None
        if out is None or out.stored is not None:
            continue
        for position in _TRAINED.get(node.op, ()):
            name = node.input(position)
            value = program.values.get(name)
            if value is None or value.stored is None:
                continue
            if value.shape is None:
                return None
            size = prod(value.shape)
            if value.stored and (size > 1 or node.op in _SINGLE):
                counted |= value.stored
            elif not value.stored and node.op in WEIGHTS and name not in neutral:
                anonymous += size
    return sum(program.sizes[name] for name in counted) + anonymous


def macs(program: Program, batch: int) -> int | None:
    """Multiply-accumulates of convolutions and matrix products on data, one sample. None: a shape is not known."""
    total = 0
    for node in program.nodes:
        position = {"QLinearConv": 3, "QLinearMatMul": 3}.get(node.op, 1)
        kinds = ("Conv", "ConvTranspose", "FusedConv", "ConvInteger", "QLinearConv")
        products = ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul")
        if node.op not in kinds + products or len(node.outputs) < 1:
            continue
        x, weight, out = (program.values.get(name) for name in (node.input(0), node.input(position), node.outputs[0]))
        if out is not None and out.stored is not None:
            continue
        if x is None or weight is None or out is None or x.shape is None or weight.shape is None or out.shape is None:
            return None
        if node.op in kinds:
            total += convolution_macs(node, weight.shape, x.shape, out.shape)
        else:
            inner = x.shape[-2] if node.op == "Gemm" and node.integer("transA", 0) else x.shape[-1]
            total += prod(out.shape) * inner
    return total // batch
