"""Which elements sampled statistics look at, and what engines make of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import streams
import truth

import hwnorm
from hwnorm.engine import Engine
from hwnorm.norms.sampling import KINDS

RATIOS = (1.0, 0.5, 0.25, 1 / 3, 1 / 32, 1 / 128, 1e-6)
SHAPES = ((1, 1, 1), (1, 56, 56), (128, 1, 1), (128, 14, 14), (7, 5, 3), (32, 8, 1), (2, 1, 9))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ratio", RATIOS)
def test_counts_are_whole_and_never_none(kind: str, shape: tuple[int, int, int], ratio: float) -> None:
    found = hwnorm.sample(kind, ratio, *shape, rng=np.random.default_rng(1))
    batch, height, width = shape
    assert found.mask.shape == shape
    assert found.mask.dtype == np.bool_
    assert 1 <= found.elements == np.count_nonzero(found.mask)
    assert found.ratio == found.elements / (batch * height * width)
    if kind == "fs":
        assert (found.mask == found.mask[:1]).all()  # the same patch in every sample
        rows, columns = found.mask[0].any(axis=1), found.mask[0].any(axis=0)
        assert found.mask[0].sum() == rows.sum() * columns.sum()  # a full rectangle
        assert np.ptp(np.flatnonzero(rows)) + 1 == rows.sum()
        assert np.ptp(np.flatnonzero(columns)) + 1 == columns.sum()
        # The columns are the nearest to the ratio, given the rows.
        unit = rows.sum() / (height * width)
        if found.mask[0].sum() < height * width and columns.sum() > 1:
            assert abs(found.ratio - ratio) <= unit / 2 + 1e-12
    else:
        samples = found.mask.reshape(batch, -1)
        assert (samples.all(axis=1) == samples.any(axis=1)).all()  # whole samples
        taken = np.flatnonzero(samples.any(axis=1))
        assert len(taken) == max(1, int(ratio * batch + 0.5))
        assert np.ptp(taken) + 1 == len(taken)  # consecutive
        if kind != "bs":
            assert taken[0] == 0


@pytest.mark.parametrize(
    ("kind", "ratio", "shape", "elements"),
    [
        ("ns", 1 / 4, (128, 7, 7), 32 * 49),
        ("bs", 1 / 128, (128, 56, 56), 56 * 56),
        ("fs", 1 / 32, (128, 56, 56), 128 * 10 * 10),  # 98 pixels wanted
        ("fs", 1 / 4, (2, 8, 8), 2 * 4 * 4),
        ("fs", 0.5, (1, 1, 10), 5),
        ("vdn", 1 / 128, (128, 4, 4), 16),
        ("fs", 1e-9, (3, 6, 6), 3),
    ],
)
def test_known_counts(kind: str, ratio: float, shape: tuple[int, int, int], elements: int) -> None:
    assert hwnorm.sample(kind, ratio, *shape).elements == elements


def test_places_reach_every_corner_and_stay_inside() -> None:
    rng = np.random.default_rng(5)
    patches = {tuple(np.argwhere(hwnorm.sample("fs", 0.25, 1, 4, 4, rng).mask)[0, 1:]) for _ in range(300)}
    assert patches == set(product(range(3), range(3)))
    starts = {int(hwnorm.sample("bs", 0.5, 8, rng=rng).mask.argmax()) for _ in range(300)}
    assert starts == set(range(5))


def test_seeded_and_first_place_without_a_generator() -> None:
    for kind in KINDS:
        draws = [hwnorm.sample(kind, 0.2, 16, 9, 9, np.random.default_rng(8)).mask for _ in range(2)]
        np.testing.assert_array_equal(*draws)
        assert hwnorm.sample(kind, 0.2, 16, 9, 9).mask[0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xs", 0.5, 4), "sampling must be ns, bs, fs, vdn, not 'xs'"),
        (("ns", 0, 4), "ratio must be above 0 and at most 1, not 0"),
        (("ns", 1.5, 4), "ratio must be above 0 and at most 1, not 1.5"),
        (("ns", float("nan"), 4), "ratio must be above 0 and at most 1, not nan"),
        (("ns", 0.5, 0), "batch must be a positive integer, not 0"),
        (("fs", 0.5, 1, 0, 4), "height must be a positive integer, not 0"),
        (("fs", 0.5, 1, 4, -1), "width must be a positive integer, not -1"),
    ],
)
def test_bad_arguments(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        hwnorm.sample(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("base", ["l2", "l1", "range"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_everything_is_the_norm_itself(base: str, kind: str) -> None:
    for bits, m, distribution in product((4, 8, 16, 24), (1, 3, 64), streams.DISTRIBUTIONS):
        rng = np.random.default_rng([bits, m])
        x = streams.activations(distribution, rng, 6, m, bits)
        dy = streams.gradients("gaussian", rng, x, bits)
        gamma, beta = streams.parameters(rng, 6, bits, 4, truth.y_frac(bits))
        plain, sampled = Engine(base, bits, m, checked=True), Engine(f"{base}-{kind}", bits, m, checked=True)
        want = plain.forward(x, gamma, beta)
        got = sampled.forward(x, gamma, beta, sampled=np.ones(m, bool))
        np.testing.assert_array_equal(got.y, want.y)
        # dx is more exact with a sample: no two of its integers differ by more than rounding to either side.
        assert np.abs(sampled.backward(dy, got.saved).dx - plain.backward(dy, want.saved).dx).max() <= 1


@pytest.mark.parametrize("base", ["l2", "l1", "range"])
def test_statistics_are_those_of_the_sample_alone(base: str) -> None:
    """y of the sample's own elements is what an engine of s elements gives; what lies outside does not matter."""
    rng = np.random.default_rng(2)
    mask = hwnorm.sample("fs", 0.3, 4, 6, 5, rng).mask.reshape(-1)
    x = streams.activations("gaussian", rng, 5, mask.size, 8)
    other = np.where(mask, x, streams.activations("all-extreme", rng, 5, mask.size, 8))
    sampled, small = Engine(f"{base}-fs", 8, mask.size, checked=True), Engine(base, 8, int(mask.sum()), checked=True)
    want = small.forward(x[:, mask], 1.5, 0.25).y
    for stream in (x, other):
        np.testing.assert_array_equal(sampled.forward(stream, 1.5, 0.25, sampled=mask).y[:, mask], want)
    # Outside, dx is the gain alone (Sampling Eq. 6).
    out = sampled.forward(x, 1.5, 0.25, sampled=mask)
    dy = streams.gradients("gaussian", rng, x, 8)
    back = sampled.backward(dy, out.saved)
    gain = out.saved.values["K"].real() * 2.0**back.dx_frac
    assert np.abs(back.dx - np.clip(gain * dy, -128, 127))[:, ~mask].max() <= 0.5


