"""The cases that every suite here must hold, each by name, over all norms and forms and several widths.

Every engine is checked: a value outside its register's bounds is an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import streams
import truth

from hwnorm.engine import Engine
from hwnorm.norms.catalog import CATALOG

Array = np.ndarray[Any, np.dtype[Any]]
STATISTICAL = [
    pytest.param(norm.name, form, id=f"{norm.name}-{form}")
    for norm in CATALOG.values()
    for form in norm.forms
    if norm.name in truth.NORMS + truth.SAMPLED
]
NORMALISING = [case for case in STATISTICAL if case.values[0] != "mean-only"]
each = pytest.mark.parametrize(("norm", "form"), STATISTICAL)
each_normalising = pytest.mark.parametrize(("norm", "form"), NORMALISING)
WIDTHS = (4, 8, 12, 24)


class Run:
    """One forward and backward pass, with the truth beside it."""

    def __init__(
        self, norm: str, form: str, bits: int, x: Any, dy: Any = None, gamma: Any = 1.0, beta: Any = 0.0
    ) -> None:
        self.norm, self.bits, self.x = norm, bits, np.asarray(x)
        _groups, m = self.x.shape
        self.engine = Engine(norm, bits, m, form=form, eps=0, checked=True)
        masks: dict[str, Any] = {"sampled": np.ones(m, bool)} if norm in truth.SAMPLED else {}
        self.dy = (
            streams.gradients("gaussian", np.random.default_rng(m), self.x, bits) if dy is None else np.asarray(dy)
        )
        self.gamma, self.beta = np.asarray(gamma, dtype=float), np.asarray(beta, dtype=float)
        self.out = self.engine.forward(self.x, gamma, beta, **masks)
        self.back = self.engine.backward(self.dy, self.out.saved)
        self.fy = 0 if norm == "mean-only" else truth.y_frac(bits)
        self.group = truth.Group.of(norm, self.x)
        self.lo, self.hi = streams.rails(bits)

    def register(self, name: str) -> Array:
        return np.asarray(self.out.saved.values[name].v)

    def beta_alone(self) -> Array:
        return np.clip(np.floor(np.broadcast_to(self.beta, self.x.shape) * 2.0**self.fy + 0.5), self.lo, self.hi)

    def keeps_the_promise(self, dx: float = 0.75) -> None:
        shape = (1, -1) if self.norm in truth.PER_ELEMENT and self.gamma.ndim else (-1, 1)
        gamma, beta = (p.reshape(shape).astype(truth.LONG) if p.ndim else p for p in (self.gamma, self.beta))
        live = np.broadcast_to(~truth.clamps(self.norm, self.group, gamma, self.bits, 4), self.x.shape)
        y = np.clip(self.group.y(gamma, beta) * 2.0**self.fy, self.lo, self.hi)
        fits = ~truth.saturates(self.norm, self.group)
        assert np.abs(self.out.y - y)[live & fits].max(initial=0) <= 0.70
        exact = np.clip(self.group.dx(self.dy, gamma) * 2.0**self.back.dx_frac, self.lo, self.hi)
        assert np.abs(self.back.dx - exact)[live].max(initial=0) <= dx


@each
@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("level", [-1, 0, 1, "low", "high"])
def test_sigma_zero(norm: str, form: str, bits: int, level: Any) -> None:
    """A constant group: y is beta, rounded; dx is 0. RMS norm is not centred: only 0 is a constant to it."""
    lo, hi = streams.rails(bits)
    value = {"low": lo, "high": hi}.get(level, level)
    run = Run(norm, form, bits, np.full((2, 37), value), gamma=1.5, beta=0.75)
    if norm == "rms" and value != 0:
        run.keeps_the_promise()
        return
    np.testing.assert_array_equal(run.out.y, run.beta_alone())
    if norm == "mean-only":
        assert run.back.dx_frac == 0
        assert np.abs(run.back.dx - (run.dy - run.dy.mean(axis=1, keepdims=True))).max() <= 0.75
    else:
        assert not run.register("R").any()
        assert not run.register("K").any()
        assert not run.back.dx.any()
        assert run.back.dgamma is not None
        assert not run.back.dgamma.any()


@each
@pytest.mark.parametrize("bits", WIDTHS)
def test_one_element(norm: str, form: str, bits: int) -> None:
    lo, hi = streams.rails(bits)
    run = Run(norm, form, bits, [[lo], [0], [hi], [1]], dy=[[hi], [lo], [lo], [hi]], gamma=-2.0, beta=-0.5)
    if norm == "rms":
        run.keeps_the_promise()
        np.testing.assert_array_equal(run.out.y[[0, 2, 3], 0] > 0, [True, False, False])
    else:
        np.testing.assert_array_equal(run.out.y, run.beta_alone())
        assert not run.back.dx.any()


@each
@pytest.mark.parametrize("bits", WIDTHS)
def test_all_elements_at_either_rail(norm: str, form: str, bits: int) -> None:
    """All at the lower rail, all at the upper, and one of them at the other: the largest sums."""
    lo, hi = streams.rails(bits)
    for m in (2, 3, 33, 257):
        x = np.array([[lo] * m, [hi] * m, [hi] * (m - 1) + [lo], [lo] * (m - 1) + [hi]])
        Run(norm, form, bits, x, gamma=0.75, beta=0.25).keeps_the_promise()


@each
@pytest.mark.parametrize("bits", WIDTHS)
def test_alternating_rails(norm: str, form: str, bits: int) -> None:
    """The largest variance: xhat is 1 and -1 (of L1 with its factor 0.8), dy for and against it."""
    lo, hi = streams.rails(bits)
    for m in (2, 5, 64, 1001):
        x = np.resize([lo, hi], (3, m))
        dy = np.array([np.resize([lo, hi], m), np.resize([hi, lo], m), np.full(m, lo)])
        Run(norm, form, bits, x, dy, gamma=1.25).keeps_the_promise()


@each_normalising
@pytest.mark.parametrize("bits", WIDTHS)
def test_gamma_zero_negative_and_at_its_limits(norm: str, form: str, bits: int) -> None:
    ulp = 2.0 ** -(bits + 2)
    x = np.broadcast_to(streams.activations("gaussian", np.random.default_rng(bits), 1, 48, bits), (1, 48))
    for gamma in (0.0, -0.0, -1.0, 4 - ulp, -4.0, ulp, -ulp):
        run = Run(norm, form, bits, x, gamma=gamma, beta=0.5)
        # A norm with gamma one an element rounds gamma * dy to g fraction bits: if every gamma is below 1/2, they are
        # too few for a dx whose scale follows the largest of them.
        run.keeps_the_promise(dx=np.inf if norm in truth.PER_ELEMENT and abs(gamma) < 0.5 else 0.75)
        if gamma == 0:
            np.testing.assert_array_equal(run.out.y, run.beta_alone())
            assert not run.back.dx.any()
    for gamma in (4.0, -4 - ulp):
        with pytest.raises(ValueError, match=r"gamma = .* is outside -4 to "):
            Run(norm, form, bits, x, gamma=gamma)


@each_normalising
def test_a_gain_and_its_negative_are_mirror_images(norm: str, form: str) -> None:
    """K is rounded by magnitude, so that only the last rounding, half up, tells the two apart."""
    x = streams.activations("heavy-tailed", np.random.default_rng(1), 4, 200, 8)
    plus, minus = Run(norm, form, 8, x, gamma=1.3125), Run(norm, form, 8, x, gamma=-1.3125)
    if norm not in truth.PER_ELEMENT:
        np.testing.assert_array_equal(plus.register("K"), -minus.register("K"))
    assert np.abs(plus.out.y.astype(int) + minus.out.y).max() <= 1
    assert np.abs(plus.back.dx.astype(int) + minus.back.dx).max() <= 1


@each
@pytest.mark.parametrize("bits", WIDTHS)
def test_beta_at_its_limits(norm: str, form: str, bits: int) -> None:
    """Twice the range of y: with a group that fills it, and with a dead one."""
    frac = 4 if norm == "mean-only" else truth.y_frac(bits) + 4
    limit = 2.0 ** (bits + 4)
    x = streams.activations("gaussian", np.random.default_rng(bits), 2, 40, bits)
    x[1] = 0
    for beta in ((limit - 1) * 2.0**-frac, -limit * 2.0**-frac):
        run = Run(norm, form, bits, x, gamma=0.5, beta=beta)
        run.keeps_the_promise()
        assert (run.out.y[1] == (run.hi if beta > 0 else run.lo)).all()
    with pytest.raises(ValueError, match=r"beta = .* is outside"):
        Run(norm, form, bits, x, beta=limit * 2.0**-frac)


@each
@pytest.mark.parametrize("bits", WIDTHS)
def test_one_outlier_in_a_constant_channel(norm: str, form: str, bits: int) -> None:
    """At full distance, and at a distance of one LSB, where xhat is about sqrt(m)."""
    lo, hi = streams.rails(bits)
    for m in (3, 50, 1000):
        x = np.full((4, m), hi - 1)
        x[0, m // 2], x[1, 0], x[2, -1], x[3] = lo, hi, hi - 2, lo
        x[3, 1] = lo + 1
        dy = np.zeros((4, m), int)
        dy[:, m // 2] = lo
        Run(norm, form, bits, x, gamma=0.25).keeps_the_promise()
        Run(norm, form, bits, x, dy, gamma=0.25).keeps_the_promise()


@each
@pytest.mark.parametrize("bits", WIDTHS)
def test_relu_like(norm: str, form: str, bits: int) -> None:
    """One-sided, half of it 0, and nearly all of it 0."""
    rng = np.random.default_rng(bits)
    x = np.concatenate([streams.activations("relu", rng, 3, 500, bits)] * 2)
    x[3:][rng.random((3, 500)) < 0.95] = 0
    Run(norm, form, bits, x, gamma=0.9, beta=-0.25).keeps_the_promise()


@each_normalising
def test_variance_far_below_and_equal_to_epsilon(norm: str, form: str) -> None:
    """x in steps of 2**-8: var of one LSB is 1.5e-5. y shrinks as eps says, and a dead group stays beta."""
    m, frac, a = 64, 8, 2
    x = np.resize([-a, a], (1, m))
    deviation = {"range": 2 * a / np.sqrt(2 * np.log(m)), "l1": a * truth.L1_SCALE}.get(truth.statistic_of(norm), a)
    power = 1 if truth.statistic_of(norm) in ("l1", "range") else 2
    masks: dict[str, Any] = {"sampled": np.ones(m, bool)} if norm in truth.SAMPLED else {}
    xhat = a / deviation
    for ratio in (0, 1 / 100, 1, 30):  # eps over deviation, or over its square
        engine = Engine(norm, 8, m, form=form, x_frac=frac, eps=ratio * (deviation * 2.0**-frac) ** power, checked=True)
        y = engine.forward(x, 1.0, 0.0, **masks).y
        want = xhat / ((1 + ratio) if power == 1 else np.sqrt(1 + ratio)) * 32
        # E is an integer (for range with four fraction bits): that moves sigma by up to 1/2 in m^2 * sigma.
        assert np.abs(np.abs(y.astype(float)) - want).max() <= 0.70 + 0.02 * want, ratio
        dead = engine.forward(np.zeros_like(x), 1.0, 0.5, **masks)
        assert (dead.y == 16).all()
        assert not engine.backward(x, dead.saved).dx.any()


def literal(norm: str, form: str, bits: int, x: list[list[int]], **expected: int) -> None:
    """The registers of one group, by hand; each of them uses its register's width to within two bits."""
    run = Run(norm, form, bits, x)
    found = run.engine.program("forward").run(run.out.saved.values, run.out.saved.setting)
    for name, value in expected.items():
        assert found[name].v[0, 0] == value, name
        kind = run.engine.formats[name]
        assert kind.lo <= value <= kind.hi, name
        if value != -1:
            bits_used = (value if value >= 0 else ~value).bit_length() + kind.signed
            assert bits_used >= kind.width - 2, f"{name} is {kind.width} bits wide, and needs {bits_used}"


