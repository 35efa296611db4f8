"""PyTorch modules: what is counted, under which name, what is refused, and every message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hwnorm.errors import InputError, MissingTool
from hwnorm.network.model import Layer

torch = pytest.importorskip("torch")

from hwnorm.network.torch_reader import read_torch  # noqa: E402 - beside its tests


def test_every_kind() -> None:
    network = read_torch("torch_odd:Kinds", None, 3)
    assert (network.name, network.source, network.input, network.batch) == ("Kinds", "torch_odd:Kinds", (8, 6, 5), 3)
    bare = {"scale": False, "shift": False}
    assert network.layers == (
        Layer("batch", "batch_norm", 8, 6, 5),
        Layer("batch:2", "batch_norm", 8, 6, 5),
        Layer("sync", "batch_norm", 8, 6, 5),
        Layer("group", "group_norm", 8, 6, 5, channel_groups=4),
        Layer("layer", "layer_norm", 30, 8),
        Layer("rms", "rms_norm", 5, 8, 6, shift=False),
        Layer("instance", "instance_norm", 8, 6, 5, **bare),
        Layer("points", "batch_norm", 8, 30),
        Layer("volume", "batch_norm", 8, 6, 5),
        Layer("batch_norm", "batch_norm", 8, 6, 5, shift=False),
        Layer("layer_norm", "layer_norm", 5, 8, 6, **bare),
        Layer("flat", "batch_norm", 240),
    )
    assert network.warnings == ()


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("mlp", [Layer("1", "batch_norm", 10)]),
        ("CustomRMSNorm", [Layer("", "rms_norm", 5, 8, 6, shift=False)]),
        ("INSTANCE", [Layer("1", "batch_norm", 4, 4, 3)]),
        ("Rates", [Layer(f"norms.{at}", "layer_norm", 5, 8, 6) for at in range(3)]),
        ("Tokens", [Layer(f"block.norm{at}", "layer_norm", 12, 7) for at in (1, 2)]),
        ("Large", [Layer("norm", "layer_norm", 400_000)]),
        ("standardized", []),
        ("scripted_rms", [Layer("norm", "rms_norm", 5, 8, 6, shift=False)]),
        ("scripted_swish", []),
    ],
)
def test_modules(name: str, layers: list[Layer]) -> None:
    network = read_torch(f"torch_odd:{name}", None if name != "mlp" else (20,), None)
    assert list(network.layers) == layers


def test_what_a_network_prints_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_torch("torch_odd:Talking", None, None).layers == (Layer("norm", "batch_norm", 8, 6, 5),)
    assert capsys.readouterr() == ("", "made\nruns\n")


@pytest.mark.parametrize("name", ["Table", "TABLE"])
def test_tensors_that_are_plain_attributes(name: str) -> None:
    import torch_odd

    table = torch_odd.TABLE.table
    assert read_torch(f"torch_odd:{name}", None, None).layers == (Layer("norm", "layer_norm", 5, 8, 6),)
    assert torch_odd.TABLE.table is table


def test_what_torch_export_made() -> None:
    """Its functions are called as mean.dim and layer_norm.default are; it refuses to change its mode."""
    network = read_torch("torch_odd:exported", None, 1)
    affine = {"scale": False, "shift": False}
    assert [(layer.kind, layer.channels, layer.height) for layer in network.layers] == [
        ("batch_norm", 8, 6),
        ("layer_norm", 5, 8),
        ("rms_norm", 5, 8),
    ]
    assert network.layers[2] == Layer("0.norm", "rms_norm", 5, 8, 6, **affine)


def test_an_epsilon_among_the_buffers() -> None:
    (layer,) = read_torch("torch_odd:RootMean", None, 1).layers
    assert (layer.kind, layer.channels, layer.scale) == ("rms_norm", 5, False)


def test_totals() -> None:
    network = read_torch("torch_odd:Tokens", None, 4)
    assert network.parameters == 1200 + 4 * 12 * 12 + 4 * 12 + 2 * 12 * 24 + 24 + 12 + 4 * 12
    assert network.macs == 7 * (4 * 12 * 12 + 2 * 12 * 24) + 2 * 7 * 7 * 12


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("Constrained", 4 * 4 * 3 * 8 * 9 + 4 * 4 * 3 * 7),  # and nothing for what the weights are divided by
        ("Products", 4 * 3 * 5 * (5 + 1) + 4 * 4 * 5),
        ("Latents", 4 * 12 * 12 + 7 * 12 * 12 + 2 * 4 * 7 * 12),
        ("Decorated", 7 * 12 * 12 + 7 * 7 * 12),
    ],
)
def test_products(name: str, macs: int, batch: int) -> None:
    assert read_torch(f"torch_odd:{name}", None, batch).macs == macs


def test_an_instance_is_left_as_it_was() -> None:
    import torch_odd

    module = torch_odd.INSTANCE.train()
    read_torch("torch_odd:INSTANCE", None, None)
    assert module.training
    assert module[1].training
    assert all(parameter.device.type == "cpu" for parameter in module.parameters())
    assert not module._forward_hooks
    assert not module[1]._forward_pre_hooks


def test_norms_of_training_alone_are_told() -> None:
    network = read_torch("torch_odd:TwoPaths", None, None)
    assert [layer.name for layer in network.layers] == ["main"]
    assert network.warnings == ("1 normalizations were not reached at inference and are not counted: aside",)


def test_what_trains_nothing_passes_with_a_warning() -> None:
    network = read_torch("torch_odd:Passing", None, None)
    assert network.layers == ()
    assert len(network.warnings) == 2
    assert "'local_response_norm' was not counted" in network.warnings[0]


def test_a_linear_layer_gives_its_input() -> None:
    assert read_torch("torch_odd:mlp", (20,), None) == read_torch("torch_odd:mlp", (20,), 1)
    from_folder = read_torch("torch_plain:network", None, 2)
    assert from_folder.input == (20,)


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_net_here.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.BatchNorm1d(4))\nnet.input_shape = [4, 9]\n"
    )
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert read_torch("my_net_here:net", None, None).layers == (Layer("0", "batch_norm", 4, 9),)
    assert sys.path == before


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("torch_odd", "is named package.module:callable"),
        (":mlp", "is named package.module:callable"),
        ("no_such_module:mlp", "there is no module 'no_such_module'"),
        ("torch_odd.deeper:mlp", "importing 'torch_odd.deeper' raised|there is no module 'torch_odd.deeper'"),
        ("torch_odd:mpl", "has no 'mpl'; did you mean 'mlp'"),
        ("torch_odd:NUMBER", "is a int, no torch.nn.Module"),
        ("torch_odd:nothing", "returns nothing, no torch.nn.Module"),
        ("torch_odd:needs", "calling it without arguments raised TypeError"),
        ("torch_odd:Raises", "raised KeyError: 'no such thing"),
        ("torch_odd:frozen", r"the module '1' \(FrozenNorm\) looks like a normalization that hwnorm does not know"),
        ("torch_odd:compiled", "it is compiled code"),
        ("torch_odd:scripted_layer_norm", "operator native_layer_norm normalizes within compiled code, where"),
        ("torch_odd:TABLES", r"expected device meta!.*; a tensor that the module keeps in a list.*register_buffer"),
        ("torch_odd:mlp", "input of .1, 8, 6, 5., raised RuntimeError"),
    ],
)
def test_messages(spec: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_torch(spec, None, None)
    assert str(caught.value).startswith(f"{spec}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "words"), [((0, 3), "must be positive integers"), (("a",), "must be positive integers")]
)
def test_wrong_shapes(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_torch("torch_odd:INSTANCE", shape, None)


def test_an_unknown_shape_says_how_to_give_it() -> None:
    with pytest.raises(InputError, match=r"not known; .* input_shape = \(3, 224, 224\)"):
        read_torch("torch_plain:unknown", None, None)


def test_a_broken_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_broken_net.py").write_text("def net(:\n")
    (tmp_path / "my_other_net.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="importing 'my_broken_net' raised SyntaxError"):
        read_torch("my_broken_net:net", None, None)
    with pytest.raises(InputError, match="'no_such_package'"):
        read_torch("my_other_net:net", None, None)


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingTool, match=r"pip install hwnorm\[torch\]"):
        read_torch("torch_odd:mlp", None, None)


def test_batches() -> None:
    with pytest.raises(ValueError, match="batch must be a positive integer, not 0"):
        read_torch("torch_odd:mlp", None, 0)
