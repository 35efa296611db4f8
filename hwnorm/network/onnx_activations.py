"""What directly follows a norm, where exactly one operator does."""

from __future__ import annotations

from collections.abc import Mapping

from hwnorm.network.onnx_graph import Node
from hwnorm.network.onnx_program import Program

ACTIVATIONS = {
    "Relu": "relu", "Sign": "sign", "LeakyRelu": "leaky_relu", "PRelu": "prelu", "Sigmoid": "sigmoid", "Tanh": "tanh",
    "Elu": "elu", "Selu": "selu", "Celu": "celu", "Gelu": "gelu", "Mish": "mish", "Swish": "silu",
    "Softplus": "softplus", "Softsign": "softsign", "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish",
}  # fmt: skip

_CLIPS = {(0.0, 6.0): "relu6", (-1.0, 1.0): "hardtanh"}

_PASSED = ("Identity", "Cast", "Dropout")


def activation_after(program: Program, readers: Mapping[str, list[Node]], output: str) -> str | None:
    """The activation that alone reads ``output``; ``x * sigmoid(x)`` is one, though two operators read x."""
    while True:
        if output in program.results:
            return None
        following = readers.get(output, [])
        if len(following) == 1 and following[0].op in _PASSED and following[0].outputs:
            output = following[0].outputs[0]
            continue
        break
    if len(following) == 1:
        node = following[0]
        return _clip(program, node) if node.op == "Clip" else ACTIVATIONS.get(node.op)
    if {node.op for node in following} == {"Sigmoid", "Mul"} and len(following) == 2:
        gate, product = sorted(following, key=lambda node: node.op, reverse=True)
        if set(product.inputs) == {output, *gate.outputs} and len(readers.get(gate.outputs[0], [])) == 1:
            return "silu"
    return None


def _clip(program: Program, node: Node) -> str | None:
    if node.version < 11:
        return _CLIPS.get((node.number("min", float("-inf")), node.number("max", float("inf"))))
    limits = []
    for position in (1, 2):
        value = program.values.get(node.input(position))
        limits.append(
            float(value.data.reshape(-1)[0]) if value and value.data is not None and value.data.size else None
        )
    return _CLIPS.get((limits[0], limits[1])) if None not in limits else None  # type: ignore[arg-type]