@pytest.mark.parametrize("kind", ["ns", "bs", "fs", "vdn"])
def test_exact_range_of_a_sample_far_from_the_rest(kind: str) -> None:
    """What is left out stands at a rail, wherever the sample is."""
    x, sampled = np.full((1, 64), 120), np.arange(64) < 8
    x[0, :8] = [-128, -127, -126, -125, -124, -123, -122, -120]
    engine, sample = Engine(f"range-{kind}", 8, 64, eps=0), x[0, :8]
    sigma = np.ptp(sample) / np.sqrt(2 * np.log(8))
    exact = engine.exact.forward(x, 0.5, 0, sampled=sampled).y
    np.testing.assert_allclose(exact[0], 0.5 * (x[0] - sample.mean()) / sigma, rtol=1e-9)


def test_q_of_a_sample_saturates_to_its_register() -> None:
    """A nearly constant sample and the rest far away: mean(dy * xhat) is many times the largest dy. The register takes
    its rail, inside its declared bounds (found at 4 bits with a sample of one element in three)."""
    for base, bits in product(("l2", "l1", "range"), (4, 8, 16, 24)):
        lo, hi = streams.rails(bits)
        x = np.full((2, 64), hi)
        x[0, :32], x[1, :32] = lo, lo
        x[:, 0] += 1
        mask = np.arange(64) < 32
        dy = np.full(x.shape, hi)
        dy[1, 32:] = lo
        engine = Engine(f"{base}-ns", bits, 64, checked=True)
        out = engine.forward(x, 0.01, 0.0, sampled=mask)
        back = engine.backward(dy, out.saved)  # checked: BoundExceeded before
        assert back.dx.shape == x.shape
