"""An independent truth for the tests: the papers' equations in long double, written without a line of hwnorm.

Statistics start from exact integer sums. Two things are taken as the hardware has them, because docs/numerics.md says
so: epsilon is the integer E that stands in its register, and an element exactly at its mean has sgn = -1. Arrays have
shape (groups, elements); results are in units of y = 1 and of dy's LSB over x's LSB.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, log, pi, sqrt
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
LONG = np.longdouble
L1_SCALE = sqrt(pi / 2)

PER_ELEMENT = ("layer", "layer-l1", "group", "rms")
STATISTIC = {"layer": "l2", "group": "l2", "instance": "l2", "layer-l1": "l1"}
NORMS = ("l2", "l1", "range", "mean-only", "layer", "layer-l1", "group", "instance", "rms")
SAMPLED = tuple(f"{norm}-{kind}" for norm in ("l2", "l1", "range") for kind in ("ns", "bs", "fs", "vdn"))
WITHOUT_STATISTICS = ("srelu", "final-only", "scale")
ALL = NORMS + SAMPLED + WITHOUT_STATISTICS


def statistic_of(norm: str) -> str:
    """Which deviation a norm divides by: l2, l1, range, rms, or none of them."""
    return STATISTIC.get(norm, norm.split("-")[0] if norm in SAMPLED else norm)


def held_eps(norm: str, m: int, guard: int, eps: float, scale: float = L1_SCALE) -> float:
    """Epsilon in x's LSB (squared where it stands under the root), as the integer register E leaves it."""
    match statistic_of(norm):
        case "l1":
            return floor(Fraction(eps * m * m / scale) + Fraction(1, 2)) * scale / (m * m)
        case "range":
            inverse = sqrt(2 * log(m))
            return floor(eps * inverse * 2**guard + 0.5) / 2**guard / inverse if m > 1 else 0.0
        case "l2" | "rms":
            return floor(Fraction(eps * m * m) + Fraction(1, 2)) / (m * m)
        case _:
            return 0.0


