"""The L1BN paper's accounting, held to the closed formulas of its Table IV."""

from __future__ import annotations

import pytest

from hwnorm.cost.device import load_device
from hwnorm.cost.estimate import estimate
from hwnorm.cost.paper import paper_cost, ratio, saving
from hwnorm.network.load import load_network, zoo_names
from hwnorm.network.model import Network

NETWORKS = {name: load_network(name) for name in zoo_names()}
WITH_BATCH_NORM = sorted(n for n, net in NETWORKS.items() if any(layer.kind == "batch_norm" for layer in net.layers))


def compared(network: Network, phase: str = "training", batch: int | None = None) -> dict[str, float]:
    return estimate(network, batch=batch, phase=phase, accounting="paper").comparison()[0]  # type: ignore[arg-type]


def batch_norms(network: Network) -> tuple[int, int]:
    """(S, E): channels, and elements of a sample, of the batch norms alone."""
    layers = [layer for layer in network.layers if layer.kind == "batch_norm"]
    return sum(layer.channels for layer in layers), sum(c.channels * c.height * c.width for c in layers)


def test_most_of_the_zoo_has_batch_norm() -> None:
    assert len(WITH_BATCH_NORM) > 35


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
def test_every_network_has_the_same_speedup_and_saving(name: str) -> None:
    row = compared(NETWORKS[name])
    assert (row["norm"], row["against"], row["accounting"]) == ("l1", "l2", "paper")
    assert row["speedup"] == 1.5
    assert row["power_saving"] == pytest.approx(7 / 15, rel=1e-12)
    assert round(row["power_saving"], 6) == 0.466667


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
@pytest.mark.parametrize("batch", [1, 100])
def test_with_the_root(name: str, batch: int) -> None:
    row = compared(NETWORKS[name], batch=batch)
    channels, elements = batch_norms(NETWORKS[name])
    assert row["speedup_with_root"] == pytest.approx(1.5 + 14 * channels / (batch * elements), rel=1e-14)
    l2_power = 15 * batch * elements + 40 * channels
    assert row["power_saving_with_root"] == pytest.approx(1 - 8 * batch * elements / l2_power, rel=1e-12)


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
def test_forward_alone(name: str) -> None:
    row = compared(NETWORKS[name], "forward")
    assert row["speedup"] == 3.0
    assert row["power_saving"] == pytest.approx(0.6, rel=1e-12)


@pytest.mark.parametrize("phase", ["backward", "inference"])
def test_where_l2_has_nothing_that_is_counted_there_is_no_saving(phase: str) -> None:
    row = compared(NETWORKS["resnet20"], phase)
    assert row["power_saving"] is None
    assert row["speedup"] == (0.0 if phase == "backward" else None)


def test_a_network_without_batch_norm_compares_to_nothing() -> None:
    row = compared(NETWORKS["wgangp32-d"])
    assert {row[key] for key in ("speedup", "power_saving", "speedup_with_root")} == {None}


def test_weights_by_hand() -> None:
    cost = paper_cost({"sign": 2, "abs": 3, "square": 5, "sqrt": 7}, load_device("de5-net-float32"))
    assert cost.time_ns.value == 2 + 3 + 3 * 5
    assert cost.power_uw.value == 2 * 2 + 6 * 3 + 15 * 5
    assert cost.time_with_root_ns.value == 20 + 28 * 7
    assert cost.power_with_root_uw.value == 97 + 40 * 7
    assert ratio(cost.time_ns, cost.time_with_root_ns) == 216 / 20
    assert saving(cost.time_ns, cost.time_with_root_ns) == 1 - 20 / 216


def test_it_says_where_it_comes_from() -> None:
    paper = estimate(NETWORKS["resnet110"]).results[1].paper.to_dict()
    assert paper["device"] == "de5-net-float32"
    assert paper["time_ns"] == {"value": 2.0 * 128 * 1_048_576, "origin": "CITED"}
