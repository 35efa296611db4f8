"""The Python interface: what an engine takes, what it gives back, and how it says no."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import streams
import truth

import hwnorm
from hwnorm.engine import Engine
from hwnorm.views import int_ref

X = np.array([[1, 2, 3, 10], [-5, 0, 5, 7]])


# Bad input: one clear exception each, whose message names the thing and the way out


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"norm": "l2-n"}, "unknown norm 'l2-n': did you mean 'l2-ns'?"),
        ({"norm": "layernorm"}, "unknown norm 'layernorm': did you mean 'layer'?"),
        ({"norm": "L1"}, "unknown norm 'L1': did you mean 'l1'?"),
        ({"norm": "l3"}, "unknown norm 'l3': known: elu, "),
        ({"norm": "banana"}, "unknown norm 'banana': known: elu, "),
        ({"norm": None}, "unknown norm None: "),
        ({"form": "positive"}, "norm 'l1' has no form 'positive': did you mean 'positive-part'?"),
        ({"form": "one-pass"}, "norm 'l1' has no form 'one-pass': known: abs, pivot, positive-part"),
        ({"bits": 3}, "bits must be an integer from 4 to 24, not 3"),
        ({"bits": 25}, "bits must be an integer from 4 to 24, not 25"),
        ({"bits": 8.5}, "bits must be an integer from 4 to 24, not 8.5"),
        ({"bits": "8"}, "bits must be an integer from 4 to 24, not '8'"),
        ({"guard": 1}, "guard must be an integer from 2 to 8, not 1"),
        ({"guard": 9}, "guard must be an integer from 2 to 8, not 9"),
        ({"reciprocal": "cordic"}, "reciprocal must be restoring, pwl or newton, not 'cordic'"),
        ({"elements": 0}, "elements must be a positive integer, not 0"),
        ({"elements": -4}, "elements must be a positive integer, not -4"),
        ({"elements": 2.5}, "elements must be a positive integer, not 2.5"),
        ({"elements": None, "max_elements": 0}, "max_elements must be a positive integer, not 0"),
        ({"max_elements": 8}, "give either elements (of every group) or max_elements (of the longest)"),
        ({"elements": None}, "give either elements (of every group) or max_elements (of the longest)"),
        ({"eps": -1e-5}, "eps must be a finite number, at least 0, not -1e-05"),
        ({"eps": float("nan")}, "eps must be a finite number, at least 0, not nan"),
        ({"eps": float("inf")}, "eps must be a finite number, at least 0, not inf"),
        ({"bits": 8.0}, "bits must be an integer from 4 to 24, not 8.0"),
        ({"guard": 4.0}, "guard must be an integer from 2 to 8, not 4.0"),
        ({"x_frac": 2000}, "x_frac must be an integer from -64 to 64, not 2000"),
        ({"pivot_window": -1}, "pivot_window must be an integer from 0 to 16777216, not -1"),
        ({"norm": "fold-ternary", "delta": float("nan")}, "delta must be a finite number, at least 0, not nan"),
    ],
)
def test_bad_engine(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Engine(**{"norm": "l1", "bits": 8, "elements": 4} | keywords)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (TypeError, {"x": X + 0.5}, "x must hold integers, not float64"),
        (TypeError, {"x": X > 0}, "x must hold integers, not bool"),
        (TypeError, {"x": [["a"] * 4]}, "x must hold integers, not <U1"),
        (ValueError, {"x": [[0, 1, 128, 0]]}, "x[0, 2] = 128 is outside -128..127 (8 bits)"),
        (ValueError, {"x": [[0, 0, 0, 0], [0, 1, 0, -129]]}, "x[1, 3] = -129 is outside -128..127 (8 bits)"),
        (ValueError, {"x": np.array([[0, 200, 0, 0]], np.uint8)}, "x[0, 1] = 200 is outside -128..127 (8 bits)"),
        (ValueError, {"x": [1, 2, 3, 4]}, "x must have shape (groups, elements), not (4,)"),
        (ValueError, {"x": 3}, "x must have shape (groups, elements), not ()"),
        (ValueError, {"x": np.zeros((2, 0), int)}, "x must have at least one group of at least one element, not shape"),
        (ValueError, {"x": np.zeros((0, 4), int)}, "x must have at least one group of at least one element, not shape"),
        (ValueError, {"x": X[:, :3]}, "groups must have 4 elements (elements=4), not 3"),
        (ValueError, {"x": X, "gamma": float("nan")}, "gamma must be finite, but gamma = nan"),
        (ValueError, {"x": X, "gamma": [1, float("inf")]}, "gamma must be finite, but gamma[1] = inf"),
        (ValueError, {"x": X, "gamma": 4}, "gamma = 4 is outside -4 to 3.99902, what its register (s13.10) holds"),
        (
            ValueError,
            {"x": X, "gamma": [1, 2, 3]},
            "gamma must be one number, or one for each of 2 groups, not shape (3,)",
        ),
        (TypeError, {"x": X, "gamma": "one"}, "gamma must hold real numbers, not 'one'"),
        (ValueError, {"x": X, "beta": 8.5}, "beta = 8.5 is outside -8 to 7.99805, what its register (s13.9) holds"),
        (ValueError, {"x": X, "beta": [[-9], [0]]}, "beta = -9 is outside -8 to 7.99805"),
        (ValueError, {"x": X, "beta": [float("-inf"), 0]}, "beta must be finite, but beta[0] = -inf"),
    ],
)
def test_bad_forward(error: type[Exception], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(error) as caught:
        Engine("l1", 8, 4).forward(**arguments)
    assert str(caught.value).startswith(message)


def test_bad_gamma_of_a_norm_with_one_for_every_element() -> None:
    with pytest.raises(ValueError, match=r"one for each of 4 elements or 2 groups, not shape \(3,\)"):
        Engine("layer", 8, 4).forward(X, [1, 2, 3])


def test_too_long_a_group() -> None:
    wrong = pytest.raises(ValueError, match="groups must have 1 to 3 elements, not 4")
    with wrong:
        Engine("l2", 8, max_elements=3).forward(X)
    with wrong:  # whose registers are too narrow for what another engine's held
        Engine("l2", 8, max_elements=3).backward(X, Engine("l2", 8, 4).forward(X).saved)
    for norm in ("layer", "rms", "instance"):
        with wrong:
            Engine(norm, 8, max_elements=3).inference(X)


def test_integers_of_numpy_are_no_narrower_than_pythons_own() -> None:
    given, own = (Engine("l1", kind(16), kind(30000), guard=kind(4), momentum_bits=kind(3)) for kind in (np.int16, int))
    assert given.formats == own.formats and given.registers() == own.registers(np.int16(30000))


def test_what_the_other_view_saved_is_refused() -> None:
    engine = Engine("l1", 8, 4)
    with pytest.raises(ValueError, match=r"this engine is of l1, .* but the forward pass was of float64"):
        engine.backward(X, engine.exact.forward(X).saved)
    with pytest.raises(ValueError, match=r"exact\.backward takes what exact\.forward saved, not what the engine did"):
        engine.exact.backward(X, engine.forward(X).saved)


def test_the_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"gamma = 3\.999 is outside -4 to 3\.99219"):
        Engine("l1", 5, 4).forward(X, [-4.0, 3.999])


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"norm": "srelu", "x_frac": 8}, "x_frac = 8 makes register minus_one -256, which holds -128 to -1"),
        ({"norm": "l1", "form": "pivot", "pivot_window": 1 << 20}, "pivot_window = .* makes register window 1048576"),
    ],
)
def test_the_option_that_a_register_cannot_hold_is_named(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Engine(**{"bits": 8, "elements": 4} | keywords).forward(X)


def test_registers_of_a_sample() -> None:
    sampled = Engine("l1-ns", 8, 100)
    assert sampled.registers(100, 10)["m"][0] == 10
    for wrong in (0, 101):
        with pytest.raises(ValueError, match=f"sampled must be 1 to 100 elements, not {wrong}"):
            sampled.registers(100, wrong)
    with pytest.raises(ValueError, match="sampled must be nothing: norm 'l1' looks at all of them, not 10"):
        Engine("l1", 8, 100).registers(100, 10)


@pytest.mark.parametrize(("norm", "eps"), [("l1", 1e4), ("l2", 1e7), ("rms", 1e7), ("range", 1e4)])
def test_epsilon_beyond_the_largest_deviation(norm: str, eps: float) -> None:
    with pytest.raises(ValueError, match=r"eps = .* makes register E \d+, which holds 0 to \d+"):
        Engine(norm, 8, 4, eps=eps).forward(X)


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (ValueError, {"dy": X[:1]}, "dy has shape (1, 4), but x had (2, 4)"),
        (ValueError, {"dy": X.reshape(2, 2, 2)}, "dy has shape (2, 2, 2), but x had (2, 4)"),
        (TypeError, {"dy": X * 1.0}, "dy must hold integers, not float64"),
        (ValueError, {"dy": X * 20}, "dy[0, 3] = 200 is outside -128..127 (8 bits)"),
        (ValueError, {"dy": X, "dx_frac": 9}, "dx_frac must be an integer from -4 to 8, not 9"),
        (ValueError, {"dy": X, "dx_frac": -5}, "dx_frac must be an integer from -4 to 8, not -5"),
    ],
)
def test_bad_backward(error: type[Exception], arguments: dict[str, Any], message: str) -> None:
    engine = Engine("l1", 8, 4)
    with pytest.raises(error) as caught:
        engine.backward(saved=engine.forward(X).saved, **arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("error", "mask", "message"),
    [
        (ValueError, None, "this norm looks at some of the elements: say which by sampled= (see hwnorm.sample)"),
        (TypeError, [1, 1, 0, 0], "sampled must hold flags (bool), not int64"),
        (ValueError, np.zeros(4, bool), "sampled must pick at least one element"),
        (ValueError, np.ones(3, bool), "sampled must have one flag for each of 4 elements, not shape (3,)"),
    ],
)
def test_bad_mask(error: type[Exception], mask: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        Engine("l2-ns", 8, 4).forward(X, sampled=mask)
    assert str(caught.value) == message


@pytest.mark.parametrize("norm", ["l1", "l2", "range", "fold-sign", "fold-ternary"])
def test_inference_without_statistics(norm: str) -> None:
    engine = Engine(norm, 8, 4)
    for statistics in ({}, {"mean": 0}, {"deviation": 1}):
        with pytest.raises(ValueError, match=f"inference of '{norm}' needs running statistics: mean= and deviation="):
            engine.inference(X, **statistics)


def test_what_has_no_datapath_says_so() -> None:
    for norm in ("elu", "std-loss", "l2-fs-vdn"):
        engine = Engine(norm, 8, 4)
        assert engine.directions == ()
        with pytest.raises(ValueError, match=f"norm '{norm}' has no forward datapath"):
            engine.forward(X)
    with pytest.raises(ValueError, match="norm 'fold-sign' has no forward datapath"):
        Engine("fold-sign", 8, 4).forward(X)
    out = Engine("l1", 8, 4).forward(X)
    for norm in ("elu", "fold-sign"):
        with pytest.raises(ValueError, match=f"norm '{norm}' has no backward datapath"):
            Engine(norm, 8, 4).backward(X, out.saved, 0)


# What it takes


def test_interface_as_documented() -> None:
    engine = hwnorm.Engine(norm="l1", bits=8, elements=1000)
    rng = np.random.default_rng(0)
    x, dy = (
        streams.activations("gaussian", rng, 16, 1000, 8),
        streams.gradients("gaussian", rng, np.zeros((16, 1000)), 8),
    )
    gamma, beta = np.full(16, 0.8), np.zeros(16)
    out = engine.forward(x, gamma, beta)
    exact = engine.exact.forward(x, gamma, beta)
    lsb = 2.0 ** -engine.formats["y"].frac
    assert np.abs(out.y * lsb - np.clip(exact.y, -4, 127 / 32)).max() <= engine.error_bound_lsb * lsb
    back, real = engine.backward(dy, out.saved), engine.exact.backward(dy, exact.saved)
    assert np.abs(back.dx * 2.0**-back.dx_frac - real.dx).max() <= 0.75 * 2.0**-back.dx_frac
    assert engine.inference(x, gamma, beta, mean=0.0, deviation=32.0).shape == x.shape
    assert engine.count("training").executed is not None


@pytest.mark.parametrize("norm", ["l1", "l2", "range", "mean-only", "layer", "rms", "scale", "srelu"])
def test_dtype_and_memory_order_do_not_matter(norm: str) -> None:
    """int8, int64, uint8, lists, Fortran order, and a channel view of an NCHW tensor: the same integers."""
    rng = np.random.default_rng(1)
    nchw = rng.integers(0, 128, (3, 5, 4, 6))  # within uint8 and int8
    view = nchw.transpose(1, 0, 2, 3)  # channels first, not contiguous
    flat = np.ascontiguousarray(view).reshape(5, -1)
    engine = Engine(norm, 8, 72, checked=True)
    want = engine.forward(flat, 1.25, 0.5)
    dx = engine.backward(flat, want.saved, 0).dx
    for x in (view, view.astype(np.int8), view.astype(np.uint8), view.astype(np.int64), np.asfortranarray(view)):
        out = engine.forward(x, 1.25, 0.5)
        assert out.y.shape == (5, 3, 4, 6)
        np.testing.assert_array_equal(out.y.reshape(5, -1), want.y)
        np.testing.assert_array_equal(engine.backward(x, out.saved, 0).dx.reshape(5, -1), dx)
    np.testing.assert_array_equal(engine.forward(flat.tolist(), 1.25, 0.5).y, want.y)


def test_input_is_left_alone() -> None:
    x = X.astype(np.int64)
    Engine("l2", 8, 4).forward(x)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("norm", [*truth.NORMS, "l1-ns", "l2-bs", "range-fs"])
@pytest.mark.parametrize("bits", [4, 8, 24])
def test_an_engine_for_any_length_gives_the_same_integers(norm: str, bits: int) -> None:
    long = Engine(norm, bits, max_elements=5000, checked=True)
    for m in (1, 2, 31, 500):
        rng = np.random.default_rng([bits, m])
        x, one = streams.activations("heavy-tailed", rng, 4, m, bits), Engine(norm, bits, m, checked=True)
        dy = streams.gradients("gaussian", rng, x, bits)
        masks = {"sampled": np.arange(m) < max(m // 3, 1)} if norm in truth.SAMPLED else {}
        a, b = long.forward(x, 1.5, 0.125, **masks), one.forward(x, 1.5, 0.125, **masks)
        np.testing.assert_array_equal(a.y, b.y)
        np.testing.assert_array_equal(long.backward(dy, a.saved).dx, one.backward(dy, b.saved).dx)


@pytest.mark.parametrize("norm", [*truth.NORMS, "l1-ns", "l2-bs", "range-fs"])
@pytest.mark.parametrize("bits", [8, 24])
def test_block_size_does_not_matter(norm: str, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(bits)
    x = streams.activations("two-valued", rng, 7, 100, bits)
    dy = streams.gradients("gaussian", rng, x, bits)
    masks = {"sampled": rng.random(100) < 0.4} if norm in truth.SAMPLED else {}
    found = []
    for block in (1 << 17, 1, 7, 33, 100, 250):
        monkeypatch.setattr(int_ref, "BLOCK", block)
        engine = Engine(norm, bits, 100, checked=True)
        out = engine.forward(x, 1.5, 0.25, **masks)
        back = engine.backward(dy, out.saved)
        found.append((out.y, back.dx, back.dgamma, back.dbeta))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_groups_do_not_touch_each_other() -> None:
    """With one scale of dx a group's integers are those that it has alone."""
    rng = np.random.default_rng(9)
    x = streams.activations("gaussian", rng, 9, 50, 8)
    for norm in truth.NORMS:
        engine = Engine(norm, 8, 50)
        whole = engine.forward(x)
        alone = [engine.forward(x[i : i + 1]) for i in range(9)]
        np.testing.assert_array_equal(whole.y, np.concatenate([out.y for out in alone]))
        dx = [engine.backward(x[i : i + 1], out.saved, 0).dx for i, out in enumerate(alone)]
        np.testing.assert_array_equal(engine.backward(x, whole.saved, 0).dx, np.concatenate(dx))


