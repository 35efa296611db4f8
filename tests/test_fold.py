"""Inference by running statistics: scale and shift against the real function, thresholds equal to it everywhere."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import streams
import truth

from hwnorm.engine import Engine
from hwnorm.norms import fold

FOLDED = ("l2", "l1", "range", "l2-fs", "l1-bs", "range-ns", "l2-vdn")
EVERY_X = np.arange(-128, 128)


@pytest.mark.parametrize("norm", FOLDED)
@pytest.mark.parametrize("bits", [4, 8, 12, 16, 24])
def test_scale_and_shift(norm: str, bits: int) -> None:
    """y = gamma * (x - mean) / sigma + beta in long double, epsilon as the norm has it: within 0.70 LSB."""
    rng, groups, m, eps = np.random.default_rng(bits), 24, 64, 1e-5
    engine, fy = Engine(norm, bits, m, eps=eps, checked=True), truth.y_frac(bits)
    x = streams.activations("uniform", rng, groups, m, bits)
    gamma, beta = streams.parameters(rng, groups, bits, 4, fy)
    mean, deviation = rng.uniform(-1, 1, groups) * 2.0 ** (bits - 2), rng.uniform(0.5, 2.0 ** (bits - 1), groups)
    deviation[0] = 0.01  # the gain clamps, unless gamma is small
    y = engine.inference(x, gamma, beta, mean=mean, deviation=deviation)
    sigma = np.sqrt(deviation.astype(truth.LONG) ** 2 + eps) if truth.statistic_of(norm) == "l2" else deviation + eps
    gain = gamma / sigma
    live = np.abs(gain) * 2.0**fy < 2 ** (bits + 1) - 1
    exact = (gain[:, None] * (x - mean[:, None]) + beta[:, None]) * 2.0**fy
    errors = np.abs(y - np.clip(exact, *streams.rails(bits)))[live]
    assert live.sum() > 12
    assert errors.max() <= 0.70
    real = engine.exact.inference(x, gamma, beta, mean=mean, deviation=deviation)
    np.testing.assert_allclose(real * 2.0**fy, exact.astype(float), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("norm", FOLDED)
@pytest.mark.parametrize("bits", [4, 8, 12, 16, 24])
def test_scale_and_shift_of_a_steep_gain_far_from_zero(norm: str, bits: int) -> None:
    """The shift goes with the scale as it is held: what its rounding lacks, times the mean, is many LSBs."""
    rng, groups, fy = np.random.default_rng(bits), 200, truth.y_frac(bits)
    engine = Engine(norm, bits, 64, eps=0, checked=True)
    gamma, beta = streams.parameters(rng, groups, bits, 4, fy)
    mean = rng.choice([-1, 1], groups) * rng.uniform(0.7, 0.85, groups) * 2.0 ** (bits - 1)
    deviation = np.abs(gamma) * 2.0 ** (fy - bits - 1) * rng.uniform(1.01, 8, groups)
    x = np.floor(mean).astype(int)[:, None] + np.arange(2)
    y = engine.inference(x, gamma, beta, mean=mean, deviation=deviation)
    exact = engine.exact.inference(x, gamma, beta, mean=mean, deviation=deviation) * 2.0**fy
    assert np.abs(y - np.clip(exact, *streams.rails(bits))).max() <= 0.70


@pytest.mark.parametrize("norm", ["l1", "l2", "range"])
def test_scale_and_shift_of_a_gain_that_clamps(norm: str) -> None:
    """Nearly constant: where the gain is less than it should be, y is less far from beta, as in training."""
    x, engine = np.full((1, 1000), 10), Engine(norm, 8, 1000)
    x[0, 0] = 11
    spread = {"l2": x.std(), "l1": np.abs(x - x.mean()).mean() * truth.L1_SCALE, "range": 1 / np.sqrt(2 * np.log(1000))}
    y = engine.inference(x, mean=x.mean(), deviation=spread[norm])
    np.testing.assert_array_equal(y, engine.forward(x).y)


def test_scale_and_shift_of_a_group_that_never_varied() -> None:
    """A running deviation of 0 without epsilon: the output is beta, as in training."""
    y = Engine("l2", 8, 4, eps=0, checked=True).inference(EVERY_X[None, :4], 1.0, 0.5, mean=3, deviation=0)
    assert (y == 16).all()


def test_inference_of_the_batch_statistics_is_the_forward_pass() -> None:
    """With the batch's own mean and deviation inference differs from training by both roundings at most."""
    rng = np.random.default_rng(3)
    x = streams.activations("gaussian", rng, 8, 500, 8)
    for norm, deviation in (("l2", x.std(axis=1)), ("l1", None), ("range", None)):
        engine = Engine(norm, 8, 500, eps=0, checked=True)
        if deviation is None:
            centred = np.abs(x - x.mean(axis=1, keepdims=True)).mean(axis=1) * truth.L1_SCALE
            reach = (x.max(axis=1) - x.min(axis=1)) / np.sqrt(2 * np.log(500))
            deviation = centred if norm == "l1" else reach
        y = engine.inference(x, 1.5, 0.25, mean=x.mean(axis=1), deviation=deviation)
        assert np.abs(y.astype(int) - engine.forward(x, 1.5, 0.25).y).max() <= 1


@pytest.mark.parametrize("norm", ["layer", "layer-l1", "group", "instance", "rms"])
def test_statistics_of_the_sample_are_taken_at_inference_too(norm: str) -> None:
    rng = np.random.default_rng(4)
    x = streams.activations("gaussian", rng, 4, 96, 8)
    engine = Engine(norm, 8, 96, checked=True)
    np.testing.assert_array_equal(engine.inference(x, 1.25, -0.5), engine.forward(x, 1.25, -0.5).y)


