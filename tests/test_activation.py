"""An activation that is fused with y is what it would be behind it, in integers and in float64."""

from __future__ import annotations

import numpy as np
import pytest

from hwnorm.engine import Engine

RNG = np.random.default_rng(11)
X = RNG.integers(-128, 128, (6, 40))
GAMMA, BETA = RNG.uniform(-2, 2, 6), RNG.uniform(-1, 1, 6)
NORMS = ("l1", "l2", "range", "instance", "mean-only", "layer", "rms")


def behind(y: np.ndarray, activation: str, one: float, delta: float) -> np.ndarray:
    match activation:
        case "relu":
            return np.maximum(y, 0)
        case "srelu":
            return np.maximum(y, -one)
        case "sign":
            return np.where(y < 0, -1, 1)
        case _:
            return np.where(y > delta, 1, np.where(y < -delta, -1, 0))


@pytest.mark.parametrize("activation", ["relu", "srelu", "sign", "ternary"])
@pytest.mark.parametrize("norm", NORMS)
def test_fused_is_behind(norm: str, activation: str) -> None:
    plain = Engine(norm, 8, 40)
    if norm == "mean-only" and activation in ("srelu", "ternary"):
        with pytest.raises(ValueError, match=r"has to know what 1\.0 is"):
            Engine(norm, 8, 40, activation=activation).forward(X)
        return
    fused = Engine(norm, 8, 40, activation=activation, delta=0.75, checked=True)
    arguments = () if plain.norm.affine == "element" else (GAMMA, BETA)
    one = 2.0**plain.precision.y_frac
    y = behind(plain.forward(X, *arguments).y, activation, one, 0.75 * one)
    assert (fused.forward(X, *arguments).y == y).all()
    exact = behind(plain.exact.forward(X, *arguments).y, activation, 1.0, 0.75)
    assert np.allclose(fused.exact.forward(X, *arguments).y, exact)


def test_what_is_fused_comes_at_inference_too() -> None:
    folded = {"mean": X.mean(axis=1), "deviation": X.std(axis=1)}
    plain = Engine("l2", 8, 40).inference(X, GAMMA, BETA, **folded)
    assert (Engine("l2", 8, 40, activation="relu").inference(X, GAMMA, BETA, **folded) == np.maximum(plain, 0)).all()


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown activation 'relo': did you mean 'relu'"):
        Engine("l1", 8, 40, activation="relo")
