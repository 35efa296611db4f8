"""Norms left in pieces, in the spellings that exporters and people use; the same spellings in ONNX and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwnorm.errors import InputError
from hwnorm.network.model import Layer

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from export import export  # noqa: E402 - needs torch
from onnx import TensorProto, helper  # noqa: E402 - as a package that may be missing
from onnx_graphs import graph_of, node, save, vector  # noqa: E402 - needs onnx

from hwnorm.network.onnx_reader import read_onnx  # noqa: E402 - beside its tests
from hwnorm.network.torch_reader import read_torch  # noqa: E402 - likewise

EPS = 1e-5


class Written(torch.nn.Module):  # type: ignore[misc]
    """A module around one formula of x, w and b, behind a convolution that keeps the input from being a constant."""

    def __init__(self, formula: Callable[..., Any], shape: tuple[int, ...], size: int) -> None:
        super().__init__()
        self.formula, self.input_shape = formula, shape
        self.w, self.b = torch.nn.Parameter(torch.rand(size)), torch.nn.Parameter(torch.rand(size))

    def forward(self, x: Any) -> Any:
        return torch.relu(self.formula(torch.tanh(x), self.w, self.b))


def of_vectors(x: Any) -> Any:
    return x.pow(2).mean(-1, keepdim=True)


def plane(p: Any) -> Any:
    return p.reshape(1, -1, 1, 1)


def centred(x: Any, *axes: int) -> Any:
    return x - x.mean(axes, keepdim=True)


def quotient(x: Any, *axes: int) -> Any:
    c = centred(x, *axes)
    return c / (c.pow(2).mean(axes, keepdim=True) + EPS).sqrt()


def by_var(x: Any) -> Any:
    return centred(x, -1) / (x.var(-1, keepdim=True, unbiased=False) + EPS).sqrt()


def by_rsqrt(x: Any) -> Any:
    c = centred(x, -1)
    return c * (of_vectors(c) + EPS).rsqrt()


def by_moments(x: Any) -> Any:
    mean = x.mean(-1)
    variance = x.square().mean(-1) - mean * mean
    return (x - mean.unsqueeze(-1)) * (variance.unsqueeze(-1) + EPS).rsqrt()


def by_sums(x: Any, divisor: float) -> Any:
    c = x - x.sum(-1, keepdim=True) / 12
    return c / ((c * c).sum(-1, keepdim=True) / divisor + EPS).sqrt()


def pooled(x: Any) -> Any:
    c = x - torch.nn.functional.adaptive_avg_pool2d(x, 1)
    return c / (torch.nn.functional.adaptive_avg_pool2d(c * c, 1) + EPS).sqrt()


def bare_axes(x: Any, w: Any, b: Any) -> Any:
    c = x - x.mean((0, 2, 3))[None, :, None, None]
    return c / (c.square().mean((0, 2, 3)) + EPS).sqrt().view(1, -1, 1, 1) * plane(w) + plane(b)


def by_l1(x: Any, *axes: int) -> Any:
    c = centred(x, *axes)
    return c / (c.abs().mean(axes, keepdim=True) + EPS)


def rms(x: Any) -> Any:
    return x * (of_vectors(x) + EPS).rsqrt()


def gamma_first(x: Any, w: Any) -> Any:
    return w * x * (of_vectors(x) + EPS).rsqrt()


def grouped(x: Any, groups: int) -> Any:
    y = x.reshape(x.shape[0], groups, -1)
    y = (y - y.mean(-1, keepdim=True)) / torch.sqrt(y.var(-1, keepdim=True, unbiased=False) + EPS)
    return y.reshape(x.shape)


RMS = Layer("", "rms_norm", 12, 7, shift=False)
LN = Layer("", "layer_norm", 12, 7)
BARE = {"scale": False, "shift": False}

TOKENS: list[tuple[str, Callable[..., Any], Layer]] = [
    ("rms: llama", lambda x, w, b: w * (x.float() * torch.rsqrt(of_vectors(x.float()) + EPS)).type_as(x), RMS),
    ("rms: gemma", lambda x, w, b: (x * torch.rsqrt(of_vectors(x) + EPS)) * (1.0 + w.float()), RMS),
    ("rms: root", lambda x, w, b: x / torch.sqrt((x * x).mean(-1, keepdim=True) + EPS) * w, RMS),
    ("rms: gamma first", lambda x, w, b: w * x / torch.sqrt(of_vectors(x) + EPS), RMS),
    ("rms: gamma first, rsqrt", lambda x, w, b: gamma_first(x, w), RMS),
    ("rms: power", lambda x, w, b: x * (of_vectors(x) + EPS) ** -0.5, replace(RMS, **BARE)),
    ("rms: eps outside", lambda x, w, b: x / (of_vectors(x).sqrt() + EPS) * w + b, replace(RMS, shift=True)),
    ("rms: length", lambda x, w, b: w * (x / (x.norm(2, dim=-1, keepdim=True) * 12**-0.5 + EPS)), RMS),
    ("rms: sum", lambda x, w, b: w * x * ((x * x).sum(-1, keepdim=True) / 12 + EPS).rsqrt(), RMS),
    ("rms: sum times 1/n", lambda x, w, b: w * (x / (1 / 12 * (x * x).sum(-1, True) + EPS).sqrt()), RMS),
    ("rms: no kept axis", lambda x, w, b: x * torch.rsqrt(x.pow(2).mean(-1) + EPS)[..., None] * w, RMS),
    ("rms: keywords", lambda x, w, b: w * x / (torch.mean(input=x * x, dim=-1, keepdim=True) + EPS).sqrt(), RMS),
    ("rms: of a product", lambda x, w, b: rms(w * x) * b, RMS),
    ("rms: of a mean", lambda x, w, b: rms(x.mean(1)) * w, replace(RMS, height=1)),
    ("rms: of a mean, gamma first", lambda x, w, b: gamma_first(x.mean(1), w), replace(RMS, height=1)),
    ("rms: unit", lambda x, w, b: torch.nn.functional.normalize(x, dim=-1) * 12**0.5 * w, RMS),
    ("rms: unit by hand", lambda x, w, b: x / (x.pow(2).sum(-1, True).sqrt() + EPS) * w, replace(RMS)),
    ("ln: textbook", lambda x, w, b: w * centred(x, -1) / torch.sqrt(of_vectors(centred(x, -1)) + EPS) + b, LN),
    ("ln: shared", lambda x, w, b: w * quotient(x, -1) + b, LN),
    ("ln: rsqrt", lambda x, w, b: by_rsqrt(x), replace(LN, **BARE)),
    ("ln: var", lambda x, w, b: by_var(x) * w, replace(LN, shift=False)),
    ("ln: var over n - 1", lambda x, w, b: centred(x, -1) / (x.var(-1, keepdim=True) + EPS).sqrt() * w + b, LN),
    ("ln: sums", lambda x, w, b: by_sums(x, 12) * w + b, LN),
    ("ln: sums over n - 1", lambda x, w, b: by_sums(x, 11) * w + b, LN),
    ("ln: moments, no kept axis", lambda x, w, b: by_moments(x) * w + b, LN),
    ("ln: product", lambda x, w, b: centred(x, -1) / ((centred(x, -1) * centred(x, -1)).mean(-1, True) + EPS).sqrt(),
     replace(LN, **BARE)),
    ("ln: negated mean", lambda x, w, b: rms(x + -x.mean(-1, True)), replace(LN, **BARE)),
    ("ln: mean less value", lambda x, w, b: rms(x.mean(-1, True) - x), replace(LN, **BARE)),
    ("ln: l1", lambda x, w, b: by_l1(x, -1) * w + b, LN),
    ("ln: length", lambda x, w, b: centred(x, -1) / (centred(x, -1).norm(dim=-1, keepdim=True) / 12**0.5) * w + b, LN),
    ("ln: unit", lambda x, w, b: torch.nn.functional.normalize(centred(x, -1), dim=-1) * 12**0.5 * w + b, LN),
    ("ln: a number on top", lambda x, w, b: 2 * centred(x, -1) / (x.std(-1, keepdim=True) + EPS), replace(LN, **BARE)),
    ("ln: affine in one", lambda x, w, b: torch.addcmul(b, w, quotient(x, -1)), LN),
    ("ln: over both", lambda x, w, b: quotient(x, 1, 2), Layer("", "layer_norm", 84, **BARE)),
]  # fmt: skip

IMAGES: list[tuple[str, Callable[..., Any], Layer]] = [
    ("ln: channels", lambda x, w, b: plane(w) * quotient(x, 1) + plane(b), Layer("", "layer_norm", 12, 6, 5)),
    ("instance", lambda x, w, b: quotient(x, 2, 3) * plane(w) + plane(b), Layer("", "instance_norm", 12, 6, 5)),
    ("batch", lambda x, w, b: quotient(x, 0, 2, 3) * plane(w) + plane(b), Layer("", "batch_norm", 12, 6, 5)),
    ("instance: pooled", lambda x, w, b: pooled(x) * plane(w) + plane(b), Layer("", "instance_norm", 12, 6, 5)),
    ("batch: no kept axes", bare_axes, Layer("", "batch_norm", 12, 6, 5)),
    ("batch: l1", lambda x, w, b: by_l1(x, 0, 2, 3) * plane(w) + plane(b), Layer("", "batch_norm", 12, 6, 5)),
    ("group", lambda x, w, b: grouped(x, 3) * plane(w) + plane(b), Layer("", "group_norm", 12, 6, 5, channel_groups=3)),
    ("one group", lambda x, w, b: grouped(x, 1), Layer("", "group_norm", 12, 6, 5, **BARE)),
]  # fmt: skip

CASES = [pytest.param((7, 12), formula, layer, id=name) for name, formula, layer in TOKENS]
CASES += [pytest.param((12, 6, 5), formula, layer, id=name) for name, formula, layer in IMAGES]


@pytest.mark.parametrize(("shape", "formula", "layer"), CASES)
def test_spellings(
    shape: tuple[int, ...], formula: Callable[..., Any], layer: Layer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Written(formula, shape, 12)
    monkeypatch.setattr("test_pieces.NOW", module, raising=False)
    watched = read_torch("test_pieces:NOW", None, 2)
    assert [replace(one, name="") for one in watched.layers] == [layer]
    assert watched.warnings == ()
    for opset in (11, 17, 18):
        exported = read_onnx(export(module, tmp_path / f"{opset}.onnx", shape, opset), None)
        assert [replace(one, name="") for one in exported.layers] == [layer]


OPERATORS = [torch.nn.LayerNorm(12), torch.nn.LayerNorm((7, 12)), torch.nn.LayerNorm(12, bias=False)]


@pytest.mark.parametrize("opset", [9, 12, 16, 17])
@pytest.mark.parametrize("module", OPERATORS, ids=["tokens", "both", "no-beta"])
def test_exported_layer_norm(module: Any, opset: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before opset 17 the exporter writes it in pieces."""
    whole = torch.nn.Sequential(torch.nn.Tanh(), module)
    monkeypatch.setattr("test_pieces.NOW", whole, raising=False)
    watched = read_torch("test_pieces:NOW", (7, 12), None)
    exported = read_onnx(export(whole, tmp_path / "n.onnx", (7, 12), opset), None)
    assert [replace(one, name="") for one in exported.layers] == [replace(one, name="") for one in watched.layers]
    assert exported.parameters == watched.parameters