@dataclass
class Group:
    """Everything about groups of x that an output or a gradient needs."""

    norm: str
    x: Array  # integers
    d: Array  # x - mu
    xhat: Array
    sigma: Array  # (groups, 1), epsilon included; 1 where the norm has none
    dead: Array  # (groups, 1): no deviation at all
    above: Array  # x > mu, exactly
    picked: Array  # (1, elements), bool: what the statistics look at
    s: int
    factor: Any  # in front of L1BN Eq. 15's last term; C of range

    @classmethod
    def of(cls, norm: str, x: Array, eps: float = 0.0, mask: Array | None = None, scale: float = L1_SCALE) -> Group:
        """``eps`` is ``held_eps`` already."""
        kind, picked = statistic_of(norm), np.ones((1, x.shape[1]), bool) if mask is None else mask.reshape(1, -1)
        x = x.astype(np.int64)
        s = int(picked.sum())
        total = np.where(picked, x, 0).sum(axis=1, keepdims=True)
        above = x * s > total
        mu = LONG(0) if kind == "rms" else total.astype(LONG) / s
        d = x.astype(LONG) - mu
        chosen = np.where(picked, d, LONG(0))
        factor: Any = LONG(1)
        dead = np.zeros((len(x), 1), bool)
        match kind:
            case "l2" | "rms":
                var = (chosen * chosen).sum(axis=1, keepdims=True) / s
                dead = ~(np.where(picked, x != (0 if kind == "rms" else x[:, picked[0]][:, :1]), False)).any(
                    axis=1, keepdims=True
                )
                sigma = np.sqrt(var + LONG(eps))
            case "l1":
                factor = LONG(scale)
                deviation = np.abs(chosen).sum(axis=1, keepdims=True) / s
                dead = ~(np.where(picked, x != x[:, picked[0]][:, :1], False)).any(axis=1, keepdims=True)
                sigma = factor * deviation + LONG(eps)
            case "range":
                factor = 1 / np.sqrt(2 * np.log(LONG(s))) if s > 1 else LONG(0)
                seen = x[:, picked[0]]
                reach = (seen.max(axis=1, keepdims=True) - seen.min(axis=1, keepdims=True)).astype(LONG)
                dead, sigma = reach == 0, factor * reach + LONG(eps)
            case _:
                sigma = np.ones((len(x), 1), LONG)
        xhat = np.where(dead, LONG(0), d / np.where(dead, LONG(1), sigma))
        return cls(norm, x, d, xhat, sigma, dead, above, picked, s, factor)

    def y(self, gamma: Array, beta: Array) -> Array:
        if self.norm == "mean-only":
            return self.d + beta
        return gamma * self.xhat + beta

    def dx(self, dy: Array, gamma: Array) -> Array:
        """By the papers' equations; of a dead group 0."""
        dy = dy.astype(LONG)
        if self.norm == "mean-only":
            return dy - dy.sum(axis=1, keepdims=True) / self.s
        g = gamma * dy
        mean_g = g.sum(axis=1, keepdims=True) / self.s
        pull = (g * self.xhat).sum(axis=1, keepdims=True)
        q = pull / self.s
        match statistic_of(self.norm):
            case "l2":
                through = mean_g + self.xhat * q
            case "rms":
                through = self.xhat * q
            case "l1":
                sgn = np.where(self.above, LONG(1), LONG(-1))
                mean_sgn = np.where(self.picked, sgn, LONG(0)).sum(axis=1, keepdims=True) / self.s
                through = mean_g + self.factor * q * (sgn - mean_sgn)
            case "range":
                through = mean_g + self.factor * pull * self.extremes()
            case other:
                raise AssertionError(other)
        dx = (g - np.where(self.picked, through, LONG(0))) / np.where(self.dead, LONG(1), self.sigma)
        return np.where(self.dead, LONG(0), dx)

    def q(self, dy: Array, gamma: Array) -> Array:
        """What the path through sigma carries, in dy's LSB: mean(g * xhat), of range C * sum(g * xhat)."""
        pull = (gamma * dy.astype(LONG) * self.xhat).sum(axis=1, keepdims=True)
        return pull * self.factor if statistic_of(self.norm) == "range" else pull / self.s

    def extremes(self) -> Array:
        """+1 at the first maximum of the sample, -1 at its first minimum."""
        columns = np.flatnonzero(self.picked[0])
        seen, rows = self.x[:, columns], np.arange(len(self.x))
        found = np.zeros(self.x.shape, LONG)
        found[rows, columns[seen.argmax(axis=1)]] = 1
        found[rows, columns[seen.argmin(axis=1)]] -= 1
        return found

    def dgamma(self, dy: Array, per_element: bool = False) -> Array:
        return (dy.astype(LONG) * self.xhat).sum(axis=0 if per_element else 1)


def y_frac(bits: int) -> int:
    """NUMERICS: fraction bits of y, two integer bits and a sign, three from 12 bits on."""
    return bits - 1 - (2 if bits < 12 else 3)


def clamps(norm: str, group: Group, gamma: Array, bits: int, guard: int) -> Array:
    """Where the gain's mantissa would need a shift below its least: (groups, 1).

    Per group K holds at most (2**(b+g) - 1) >> shmin output LSBs for an LSB of x, which is 2**(b+1) at g = 4. Norms
    with a gamma for every element hold 1/sigma alone, with as many bits above.
    """
    if norm in ("mean-only", *WITHOUT_STATISTICS):
        return np.zeros((len(group.x), 1), bool)
    most = (2 ** (bits + guard) - 1) / 2 ** max(2, guard - 1)
    scale = np.where(group.dead, LONG(0), 1 / np.where(group.dead, LONG(1), group.sigma))
    factor = LONG(1) if norm in PER_ELEMENT else np.abs(gamma)
    return np.asarray(factor * scale * 2.0 ** y_frac(bits) >= most * (1 - 2.0**-bits))


Z_MOST = 16  # z saturates at five integer bits, its sign among them


def saturates(norm: str, group: Group) -> Array:
    """Elements whose z = xhat does not fit, of norms with a gamma for every element: (groups, elements)."""
    if norm not in PER_ELEMENT:
        return np.zeros(group.x.shape, bool)
    return np.asarray(np.abs(group.xhat) >= Z_MOST - 2.0**-8)
