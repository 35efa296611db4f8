"""The promise of the arithmetic: |y - exact| <= 0.75 LSB and |dx - exact| <= 0.75 LSB at four guard bits.

Of what is drawn at random y keeps 0.70.

It is made wherever the gain does not clamp (sigma so small that one LSB of x moves y by its full scale) and, for norms
with a gamma for every element, where xhat stays below 16; for y, wherever gamma * xhat alone is within y's full scale
(beta can bring back a number of three times that, with three times the error of the reciprocal: 0.79 LSB was found).
What dx leaves out: groups in which the slope of a sampled l2 norm clips. The truth is tests/truth.py: the papers'
equations in long double. Every engine is ``checked``, so each value is held against its register's bounds on the way.

The default takes every width and every length below 5000, with the seven distributions in turn. ``-m long`` is
the whole grid, 401408 elements included: 3528 tests, about eight minutes on one core.
"""

from __future__ import annotations

from itertools import pairwise, product

import accuracy
import numpy as np
import pytest
import streams
import truth
from accuracy import BITS, EPS, LENGTHS, measure
from streams import DISTRIBUTIONS
from thinned import one_in

from hwnorm.engine import Engine
from hwnorm.precision import ERROR_BOUND_LSB

Y_LSB, DX_LSB = 0.70, 0.75
OFFSET_LSB = 0.01  # more, where beta brings back what gamma * xhat alone would saturate: 0.7003 was found
HUGE = LENGTHS[-1]
BUILT = ("l2", "l1", "range", "layer", "layer-l1", "rms")


def held(engine: Engine, m: int, distribution: str, seed: list[int], y: float = Y_LSB, dx: float = DX_LSB) -> int:
    found = measure(engine, m, distribution, np.random.default_rng(seed))
    where = f"{engine.norm.name}, bits {engine.precision.bits}, m {m}, {distribution}, seed {seed}"
    assert not found.y > y, f"y is off by {found.y:.3f} LSB: {where}"
    assert not found.y_offset > y + OFFSET_LSB, f"y, brought back by beta, is off by {found.y_offset:.3f} LSB: {where}"
    assert not found.dx > dx, f"dx is off by {found.dx:.3f} LSB: {where}"
    return found.compared


@pytest.mark.parametrize(("norm", "bits"), one_in(4, product(truth.ALL, BITS)))
def test_promise(norm: str, bits: int) -> None:
    compared = 0
    for i, m in enumerate(LENGTHS[:-1]):
        engine = Engine(norm, bits, m, eps=EPS, checked=True)
        compared += held(engine, m, DISTRIBUTIONS[(3 * i + bits) % 7], [bits, m])
    assert compared > 30


@pytest.mark.parametrize(("norm", "bits"), [*product(("l2", "l1", "range", "rms", "layer"), (8, 24)), ("l1-fs", 12)])
def test_promise_of_the_longest_group(norm: str, bits: int) -> None:
    engine = Engine(norm, bits, HUGE, eps=EPS, checked=True)
    held(engine, HUGE, "gaussian" if bits == 8 else "relu", [bits])


@pytest.mark.long
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("norm", truth.ALL)
def test_promise_on_the_whole_grid(norm: str, bits: int, distribution: str) -> None:
    for m in LENGTHS:
        held(Engine(norm, bits, m, eps=EPS, checked=True), m, distribution, [bits, m, 99])


@pytest.mark.parametrize(
    ("norm", "bits", "m", "distribution", "seed"),
    [
        ("l2", 16, 49, "near-constant", 37),
        ("layer-l1", 20, 49, "heavy-tailed", 46),
        ("range", 4, 256, "near-constant", 46),
        ("l1", 11, 1000, "relu", 20),
        ("l2", 20, 1000, "relu", 4),
        ("layer", 12, 1000, "near-constant", 9),
    ],
)
def test_worst_batches_found(norm: str, bits: int, m: int, distribution: str, seed: int) -> None:
    """The worst of 70 000 random batches: 0.72 LSB in y (all of them brought back by a large beta), 0.73 in dx."""
    held(Engine(norm, bits, m, eps=EPS, checked=True), m, distribution, [bits, m, seed, 78])


