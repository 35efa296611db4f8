"""Standardization loss (Collins, Ballé, Shlens 2019): the normalization is a term of the training loss.

loss = w/2 * (mu^2 + var - log var - 1) per channel (Eq. 2, a Kullback-Leibler divergence from N(0, 1)), and its
gradient w/m * (mu + (x - mu) * (1 - 1/var)) is added to what comes from behind. The activations pass unchanged; at
inference nothing is left. Counted, not built.
"""

from __future__ import annotations

from hwnorm.ir import Graph, const, elem, layer, log, named, reciprocal, square, stat
from hwnorm.norms import printed
from hwnorm.norms.datapath import INV_M
from hwnorm.norms.form import Form

WEIGHT = layer("weight", lambda g: g.weight, "real")


def forward() -> Graph:
    x = elem("x")
    mu = named("mu", printed.mean(x))
    var = named("var", printed.mean(square(x - mu)))
    loss = WEIGHT * const(printed.HALF) * (square(mu) + var - log(var) - 1)
    return Graph("standardization loss forward, as printed", {"y": x, "loss": loss, "mu": mu, "var": var})


def backward() -> Graph:
    x, mu, var = elem("x"), stat("mu", "saved"), stat("var", "saved")
    slope = (1 - reciprocal(var)) * INV_M * WEIGHT
    dx = elem("dy") + (mu * INV_M * WEIGHT + (x - mu) * slope)
    return Graph("standardization loss backward, as printed", {"dx": dx})


PRINTED = Form(forward, backward)