@pytest.mark.parametrize("opset", [9, 13, 18])
@pytest.mark.parametrize(
    ("shape", "groups", "affine"),
    [
        *[((12, 6, 5), groups, affine) for groups, affine in ((1, True), (3, True), (3, False), (12, True))],
        *[((12,), groups, affine) for groups, affine in ((1, True), (3, True), (3, False))],
    ],
)
def test_exported_group_norm(shape: tuple[int, ...], groups: int, affine: bool, opset: int, tmp_path: Path) -> None:
    """A reshape, an instance norm with constants, a reshape back, a product and a sum."""
    module = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.GroupNorm(groups, 12, affine=affine), torch.nn.ReLU())
    for train in (True, False):
        network = read_onnx(export(module, tmp_path / "n.onnx", shape, opset, train), None)
        (layer,) = network.layers
        assert (layer.channels, layer.height, layer.width) == (*shape, 1, 1)[:3]
        assert (layer.scale, layer.shift) == (affine, affine)
        assert layer.groups(4) == 4 * groups
        assert network.parameters == 24 * affine


def test_group_norm_behind_group_norm(tmp_path: Path) -> None:
    norms = [torch.nn.GroupNorm(groups, 12) for groups in (12, 1, 3, 3)]
    network = read_onnx(export(torch.nn.Sequential(*norms), tmp_path / "n.onnx", (12, 6, 5)), None)
    assert [(layer.channels, layer.groups(1)) for layer in network.layers] == [(12, 12), (12, 1), (12, 3), (12, 3)]


