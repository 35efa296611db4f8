"""The networks that ship, held to totals that others published."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

import pytest

from hwnorm.network.load import load_network, zoo_about, zoo_names
from hwnorm.network.model import Network

M, G = 10**6, 10**9

# name: (norm layers, parameters, multiply-accumulates), None where nobody publishes one, each with half a unit of its
# last printed digit as tolerance.
PUBLISHED: dict[str, tuple[int, float | None, float, float | None, float]] = {
    # He et al. 2015, table 6, prints the parameters; public reimplementations 269,722, 853,018 and 1,727,962, and
    # multiply-accumulates of 41 M, 126 M and 253 M
    "resnet20": (19, 269_722, 0, 40.6 * M, 0.5 * M),
    "resnet56": (55, 853_018, 0, 125.5 * M, 0.5 * M),
    "resnet110": (109, 1_727_962, 0, 252.9 * M, 0.5 * M),
    # torchvision, models with weights IMAGENET1K: num_params exactly, and "GFLOPS", which are multiply-accumulates
    "resnet18": (20, 11_689_512, 0, 1.814 * G, 0.001 * G),
    "resnet34": (36, 21_797_672, 0, 3.664 * G, 0.001 * G),
    "resnet50": (53, 25_557_032, 0, 4.089 * G, 0.001 * G),
    "resnet101": (104, 44_549_160, 0, 7.801 * G, 0.001 * G),
    "resnet152": (155, 60_192_808, 0, 11.514 * G, 0.001 * G),
    "densenet121": (121, 7_978_856, 0, 2.834 * G, 0.001 * G),
    "mobilenet-v2": (52, 3_504_872, 0, 0.301 * G, 0.001 * G),
    "efficientnet-b0": (49, 5_288_548, 0, 0.386 * G, 0.001 * G),
    "convnext-tiny": (23, 28_589_128, 0, 4.456 * G, 0.001 * G),
    "vit-base": (25, 86_567_656, 0, 17.564 * G, 0.001 * G),
    # Howard et al. 2017, tables 4 and 8: 569 M, 4.2 M; the further digits are those of the public TensorFlow model
    "mobilenet-v1": (27, 4_231_976, 0, 568.74 * M, 0.01 * M),
    # Huang et al. 2017, table 2: 0.8 M; their public code's page: 0.8 M, and 2.7 M of the wide one
    "densenet100": (99, 0.80 * M, 0.005 * M, None, 0),
    "wide-densenet": (39, 2.7 * M, 0.05 * M, None, 0),
    # Qi et al. 2017, table 6: 3.5 M parameters, and 440 M operations, which count the convolutions and the shared
    # layers but not all else that we do
    "pointnet": (17, 3.48 * M, 0.005 * M, 440 * M, 10 * M),
    # McDonnell et al. 2019, table III: 11.5 M and 70 M learned parameters
    "resnet18-1": (19, 11.5 * M, 0.05 * M, None, 0),
    "resnet18-2.5": (19, 70 * M, 0.5 * M, None, 0),
    # the transformers library: num_parameters of bert-base-uncased, gpt2 and the 7B model; 22.5 G operations of BERT on
    # 128 tokens are Jiao et al. 2020 (TinyBERT), table 1, two to a multiply-accumulate
    "bert-base": (25, 109_482_240, 0, 22.5 / 2 * G, 0.1 * G),
    "gpt2": (25, 124_439_808, 0, None, 0),
    "llama-7b": (65, 6_738_415_616, 0, None, 0),
    # Krizhevsky 2014 counts 62.4 M for one tower without groups
    "alexnet": (7, 62.4 * M, 0.05 * M, None, 0),
    # Counted by hand from what the papers print
    "lenet5": (3, 25 * 32 + 25 * 32 * 64 + 1024 * 512 + 512 * 10 + 10 + 2 * (32 + 64 + 512), 0, None, 0),
    "vgg7": (
        7,
        9 * (3 * 128 + 128**2 + 128 * 256 + 256**2 + 256 * 512 + 512**2)
        + (8192 * 1024 + 1024 * 10 + 10)
        + 2 * (256 + 512 + 1024 + 1024),
        0,
        None,
        0,
    ),
    "mnist-mlp3": (3, 784 * 100 + 2 * 100**2 + 1000 + 10 + 600, 0, 784 * 100 + 2 * 100**2 + 1000, 0),
    "mnist-cnn3": (
        3,
        25 * (32 + 32 * 16 + 16 * 8) + 2 * 56 + 1290,
        0,
        25 * (32 * 196 + 32 * 16 * 49 + 16 * 8 * 16) + 1280,
        0,
    ),
    "dcgan32-g": (
        3,
        128 * 8192 + 25 * (512 * 256 + 256 * 128 + 128 * 3) + 3 + 2 * (8192 + 256 + 128),
        0,
        # each input element meets every weight of its channel once
        128 * 8192 + 25 * (512 * 256 * 16 + 256 * 128 * 64 + 128 * 3 * 256),
        0,
    ),
    "dcgan32-d": (2, 25 * (3 * 128 + 128 * 256 + 256 * 512) + 128 + 2 * 768 + 8193, 0, None, 0),
    "wgangp32-d": (0, 25 * (3 * 128 + 128 * 256 + 256 * 512) + 896 + 8193, 0, None, 0),
    "wgangp128-g": (
        5,
        128 * 16384 + 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 3 + 2 * (16384 + 960),
        0,
        None,
        0,
    ),
    "wgangp128-d": (
        0,
        25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 1984 + 16385,
        0,
        None,
        0,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_totals(name: str) -> None:
    norms, parameters, parameters_off, macs, macs_off = PUBLISHED[name]
    network = load_network(name)
    assert len(network.layers) == norms
    assert network.parameters is not None
    assert network.macs is not None
    if parameters is not None:
        assert abs(network.parameters - parameters) <= parameters_off
    if macs is not None:
        assert abs(network.macs - macs) <= macs_off


def test_inception_v2_has_the_base_parameters_of_slims_unit_test() -> None:
    """10,173,112 model variables of the base: running means and variances are among them, the classifier is not."""
    network = load_network("inception-v2")
    assert network.parameters is not None
    classifier = 1024 * 1000 + 1000
    assert network.parameters - classifier + 2 * network.channels == 10_173_112
    assert len(network.layers) == 68
    assert {(layer.scale, layer.shift) for layer in network.layers} == {(False, True)}
    # Ioffe and Szegedy 2015, figure 5: the sizes of the three groups of modules
    assert [layer.channels for layer in network.layers if layer.height == 7].count(352) == 2
    assert {layer.height for layer in network.layers} == {56, 28, 14, 7}


@pytest.mark.parametrize(
    ("name", "layers", "width", "hidden_products", "length", "words"),
    [("gpt2", 12, 768, 8 * 768, 1024, 50257), ("llama-7b", 32, 4096, 3 * 11008, 2048, 32000)],
)
def test_decoders_cost_what_the_formula_of_scaling_laws_says(
    name: str, layers: int, width: int, hidden_products: int, length: int, words: int
) -> None:
    """Kaplan et al. 2020, table 1, in multiply-accumulates a token: the weights once, and attention's two products."""
    per_token = layers * (4 * width + hidden_products + 2 * length) * width + width * words
    assert load_network(name).macs == per_token * length