@pytest.mark.parametrize("norm", truth.NORMS)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_parameter_gradients(norm: str, bits: int) -> None:
    """dbeta is exact. dgamma is a sum of m products with xhat; q holds it within a few LSB of dy for every element."""
    rng, m = np.random.default_rng(bits), 200
    x = streams.activations("gaussian", rng, 6, m, bits)
    dy = streams.gradients("gaussian", rng, x, bits)
    engine = Engine(norm, bits, m, eps=0, checked=True)
    back = engine.backward(dy, engine.forward(x, 0.75, 0.0).saved)
    group, per_element = truth.Group.of(norm, x), norm in truth.PER_ELEMENT
    assert back.dbeta is not None
    np.testing.assert_array_equal(back.dbeta, dy.sum(axis=0 if per_element else 1))
    if norm == "mean-only":
        assert back.dgamma is None
        return
    want = group.dgamma(dy, per_element).astype(float)
    assert back.dgamma is not None
    assert back.dgamma.shape == want.shape
    most = np.abs(dy).sum(axis=0 if per_element else 1)
    assert (np.abs(back.dgamma - want) <= 2.0 ** -(bits - 1) * most + 0.011 * m).all()
    if norm == "layer":
        saved = engine.exact.forward(x, 0.75, 0.0).saved
        np.testing.assert_allclose(engine.exact.backward(dy, saved).dgamma, want, rtol=1e-9, atol=1e-9)


