"""The equations as papers print them: what the families share.

These graphs are counted as `formula` and evaluated in float64 as the truth that autograd confirms. They divide an
element at a time and keep xhat, as the papers write; no hardware is built from them.
"""

from __future__ import annotations

from fractions import Fraction

from hwnorm.ir import Node, elem, layer, named, stat, total
from hwnorm.norms.datapath import INV_M

EPS = layer("eps", lambda g: g.eps, "real")
HALF = Fraction(1, 2)


def affine(xhat: Node, sigma: Node, per_element: bool) -> dict[str, Node]:
    """y = gamma * xhat + beta, and what the backward pass reads again."""
    leaf = elem if per_element else stat
    return {"y": leaf("gamma") * xhat + leaf("beta"), "xhat": xhat, "sigma": sigma}


def mean(v: Node) -> Node:
    """Of the elements behind the statistic; over more than those where statistics are sampled (Sampling Eq. 6)."""
    return total(v) * INV_M


class Backward:
    """g = gamma * dy and its two means, with dgamma and dbeta: where every printed backward pass begins."""

    def __init__(self, per_element: bool) -> None:
        dy = elem("dy")
        self.xhat, self.sigma = elem("xhat", "saved"), stat("sigma", "saved")
        self.g = named("g", (elem if per_element else stat)("gamma") * dy)
        self.mean_g = mean(self.g)
        dgamma = dy * self.xhat
        self.parameters = (
            {"dgamma": dgamma, "dbeta": dy} if per_element else {"dgamma": total(dgamma), "dbeta": total(dy)}
        )
