"""What follows a normalization at once, fused: it costs the clip a bound, or leaves nothing of the output but its sign.

    relu max(y, 0)    srelu max(y, -1)    sign y < 0 ? -1 : 1    ternary y > delta ? 1 : (y < -delta ? -1 : 0)

of y as it is rounded. The gradient that comes back is the activation's: who sends dy masks it (for relu by y > 0).
"""

from __future__ import annotations

from hwnorm.ir import Graph, Node, const, layer, maximum, select

ACTIVATIONS = ("none", "relu", "srelu", "sign", "ternary")
SCALED = ("srelu", "ternary")  # they ask for a y whose 1.0 is known
DELTA = layer("delta", lambda g: g.delta, "y")


def activated(graph: Graph, activation: str) -> Graph:
    """The graph with its y replaced."""
    if activation == "none" or "y" not in graph.outputs:
        return graph
    y = graph.outputs["y"]
    if activation in SCALED and y.role != "y":
        raise ValueError(
            f"activation {activation!r} has to know what 1.0 is, and this norm's output is in x's own scale"
        )
    return Graph(f"{graph.name}, {activation}", graph.outputs | {"y": _activation(y, activation)})


def _activation(y: Node, activation: str) -> Node:
    match activation:
        case "relu":
            return maximum(y, 0)
        case "srelu":
            return maximum(y, -1)
        case "sign":
            return select(const(0) > y, -1, 1)
        case "ternary":
            return select(y > DELTA, 1, select((0 - y) > DELTA, -1, 0))
        case _:
            raise ValueError(f"activation must be {', '.join(ACTIVATIONS)}, not {activation!r}")