def test_mean_only_inference() -> None:
    x = EVERY_X.reshape(1, -1)
    y = Engine("mean-only", 8, 256, checked=True).inference(x, beta=2.0, mean=-3.5)
    np.testing.assert_array_equal(y, np.clip(np.floor(x + 2.0 + 3.5 + 0.5), -128, 127))


# Thresholds

GAMMAS = [Fraction(v) for v in ("1", "-1", "0", "3.9990234375", "-4", "0.0009765625", "-0.0009765625", "-0.375")]
BETAS = [Fraction(v) for v in ("0", "0.5", "-0.5", "1.25", "-7.5", "7.9921875")]
MEANS = [Fraction(v) for v in ("0", "2.5", "-100.25", "127", "-128", "0.3333")]
SIGMAS = [Fraction(v) for v in ("1", "0.125", "37.5", "4000")]


def sign(v: Fraction) -> int:
    return 1 if v >= 0 else -1


def ternary(v: Fraction, delta: Fraction) -> int:
    return int(v > delta) - int(v < -delta)


def engine_for(norm: str, **options: Any) -> Engine:
    return Engine(norm, 8, 256, eps=0, checked=True, **options)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_one_threshold_is_sign_of_the_real_function(gamma: Fraction) -> None:
    """Every x of 8 bits, on engines: gamma of either sign and 0, thresholds between, at and past the rails."""
    cases = list(product(BETAS, MEANS, SIGMAS))
    # The engine quantises gamma and beta to their registers; these values are held exactly.
    betas, means, sigmas = (np.array([float(case[i]) for case in cases]) for i in range(3))
    x = np.broadcast_to(EVERY_X, (len(cases), 256))
    y = engine_for("fold-sign").inference(x, float(gamma), betas, mean=means, deviation=sigmas)
    for row, beta, mean, sigma in zip(y, betas, means, sigmas, strict=True):
        real = [gamma * (int(v) - Fraction(mean)) / Fraction(sigma) + Fraction(beta) for v in EVERY_X]
        assert row.tolist() == [sign(v) for v in real], (gamma, beta, mean, sigma)


@pytest.mark.parametrize("delta", [Fraction(1, 2), Fraction(0), Fraction(7, 10), Fraction(3)])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_two_thresholds_are_the_ternary_quantizer(gamma: Fraction, delta: Fraction) -> None:
    cases = list(product(BETAS, MEANS[:4], SIGMAS))
    betas, means, sigmas = (np.array([float(case[i]) for case in cases]) for i in range(3))
    x = np.broadcast_to(EVERY_X, (len(cases), 256))
    engine = engine_for("fold-ternary", delta=float(delta))
    y = engine.inference(x, float(gamma), betas, mean=means, deviation=sigmas)
    exact_delta = Fraction(float(delta))
    for row, beta, mean, sigma in zip(y, betas, means, sigmas, strict=True):
        real = [gamma * (int(v) - Fraction(mean)) / Fraction(sigma) + Fraction(beta) for v in EVERY_X]
        assert row.tolist() == [ternary(v, exact_delta) for v in real], (gamma, beta, mean, sigma, delta)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("at", [-130, -129, -128, -127, 0, 126, 127, 128, 129, 10**9])
def test_thresholds_at_and_over_the_rails(at: int, side: int) -> None:
    """z = 0 exactly at x = at: the tie counts as +1, on the side of gamma that it is on, however far out."""
    x = EVERY_X.reshape(1, -1)
    y = engine_for("fold-sign").inference(x, side, 0, mean=at, deviation=1)
    assert y[0].tolist() == [1 if side * (v - at) >= 0 else -1 for v in EVERY_X.tolist()]
    t = engine_for("fold-ternary", delta=1.0).inference(x, side, 0, mean=at, deviation=1)
    assert t[0].tolist() == [ternary(Fraction(side * (v - at)), Fraction(1)) for v in EVERY_X.tolist()]


def test_gamma_zero_or_a_dead_channel_is_a_constant() -> None:
    x = EVERY_X.reshape(1, -1)
    for gamma, deviation, beta in product((0.0, 1.0), (0.0, 2.0), (-0.75, 0.0, 0.75)):
        if gamma and deviation:
            continue
        y = engine_for("fold-sign").inference(x, gamma, beta, mean=5, deviation=deviation)
        assert (y == sign(Fraction(beta))).all()
        t = engine_for("fold-ternary").inference(x, gamma, beta, mean=5, deviation=deviation)
        assert (t == ternary(Fraction(beta), Fraction(1, 2))).all()


def test_host_side_is_exact_in_fractions() -> None:
    """The thresholds are integers that put every integer where the real comparison has it, for any rationals."""
    rng = np.random.default_rng(11)
    for _ in range(300):
        numbers = [Fraction(int(rng.integers(-999, 999)), int(rng.integers(1, 99))) for _ in range(3)]
        sigma, delta = Fraction(int(rng.integers(1, 999)), 97), Fraction(int(rng.integers(0, 99)), 31)
        gamma, beta, mean = numbers
        one = fold.sign_threshold(gamma, beta, mean, sigma)
        two = fold.ternary_thresholds(gamma, beta, mean, sigma, delta)
        for v in range(-300, 301, 7):
            z = gamma * (v - mean) / sigma + beta
            assert (one["up"] if v > one["T"] else one["down"]) == sign(z)
            low = two["middle"] if v > two["T0"] else two["low"]
            assert (two["high"] if v > two["T1"] else low) == ternary(z, delta)
