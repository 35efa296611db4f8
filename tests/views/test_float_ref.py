"""The backward pass of every entry against two independent truths: torch autograd and central differences.

The torch forwards below are written from the papers' equations, not from the graphs. An element exactly at its mean,
and a maximum that occurs twice, have no derivative: what each side does there is said where it is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log, pi, sqrt
from typing import Any

import numpy as np
import pytest

from hwnorm.ir import Rate, Setting
from hwnorm.norms import l1
from hwnorm.norms.catalog import CATALOG
from hwnorm.norms.form import Form, Norm
from hwnorm.views.float_ref import evaluate

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed: pip install torch")

GROUPS, M, EPS, WEIGHT, SHARE, TEMPERATURE, ONE = 3, 24, 1e-3, 0.7, 0.3, 30.0, 1.0
SEED = 20240607
SETTING = {"eps": EPS, "one": ONE, "share": SHARE, "weight": WEIGHT, "temperature": TEMPERATURE}
SAMPLED = np.zeros((1, M))
SAMPLED[0, 3:14] = 1
VIRTUAL = np.zeros((1, M))
VIRTUAL[0, :5] = 1  # in front of the batch, some of them in the patch too

TRAINED = [n for n in CATALOG.values() if n.printed.backward is not None]
AFFINE = [n for n in TRAINED if n.affine != "none"]


def family(norm: Norm) -> str:
    return norm.name.removesuffix(f"-{norm.sampling}") if norm.sampling else norm.name


# Data


def gaussian(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    return rng.normal(0.4, 1.7, (GROUPS, M))


def skewed(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """As behind a ReLU, but for the zeros, which tie."""
    return rng.exponential(1.3, (GROUPS, M)) ** 1.5


def tied(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Whole numbers, most of them several times, one extreme a group; no mean of any of the samples among them."""
    x = rng.integers(-2, 4, (GROUPS, M)).astype(float)
    x[:, 6], x[:, 9] = 9, -8
    for part in (np.ones((1, M)), SAMPLED, VIRTUAL):
        mean = (x * part).sum(1) / part.sum()
        assert (mean != np.floor(mean)).all()
    return x