def test_resnet110_as_the_papers_count_it() -> None:
    network = load_network("resnet110")
    assert (network.channels, network.elements_per_sample) == (4048, 1_048_576)
    assert network.input == (3, 32, 32)
    assert network.batch == 128
    assert network.source == "zoo:resnet110"


@pytest.mark.parametrize(("name", "k"), [("wrn20-4", 4), ("wrn20-10", 10)])
def test_wide_resnets_counted_by_hand(name: str, k: int) -> None:
    """Six convolutions in each of three stages of 16k, 32k, 64k channels, and what stands before and behind them."""
    convolutions = 9 * k * (3 * 16 + k * (6 * 16**2 + 16 * 32 + 5 * 32**2 + 32 * 64 + 5 * 64**2)) + 64 * k * 10
    channels = k * (6 * 16 + (16 + 5 * 32) + (32 + 5 * 64) + 64) + 10
    network = load_network(name)
    assert len(network.layers) == 21
    assert network.parameters == convolutions + 2 * channels
    assert network.channels == channels + 3
    assert load_network(f"{name}-srelu").parameters == convolutions


@pytest.mark.parametrize(
    ("name", "activations"), [("resnet50", 11.1 * M), ("resnet101", 16.2 * M), ("resnet152", 22.6 * M)]
)
def test_elements_are_the_published_activations(name: str, activations: float) -> None:
    """Radosavovic et al. 2020 (RegNet) print the outputs of all convolutions, each of which a norm follows here."""
    assert abs(load_network(name).elements_per_sample - activations) <= 0.05 * M