# What it says of itself

REGISTERS = {
    "l1": "x y dy dx gamma beta S mu c P n D0 D E kappa inv_m Dn e R K sh B W U HM q a nbar Bp Bn",
    "l2": "x y dy dx gamma beta S Q mu V0 V E D kappa inv_m Dn e R K sh B W U HM q a J C",
    "range": "x y dy dx gamma beta S mu top bottom D0 D E kappa inv_m Dn e R K sh B W U HM q a",
    "rms": "x y dy dx gamma beta Q V0 V E D kappa Dn e R K sh U HM q J",
    "layer": "x y dy dx gamma beta S Q mu V0 V E D kappa Dn e R K sh B W U HM q a J C",
}


@pytest.mark.parametrize("norm", REGISTERS)
def test_formats_hold_every_register(norm: str) -> None:
    engine = Engine(norm, 8, 1000)
    assert set(REGISTERS[norm].split()) <= set(engine.formats)
    for fmt in engine.formats.values():
        assert 1 <= fmt.width <= 128


def test_formats_of_the_numerics_page() -> None:
    """b = 8, g = 4, m = 1000, so L = 10: the widths that NUMERICS gives, or narrower."""
    b, g, L, m = 8, 4, 10, 1000
    l1, l2 = Engine("l1", b, m).formats, Engine("l2", b, m).formats
    widths = {"x": b, "y": b, "dy": b, "dx": b, "gamma": b + 5, "beta": b + g + 1, "S": b + L, "c": b, "P": b + L}
    for name, width in widths.items():
        assert l1[name].width == width, name
    limits = {"mu": b + b + g + 1, "n": 10, "D0": b + 2 * L, "HM": 2 * b + 2 * L + 2, "W": b + L, "U": 2 * b + L}
    for name, width in (limits | {"q": b + b + g + 2, "R": b + g, "B": 2 * b + g + 2, "Dn": b + g}).items():
        assert l1[name].width <= width, name
    assert l2["Q"].width <= 2 * b - 1 + L
    assert l2["V0"].width <= 2 * b - 2 + 2 * L
    assert l1["K"].width == b + g + 1  # the mantissa and its sign
    assert (l1["gamma"].frac, l1["beta"].frac, l1["y"].frac) == (b + 2, 5 + g, 5)
    assert not l1["P"].signed or l1["P"].lo < 0
    assert (l1["sh"].width, l1["e"].width) == (4, 5)


def test_engine_for_many_lengths_needs_the_registers_of_the_longest() -> None:
    fixed, free = Engine("l2", 8, 4096), Engine("l2", 8, max_elements=4096)
    assert fixed.formats == free.formats
    m = free.registers(100).get("m", None)
    assert m == (100, 0)
    with pytest.raises(ValueError, match="groups must have 1 to 4096 elements, not 4097"):
        free.registers(4097)


def test_directions() -> None:
    assert Engine("l1", 8, 4).directions == ("forward", "backward", "inference")
    assert Engine("fold-ternary", 8, 4).directions == ("inference",)