def at_the_mean(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Elements exactly at the mean of their group and of its sample: sgn is 0 there, and autograd takes 0 for |0|'."""
    x = rng.integers(1, 40, (GROUPS, M)).astype(float)
    x[:, 3:14:2][:, :5], x[:, 4:14:2] = x[:, 3:14:2][:, :5], -x[:, 3:14:2][:, :5]
    x[:, 13] = 0
    rest = [i for i in range(M) if not SAMPLED[0, i]]
    x[:, rest[1::2][:6]] = -x[:, rest[0::2][:6]]
    x[:, rest[12]] = 0
    assert (x.sum(1) == 0).all() and ((x * SAMPLED).sum(1) == 0).all()
    return x


DATA = {f.__name__: f for f in (gaussian, skewed, tied, at_the_mean)}


def operands(norm: Norm, data: str, m: int = M) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng([SEED, len(data)])
    x = DATA[data](rng)
    if norm.name in ("srelu", "final-only"):
        x = x + 0.013  # no element at the kink, x = -1
    if norm.name == "elu":
        x = np.where(x == 0, 0.013, x)  # both slopes of the kink are 1, its second derivative is not one
    shape = (1, M) if norm.affine == "element" else (GROUPS, 1)
    return {
        "x": x,
        "dy": rng.normal(0.1, 1.0, x.shape),
        "gamma": rng.uniform(-2, 2, shape),
        "beta": rng.uniform(-1, 1, shape),
        "sampled": SAMPLED,
        "virtual": VIRTUAL,
    }


def setting(norm: Norm) -> Setting:
    s = int(SAMPLED.sum()) if norm.sampling else M
    return Setting(m=M, s=s, v=int(VIRTUAL.sum()) if norm.sampling == "fs-vdn" else 0, **SETTING)


def run(form: Form, values: dict[str, Any], where: Setting) -> dict[str, Any]:
    """Forward, then backward with what it saved."""
    assert form.forward is not None and form.backward is not None
    forward = evaluate(form.forward(), values, where)
    backward = evaluate(form.backward(), values | forward, where)
    return {name: backward[name] for name in ("dx", "dgamma", "dbeta") if name in backward} | {
        name: forward[name] for name in ("y", "loss") if name in forward
    }


def summed(gradient: np.ndarray[Any, Any], like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """dgamma of a parameter that is one an element is a stream, to be summed over the groups."""
    return gradient.sum(axis=0, keepdims=True) if like.shape[0] == 1 else gradient


# The equations again, in torch


def moments_of(x: Any, part: Any) -> tuple[Any, Any]:
    n = part.sum()
    mu = (x * part).sum(1, keepdim=True) / n
    return mu, (((x - mu) ** 2) * part).sum(1, keepdim=True) / n


def first_extreme(x: Any, which: Callable[..., Any]) -> Any:
    """The largest or smallest of a group. Of several equal ones the first takes the whole gradient: a subgradient like
    any other, and the one that hardware gives."""
    return x.gather(1, torch.tensor(which(x.detach().numpy(), axis=1)[:, None]))


def torch_forward(norm: Norm, v: dict[str, Any], l1_scale: float = 1.0) -> Any:
    """The papers' forward equations: y, or for the standardization loss (y, loss)."""
    x = v["x"]
    everything = torch.ones((1, M), dtype=torch.float64)
    part = v["sampled"] if norm.sampling else everything
    mu, var = moments_of(x, part)
    match family(norm):
        case "l2" | "layer" | "group" | "instance" if norm.sampling != "fs-vdn":
            xhat = (x - mu) / torch.sqrt(var + EPS)
        case "l1" | "layer-l1":  # L1BN Eq. 9-11
            s = ((x - mu).abs() * part).sum(1, keepdim=True) / part.sum()
            xhat = (x - mu) / (l1_scale * s + EPS)
        case "range":  # sigma = C(m) (max - min), C(m) = 1/sqrt(2 ln m)
            inside = x[:, part[0] > 0]
            sigma = (first_extreme(inside, np.argmax) - first_extreme(inside, np.argmin)) / sqrt(
                2 * log(inside.shape[1])
            )
            xhat = (x - mu) / (sigma + EPS)
        case "l2" if norm.sampling == "fs-vdn":  # Sampling Eq. 4, for the mean and for the variance
            (mu_v, var_v), (mu_s, var_s) = moments_of(x, v["virtual"]), moments_of(x, v["sampled"])
            mean, variance = SHARE * mu_v + (1 - SHARE) * mu_s, SHARE * var_v + (1 - SHARE) * var_s
            xhat = (x - mean) / torch.sqrt(variance + EPS)
        case "rms":
            xhat = x / torch.sqrt((x**2).mean(1, keepdim=True) + EPS)
        case "mean-only":
            return x - mu + v["beta"]
        case "srelu" | "final-only":  # sReLU Eq. 5
            return torch.clamp(x, min=-ONE)
        case "elu":  # sReLU Eq. 4
            return torch.where(x > 0, x, torch.exp(x) - 1)
        case "scale":
            return x / (TEMPERATURE * ONE)
        case "std-loss":  # StdLoss Eq. 2
            return x, WEIGHT * 0.5 * (mu**2 + var - torch.log(var) - 1)
        case other:
            raise AssertionError(f"no equations for {other}: write them here")
    return v["gamma"] * xhat + v["beta"]


def autograd(norm: Norm, values: dict[str, Any], l1_scale: float = 1.0) -> dict[str, Any]:
    v = {k: torch.tensor(a, dtype=torch.float64) for k, a in values.items()}
    for name in ("x", "gamma", "beta"):
        v[name].requires_grad_()
    found = torch_forward(norm, v, l1_scale)
    y, loss = found if isinstance(found, tuple) else (found, None)
    objective = (y * v["dy"]).sum() + (loss.sum() if loss is not None else 0)
    objective.backward()
    result = {"y": y.detach().numpy(), "dx": v["x"].grad.numpy()}
    result |= {f"d{n}": v[n].grad.numpy() for n in ("gamma", "beta") if v[n].grad is not None}
    return result | ({"loss": loss.detach().numpy()} if loss is not None else {})


def close(found: Any, expected: Any, tolerance: float) -> None:
    scale = np.abs(expected).max() or 1.0
    assert np.abs(found - expected).max() <= tolerance * scale, np.abs(found - expected).max() / scale


@needs_torch
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("norm", TRAINED, ids=lambda n: n.name)
def test_printed_graphs_equal_autograd(norm: Norm, data: str) -> None:
    values = operands(norm, data)
    found, expected = run(norm.printed, values, setting(norm)), autograd(norm, values)
    close(found["y"], expected["y"], 1e-12)
    close(found["dx"], expected["dx"], 1e-9)
    for name in ("gamma", "beta"):
        if f"d{name}" in found:
            close(summed(found[f"d{name}"], values[name]), expected[f"d{name}"], 1e-9)
        else:
            assert f"d{name}" not in expected
    if "loss" in found:
        close(found["loss"], expected["loss"], 1e-12)


@needs_torch
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("scale", [1.0, sqrt(pi / 2)])
@pytest.mark.parametrize("sampled", [False, True])
def test_l1_with_the_factor_of_theorem_1(data: str, scale: float, sampled: bool) -> None:
    """With c in sigma Eq. 15's last term needs c too."""
    norm = CATALOG["l1-fs" if sampled else "l1"]
    values = operands(norm, data)
    where = Setting(m=M, s=int(SAMPLED.sum()) if sampled else M, v=0, l1_scale=scale, **SETTING)
    form = Form(
        lambda: l1.printed_forward(sampled=sampled, scaled=True),
        lambda: l1.printed_backward(sampled=sampled, scaled=True),
    )
    found, expected = run(form, values, where), autograd(norm, values, scale)
    for name in ("y", "dx", "dgamma", "dbeta"):
        close(found[name], expected[name], 1e-9)


@pytest.mark.parametrize("norm", TRAINED, ids=lambda n: n.name)
@pytest.mark.parametrize("data", ["gaussian", "skewed", "tied"])
def test_printed_graphs_equal_central_differences(norm: Norm, data: str) -> None:
    """Of the forward graph, by seven points, which leaves an error of h**6."""
    values, where, h = operands(norm, data), setting(norm), 2e-3
    away_from_kinks(norm, values, 4 * h)
    assert norm.printed.forward is not None
    graph, found = norm.printed.forward(), run(norm.printed, values, where)

    def objective(name: str, at: tuple[int, int], step: float) -> float:
        moved = values[name].copy()
        moved[at] += step
        out = evaluate(graph, values | {name: moved}, where)
        return float((out["y"] * values["dy"]).sum() + (out["loss"].sum() if "loss" in out else 0.0))

    for name in ("x", "gamma", "beta"):
        if f"d{name}" not in found:
            continue
        gradient = summed(found[f"d{name}"], values[name])
        scale = np.abs(gradient).max()
        for at in np.ndindex(values[name].shape):
            d1, d2, d3 = (objective(name, at, k * h) - objective(name, at, -k * h) for k in (1, 2, 3))
            assert abs((45 * d1 - 9 * d2 + d3) / (60 * h) - gradient[at]) <= 1e-9 * scale, (name, at)


def away_from_kinks(norm: Norm, values: dict[str, Any], distance: float) -> None:
    """No step of this size may carry an element over its mean, over the other extreme, or over -1 or 0."""
    x = values["x"]
    match family(norm):
        case "l1" | "layer-l1":
            part = SAMPLED if norm.sampling else np.ones((1, M))
            for _ in range(50):
                gap = x - (x * part).sum(1, keepdims=True) / part.sum()
                if (np.abs(gap) > distance).all():
                    return
                x += np.where(np.abs(gap) <= distance, 3 * distance, 0)
        case "range":
            inside = np.flatnonzero(SAMPLED[0]) if norm.sampling else np.arange(M)
            for group in x:
                group[inside[group[inside].argmax()]] += 3 * distance
                group[inside[group[inside].argmin()]] -= 3 * distance
            return
        case "srelu" | "final-only" | "elu":
            edge = 0.0 if norm.name == "elu" else -ONE
            x += np.where(np.abs(x - edge) <= distance, 3 * distance, 0)
            return
        case _:
            return
    raise AssertionError("the data keep coming back to their mean")


# Datapaths as real numbers

FORMS = [
    pytest.param(norm, name, form, id=f"{norm.name}-{name}")
    for norm in TRAINED
    for name, form in norm.forms.items()
    if form.forward is not None and form.backward is not None
]


def printed_of(norm: Norm) -> Form:
    """What the datapath of a norm computes: of l1 with the factor of Theorem 1."""
    if family(norm) not in ("l1", "layer-l1"):
        return norm.printed
    per_element, sampled = norm.affine == "element", bool(norm.sampling)
    return Form(
        lambda: l1.printed_forward(per_element, sampled, scaled=True),
        lambda: l1.printed_backward(per_element, sampled, scaled=True),
    )


@pytest.mark.parametrize("l1_scale", [1.0, sqrt(pi / 2)])
@pytest.mark.parametrize("data", ["gaussian", "skewed", "tied"])
@pytest.mark.parametrize(("norm", "name", "form"), FORMS)
def test_every_datapath_is_the_printed_graph(norm: Norm, name: str, form: Form, data: str, l1_scale: float) -> None:
    values, where = operands(norm, data), replace(setting(norm), l1_scale=l1_scale)
    expected = run(printed_of(norm), values, where)
    pivots = [0.0, "mean"] if name == "pivot" else [0.0]  # far from the mean: the second sweep; at it: none
    for pivot in pivots:
        c0 = values["x"].mean(1, keepdims=True) if pivot == "mean" else np.zeros((GROUPS, 1))
        found = run(form, values | {"c0": c0}, where)
        assert found.keys() == expected.keys() - {"loss"}
        for result in found:
            close(found[result], expected[result], 1e-9)


@pytest.mark.parametrize("norm", [n for n in TRAINED if family(n) in ("l1", "layer-l1")], ids=lambda n: n.name)
def test_an_element_at_the_mean_counts_as_below_it_in_a_datapath(norm: Norm) -> None:
    """exact.py's convention, against Eq. 15 with sgn(0) = -1 written out here; as printed sgn(0) is 0."""
    values, where = operands(norm, "at_the_mean"), replace(setting(norm), l1_scale=sqrt(pi / 2))
    part = SAMPLED if norm.sampling else np.ones((1, M))
    s, x = part.sum(), values["x"]
    mu = (x * part).sum(1, keepdims=True) / s
    assert ((x == mu) & (part > 0)).any()
    sigma = sqrt(pi / 2) * (np.abs(x - mu) * part).sum(1, keepdims=True) / s + EPS
    xhat, g = (x - mu) / sigma, values["gamma"] * values["dy"]
    mean_g, q = g.sum(1, keepdims=True) / s, (g * xhat).sum(1, keepdims=True) / s
    for at_mean in (-1, 0):
        sgn = np.where(x > mu, 1, np.where(x < mu, -1, at_mean))
        path = mean_g + sqrt(pi / 2) * q * (sgn - (sgn * part).sum(1, keepdims=True) / s)
        dx = (g - part * path) / sigma
        if at_mean == 0:
            close(run(printed_of(norm), values, where)["dx"], dx, 1e-9)
        else:
            for name, form in norm.forms.items():
                found = run(form, values | {"c0": mu}, where)
                close(found["dx"], dx, 1e-9)
                close(found["y"], values["gamma"] * xhat + values["beta"], 1e-9)
                assert name in ("positive-part", "abs", "pivot")


@pytest.mark.parametrize("sampled", [False, True])
def test_of_equal_extremes_the_first_takes_the_pull(sampled: bool) -> None:
    """One maximum among three and one minimum among two: dx there differs from its equals' by the pull alone."""
    norm = CATALOG["range-fs" if sampled else "range"]
    values, where = operands(norm, "tied"), setting(norm)
    x, dy = values["x"], values["dy"]
    x[:, [6, 8, 12]], x[:, [7, 9]] = 9, -8
    dy[:, [6, 8, 12, 7, 9]] = 0.25
    for form in (norm.printed, *norm.forms.values()):
        dx = run(form, values, where)["dx"]
        for group in dx:
            assert group[8] == pytest.approx(group[12], rel=1e-12)
            assert abs(group[6] - group[8]) > 1e-3
            assert group[6] - group[8] == pytest.approx(-(group[7] - group[9]), rel=1e-9)


@pytest.mark.parametrize("norm", [n for n in AFFINE if n.name != "rms"], ids=lambda n: n.name)
def test_a_constant_group_gives_beta(norm: Norm) -> None:
    """Not so of rms, which subtracts no mean. A datapath gives such a group no gradient; a formula divides by eps."""
    values = operands(norm, "gaussian") | {"x": np.full((GROUPS, M), 3.0), "c0": np.full((GROUPS, 1), 3.0)}
    for form in (norm.printed, *norm.forms.values()):
        found = run(form, values, setting(norm))
        assert found["y"] == pytest.approx(np.broadcast_to(values["beta"], (GROUPS, M)), abs=1e-12)
        if form is not norm.printed and norm.name != "mean-only":
            assert (found["dx"] == 0).all()


# The erratum


def eq_12(x: Any, dy: Any, gamma: float) -> tuple[Any, Any]:
    """(L1BN Eq. 12 to the letter, Eq. 15 to the letter), for one group, from the paper."""
    m = x.size
    mu = x.mean()
    sigma = np.abs(x - mu).mean()
    xhat, dxhat, sgn = (x - mu) / (sigma + EPS), dy * gamma, np.sign(x - mu)
    dsigma = (dxhat * (x - mu) * -1 / (sigma + EPS) ** 2).sum()
    dmu = (dxhat * -1 / (sigma + EPS)).sum() + dsigma * -1 / m * sgn.sum()
    printed = dsigma / m * (sgn - sgn.mean()) + dxhat / (sigma + EPS) + dmu / m
    eq_15 = (dxhat - dxhat.mean() - (dxhat * xhat).mean() * (sgn - sgn.mean())) / (sigma + EPS)
    return printed, eq_15


def l1_differences(x: Any, dy: Any, gamma: float) -> Any:
    """Central differences of L1BN Eq. 9-11, in NumPy."""

    def objective(v: Any) -> float:
        mu = v.mean()
        return float((gamma * (v - mu) / (np.abs(v - mu).mean() + EPS) * dy).sum())

    h, dx = 1e-5, np.zeros_like(x)
    for i in range(x.size):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (objective(x + e) - objective(x - e)) / (2 * h)
    return dx


def relu_like(rng: np.random.Generator, m: int) -> Any:
    return np.maximum(rng.normal(-0.3, 1.0, m), 0.0)


def backward_error(x: Any, dy: Any) -> float:
    """Of the printed Eq. 12 against the true gradient, as a part of it."""
    printed, true = eq_12(x, dy, 1.3)
    return float(np.linalg.norm(printed - true) / np.linalg.norm(true))


def test_eq_12_as_printed_is_not_the_gradient() -> None:
    """Erratum of L1BN: Eq. 12 counts the path through mu twice, Eq. 15 is right.

    Which is right central differences say. The difference is mean(g * xhat) * mean(sgn) / sigma at every element: so it
    grows with the skew of x, and with how far dy goes along x. Here dy goes along it by a quarter, as a loss does that
    pulls an activation back.
    """
    rng = np.random.default_rng(SEED)
    for draw in range(20):
        skewed_x = rng.exponential(1.0, 128) ** 1.5
        dy = rng.normal(0.0, 1.0, 128) + 0.25 * (skewed_x - skewed_x.mean()) / skewed_x.std()
        printed, eq_15 = eq_12(skewed_x, dy, 1.3)
        true = l1_differences(skewed_x, dy, 1.3)
        close(eq_15, true, 1e-6)
        assert np.linalg.norm(printed - true) > 0.02 * np.linalg.norm(true), draw
        sigma = np.abs(skewed_x - skewed_x.mean()).mean() + EPS
        sgn, q = np.sign(skewed_x - skewed_x.mean()), 1.3 * (dy * (skewed_x - skewed_x.mean())).mean() / sigma
        close(printed - eq_15, np.full(128, q * sgn.mean() / sigma), 1e-9)


def test_eq_12_errs_with_skew() -> None:
    """6 to 35 % on ReLU-like data; under 1 % on Gaussian data of 64 elements and more."""
    rng = np.random.default_rng(SEED)
    for m in (64, 128, 256, 1024):
        relu, gauss = [], []
        for _ in range(40):
            x, dy = relu_like(rng, m), rng.normal(0.0, 1.0, m)
            relu.append(backward_error(x, dy + 0.25 * (x - x.mean()) / x.std()))
            gauss.append(backward_error(rng.normal(0.0, 1.0, m), dy))
        assert 0.06 < np.median(relu) < 0.35, (m, np.median(relu))
        assert np.median(gauss) < 0.01, (m, np.median(gauss))


@needs_torch
def test_the_catalogue_holds_eq_15() -> None:
    values = operands(CATALOG["l1"], "skewed")
    found, expected = run(CATALOG["l1"].printed, values, setting(CATALOG["l1"])), autograd(CATALOG["l1"], values)
    for g in range(GROUPS):
        printed, eq_15 = eq_12(values["x"][g], values["dy"][g], float(values["gamma"][g, 0]))
        close(found["dx"][g], eq_15, 1e-9)
        close(expected["dx"][g], eq_15, 1e-9)
        assert np.abs(printed - expected["dx"][g]).max() > 1e-3 * np.abs(eq_15).max()


# Inference

BATCH = [n for n in CATALOG.values() if "scale" in (n.printed.inference().inputs if n.printed.inference else ())]


@needs_torch
@pytest.mark.parametrize("norm", BATCH, ids=lambda n: n.name)
def test_folded_inference_is_batch_norm_by_running_statistics(norm: Norm) -> None:
    """L1BN Algorithm 1, against torch's own batch_norm in evaluation mode."""
    values = operands(norm, "skewed")
    mean, var = np.array([0.3, -1.0, 2.0]), np.array([0.5, 2.0, 1.0])
    y = torch.nn.functional.batch_norm(
        torch.tensor(values["x"].T),
        *(torch.tensor(v) for v in (mean, var, values["gamma"][:, 0], values["beta"][:, 0])),
        eps=EPS,
    ).numpy()
    scale = values["gamma"] / np.sqrt(var + EPS)[:, None]
    folded = values | {"scale": scale, "shift": values["beta"] - scale * mean[:, None]}
    for form in (norm.printed, *norm.forms.values()):
        assert form.inference is not None
        close(evaluate(form.inference(), folded, setting(norm))["y"], y.T, 1e-12)


@pytest.mark.parametrize("norm", CATALOG.values(), ids=lambda n: n.name)
def test_every_entry_says_what_inference_is(norm: Norm) -> None:
    """The standardization loss leaves nothing; per-sample statistics are taken again; the others are folded."""
    graph = norm.printed.inference() if norm.printed.inference else None
    reductions = [n for n in graph if n.rate is Rate.STAT and n.op.value in ("sum", "rmax", "rmin")] if graph else []
    assert (graph is None) == (norm.name == "std-loss")
    assert bool(reductions) == (norm.name in ("layer", "layer-l1", "group", "instance", "rms"))


def test_mean_only_inference() -> None:
    values = operands(CATALOG["mean-only"], "gaussian") | {"shift": np.array([[0.5], [1.0], [-2.0]])}
    for form in (CATALOG["mean-only"].printed, *CATALOG["mean-only"].forms.values()):
        assert form.inference is not None
        found = evaluate(form.inference(), values, setting(CATALOG["mean-only"]))["y"]
        close(found, values["x"] + values["shift"], 1e-15)
