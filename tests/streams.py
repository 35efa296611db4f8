"""Streams of integers for the tests: seven distributions of x, several of dy, parameters up to their limits."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
DISTRIBUTIONS = ("gaussian", "uniform", "heavy-tailed", "relu", "near-constant", "two-valued", "all-extreme")
GRADIENTS = ("gaussian", "heavy-tailed", "all-extreme", "as-x", "against-sign", "one-hot", "small")


def rails(bits: int) -> tuple[int, int]:
    return -1 << (bits - 1), (1 << (bits - 1)) - 1


def clipped(values: Array, bits: int) -> Array:
    return np.clip(np.round(values), *rails(bits)).astype(np.int64)


def activations(kind: str, rng: np.random.Generator, groups: int, m: int, bits: int) -> Array:
    lim, shape = 1 << (bits - 1), (groups, m)
    match kind:
        case "gaussian":
            x = rng.normal(rng.uniform(-0.3, 0.3, (groups, 1)) * lim, rng.uniform(0.02, 0.35, (groups, 1)) * lim, shape)
        case "uniform":
            x = rng.uniform(-lim, lim, shape)
        case "heavy-tailed":
            x = rng.standard_t(2, shape) * lim * 0.05
        case "relu":
            x = np.maximum(rng.normal(0, lim * 0.4, shape), 0)
        case "near-constant":
            level = rng.integers(-lim, lim - 1, (groups, 1))
            often = rng.choice([1 / m, 2 / m, 0.1, 0.3, 0.5], (groups, 1))
            x = level + (rng.random(shape) < often)
        case "two-valued":
            low, high = (rng.integers(-lim, lim, (groups, 1)) for _ in range(2))
            x = np.where(rng.random(shape) < rng.uniform(0.02, 0.98, (groups, 1)), low, high)
        case "all-extreme":
            x = np.where(rng.random(shape) < rng.choice([0.5, 0.01, 0.99], (groups, 1)), lim, -lim)
        case other:
            raise ValueError(other)
    return clipped(np.asarray(x), bits)


def gradients(kind: str, rng: np.random.Generator, x: Array, bits: int) -> Array:
    lim = 1 << (bits - 1)
    match kind:
        case "gaussian":
            dy = rng.normal(0, lim * 0.3, x.shape)
        case "heavy-tailed":
            dy = rng.standard_t(2, x.shape) * lim * 0.03
        case "all-extreme":
            dy = np.where(rng.random(x.shape) < 0.5, lim, -lim)
        case "as-x":  # mean(dy * xhat) at its largest
            dy = x.astype(np.float64)
        case "against-sign":
            dy = np.where(x > x.mean(axis=1, keepdims=True), -lim, lim)
        case "one-hot":
            dy = np.zeros(x.shape)
            dy[np.arange(len(x)), rng.integers(0, x.shape[1], len(x))] = -lim
        case "small":
            dy = rng.normal(0, 0.7, x.shape)
        case other:
            raise ValueError(other)
    return clipped(np.asarray(dy), bits)


def parameters(rng: np.random.Generator, size: int, bits: int, guard: int, y_frac: int) -> tuple[Array, Array]:
    """gamma and beta exactly as registers hold them: both signs, some at the limits, some tiny or 0."""
    frac, most = bits + 2, (1 << (bits + 4)) - 1
    gamma = np.round(rng.choice([1, -1], size) * rng.uniform(0.1, 3.99, size) * 2**frac)
    special = rng.random(size) < 0.15
    gamma = np.where(special, rng.choice([most, -most - 1, 1, -1, 0], size), gamma) * 2.0**-frac
    beta = np.round(rng.uniform(-1, 1, size) * 2.0 ** (y_frac + guard)) * 2.0 ** -(y_frac + guard)
    limit = (1 << (bits + guard)) - 1
    beta = np.where(rng.random(size) < 0.1, rng.choice([limit, -limit - 1], size) * 2.0 ** -(y_frac + guard), beta)
    return gamma, beta
