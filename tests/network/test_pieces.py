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
    ("rms: gamma first, rsqrt", lambda x, w, b: w * x * torch.rsqrt(of_vectors(x) + EPS), RMS),
    ("rms: power", lambda x, w, b: x * (of_vectors(x) + EPS) ** -0.5, replace(RMS, **BARE)),
    ("rms: eps outside", lambda x, w, b: x / (of_vectors(x).sqrt() + EPS) * w + b, replace(RMS, shift=True)),
    ("rms: length", lambda x, w, b: w * (x / (x.norm(2, dim=-1, keepdim=True) * 12**-0.5 + EPS)), RMS),
    ("rms: unit", lambda x, w, b: torch.nn.functional.normalize(x, dim=-1) * 12**0.5 * w, RMS),
    ("ln: textbook", lambda x, w, b: w * centred(x, -1) / torch.sqrt(of_vectors(centred(x, -1)) + EPS) + b, LN),
    ("ln: shared", lambda x, w, b: w * quotient(x, -1) + b, LN),
    ("ln: rsqrt", lambda x, w, b: by_rsqrt(x), replace(LN, **BARE)),
    ("ln: var", lambda x, w, b: by_var(x) * w, replace(LN, shift=False)),
    ("ln: over both", lambda x, w, b: quotient(x, 1, 2), Layer("", "layer_norm", 84, **BARE)),
]  # fmt: skip

IMAGES: list[tuple[str, Callable[..., Any], Layer]] = [
    ("ln: channels", lambda x, w, b: plane(w) * quotient(x, 1) + plane(b), Layer("", "layer_norm", 12, 6, 5)),
    ("instance", lambda x, w, b: quotient(x, 2, 3) * plane(w) + plane(b), Layer("", "instance_norm", 12, 6, 5)),
    ("batch", lambda x, w, b: quotient(x, 0, 2, 3) * plane(w) + plane(b), Layer("", "batch_norm", 12, 6, 5)),
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
@pytest.mark.parametrize(("groups", "affine"), [(1, True), (3, True), (3, False), (12, True)])
def test_exported_group_norm(groups: int, affine: bool, opset: int, tmp_path: Path) -> None:
    """A reshape, an instance norm with constants, a reshape back, a product and a sum."""
    module = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.GroupNorm(groups, 12, affine=affine), torch.nn.ReLU())
    for train in (True, False):
        network = read_onnx(export(module, tmp_path / "n.onnx", (12, 6, 5), opset, train), None)
        (layer,) = network.layers
        assert (layer.channels, layer.height, layer.width) == (12, 6, 5)
        assert (layer.scale, layer.shift) == (affine, affine)
        assert layer.groups(4) == 4 * groups
        assert network.parameters == 24 * affine


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
        pytest.param(lambda x, w, b: x / torch.sqrt(x.exp().mean(-1, keepdim=True) + EPS), id="no squares"),
        pytest.param(lambda x, w, b: torch.softmax(x, -1) * w + b, id="softmax"),
        pytest.param(lambda x, w, b: x * (w / torch.sqrt((w * w).mean() + EPS)), id="normalized weights"),
    ],
)
def test_what_is_no_norm(formula: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Written(formula, (7, 12), 12)
    monkeypatch.setattr("test_pieces.NOW", module, raising=False)
    assert read_torch("test_pieces:NOW", None, None).layers == ()
    assert read_onnx(export(module, tmp_path / "n.onnx", (7, 12)), None).layers == ()