@pytest.mark.parametrize(
    ("bits", "guard", "m", "above", "floor", "gamma", "beta"),
    [
        (8, 4, 4593, 1086, -93, 3.8310546875, 0.134765625),
        (10, 3, 3817, 985, 348, 3.789306640625, 0.2998046875),
    ],
)
def test_worst_of_range(bits: int, guard: int, m: int, above: int, floor: int, gamma: float, beta: float) -> None:
    """The divisor is a power of two, and mu, K, B are all off to the same side: 0.73 and 0.96 LSB."""
    engine, x = Engine("range", bits, m, guard=guard, checked=True), np.full((1, m), floor)
    x[0, :above] += 1
    exact = engine.exact.forward(x, gamma, beta).y * 2.0 ** engine.formats["y"].frac
    worst = np.abs(engine.forward(x, gamma, beta).y - np.clip(exact, *streams.rails(bits))).max()
    assert worst > {4: 0.72, 3: 0.96}[guard]
    assert worst <= engine.error_bound_lsb


@pytest.mark.parametrize("norm", ["l2", "l1", "layer"])
def test_promise_within_an_engine_for_any_length(norm: str) -> None:
    engine = Engine(norm, 8, max_elements=4096, eps=EPS, checked=True)
    for m, distribution in product(LENGTHS[:-1], DISTRIBUTIONS):
        held(engine, m, distribution, [m, 5])


@pytest.mark.parametrize(("norm", "guard"), one_in(4, product(BUILT, range(2, 9))))
def test_guard_bits(norm: str, guard: int) -> None:
    """error_bound_lsb is the promise for y at any number of guard bits."""
    for bits, m in product((4, 8, 11, 24), (7, 256)):
        engine = Engine(norm, bits, m, guard=guard, eps=EPS, checked=True)
        assert engine.error_bound_lsb == ERROR_BOUND_LSB[guard]
        for distribution in DISTRIBUTIONS:
            held(engine, m, distribution, [bits, m, guard], engine.error_bound_lsb, np.inf)


def test_more_guard_bits_are_more_exact() -> None:
    """With two, the bound of four does not hold: the guard bits are needed."""
    worst = {}
    for guard in (2, 4, 8):
        engine = Engine("l1", 8, 256, guard=guard, checked=True)
        found = [measure(engine, 256, d, np.random.default_rng(s)).y for d, s in product(DISTRIBUTIONS, range(20))]
        worst[guard] = float(np.nanmax(found))
    assert worst[2] > Y_LSB > worst[4] > worst[8] > 0.5


@pytest.mark.parametrize("reciprocal", ["pwl", "newton"])
@pytest.mark.parametrize("norm", BUILT)
def test_other_reciprocals_keep_the_promise(norm: str, reciprocal: str) -> None:
    for bits, m in product((4, 8, 12, 16, 24) if reciprocal == "newton" else (4, 8, 12), (7, 256)):
        engine = Engine(norm, bits, m, reciprocal=reciprocal, eps=EPS, checked=True)
        for distribution in DISTRIBUTIONS:
            held(engine, m, distribution, [bits, m, 3])


@pytest.mark.parametrize("norm", truth.ALL)
def test_float_view_is_the_same_truth(norm: str) -> None:
    """hwnorm's own float64 view agrees with the equations to nine digits of full scale, y and dx."""
    for bits, m, distribution in product((5, 12), (2, 49, 1000), DISTRIBUTIONS):
        engine = Engine(norm, bits, m, eps=EPS)
        rng = np.random.default_rng([bits, m])
        groups = 6
        x = streams.activations(distribution, rng, groups, m, bits)
        dy = streams.gradients("gaussian", rng, x, bits)
        fy = 0 if norm == "mean-only" else truth.y_frac(bits)
        gamma, beta = streams.parameters(rng, m if norm in truth.PER_ELEMENT else groups, bits, 4, fy)
        mask = accuracy.sample_mask(norm, m, rng)
        masks = {} if mask is None else {"sampled": mask}
        if norm in truth.WITHOUT_STATISTICS:
            y, dx = accuracy.without_statistics(engine, x, dy)
        else:
            g, b = (p.reshape((1, -1) if norm in truth.PER_ELEMENT else (-1, 1)) for p in (gamma, beta))
            s = m if mask is None else int(mask.sum())
            group = truth.Group.of(norm, x, truth.held_eps(norm, s, 4, EPS), mask)
            y, dx = group.y(g, b), group.dx(dy, g)
        out = engine.exact.forward(x, gamma, beta, **masks)
        live = np.ones(groups, bool) if norm in truth.WITHOUT_STATISTICS else ~group.dead[:, 0]
        full = np.abs(y).max() + np.abs(x).max() + 1
        np.testing.assert_allclose(out.y, y.astype(float), rtol=1e-9, atol=1e-12 * float(full))
        back = engine.exact.backward(dy, out.saved)
        scale = float(np.abs(dx).max()) + 1
        if norm in truth.SAMPLED:
            scale *= float(np.abs(group.xhat).max()) ** 2 + 1
        np.testing.assert_allclose(back.dx[live], dx[live].astype(float), rtol=1e-9, atol=1e-9 * scale)


