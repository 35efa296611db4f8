"""Range batch norm (Banner et al. 2018): sigma is the range of the group, by a constant that a Gaussian suggests.

sigma = C(m) * (max - min), C(m) = 1 / sqrt(2 ln m). The mean drops out of the range, so two sweeps do, and the gradient
through sigma reaches two elements alone: the first maximum and the first minimum. C(1) = 0.
"""

from __future__ import annotations

from functools import partial
from math import log, sqrt

from hwnorm.ir import (
    Graph,
    Node,
    Setting,
    align,
    cast,
    elem,
    equal,
    first,
    largest,
    layer,
    mask,
    named,
    select,
    smallest,
    stat,
    total,
)
from hwnorm.norms import gradients, printed
from hwnorm.norms.datapath import M, Statistic, data_range, divisor, inverse, mean_of, normalise, picker
from hwnorm.norms.form import Form


def inverse_constant(g: Setting) -> float:
    """1 / C(m)."""
    return sqrt(2 * log(g.s))


CONSTANT = layer("C", lambda g: 1 / inverse_constant(g) if g.s > 1 else 0.0, "real")
KAPPA = layer("kappa", inverse_constant, "kappa")
LOW = layer("low", lambda g: -g.rail, bound=data_range)
HIGH = layer("high", lambda g: g.rail - 1, bound=data_range)
E = layer("E", lambda g: g.eps * inverse_constant(g), "deviation", bound=lambda b, m: (0, (1 << b) - 1))


def extremes(x: Node, sampled: bool) -> tuple[Node, Node]:
    """The largest and the smallest of the sample: what is not in it stands at the other rail."""
    if not sampled:
        return named("top", largest(x)), named("bottom", smallest(x))
    flag = mask("sampled", "s")
    return named("top", largest(select(flag, x, LOW))), named("bottom", smallest(select(flag, x, HIGH)))


def at_extremes(x: Node, sampled: bool) -> tuple[Node, Node]:
    """Flags of the first maximum and the first minimum."""
    pick = picker(sampled)
    return first(pick(equal(x, stat("top", "saved")))), first(pick(equal(x, stat("bottom", "saved"))))


def printed_forward(sampled: bool = False) -> Graph:
    """Sampling section 1, after Banner et al. Eq. 9."""
    pick, x = picker(sampled), elem("x")
    mu = named("mu", printed.mean(pick(x)))
    top, bottom = extremes(x, sampled)
    sigma = named("sigma", CONSTANT * (top - bottom) + printed.EPS)
    xhat = named("xhat", (x - mu) / sigma)
    outputs = printed.affine(xhat, sigma, per_element=False)
    return Graph("range forward, as printed", outputs | {"top": top, "bottom": bottom})


def printed_backward(sampled: bool = False) -> Graph:
    pick, x, b = picker(sampled), elem("x"), printed.Backward(per_element=False)
    pull = CONSTANT * total(b.g * b.xhat)
    at_top, at_bottom = at_extremes(x, sampled)
    dx = (b.g - pick(b.mean_g) - select(at_top, pull, select(at_bottom, 0 - pull, 0))) / b.sigma
    return Graph("range backward, as printed", {"dx": dx, **b.parameters})


def forward(sampled: bool = False) -> Graph:
    x = elem("x")
    mean = mean_of(x, picker(sampled))
    top, bottom = extremes(x, sampled)
    D0 = named("D0", top - bottom, lambda b, m: (0, (1 << b) - 1))
    alive, D = D0 > 0, named("D", D0 + E)
    R = inverse(alive, D)
    saved = {"S": mean.S, "top": top, "bottom": bottom, "divisor": divisor(alive, D)}
    return Graph("range forward", normalise(x, Statistic(mean.mu, R, KAPPA, saved), per_element=False))


def backward(sampled: bool = False) -> Graph:
    """dx = K*dy - (at the first maximum Bt, at the first minimum Bb, elsewhere Bo).

    q = C * sum(dy * xhat) = HM / (m * D) is a sum, and falls on one element: it reaches m/2 times as far as in the
    other norms, because sum|x - mu| <= m/2 * range, and where K is small enough all of it fits dx.
    """
    pick, x, d = picker(sampled), elem("x"), gradients.incoming(per_element=False)
    sums = gradients.sums(d, x, sampled)
    bound = gradients.sampled_bound(d) if sampled else d.bound(lambda b, m: (m + 1) // 2)
    q = gradients.quotient("q", sums.HM, M * stat("divisor", "saved"), bound)
    K, Kf = gradients.gain(KAPPA, per_element=False), gradients.fine_gain(KAPPA)
    role = "through" if sampled else "through_few"
    Bo = named("Bo", align(Kf * sums.a, K, "through_few") if sampled else align(K * sums.a, K))
    Bt, Bb = named("Bt", align(Kf * (sums.a + q), K, role)), named("Bb", align(Kf * (sums.a - q), K, role))
    at_top, at_bottom = at_extremes(x, sampled)
    dx = cast(K * d.g - select(at_top, Bt, select(at_bottom, Bb, pick(Bo))), "dx")
    dgamma = named("dgamma", q * KAPPA)
    return Graph("range backward", {"dx": dx, **gradients.parameters(dgamma, sums.W, per_element=False)})


def printed_form(sampled: bool = False) -> Form:
    return Form(partial(printed_forward, sampled), partial(printed_backward, sampled))


def forms(sampled: bool = False) -> dict[str, Form]:
    return {"two-sweep": Form(partial(forward, sampled), partial(backward, sampled))}
