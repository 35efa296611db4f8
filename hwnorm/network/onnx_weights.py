"""Trainable numbers of a program.

A stored tensor trains where an operator takes it as weight, bias, gamma or beta, as a table to look up, or adds or
multiplies it elementwise (learned positions and scales; fixed ones cannot be told from them). Running statistics,
single numbers, indices, scales of quantization, and what is subtracted, divided by or compared with do not.
"""

from __future__ import annotations

from collections.abc import Collection
from math import prod

import numpy as np

from hwnorm.network.onnx_program import WEIGHTS, Program

_TRAINED: dict[str, tuple[int, ...]] = {
    **WEIGHTS,
    "BatchNormalization": (1, 2),  # 3 and 4 are running statistics
    "MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3), "Gemm": (0, 1, 2), "Gather": (0,),
    "Einsum": (0, 1, 2, 3), "Add": (0, 1), "Mul": (0, 1), "Concat": tuple(range(64)), "Expand": (0,),
    "BiasGelu": (1,), "Attention": (1, 2), "SkipLayerNormalization": (2, 3, 4),
}  # fmt: skip

# Where an operator has shapes, axes, indices, masks, and the scales and zero points of quantization.
_SETTINGS: dict[str, tuple[int, ...]] = {
    "Reshape": (1,), "Expand": (1,), "Tile": (1,), "Squeeze": (1,), "Unsqueeze": (1,), "Split": (1,), "Pad": (1, 3),
    "Slice": (1, 2, 3, 4), "Resize": (1, 2, 3), "Upsample": (1,), "ConstantOfShape": (0,), "Gather": (1,),
    "GatherElements": (1,), "GatherND": (1,), "ScatterElements": (1,), "ScatterND": (1,), "TopK": (1,), "CumSum": (1,),
    "Trilu": (1,), "Where": (0,), "DequantizeLinear": (1, 2), "QuantizeLinear": (1, 2),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare"), (1,)),
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
    return sum(program.sizes[name] for name in counted - _settings(program)) + anonymous


def _settings(program: Program) -> set[str]:
    """What is stored and says how others are used."""
    read = (node.input(position) for node in program.nodes for position in _SETTINGS.get(node.op, ()))
    return {one for name in read if name for one in program.values[name].stored or ()}


def merged(program: Program, norms: Collection[str]) -> str | None:
    """A warning where norms (their outputs) read one gamma or beta: PyTorch's newer exporter stores equal tensors once,
    and those of an untrained network are all ones or zeros."""
    readers: dict[str, int] = {}
    for node in program.nodes:
        if node.outputs and node.outputs[0] in norms:
            for name in {node.input(position) for position in _TRAINED.get(node.op, ())}:
                value = program.values.get(name)
                if value is not None and value.stored and (value.data is None or np.unique(value.data).size == 1):
                    readers[name] = readers.get(name, 0) + 1
    hidden = sum((times - 1) * prod(program.values[name].shape or ()) for name, times in readers.items())
    if not hidden:
        return None
    return (
        "several norms read one gamma or beta: if the exporter stored equal ones of an untrained network once, up to "
        f"{hidden} parameters are not counted; export it trained, or with dynamo=False"
    )
