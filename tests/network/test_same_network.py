"""The same network in PyTorch, exported to ONNX in several ways, and described in the zoo is one list of layers.

The totals are the published ones: parameters and multiply-accumulates by the papers and the model cards of the
implementations that they name, Inception-v2's by TF-slim's unit test.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwnorm.network.load import load_network
from hwnorm.network.model import Layer, Network

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from export import export  # noqa: E402 - needs torch
from torch_networks import INPUT_SHAPES, NETWORKS  # noqa: E402 - needs torch

from hwnorm.network.onnx_reader import read_onnx  # noqa: E402 - beside its tests
from hwnorm.network.torch_reader import read_torch  # noqa: E402 - likewise

NORMS = {"resnet110": 109, "resnet50": 53, "mobilenet-v1": 27, "densenet121": 121, "inception-v2": 68}
PARAMETERS = {"resnet110": 1.73e6, "resnet50": 25.557e6, "mobilenet-v1": 4.232e6, "densenet121": 7.979e6}
MACS = {"resnet50": 4.089e9, "mobilenet-v1": 568.74e6, "densenet121": 2.834e9}
EXPORTS = [  # opset, training, constants folded
    pytest.param(11, True, id="training-11", marks=pytest.mark.slow),
    pytest.param(14, True, id="training-14"),
    pytest.param(17, False, id="inference-17", marks=pytest.mark.slow),
    pytest.param(20, False, id="inference-20"),
]


def nameless(network: Network) -> list[Layer]:
    return [replace(layer, name="") for layer in network.layers]


@pytest.fixture(scope="module", params=NETWORKS)
def read(request: pytest.FixtureRequest) -> tuple[str, Network]:
    name = request.param
    return name, read_torch(f"torch_networks:{NETWORKS[name].__name__}", None, None)


def test_published_totals(read: tuple[str, Network]) -> None:
    name, network = read
    assert len(network.layers) == NORMS[name]
    assert network.input == INPUT_SHAPES[name]
    assert network.warnings == ()
    assert network.parameters is not None and network.macs is not None
    if name in PARAMETERS:
        assert network.parameters == pytest.approx(PARAMETERS[name], rel=2e-3)
    if name in MACS:
        assert network.macs == pytest.approx(MACS[name], rel=1e-3)


def test_inception_is_slims(read: tuple[str, Network]) -> None:
    name, network = read
    classifier, statistics = 1024 * 1000 + 1000, 2 * network.channels
    assert network.parameters is not None
    assert (network.parameters - classifier + statistics == 10_173_112) is (name == "inception-v2")
    assert all(layer.shift and not layer.scale for layer in network.layers) is (name == "inception-v2")


@pytest.mark.parametrize(("opset", "train"), EXPORTS)
def test_onnx_reads_the_same(read: tuple[str, Network], opset: int, train: bool, tmp_path: Path) -> None:
    name, network = read
    torch.manual_seed(1)
    path = export(NETWORKS[name](), tmp_path / f"{name}.onnx", INPUT_SHAPES[name], opset, train)
    exported = read_onnx(path, None)
    assert nameless(exported) == nameless(network)
    assert (exported.input, exported.batch, exported.warnings) == (network.input, 1, ())
    assert (exported.parameters, exported.macs) == (network.parameters, network.macs)


@pytest.mark.slow
def test_the_batch_changes_nothing(read: tuple[str, Network], tmp_path: Path) -> None:
    name, network = read
    path = export(NETWORKS[name](), tmp_path / f"{name}.onnx", INPUT_SHAPES[name])
    assert nameless(read_onnx(path, 7)) == nameless(network)
    assert read_onnx(path, 7).batch == 7
    again = read_torch(f"torch_networks:{NETWORKS[name].__name__}", None, 7)
    assert nameless(again) == nameless(network)
    assert again.macs == network.macs


def test_folded_export_is_told(read: tuple[str, Network], tmp_path: Path) -> None:
    name, network = read
    path = export(NETWORKS[name](), tmp_path / f"{name}.onnx", INPUT_SHAPES[name], fold=True)
    folded = read_onnx(path, None)
    assert len(folded.layers) < len(network.layers)
    assert len(folded.warnings) == 1
    for word in ("TrainingMode.TRAINING", "do_constant_folding=False", "dynamo=False"):
        assert word in folded.warnings[0]


@pytest.mark.slow
def test_the_default_exporter_is_told(read: tuple[str, Network], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    name, network = read
    path = tmp_path / f"{name}.onnx"
    torch.onnx.export(NETWORKS[name](), (torch.zeros(1, *INPUT_SHAPES[name]),), str(path), verbose=False)
    folded = read_onnx(path, None)
    gone = len(network.layers) - len(folded.layers)
    assert gone > 0  # in every one of these networks
    (warning,) = [one for one in folded.warnings if "folded" in one]
    assert f"the exporter folded {gone} batch norms" in warning and "dynamo=False" in warning


def test_the_zoo_reads_the_same(read: tuple[str, Network]) -> None:
    name, network = read
    zoo = load_network(name)
    assert nameless(zoo) == nameless(network)
    assert (zoo.input, zoo.parameters, zoo.macs) == (network.input, network.parameters, network.macs)
