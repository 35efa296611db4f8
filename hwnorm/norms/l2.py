"""L2 batch norm and its relatives: sigma is the root of the mean square.

    V0 = m^2 * var = m*Q - S^2        Q = sum x^2: one pass, exact integers, nothing cancels
                   = m*Q2 - (S - m*c)^2, Q2 = sum (x - c)^2: two passes, squares of centred values
    D = sqrt(V0 + E) = m*sigma,  E = eps * m^2,  1/sigma = kappa * R with R = 1/D, kappa = m

RMS norm is the one-pass form with mu = 0: V0 = m*Q.
"""

from __future__ import annotations

from functools import partial
from math import isqrt

from hwnorm.ir import Graph, Node, align, cast, elem, layer, named, root, square, stat, total
from hwnorm.norms import gradients, printed
from hwnorm.norms.datapath import INV_M, M, Mean, Pick, Statistic, divisor, forward, inverse, normalise, picker
from hwnorm.norms.form import Form


def variance_bound(bits: int, m: int) -> tuple[int, int]:
    """Of m * sum (x - mu)**2, most where half of the elements stand at either rail."""
    return 0, (m * ((1 << bits) - 1)) ** 2 // 4


KAPPA = layer("kappa", lambda g: g.s, "kappa")
E = layer("E", lambda g: g.eps * g.m_squared, bound=variance_bound)


# As printed


def printed_forward(per_element: bool = False, sampled: bool = False) -> Graph:
    """L1BN Eq. 3-6."""
    pick, x = picker(sampled), elem("x")
    mu = named("mu", printed.mean(pick(x)))
    var = printed.mean(pick(square(x - mu)))
    sigma = named("sigma", root(var + printed.EPS))
    xhat = named("xhat", (x - mu) / sigma)
    return Graph("l2 forward, as printed", printed.affine(xhat, sigma, per_element))


def printed_backward(per_element: bool = False, sampled: bool = False) -> Graph:
    """QuantBN Eq. 1, which is L1BN Eq. 8 reduced; with a sample, Sampling Eq. 6."""
    pick, b = picker(sampled), printed.Backward(per_element)
    through_statistics = b.mean_g + b.xhat * printed.mean(b.g * b.xhat)
    dx = (b.g - pick(through_statistics)) / b.sigma
    return Graph("l2 backward, as printed", {"dx": dx, **b.parameters})


def printed_rms_forward() -> Graph:
    """RMSNorm Eq. 4 (Zhang and Sennrich 2019); beta is 0 where a network has none."""
    x = elem("x")
    sigma = named("sigma", root(printed.mean(square(x)) + printed.EPS))
    return Graph("rms forward, as printed", printed.affine(named("xhat", x / sigma), sigma, per_element=True))


def printed_rms_backward() -> Graph:
    b = printed.Backward(per_element=True)
    dx = (b.g - b.xhat * printed.mean(b.g * b.xhat)) / b.sigma
    return Graph("rms backward, as printed", {"dx": dx, **b.parameters})


def printed_form(per_element: bool = False, sampled: bool = False) -> Form:
    return Form(partial(printed_forward, per_element, sampled), partial(printed_backward, per_element, sampled))


# Datapaths


def one_pass(x: Node, mean: Mean, pick: Pick) -> Statistic:
    Q = named("Q", total(pick(square(x))))
    return statistic(M * Q - square(mean.S), mean)


def two_pass(x: Node, mean: Mean, pick: Pick) -> Statistic:
    Q2 = named("Q2", total(pick(square(x - mean.c))))
    rest = named("rest", mean.S - M * mean.c, lambda b, m: (0, m - 1))
    return statistic(M * Q2 - square(rest), mean)


def statistic(scaled_variance: Node, mean: Mean | None) -> Statistic:
    V0 = named("V0", scaled_variance, variance_bound if mean else None)
    alive, V = V0 > 0, named("V", V0 + E)
    R = inverse(alive, named("D", root(V)))
    saved = {"S": mean.S, "mu": mean.mu} if mean else {}
    return Statistic(mean.mu if mean else None, R, KAPPA, saved, divisor(alive, V))