def test_sums_reach_each_accumulators_bound_l1() -> None:
    """8 bits, m = 256: every value by hand. S = 256*-128; half at either rail: P = 128*127, D0 = 2*(m*P - n*S)."""
    half = [[-128] * 128 + [127] * 128]
    literal("l1", "positive-part", 8, [[-128] * 256], S=-32768, mu=-128 << 13, c=-128)
    literal("l1", "positive-part", 8, half, n=128, P=16256, D0=2 * (256 * 16256 + 128 * 128))
    literal("l1", "abs", 8, half, A=128 * 127 + 128 * 128, n=128, D0=8355840)
    literal("l1", "positive-part", 8, [[126] + [127] * 255], S=32511, c=126, n=255, P=32385)


def test_sums_reach_each_accumulators_bound_l2() -> None:
    """var is largest with half at either rail: V0 = (m * 255 / 2)**2. Q = m * 128**2 at the lower rail."""
    literal("l2", "one-pass", 8, [[-128] * 256], S=-32768, Q=256 * 16384)
    literal("l2", "one-pass", 8, [[-128] * 128 + [127] * 128], V0=(256 * 255 // 2) ** 2)
    literal("l2", "two-pass", 8, [[-128] * 128 + [127] * 128], Q2=128 * (127**2 + 128**2), V0=1065369600)
    literal("rms", "one-pass", 8, [[-128] * 256], Q=4194304, V0=256 * 4194304)


def test_sums_reach_each_accumulators_bound_range() -> None:
    literal("range", "two-sweep", 8, [[-128] + [127] * 255], S=32257, top=127, bottom=-128, D0=255)


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("bits", [4, 8, 16, 24])
def test_gradient_sums_reach_their_bounds(norm: str, bits: int) -> None:
    """dy = x at alternating rails: W = m*lo, U = m*lo*lo, HM = m^2 * 2**(b-1) * (2**b - 1)/2."""
    lo, hi = streams.rails(bits)
    m = 64
    engine = Engine(norm, bits, m, eps=0, checked=True)
    x = np.array([[lo] * m, [lo, hi] * (m // 2)])
    dy = np.array([[lo] * m, [lo, hi] * (m // 2)])
    out = engine.forward(x)
    program = engine.program("backward")
    found = program.run(out.saved.values | {"dy": out.saved.values["x"]._replace(v=dy)}, out.saved.setting)
    assert found["W"].v[0, 0] == m * lo
    assert found["U"].v[0, 0] == m * lo * lo
    U, S, W = m // 2 * (lo * lo + hi * hi), -(m // 2), -(m // 2)
    assert found["HM"].v[1, 0] == m * U - S * W
    most = engine.formats["HM"].hi
    assert most / 8 < found["HM"].v[1, 0] <= most


@each
def test_negative_sums_divided(norm: str, form: str) -> None:
    """The shift trap: the mean of -1, -1, 0 is floor(-2/3), -1, not 0, and mu keeps its fraction below it."""
    rows = [[-1, -1, 0], [0, 0, -1], [-128, -128, -127], [-3, -2, -2], [1, 1, 0]]
    run = Run(norm, form, 8, rows)
    run.keeps_the_promise()
    # Where every group has a positive and a negative twin, y is the twin's negative, but for ties.
    mirrored = Run(norm, form, 8, [[-v if v > -128 else 127 for v in row] for row in rows])
    same = [0, 1, 3, 4]
    assert np.abs(run.out.y[same].astype(int) + mirrored.out.y[same]).max() <= 1
    if norm == "mean-only":
        np.testing.assert_array_equal(run.out.y, [[0, 0, 1], [0, 0, -1], [0, 0, 1], [-1, 0, 0], [0, 0, -1]])
    elif norm != "rms":
        assert run.register("S")[:, 0].tolist() == [-2, -1, -383, -7, 2]
        frac = run.engine.formats["mu"].frac
        mu = {
            name: value.v
            for name, value in run.engine.program("forward")
            .run(run.out.saved.values | {"x": run.out.saved.values["x"]}, run.out.saved.setting)
            .items()
        }["mu"]
        assert mu[:, 0].tolist() == [(s << frac) // 3 for s in (-2, -1, -383, -7, 2)]
        if "c" in run.out.saved.values and form != "pivot":
            assert run.register("c")[:, 0].tolist() == [-1, -1, -128, -3, 0]


@pytest.mark.parametrize("bits", WIDTHS)
@each
def test_lengths_that_no_lane_count_divides(norm: str, form: str, bits: int) -> None:
    for m in (1, 3, 5, 7, 11, 13, 17, 31, 127):
        x = streams.activations("uniform", np.random.default_rng(m), 3, m, bits)
        Run(norm, form, bits, x, gamma=0.5).keeps_the_promise()
