"""Least squares without negative coefficients, by their optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest

from hwnorm.cost.nnls import fit, nnls


@pytest.mark.parametrize("seed", range(20))
def test_no_step_in_any_allowed_direction_helps(seed: int) -> None:
    """Karush, Kuhn, Tucker: the gradient is 0 where x is free, and not positive where x is 0."""
    rng = np.random.default_rng(seed)
    a, y = rng.normal(size=(30, 8)), rng.normal(size=30)
    x = nnls(a, y)
    gradient = a.T @ (y - a @ x)
    assert (x >= 0).all()
    assert np.abs(gradient[x > 0]).max(initial=0) < 1e-8
    assert gradient[x == 0].max(initial=-1) < 1e-7


def test_what_is_positive_anyway_is_found() -> None:
    rng = np.random.default_rng(0)
    a, x = rng.random((40, 6)), np.arange(1.0, 7.0)
    assert nnls(a, a @ x) == pytest.approx(x)


def test_what_the_rows_do_not_tell_apart_stays_at_its_prior() -> None:
    a = np.array([[1.0, 1.0], [2.0, 2.0]])
    x = fit(a, np.array([6.0, 12.0]), np.ones(2), np.array([1.0, 3.0]), 1e-3)
    assert x == pytest.approx([2.0, 4.0], rel=1e-3)
