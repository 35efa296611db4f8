"""Running statistics, updated by the forward pass: what inference is folded from.

    r <- r + RHU((v - r) * 2**-k)        v: the group's mean, and its spread

The spread is what the norm's deviation is made of without a root or a division: the deviation itself for l1 and range
(D0 / kappa), the variance for l2 (V0 / kappa^2). Registers have k + 5 fraction bits at least, or small changes would
never reach them (docs/numerics.md).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from hwnorm.ir import Bound, Graph, Node, Real, Setting, cast, layer, named, stat

SQUARED, LINEAR = "V0", "D0"  # the registers that a spread comes from


def keeps_running(graph: Graph) -> bool:
    """Whether a forward pass has a mean of x that inference could do with."""
    return "mu" in graph.named and "y" in graph.outputs


def with_running(graph: Graph, momentum_bits: int) -> Graph:
    """The graph with ``next_mean`` and, unless the norm has a mean alone, ``next_spread``."""
    momentum = layer("momentum", lambda g: Fraction(1, 1 << momentum_bits), "momentum", lambda b, m: (0, 1))
    outputs = {"next_mean": _next("mean", graph.named["mu"], momentum)}
    kappa = graph.layer_registers.get("kappa")
    for name, power in ((SQUARED, 2), (LINEAR, 1)):
        if name in graph.named and kappa is not None:
            scale = layer(f"inv_kappa_{power}", _inverse(kappa, power), "inv_m")
            spread = cast(graph.named[name] * scale, "running_spread")
            outputs["next_spread"] = _next("spread", named("spread", spread, _bound(power)), momentum)
            break
    return Graph(f"{graph.name}, running statistics", graph.outputs | outputs)


def _next(name: str, value: Node, momentum: Node) -> Node:
    role = f"running_{name}"
    held = stat(role)
    return named(f"next_{name}", cast(held + cast((value - held) * momentum, role), role))


def _inverse(kappa: Node, power: int) -> Callable[[Setting], Real]:
    def value(g: Setting) -> Real:
        assert callable(kappa.value)
        of_layer = kappa.value(g)
        return 1 / Fraction(of_layer) ** power if of_layer else 0

    return value


def _bound(power: int) -> Bound:
    """Half of the range is the largest deviation, but a factor of sqrt(pi/2) or sqrt(2 ln m) may come to it."""
    return lambda bits, m: (0, 1 << (bits * power + (power == 1) * 3))
