"""What the datapaths share: the mean, the gain, the affine step, the sums of the backward pass.

Names of nodes are the registers of docs/numerics.md. A bound stands beside the node that needs one: interval arithmetic
does not know that S and Q, or P and n, come from the same x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from hwnorm.ir import (
    Bound,
    Node,
    align,
    cast,
    divide,
    elem,
    layer,
    mask,
    named,
    reciprocal,
    select,
    stat,
    total,
)

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


def deviation_bound(bits: int, m: int) -> tuple[int, int]:
    """Of m * sum|x - mu|: most where half of the elements stand at either rail."""
    return 0, m * m * ((1 << bits) - 1) // 2


def variance_bound(bits: int, m: int) -> tuple[int, int]:
    """Of m * sum (x - mu)**2, likewise."""
    return 0, (m * ((1 << bits) - 1)) ** 2 // 4


def inverse(D0: Node, denominator: Node) -> Node:
    """R = 1 / denominator, and 0 for a group without deviation, whatever eps is: its y is beta and its dx is 0."""
    return named("R", select(D0 > 0, reciprocal(denominator), 0))


# Backward


@dataclass(frozen=True, slots=True)
class Gradient:
    """The incoming gradient as a group's statistics see it: dy, or gamma * dy where gamma is one an element."""

    g: Node
    reach: int  # |g| is at most 2**(bits - 1 + reach)

    def bound(self, value: Callable[[int, int], int]) -> Bound:
        """The bound of a value that is at most ``value(bits, m)`` times the largest |g|."""

        def both(bits: int, m: int) -> tuple[int, int]:
            hi = value(bits, m) << (bits - 1 + self.reach)
            return -hi, hi

        return both


def gradient(per_element: bool) -> Gradient:
    if not per_element:
        return Gradient(elem("dy"), 0)
    return Gradient(cast(elem("gamma") * elem("dy"), "grad_hat"), 2)


@dataclass(frozen=True, slots=True)
class Sums:
    """What every backward pass collects: W = sum(g), HM = m * sum(g * (x - mu)), and a = W / m."""

    W: Node
    HM: Node
    a: Node


def gradient_sums(d: Gradient, x: Node, sampled: bool) -> Sums:
    """Exact but for a. With sampled statistics the sums still run over all elements, so a can reach m times as far."""
    W = named("W", total(d.g))
    U = named("U", total(d.g * x))
    HM = named("HM", M * U - stat("S", "saved") * W, d.bound(lambda b, m: m * m << (b - 1 + sampled)))
    a = named("a", cast(W * INV_M, "q"), d.bound(lambda b, m: m if sampled else 1))
    return Sums(W, HM, a)


def q_role(sampled: bool) -> str:
    return "q_sampled" if sampled else "q"


def mean_gradient_bound(d: Gradient, sampled: bool) -> Bound:
    """|mean(g * xhat)| <= max|g|, by Cauchy-Schwarz, and a little for the rounding of R; m times it where only the
    denominator is a sample (clipped there, which needs a group whose sample is nearly constant and the rest is not)."""
    one = d.bound(lambda b, m: m if sampled else 1)

    def widened(bits: int, m: int) -> tuple[int, int]:
        lo, hi = one(bits, m)
        return lo - 1, hi + 1

    return widened


def gradient_gain(kappa: Node, per_element: bool) -> Node:
    """gamma / sigma at the scale of dx: the forward gain, or where gamma is in g already, 1 / sigma without the bits
    that only z needed."""
    K = cast(kappa * stat("R", "saved"), "gain") if per_element else stat("K", "saved")
    return named("Kd", cast(K, "dx_gain"))


def unit_output(B: Node | None) -> Node:
    """z = xhat as the forward pass rounded it, computed again from x."""
    return apply(elem("x"), stat("K", "saved"), B, "hat")


def parameter_gradients(dgamma: Node, W: Node, per_element: bool) -> dict[str, Node]:
    """dgamma and dbeta of one group; where gamma is one an element they are streams, to be summed over the groups."""
    if not per_element:
        return {"dgamma": dgamma, "dbeta": W}
    dy = elem("dy")
    return {"dgamma": dy * dgamma, "dbeta": dy}