def test_tensorflows_order(tmp_path: Path) -> None:
    """x * (rsqrt * gamma) + (beta - mean * (rsqrt * gamma)), as TensorFlow's layers are converted."""
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[2]),
        node("Sub", ["x", "m"], ["c"]),
        node("Mul", ["c", "c"], ["q"]),
        node("ReduceMean", ["q"], ["v"], axes=[2]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["d"]),
        node("Reciprocal", ["d"], ["i"]),
        node("Mul", ["i", "gamma"], ["k"]),
        node("Mul", ["x", "k"], ["xk"], "norm"),
        node("Mul", ["m", "k"], ["mk"]),
        node("Sub", ["beta", "mk"], ["o"]),
        node("Add", ["xk", "o"], ["y"]),
    ]
    constants = [vector("gamma", 12), vector("beta", 12), vector("eps", 1, EPS)]
    path = save(tmp_path / "n.onnx", graph_of(nodes, {"x": ["N", 7, 12]}, constants), 13)
    assert read_onnx(path, None).layers == (Layer("norm", "layer_norm", 12, 7),)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_constants_of_every_width(kind: int, tmp_path: Path) -> None:
    nodes = [
        node("Pow", ["x", "two"], ["q"]),
        node("ReduceMean", ["q"], ["v"], axes=[2]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Pow", ["ve", "half"], ["i"]),
        node("Mul", ["x", "i"], ["y"], "norm"),
    ]
    numbers = {"two": 2.0, "half": -0.5, "eps": EPS}
    constants = [helper.make_tensor(name, kind, [], [number]) for name, number in numbers.items()]
    path = save(tmp_path / "n.onnx", graph_of(nodes, {"x": ["N", 7, 12]}, constants), 13)
    assert read_onnx(path, None).layers == (Layer("norm", "rms_norm", 12, 7, **BARE),)


def test_sum_of_squares_in_one(tmp_path: Path) -> None:
    nodes = [
        node("ReduceSumSquare", ["x"], ["q"], axes=[2]),
        node("Div", ["q", "n"], ["v"]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["d"]),
        node("Div", ["x", "d"], ["y"], "norm"),
    ]
    constants = [vector("n", 1, 12), vector("eps", 1, EPS)]
    path = save(tmp_path / "n.onnx", graph_of(nodes, {"x": ["N", 7, 12]}, constants), 13)
    assert read_onnx(path, None).layers == (Layer("norm", "rms_norm", 12, 7, **BARE),)


def test_a_norm_in_pieces_of_unknown_shape_is_named(tmp_path: Path) -> None:
    nodes = [
        node("Frobnicate", ["x"], ["h"], "odd"),
        node("Mul", ["h", "h"], ["q"]),
        node("ReduceMean", ["q"], ["v"], axes=[-1]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["d"]),
        node("Div", ["h", "d"], ["n"], "norm"),
        node("Mul", ["n", "gamma"], ["y"]),
    ]
    graph = graph_of(nodes, {"x": ["N", 7, 12]}, [vector("gamma", 12), vector("eps", 1, EPS)])
    with pytest.raises(InputError, match=r"'norm' ends a normalization in pieces.* because of node 'odd'"):
        read_onnx(save(tmp_path / "n.onnx", graph, 13), None)


@pytest.mark.parametrize(
    "formula",
    [
        pytest.param(lambda x, w, b: (x * x).mean(-1, keepdim=True).sqrt() + x, id="a root that divides nothing"),
        pytest.param(lambda x, w, b: x / x.mean(-1, keepdim=True), id="a quotient by the mean"),
        pytest.param(lambda x, w, b: x / x.sum(-1, keepdim=True), id="a quotient by the sum"),
        pytest.param(lambda x, w, b: x - (x.sum(-1, keepdim=True) / 5), id="a sum over another number"),
        pytest.param(lambda x, w, b: x / torch.sqrt(x.exp().mean(-1, keepdim=True) + EPS), id="no squares"),
        pytest.param(lambda x, w, b: torch.softmax(x, -1) * w + b, id="softmax"),
        pytest.param(lambda x, w, b: x / ((x * x).sum(-1, True) * 0.07 + EPS).sqrt(), id="a sum of squares, cooled"),
        pytest.param(lambda x, w, b: x * ((x * x).sum(-1, True) / 5 + EPS).rsqrt(), id="squares over another number"),
        pytest.param(lambda x, w, b: x / (x.norm(dim=-1, keepdim=True) * 0.07), id="a length, cooled"),
        pytest.param(lambda x, w, b: centred(x, -1) * torch.sigmoid(x) * w, id="a gate for every element"),
        pytest.param(lambda x, w, b: x * (w / torch.sqrt((w * w).mean() + EPS)), id="normalized weights"),
    ],
)
def test_what_is_no_norm(formula: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Written(formula, (7, 12), 12)
    monkeypatch.setattr("test_pieces.NOW", module, raising=False)
    for network in (
        read_torch("test_pieces:NOW", None, None),
        read_onnx(export(module, tmp_path / "n.onnx", (7, 12)), None),
    ):
        assert (network.layers, network.warnings) == ((), ())


@pytest.mark.parametrize(
    "formula",
    [
        pytest.param(lambda x, w, b: centred(x, -1) / centred(x, -1).abs().amax(-1, keepdim=True), id="by the largest"),
        pytest.param(lambda x, w, b: x / (of_vectors(x) + EPS), id="by the square"),
        pytest.param(lambda x, w, b: centred(x, -1) * torch.sigmoid(x.sum(-1, keepdim=True)) * w, id="a gate"),
    ],
)
def test_what_may_be_a_norm_is_told(
    formula: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Written(formula, (7, 12), 12)
    monkeypatch.setattr("test_pieces.NOW", module, raising=False)
    for network in (
        read_torch("test_pieces:NOW", None, None),
        read_onnx(export(module, tmp_path / "n.onnx", (7, 12)), None),
    ):
        assert network.layers == ()
        assert network.warnings[0].startswith("1 operation may end a normalization")