def kinds(network: Network) -> dict[str, int]:
    return dict(Counter(layer.kind for layer in network.layers))


@pytest.mark.parametrize(
    ("name", "norms"), [("wrn20-4", 21), ("wrn20-10", 21), ("resnet18-1", 19), ("resnet18-2.5", 19)]
)
def test_variants_without_batch_norm(name: str, norms: int) -> None:
    base = load_network(name)
    variants = {
        "": {"batch_norm": norms},
        "-final-bn": {"batch_norm": 2, "shifted_relu": norms - 2},
        "-srelu": {"batch_norm": 1, "shifted_relu": norms - 2, "constant_scale": 1},
        "-mean-only": {"batch_norm": 2, "mean_only": norms - 2},
    }
    for suffix, expected in variants.items():
        network = load_network(name + suffix)
        assert kinds(network) == expected
        assert network.layers[0].kind == "batch_norm"
        assert (network.layers[0].channels, network.layers[0].scale) == (3, False)
        same = [(layer.channels, layer.height, layer.width) for layer in network.layers]
        assert same == [(layer.channels, layer.height, layer.width) for layer in base.layers]
        assert network.macs == base.macs


def test_modern_networks_have_the_norm_they_are_known_for() -> None:
    for name in ("convnext-tiny", "vit-base", "bert-base", "gpt2"):
        assert set(kinds(load_network(name))) == {"layer_norm"}
    assert kinds(load_network("llama-7b")) == {"rms_norm": 65}
    layer = load_network("vit-base").layers[0]
    assert (layer.channels, layer.height, layer.width) == (768, 197, 1)
    assert (layer.groups(2), layer.elements_per_group(2)) == (394, 768)


def test_points_and_neurons() -> None:
    points = load_network("pointnet")
    assert [(layer.channels, layer.height) for layer in points.layers[:4]] == [
        (64, 1024),
        (128, 1024),
        (1024, 1024),
        (512, 1),
    ]
    generator = load_network("dcgan32-g")
    assert [(layer.channels, layer.height) for layer in generator.layers] == [(8192, 1), (256, 8), (128, 16)]


def test_every_network_loads_and_says_what_it_is() -> None:
    """Also: its file begins with where it comes from, in at least a line."""
    about = zoo_about()
    assert list(about) == zoo_names()
    assert len(about) == 48
    for name in zoo_names():
        network = load_network(name)
        assert network.name == name
        assert network.batch > 1
        assert len({layer.name for layer in network.layers}) == len(network.layers)
        assert about[name], name
        text = files("hwnorm.network.zoo").joinpath(f"{name}.yaml").read_text()
        assert text.startswith("# "), name
        assert max(map(len, text.splitlines())) <= 120