def rms_forward() -> Graph:
    x = elem("x")
    Q = named("Q", total(square(x)))
    return Graph("rms forward", normalise(x, statistic(M * Q, None), per_element=True))


def backward(per_element: bool = False) -> Graph:
    """dx = K*g - (J*x + C): xhat is x once more, so J = K*q/sigma and C = K*a - J*mu, with guard bits of their own."""
    x, d = elem("x"), gradients.incoming(per_element)
    sums = gradients.sums(d, x)
    q = mean_gradient(sums.HM, d)
    K = gradients.gain(KAPPA, per_element)
    J = slope(K, q, per_element)
    C = named("C", align(K * sums.a, J) - align(J * stat("mu", "saved"), J))
    dx = cast(K * d.g - align(J * x + C, K), "dx")
    dgamma = gradients.unit_output(stat("B", "saved")) if per_element else named("dgamma", q * KAPPA)
    return Graph("l2 backward", {"dx": dx, **gradients.parameters(dgamma, sums.W, per_element)})


def sum_of_outputs(b: int, m: int) -> int:
    """|xhat| of the m - s elements outside a sample is at most 2**b * s / sqrt(s - 1), most where s is a third of m."""
    return (2 * m * isqrt(m) // 5 + m) << b


def sampled_backward() -> Graph:
    """The same where statistics look at a sample: q / sigma = HM / V, exactly.

    J clips where that passes twice the largest g, in samples that are nearly constant: to hold it, every lane's
    multiplier would need ceil(log2 m) + 2 bits more.
    """
    x, d = elem("x"), gradients.incoming(per_element=False)
    sums = gradients.sums(d, x, sampled=True)
    pull = gradients.quotient("pull", sums.HM, stat("divisor", "saved"), gradients.sampled_bound(d, 2))
    K, Kf = gradients.gain(KAPPA, per_element=False), gradients.fine_gain(KAPPA)
    J = named("J", align(Kf * pull, K, "slope"))
    C = named("C", align(Kf * sums.a, J, "through") - align(J * stat("mu", "saved"), J))
    dx = cast(K * d.g - picker(sampled=True)(align(J * x + C, K)), "dx")
    dgamma = named("dgamma", cast(sums.HM * stat("R", "saved"), "q"), d.bound(sum_of_outputs))
    return Graph("l2 backward, sampled", {"dx": dx, "dgamma": dgamma, "dbeta": sums.W})


def rms_backward() -> Graph:
    """As l2 without the mean: a = 0, mu = 0."""
    x, d = elem("x"), gradients.incoming(per_element=True)
    HM = named("HM", M * named("U", total(d.g * x)))
    K = gradients.gain(KAPPA, per_element=True)
    J = slope(K, mean_gradient(HM, d), per_element=True)
    dx = cast(K * d.g - align(J * x, K), "dx")
    return Graph("rms backward", {"dx": dx, **gradients.parameters(gradients.unit_output(None), HM, per_element=True)})


def mean_gradient(HM: Node, d: gradients.Gradient) -> Node:
    """q = mean(g * xhat)."""
    return named("q", cast(HM * INV_M * stat("R", "saved"), "q"), gradients.mean_bound(d))


def slope(K: Node, q: Node, per_element: bool) -> Node:
    """J = K * q / sigma, at K's scale with guard bits.

    It is at most K * 2 * max|g|, however long the group: |q| / sigma <= max|g| * mean|x - mu| / var, and for integers x

        mean|x - mu| <= 2 * var.

    Proof: with f = mu - floor(mu) and x - mu = k - f, the sum of (x - mu)^2 - |x - mu| / 2 - (1/2 - f) * (x - mu) has
    terms (k - f) * (k - 1) for k >= 1 and (k - f) * k for k <= 0, none of them negative, and its last part sums to 0.
    """
    return named("J", align(K * q * KAPPA * stat("R", "saved"), K, "slope_hat" if per_element else "slope"))


def forms(per_element: bool = False, sampled: bool = False) -> dict[str, Form]:
    gradient = sampled_backward if sampled else partial(backward, per_element)
    return {
        "one-pass": Form(partial(forward, "l2", one_pass, per_element, sampled), gradient),
        "two-pass": Form(partial(forward, "l2", two_pass, per_element, sampled), gradient),
    }
