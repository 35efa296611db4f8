"""Inference of a batch norm, folded: running statistics make it a scale and a shift, or a threshold.

    y = scale * x + shift, scale = gamma / sigma, shift = beta - scale * mu         (L1BN Algorithm 1)
    sign(y) = up if x > T else down                                                  (QuantBN section 3)
    tern(y) = high if x > T1 else (middle if x > T0 else low)                        (QuantBN section 4, Eq. 3)

x is an integer, so a threshold is one too, and exact: the host rounds it toward the side that keeps every x where the
real comparison has it, swaps ``up`` and ``down`` for a negative gamma, and makes both sign(beta) for gamma = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor

from hwnorm.ir import Graph, align, elem, named, select, stat
from hwnorm.norms.datapath import apply
from hwnorm.norms.form import Form


def printed_scale_shift() -> Graph:
    return Graph("inference, as printed", {"y": stat("scale") * elem("x") + stat("shift")})


def scale_shift() -> Graph:
    K = stat("scale", "gain")
    B = named("B", align(stat("shift"), K, "offset"))
    return Graph("inference", {"y": apply(elem("x"), K, B, "y")})


def threshold() -> Graph:
    y = select(elem("x") > stat("T", "threshold"), stat("up", "trit"), stat("down", "trit"))
    return Graph("inference before sign", {"y": y})


def two_thresholds() -> Graph:
    x = elem("x")
    upper = select(x > stat("T0", "threshold"), stat("middle", "trit"), stat("low", "trit"))
    y = select(x > stat("T1", "threshold"), stat("high", "trit"), upper)
    return Graph("inference before a ternary quantizer", {"y": y})


SIGN = Form(inference=threshold)
TERNARY = Form(inference=two_thresholds)


# The host's side: registers from running statistics, for one group


def scale_and_shift(
    gamma: Fraction, beta: Fraction, mean: Fraction, sigma: Fraction, held: Callable[[Fraction], Fraction]
) -> dict[str, Fraction]:
    """A deviation of zero marks a group that never varied: the output is beta, as in training. ``held`` is what the
    scale's register makes of it, rounded or clamped; the shift goes with that, so that y at the mean is beta."""
    scale = held(gamma / sigma if sigma else Fraction(0))
    return {"scale": scale, "shift": beta - scale * mean}


def sign_threshold(gamma: Fraction, beta: Fraction, mean: Fraction, sigma: Fraction) -> dict[str, Fraction]:
    """sign(z) is +1 for z >= 0: where x >= b for gamma > 0, where x <= b for gamma < 0; b = mu - sigma*beta/gamma."""
    if gamma == 0 or sigma == 0:
        constant = Fraction(1 if beta >= 0 else -1)
        return {"T": Fraction(0), "up": constant, "down": constant}
    b = mean - sigma * beta / gamma
    if gamma > 0:
        return {"T": Fraction(ceil(b) - 1), "up": Fraction(1), "down": Fraction(-1)}
    return {"T": Fraction(floor(b)), "up": Fraction(-1), "down": Fraction(1)}


def ternary_thresholds(
    gamma: Fraction, beta: Fraction, mean: Fraction, sigma: Fraction, delta: Fraction
) -> dict[str, Fraction]:
    """z > delta and z < -delta, both strict, in terms of x."""
    if gamma == 0 or sigma == 0:
        constant = Fraction((beta > delta) - (beta < -delta))
        return {"T0": Fraction(0), "T1": Fraction(0), "low": constant, "middle": constant, "high": constant}
    at_minus, at_plus = (mean + sigma * (edge - beta) / gamma for edge in (-delta, delta))
    side = 1 if gamma > 0 else -1
    lower, upper = (at_minus, at_plus) if gamma > 0 else (at_plus, at_minus)
    return {
        "T0": Fraction(ceil(lower) - 1),  # x < lower: below
        "T1": Fraction(floor(upper)),  # x > upper: above
        "low": Fraction(-side),
        "middle": Fraction(0),
        "high": Fraction(side),
    }
