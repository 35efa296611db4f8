"""L1 batch norm (Wu et al. 2018): sigma is the mean of |x - mu|, and signs carry the backward pass.

The hardware rests on one identity. With c = floor(mu) and integers x, x > mu exactly when x > c, so

    sum|x - mu| = 2 * (P - n*mu),    P = sum of the x above c, n = how many they are,
    m * sum|x - mu| = 2 * (m*P - n*S) = D0,

an exact integer from a comparator, a mask, an adder and a counter: no subtractor, no absolute value, no fractional
mean. The form with sign and abs units computes the same integer from A = sum|x - c|:

    D0 = m*A + (m - 2n) * (S - m*c).

With the factor l = sqrt(pi/2) of Theorem 1, sigma = l * s with s = mean|x - mu|. The hardware keeps s and puts 1 / l
into kappa: 1/sigma = kappa * R with R = 1 / (m^2*s + E), kappa = m^2 / l, E = eps * m^2 / l. So HM * R =
l * mean(g * xhat), which is just what Eq. 15 needs in its last term once sigma has the factor.
"""

from __future__ import annotations

from functools import partial

from hwnorm.ir import Graph, Node, absolute, align, cast, elem, layer, named, select, sign, stat, total
from hwnorm.norms import gradients, printed
from hwnorm.norms.datapath import INV_M, M, Mean, Pick, Statistic, divisor, forward, inverse, mean_of, normalise, picker
from hwnorm.norms.form import Form


def deviation_bound(bits: int, m: int) -> tuple[int, int]:
    """Of m * sum|x - mu|: most where half of the elements stand at either rail."""
    return 0, m * m * ((1 << bits) - 1) // 2


SCALE = layer("l1_scale", lambda g: g.l1_scale, "real")
KAPPA = layer("kappa", lambda g: g.m_squared / g.l1_scale, "kappa")
E = layer("E", lambda g: g.eps * g.m_squared / g.l1_scale, bound=deviation_bound)
DGAMMA_SCALE = layer("dgamma_scale", lambda g: g.s / g.l1_scale, "kappa")


# As printed


def printed_forward(per_element: bool = False, sampled: bool = False, scaled: bool = False) -> Graph:
    """L1BN Eq. 9-11; with ``scaled`` the factor of Theorem 1."""
    pick, x = picker(sampled), elem("x")
    mu = named("mu", printed.mean(pick(x)))
    s = printed.mean(pick(absolute(x - mu)))
    sigma = named("sigma", (SCALE * s if scaled else s) + printed.EPS)
    xhat = named("xhat", (x - mu) / sigma)
    return Graph("l1 forward, as printed", printed.affine(xhat, sigma, per_element))


def printed_backward(per_element: bool = False, sampled: bool = False, scaled: bool = False) -> Graph:
    """L1BN Eq. 15. (Eq. 12 counts the path through mu twice; a test shows it.) sgn is three-valued."""
    pick, b = picker(sampled), printed.Backward(per_element)
    q = printed.mean(b.g * b.xhat)
    sgn = sign(b.xhat)
    through_statistics = b.mean_g + (SCALE * q if scaled else q) * (sgn - printed.mean(pick(sgn)))
    dx = (b.g - pick(through_statistics)) / b.sigma
    return Graph("l1 backward, as printed", {"dx": dx, **b.parameters})


def printed_form(per_element: bool = False, sampled: bool = False) -> Form:
    return Form(partial(printed_forward, per_element, sampled), partial(printed_backward, per_element, sampled))


# Datapaths


def positive_part(x: Node, mean: Mean, pick: Pick) -> Statistic:
    P, n = positive_sums(x, mean.c, pick)
    P, n = named("P", P), named("n", n, lambda b, m: (0, m - 1))
    D0 = named("D0", 2 * (M * P - n * mean.S), deviation_bound)
    return statistic(mean, n, D0)


def with_abs(x: Node, mean: Mean, pick: Pick) -> Statistic:
    d = x - mean.c
    A = named("A", total(pick(absolute(d))))
    n = named("n", total(pick(d > 0)), lambda b, m: (0, m - 1))
    rest = named("rest", mean.S - M * mean.c, lambda b, m: (0, m - 1))
    D0 = named("D0", M * A + (M - 2 * n) * rest, deviation_bound)
    return statistic(mean, n, D0)


def statistic(mean: Mean, n: Node, D0: Node) -> Statistic:
    alive, D = D0 > 0, named("D", D0 + E)
    return Statistic(mean.mu, inverse(alive, D), KAPPA, {"S": mean.S, "c": mean.c, "n": n}, divisor(alive, D))


