"""What the forward datapaths share: the mean, the gain, the affine step.

Names of nodes are the registers of docs/numerics.md. A bound stands beside the node that needs one: interval arithmetic
does not know that S and Q, or P and n, come from the same x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from hwnorm.ir import Graph, Node, align, cast, divide, elem, layer, mask, named, reciprocal, select, stat, total

Pick = Callable[[Node], Node]
"""v -> v where the element is in the sample, else 0; without sampling v itself."""


def picker(sampled: bool) -> Pick:
    if not sampled:
        return lambda v: v
    flag = mask("sampled", "s")
    return lambda v: select(flag, v, 0)


def data_range(bits: int, m: int) -> tuple[int, int]:
    """Any x, any mean of them."""
    return -1 << (bits - 1), (1 << (bits - 1)) - 1


M = layer("m", lambda g: g.s, bound=lambda b, m: (1, m))
"""The number of elements behind the statistic."""

INV_M = layer("inv_m", lambda g: Fraction(1, g.s), "inv_m")


@dataclass(frozen=True, slots=True)
class Mean:
    """S = sum(x), mu = S / m, c = floor(S / m)."""

    S: Node
    mu: Node
    c: Node


def mean_of(x: Node, pick: Pick, per_element: bool = False) -> Mean:
    S = named("S", total(pick(x)))
    mu = named("mu", divide(S, M, "mean_hat" if per_element else "mean"), data_range)
    return Mean(S, mu, named("c", cast(mu, "pivot")))


@dataclass(frozen=True, slots=True)
class Statistic:
    """What a normalization takes from a group: mu (None: not centred) and 1 / sigma = kappa * R."""

    mu: Node | None
    R: Node
    kappa: Node
    saved: dict[str, Node]  # further registers that the backward pass reads
    divisor: Node | None = None  # of sum(g * (x - mu)), where R is not exact enough for the backward pass


def affine_per_group(x: Node, s: Statistic) -> dict[str, Node]:
    """y = (K*x + B) >> sh with K = gamma / sigma, B = beta - K * mu: one multiplication and one addition an element."""
    K = named("K", cast(stat("gamma") * s.kappa * s.R, "gain"))
    return {"y": apply(x, K, offset(stat("beta"), K, s.mu), "y"), "K": K, "R": s.R, **s.saved}


def affine_per_element(x: Node, s: Statistic) -> dict[str, Node]:
    """z = xhat rounded with three more fraction bits, then y = gamma * z + beta with gamma and beta one an element."""
    K = named("K", cast(s.kappa * s.R, "gain_hat"))
    B = None if s.mu is None else named("B", 0 - align(K * s.mu, K))
    y = cast(elem("gamma") * apply(x, K, B, "hat") + elem("beta"), "y")
    return {"y": y, "K": K, "R": s.R, **({} if B is None else {"B": B}), **s.saved}


def offset(beta: Node, K: Node, mu: Node | None) -> Node:
    """B = beta - K * mu at the scale of K, each term rounded once."""
    return named("B", align(beta, K) if mu is None else align(beta, K) - align(K * mu, K))


def apply(x: Node, K: Node, B: Node | None, role: str) -> Node:
    product = K * x
    return cast(product if B is None else product + B, role)


def normalise(x: Node, s: Statistic, per_element: bool) -> dict[str, Node]:
    return affine_per_element(x, s) if per_element else affine_per_group(x, s)


Method = Callable[[Node, Mean, Pick], Statistic]
"""How a statistic is taken: of x, with its mean, of the picked elements."""


def forward(family: str, method: Method, per_element: bool = False, sampled: bool = False) -> Graph:
    """Of a statistic about the mean. The backward pass of a sampled one reads the divisor too."""
    pick, x = picker(sampled), elem("x")
    statistic = method(x, mean_of(x, pick, per_element), pick)
    further = {"divisor": statistic.divisor} if sampled and statistic.divisor else {}
    return Graph(f"{family} forward, {method.__name__}", normalise(x, statistic, per_element) | further)


def inverse(alive: Node, denominator: Node) -> Node:
    """R = 1 / denominator, and 0 for a group without deviation, whatever eps is: its y is beta and its dx is 0."""
    return named("R", select(alive, reciprocal(denominator), 0))


def divisor(alive: Node, denominator: Node) -> Node:
    """The denominator itself, and 0 for a group without deviation: what is divided by it is 0 then."""
    return select(alive, denominator, 0)