# Forms


def forms_agree(norm: str, others: tuple[str, str], bits: int, m: int, **options: object) -> None:
    engines = [Engine(norm, bits, m, form=form, eps=EPS, checked=True, **options) for form in others]  # type: ignore[arg-type]
    per_element = norm in truth.PER_ELEMENT
    for i, distribution in enumerate(DISTRIBUTIONS):
        rng = np.random.default_rng([bits, m, i])
        groups = accuracy.rows_of(m)
        x = streams.activations(distribution, rng, groups, m, bits)
        dy = streams.gradients(streams.GRADIENTS[i], rng, x, bits)
        gamma, beta = streams.parameters(rng, m if per_element else groups, bits, 4, truth.y_frac(bits))
        mask = accuracy.sample_mask(norm, m, rng)
        masks = {} if mask is None else {"sampled": mask}
        outs = [engine.forward(x, gamma, beta, **masks) for engine in engines]
        backs = [engine.backward(dy, out.saved) for engine, out in zip(engines, outs, strict=True)]
        np.testing.assert_array_equal(outs[0].y, outs[1].y)
        np.testing.assert_array_equal(backs[0].dx, backs[1].dx)
        assert backs[0].dx_frac == backs[1].dx_frac
        for name in ("dgamma", "dbeta"):
            np.testing.assert_array_equal(getattr(backs[0], name), getattr(backs[1], name))
        for name in ("S", "c", "mu", "n", "D0", "V0", "R", "K", "B"):
            if name in outs[0].saved.values and name in outs[1].saved.values:
                np.testing.assert_array_equal(outs[0].saved.values[name].v, outs[1].saved.values[name].v)


@pytest.mark.parametrize(
    ("norm", "bits"), one_in(5, product(["l1", "layer-l1", "l1-ns", "l1-bs", "l1-fs", "l1-vdn"], (4, 8, 12, 24)))
)
def test_both_l1_forms_give_the_same_integers(norm: str, bits: int) -> None:
    for m in LENGTHS[:-1]:
        forms_agree(norm, ("positive-part", "abs"), bits, m)


@pytest.mark.parametrize(
    ("norm", "bits"),
    one_in(5, product(["l2", "layer", "group", "instance", "l2-ns", "l2-bs", "l2-fs", "l2-vdn"], (4, 8, 12, 24))),
)
def test_both_l2_forms_give_the_same_integers(norm: str, bits: int) -> None:
    for m in LENGTHS[:-1]:
        forms_agree(norm, ("one-pass", "two-pass"), bits, m)


