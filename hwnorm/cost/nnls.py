"""Least squares with coefficients that are not negative: Lawson and Hanson's active sets (1974, chapter 23)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-9


def nnls(a: Floats, y: Floats) -> Floats:
    """x >= 0 with the least |a x - y|."""
    columns = a.shape[1]
    x, free = np.zeros(columns), np.zeros(columns, bool)
    for _ in range(3 * columns + 10):
        gradient = np.where(free, -np.inf, a.T @ (y - a @ x))
        if free.all() or gradient.max() <= TOLERANCE * max(1.0, float(np.abs(y).max())):
            break
        free[int(np.argmax(gradient))] = True
        while True:
            wanted = np.zeros(columns)
            wanted[free] = np.linalg.lstsq(a[:, free], y, rcond=None)[0]
            below = free & (wanted <= 0)
            if not below.any():
                break
            reach = float(np.min(x[below] / (x[below] - wanted[below] + 1e-300)))
            x = x + reach * (wanted - x)
            free &= x > TOLERANCE
            x[~free] = 0
        x = wanted
    return x


def fit(a: Floats, y: Floats, weights: Floats, prior: Floats, strength: float) -> Floats:
    """x >= 0 that explains y, each row as important as its weight, and is near ``prior`` where the rows do not say."""
    scale = strength * (np.abs(a * weights[:, None]).max(axis=0, initial=0) + TOLERANCE)
    rows = np.vstack([a * weights[:, None], np.diag(scale)])
    return nnls(rows, np.concatenate([y * weights, scale * prior]))
