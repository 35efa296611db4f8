"""Running statistics: the update's equation, its convergence, and what it hands to inference."""

from __future__ import annotations

import numpy as np
import pytest

from hwnorm.engine import GAUSSIAN, Engine

RNG = np.random.default_rng(5)
X = np.clip(np.round(RNG.normal(9, 25, (5, 64))), -128, 127).astype(np.int64)


def spread_of(norm: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    match norm:
        case "l1":
            return GAUSSIAN * np.abs(centred).mean(axis=1)
        case "l2":
            return np.square(centred).mean(axis=1)
        case _:
            return (x.max(axis=1) - x.min(axis=1)) / np.sqrt(2 * np.log(x.shape[1]))


@pytest.mark.parametrize("bits", [1, 3, 7])
@pytest.mark.parametrize("norm", ["l1", "l2", "range"])
def test_a_step_is_2_to_the_minus_k_of_the_difference(norm: str, bits: int) -> None:
    engine = Engine(norm, 8, 64, momentum_bits=bits, checked=True)
    saved = engine.forward(X, running={"mean": 3.0, "spread": 40.0}).saved.values
    last = 2.0 ** -max(engine.precision.bits + engine.precision.guard + 1, bits + 5)
    mean, spread = (saved[f"next_{name}"].real()[:, 0] for name in ("mean", "spread"))
    assert np.abs(mean - (3 + (X.mean(axis=1) - 3) / 2**bits)).max() <= last
    # the host's 1 / kappa has 2b+g+2 bits: its error is far below the last bit of what it scales
    assert np.abs(spread - (40 + (spread_of(norm, X) - 40) / 2**bits)).max() <= last + 1e-4


def test_they_do_not_stick_before_they_arrive() -> None:
    engine, mean, spread = Engine("l1", 8, 64, momentum_bits=7), 0.0, 0.0
    for _ in range(2500):
        saved = engine.forward(X[:1], running={"mean": mean, "spread": spread}).saved.values
        mean, spread = (float(saved[f"next_{name}"].real()[0, 0]) for name in ("mean", "spread"))
    assert mean == pytest.approx(X[0].mean(), abs=0.05)
    assert spread == pytest.approx(spread_of("l1", X[:1])[0], abs=0.05)


@pytest.mark.parametrize("bits", [20, 24])
def test_a_spread_of_more_than_64_bits(bits: int) -> None:
    """Of l2 at many bits: its register, with the fraction, has up to 80."""
    engine = Engine("l2", bits, 64, momentum_bits=1, checked=True)
    x = np.random.default_rng(1).integers(-(1 << (bits - 1)), 1 << (bits - 1), (2, 64))
    spread = np.zeros(2)
    for _ in range(30):
        spread = (
            engine.forward(x, running={"mean": x.mean(axis=1), "spread": spread}).saved.values["next_spread"].real()
        )
        spread = np.asarray(spread, dtype=float)[:, 0]
    np.testing.assert_allclose(spread, x.var(axis=1), rtol=1e-6)


def test_mean_only_keeps_a_mean() -> None:
    saved = Engine("mean-only", 8, 64, momentum_bits=2).forward(X, running={"mean": 0.0}).saved.values
    assert "next_spread" not in saved and "next_mean" in saved


def test_who_keeps_none_says_so() -> None:
    with pytest.raises(ValueError, match="norm 'rms' keeps no running statistics"):
        Engine("rms", 8, 64, momentum_bits=3).forward(X)
    with pytest.raises(ValueError, match="has no use for running here"):
        Engine("l1", 8, 64).forward(X, running={"mean": 0.0})
    for wrong in (0, 17, 3.0, True):
        with pytest.raises(ValueError, match=f"momentum_bits must be 1 to 16, not {wrong}"):
            Engine("l1", 8, 64, momentum_bits=wrong)  # type: ignore[arg-type]
    keeps = Engine("l1", 8, 64, momentum_bits=3)
    with pytest.raises(ValueError, match="there is no running 'deviation' here: known: mean, spread"):
        keeps.forward(X, running={"mean": 0.0, "deviation": 3.0})
    with pytest.raises(ValueError, match="running spread must be at least 0, not -1"):
        keeps.forward(X, running={"spread": -1.0})
