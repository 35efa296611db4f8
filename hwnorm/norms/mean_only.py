"""Mean-only batch norm (Salimans and Kingma 2016; sReLU section II): y = x - mu + beta, in x's own scale."""

from __future__ import annotations

from hwnorm.ir import Graph, cast, elem, named, stat, total
from hwnorm.norms import gradients, printed
from hwnorm.norms.datapath import INV_M, data_range, mean_of, picker
from hwnorm.norms.form import Form


def printed_forward() -> Graph:
    x = elem("x")
    return Graph("mean-only forward, as printed", {"y": x - named("mu", printed.mean(x)) + stat("beta")})


def printed_backward() -> Graph:
    dy = elem("dy")
    return Graph("mean-only backward, as printed", {"dx": dy - printed.mean(dy), "dbeta": total(dy)})


def forward() -> Graph:
    x = elem("x")
    mean = mean_of(x, picker(sampled=False))
    B = named("B", cast(stat("beta", "beta_centred") - mean.mu, "deviation"))
    return Graph("mean-only forward", {"y": cast(x + B, "centred")})


def backward() -> Graph:
    d = gradients.incoming(per_element=False)
    W = named("W", total(d.g))
    a = named("a", cast(W * INV_M, "deviation"), data_range)
    return Graph("mean-only backward", {"dx": cast(d.g - a, "centred"), "dbeta": W})


def inference() -> Graph:
    """The running mean in the place of the batch's; ``shift`` = beta - mean."""
    return Graph("mean-only inference", {"y": cast(elem("x") + stat("shift", "shift_centred"), "centred")})


def printed_inference() -> Graph:
    return Graph("mean-only inference, as printed", {"y": elem("x") + stat("shift")})


PRINTED = Form(printed_forward, printed_backward, printed_inference)
FORMS = {"two-sweep": Form(forward, backward, inference)}
