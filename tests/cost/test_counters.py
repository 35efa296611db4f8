"""Other op counters' formulas, as data."""

from __future__ import annotations

import pytest

from hwnorm.cost.counters import counters
from hwnorm.network.load import load_network

# FIELD: what each charges one element of a batch norm, forward
PER_ELEMENT = {
    "torch FlopCounterMode": 0,
    "qonnx": 0,
    "ptflops (aten)": 0,
    "torchinfo": 0,
    "ptflops": 2,
    "calflops": 2,
    "fvcore (inference)": 2,
    "fvcore (training)": 5,
    "thop": 4,
    "onnx-tool": 31,
}


def test_charges_of_resnet110_by_hand() -> None:
    network = load_network("resnet110")
    found = {counter.name: counter.charge(network, 128) for counter in counters()}
    expected = {name: per * 128 * 1_048_576 for name, per in PER_ELEMENT.items()}
    expected["torchinfo"] = 2 * 4048 * 128  # its parameters once a sample, whatever the size of the map
    assert found == expected


def test_a_charge_is_linear_in_the_batch() -> None:
    network = load_network("lenet5")
    for counter in counters():
        assert counter.charge(network, 7) == 7 * counter.charge(network, 1)


def test_each_says_what_it_counts() -> None:
    assert all(counter.note and "\n" not in counter.note for counter in counters())
    assert len({counter.name for counter in counters()}) == len(counters())


def test_torchinfo_itself_charges_the_parameters_once_a_sample() -> None:
    torch = pytest.importorskip("torch")
    torchinfo = pytest.importorskip("torchinfo")
    norm = torchinfo.summary(torch.nn.BatchNorm2d(16), (5, 16, 8, 8), verbose=0)
    (ours,) = [counter for counter in counters() if counter.name == "torchinfo"]
    assert norm.total_mult_adds == 5 * ours.per_channel * 16