def backward(per_element: bool = False) -> Graph:
    """Eq. 15 as dx = K*g - (s ? Bp : Bn): one multiplication, one select, one addition an element.

    s = (x > c), so that an element exactly at the mean counts as sgn = -1 here and in n alike, and the sum of
    sgn - mean(sgn) stays 0. mean(sgn) = 2n/m - 1.
    """
    x, d = elem("x"), gradients.incoming(per_element)
    sums = gradients.sums(d, x)
    q = named("q", cast(sums.HM * stat("R", "saved"), "q"), gradients.mean_bound(d))
    nbar = named("nbar", cast((2 * stat("n", "saved") - M) * INV_M, "q"), lambda b, m: (-1, 1))
    drift = cast(q * nbar, "q")
    K = gradients.gain(KAPPA, per_element)
    Bp = named("Bp", align(K * (sums.a + q - drift), K))
    Bn = named("Bn", align(K * (sums.a - q - drift), K))
    dx = cast(K * d.g - select(x > stat("c", "saved"), Bp, Bn), "dx")
    dgamma = gradients.unit_output(stat("B", "saved")) if per_element else named("dgamma", q * DGAMMA_SCALE)
    return Graph("l1 backward", {"dx": dx, **gradients.parameters(dgamma, sums.W, per_element)})


def sampled_backward() -> Graph:
    """The same where statistics look at a sample: qp = q (1 - mean(sgn)) = 2q (m - n) / m, qn = q (1 + mean(sgn))."""
    x, n, d = elem("x"), stat("n", "saved"), gradients.incoming(per_element=False)
    sums = gradients.sums(d, x, sampled=True)
    q = gradients.quotient("q", sums.HM, stat("divisor", "saved"), gradients.sampled_bound(d))
    twice = gradients.sampled_bound(d, 2)
    qp = named("qp", cast(2 * (q * (M - n)) * INV_M, "q"), twice)
    qn = named("qn", cast(2 * (q * n) * INV_M, "q"), twice)
    K, Kf = gradients.gain(KAPPA, per_element=False), gradients.fine_gain(KAPPA)
    Bp = named("Bp", align(Kf * (sums.a + qp), K, "through"))
    Bn = named("Bn", align(Kf * (sums.a - qn), K, "through"))
    dx = cast(K * d.g - picker(sampled=True)(select(x > stat("c", "saved"), Bp, Bn)), "dx")
    dgamma = named("dgamma", q * DGAMMA_SCALE)
    return Graph("l1 backward, sampled", {"dx": dx, "dgamma": dgamma, "dbeta": sums.W})


# One read fewer: a pivot from the previous batch

WINDOW = layer("window", lambda g: g.window, bound=lambda b, m: (0, (1 << b) - 1))


def pivot_forward() -> Graph:
    """P and n are collected in the first sweep already, against a pivot c0 near the mean: the previous batch's c.

    Where no x lies between c0 and mu (always so for c0 = c) the result is that of the other forms, to the bit. Where
    |c - c0| exceeds the window the group is swept a second time with c itself. Between, D0 is smaller than it should be
    by at most 2*m*window for every x between c0 and mu; with the default window of 0 nothing ever is.
    """
    x, c0 = elem("x"), stat("c0", "x")
    mean = mean_of(x, picker(sampled=False))
    P0, n0 = positive_sums(x, c0)
    miss = named("miss", absolute(mean.c - c0) > WINDOW)
    P1, n1 = positive_sums(x, mean.c)
    P, n = named("P", select(miss, P1, P0)), named("n", select(miss, n1, n0))
    D0 = named("D0", 2 * (M * P - n * mean.S), deviation_bound)
    outputs = normalise(x, statistic(mean, n, D0), per_element=False)
    return Graph("l1 forward, pivot", outputs | {"c": select(miss, mean.c, c0), "next_pivot": mean.c})


def positive_sums(x: Node, threshold: Node, pick: Pick = lambda v: v) -> tuple[Node, Node]:
    above = x > threshold
    return total(pick(select(above, x, 0))), total(pick(above))


def forms(per_element: bool = False, sampled: bool = False) -> dict[str, Form]:
    """Both datapaths. Inference of an L1 norm needs no statistic, so that the catalogue says which it is."""
    gradient = sampled_backward if sampled else partial(backward, per_element)
    return {
        "positive-part": Form(partial(forward, "l1", positive_part, per_element, sampled), gradient),
        "abs": Form(partial(forward, "l1", with_abs, per_element, sampled), gradient),
    }