@pytest.mark.parametrize("bits", [4, 8, 12, 24])
def test_pivot_with_any_pivot_gives_the_same_integers(bits: int) -> None:
    """Window 0: where the pivot is not floor(mu) itself the second sweep is run."""
    for m, (i, distribution) in product((1, 2, 7, 256, 1000), enumerate(DISTRIBUTIONS)):
        rng = np.random.default_rng([bits, m, i])
        x = streams.activations(distribution, rng, 8, m, bits)
        dy = streams.gradients("gaussian", rng, x, bits)
        gamma, beta = streams.parameters(rng, 8, bits, 4, truth.y_frac(bits))
        plain, pivot = (Engine("l1", bits, m, form=form, checked=True) for form in ("positive-part", "pivot"))
        want = plain.forward(x, gamma, beta)
        before = pivot.forward(streams.activations("uniform", rng, 8, m, bits)).saved.values["next_pivot"]
        own = pivot.forward(x).saved.values["next_pivot"]
        np.testing.assert_array_equal(own.v[:, 0], x.sum(axis=1) // m)
        for c0 in (None, before, own):
            got = pivot.forward(x, gamma, beta, pivot=c0)
            np.testing.assert_array_equal(got.y, want.y)
            wanted_dx = plain.backward(dy, want.saved)
            np.testing.assert_array_equal(pivot.backward(dy, got.saved).dx, wanted_dx.dx)


def test_pivot_window_trades_a_sweep_for_error() -> None:
    """The deviation is underestimated by at most 2*|c - c0| for every x between, and never overestimated."""
    rng = np.random.default_rng(7)
    x = streams.clipped(rng.normal(3, 20, (16, 1000)), 8)
    c = (x.sum(axis=1) // 1000).reshape(-1, 1)
    exact = Engine("l1", 8, 1000, form="pivot").forward(x)
    relative = []
    for window in range(5):
        engine = Engine("l1", 8, 1000, form="pivot", pivot_window=window, checked=True)
        c0 = exact.saved.values["next_pivot"]._replace(v=c - window)
        D0 = engine.forward(x, pivot=c0).saved.values["D0"].v
        truth_D0 = exact.saved.values["D0"].v
        between = ((x > c - window) & (x <= c)).sum(axis=1, keepdims=True)
        assert (truth_D0 >= D0).all()
        assert (truth_D0 - D0 <= 2 * 1000 * (window + 1) * between).all()
        relative.append(float(((truth_D0 - D0) / truth_D0).max()))
        too_far = exact.saved.values["next_pivot"]._replace(v=c - window - 1)
        np.testing.assert_array_equal(engine.forward(x, pivot=too_far).y, exact.y)
    assert relative[0] == 0
    assert all(b > a for a, b in pairwise(relative))
    assert relative[2] < 0.01  # within two LSB of the mean, as the batch before's was in 99.9 % of cases


# Epsilon


@pytest.mark.parametrize("norm", ["l2", "l1", "range", "layer", "layer-l1", "rms"])
@pytest.mark.parametrize("x_frac", [0, 3, 6, 10])
def test_epsilon_reaches_the_hardware(norm: str, x_frac: int) -> None:
    """From far below the variance to far above it, with x's LSB down to 2**-10: the promise holds with eps in the
    denominator, and eps changes the output."""
    for eps in (1e-5, 1e-3, 0.1):
        engine = Engine(norm, 12, 256, eps=eps, x_frac=x_frac, checked=True)
        for distribution in ("gaussian", "near-constant", "relu"):
            held(engine, 256, distribution, [x_frac])


@pytest.mark.parametrize(("norm", "half"), [("l2", 2**-0.5), ("l1", 0.5), ("range", 0.5), ("rms", 2**-0.5)])
def test_epsilon_equal_to_the_deviation_and_far_above(norm: str, half: float) -> None:
    """Alternating -a, a: sigma (or its square) equals eps exactly, and xhat is a known fraction of what it was."""
    m, a, x_frac = 64, 3, 4
    x = np.tile([-a, a], (1, m // 2))
    deviation = {"l2": a**2, "rms": a**2, "l1": a, "range": 2 * a / np.sqrt(2 * np.log(m))}[norm]
    unit = 2.0 ** (x_frac * (2 if norm in ("l2", "rms") else 1))
    full = Engine(norm, 8, m, eps=0, x_frac=x_frac, gaussian=False, checked=True).forward(x).y.astype(float)
    equal = Engine(norm, 8, m, eps=deviation / unit, x_frac=x_frac, gaussian=False, checked=True).forward(x).y
    assert np.abs(equal - half * full).max() <= 1.3
    if norm != "range":
        far = Engine(norm, 8, m, eps=20 * deviation / unit, x_frac=x_frac, gaussian=False, checked=True).forward(x).y
        assert np.abs(far - full / (21 if norm == "l1" else 21**0.5)).max() <= 1.3


@pytest.mark.parametrize("norm", ["l1", "layer-l1", "l1-ns"])
def test_without_the_gaussian_factor(norm: str) -> None:
    for bits, m, distribution in product((4, 8, 16), (7, 256), DISTRIBUTIONS):
        held(Engine(norm, bits, m, gaussian=False, eps=EPS, checked=True), m, distribution, [bits, m])


@pytest.mark.parametrize("norm", ["l1", "l2", "range", "rms", "layer-l1"])
def test_dx_one_bit_finer_or_coarser_than_natural(norm: str) -> None:
    """dx_frac may leave the scale at which the largest gain just fits; one bit finer, the promise still holds."""
    for bits, m, distribution, finer in product((6, 8, 16), (32, 1000), DISTRIBUTIONS, (-4, -1, 1)):
        engine = Engine(norm, bits, m, eps=EPS, checked=True)
        assert not measure(engine, m, distribution, np.random.default_rng([bits, m]), finer).dx > DX_LSB


# Where the promise ends


@pytest.mark.parametrize("largest", [2.0, 1.0, 0.5, 0.25, 0.125, 0.0625])
@pytest.mark.parametrize("norm", ["layer", "layer-l1", "rms"])
def test_dx_where_every_gamma_of_a_layer_norm_is_small(norm: str, largest: float) -> None:
    """gamma * dy is rounded to g fraction bits, and dx's natural scale follows the largest gamma: half of 2**-g over
    that gamma comes on top. From a largest gamma of about 1/4 on, dx is within 0.75 LSB."""
    for bits in (4, 8, 16):
        rng, m = np.random.default_rng(bits), 256
        x = streams.activations("gaussian", rng, 8, m, bits)
        dy = streams.gradients("gaussian", rng, x, bits)
        gamma = np.round(rng.uniform(-largest, largest, m) * 2 ** (bits + 2)) / 2 ** (bits + 2)
        engine = Engine(norm, bits, m, eps=0, checked=True)
        back = engine.backward(dy, engine.forward(x, gamma).saved)
        exact = truth.Group.of(norm, x).dx(dy, gamma) * 2.0**back.dx_frac
        worst = np.abs(back.dx - np.clip(exact, *streams.rails(bits))).max()
        assert worst <= 0.62 + 2.0**-5 / largest
        assert largest < 0.25 or worst <= DX_LSB


@pytest.mark.parametrize("norm", ["range", "range-ns", "l1-fs"])
def test_dx_where_the_path_through_sigma_exceeds_the_full_scale_of_dy(norm: str) -> None:
    """All of range's C * sum(g * xhat) falls on one element, all of a sample's sums on few; a small gain beside a large
    one lets any multiple of dy's full scale through. With R and K for it dx was 2.6 LSB off (range, 8 bits, 4096)."""
    beyond = 0
    for bits, m, seed in product((4, 5, 6, 8, 12, 16), (49, 1000, 4096), range(6)):
        rng = np.random.default_rng([bits, m, seed])
        x = streams.activations(streams.DISTRIBUTIONS[seed], rng, 6, m, bits)
        dy = streams.gradients(streams.GRADIENTS[seed], rng, x, bits)
        gamma = np.exp2(-rng.integers(0, bits, 6).astype(float)).reshape(-1, 1)
        mask = np.arange(m) < max(m // 50, 2) if norm in truth.SAMPLED else None
        engine = Engine(norm, bits, m, eps=0, checked=True)
        out = engine.forward(x, gamma, **({} if mask is None else {"sampled": mask}))
        back = engine.backward(dy, out.saved)
        group = truth.Group.of(norm, x, mask=mask)
        live = ~truth.clamps(norm, group, gamma, bits, 4)
        exact = np.clip(group.dx(dy, gamma) * 2.0**back.dx_frac, *streams.rails(bits))
        assert np.abs(back.dx - exact)[live[:, 0]].max(initial=0) <= DX_LSB
        beyond += int((np.abs(group.q(dy, truth.LONG(1))) > 1 << (bits - 1)).sum())
    assert beyond > 20


def test_dx_where_the_slope_of_a_sampled_l2_norm_clips() -> None:
    """The one place where the promise ends: two neighbours in the sample, everything else far away, and q / sigma many
    times the largest dy. J saturates, and the rest of what should cancel stays in dx."""
    bits, m, gamma = 8, 100, 0.05
    x, dy, mask = np.full((1, m), 100), np.full((1, m), 100), np.arange(m) < 2
    x[0, :2] = 0, 1
    engine = Engine("l2-ns", bits, m, eps=0, checked=True)
    back = engine.backward(dy, engine.forward(x, gamma, sampled=mask).saved)
    group = truth.Group.of("l2-ns", x, mask=mask)
    assert group.q(dy, truth.LONG(1)) > 2 * (1 << (bits - 1)) * group.sigma
    exact = np.clip(group.dx(dy, np.array([[gamma]])) * 2.0**back.dx_frac, *streams.rails(bits))
    assert np.abs(back.dx - exact).max() > DX_LSB
