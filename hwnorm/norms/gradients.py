"""What the backward datapaths share: the gradient that comes in, its sums, the gain, the parameters' gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hwnorm.ir import Bound, Node, cast, divide, elem, named, stat, total
from hwnorm.norms.datapath import INV_M, M, apply


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


def incoming(per_element: bool) -> Gradient:
    if not per_element:
        return Gradient(elem("dy"), 0)
    return Gradient(cast(elem("gamma") * elem("dy"), "grad_hat"), 2)


@dataclass(frozen=True, slots=True)
class Sums:
    """What every backward pass collects: W = sum(g), HM = m * sum(g * (x - mu)), and a = W / m."""

    W: Node
    HM: Node
    a: Node


def sums(d: Gradient, x: Node, sampled: bool = False) -> Sums:
    """Exact but for a. With sampled statistics the sums still run over all elements, so a can reach m times as far."""
    W = named("W", total(d.g))
    U = named("U", total(d.g * x))
    HM = named("HM", M * U - stat("S", "saved") * W, d.bound(lambda b, m: m * m << (b - 1 + sampled)))
    a = named("a", cast(W * INV_M, "q"), d.bound(lambda b, m: m if sampled else 1))
    return Sums(W, HM, a)


def mean_bound(d: Gradient) -> Bound:
    """|mean(g * xhat)| <= max|g|, by Cauchy-Schwarz, and a little for the rounding of R."""
    one = d.bound(lambda b, m: 1)

    def widened(bits: int, m: int) -> tuple[int, int]:
        lo, hi = one(bits, m)
        return lo - 1, hi + 1

    return widened


def gain(kappa: Node, per_element: bool) -> Node:
    """gamma / sigma at the scale of dx: the forward gain, or where gamma is in g already, 1 / sigma without the bits
    that only z needed."""
    K = cast(kappa * stat("R", "saved"), "gain") if per_element else stat("K", "saved")
    return named("Kd", cast(K, "dx_gain"))


def unit_output(B: Node | None) -> Node:
    """z = xhat as the forward pass rounded it, computed again from x."""
    return apply(elem("x"), stat("K", "saved"), B, "hat")


def parameters(dgamma: Node, W: Node, per_element: bool) -> dict[str, Node]:
    """dgamma and dbeta of one group; where gamma is one an element they are streams, to be summed over the groups."""
    if not per_element:
        return {"dgamma": dgamma, "dbeta": W}
    dy = elem("dy")
    return {"dgamma": dy * dgamma, "dbeta": dy}


# Where the sum falls on less than all elements: on those of a sample, on the two extremes. q and a are means no longer,
# and may be any multiple of the largest g that cancels against another, with a small rest that is dx. So HM is divided
# exactly, and multiplied by a gain that keeps its low bits where K loses them.


def quotient(name: str, HM: Node, divisor: Node, bound: Bound) -> Node:
    return named(name, divide(HM, divisor, "pull"), bound)


def sampled_bound(d: Gradient, times: int = 1) -> Bound:
    """Of q: |x - mu| may be 2**b where the sample's deviation is 1 / s, and all m of them add up."""
    return d.bound(lambda b, m: times * m << b)


def fine_gain(kappa: Node) -> Node:
    """gamma / sigma: K, wherever that has all of its bits."""
    return named("Kf", cast(stat("gamma") * kappa * stat("R", "saved"), "gain_fine"))
