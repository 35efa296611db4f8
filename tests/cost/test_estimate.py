"""Estimates of whole networks, against sums by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hwnorm
from hwnorm.cost.estimate import Estimate, estimate
from hwnorm.cost.streaming import Machine
from hwnorm.engine import Engine
from hwnorm.errors import InputError
from hwnorm.network.load import load_network
from hwnorm.network.model import Layer, Network
from hwnorm.norms.catalog import CATALOG
from hwnorm.views.count import OPERATIONS, PHASES

TWO_LAYERS = """
input: [3, 4, 4]
batch: 2
layers:
  - {conv: 5, kernel: 1}
  - batch_norm
  - relu
  - global_pool
  - {linear: 7}
  - batch_norm
"""
# 5 channels of 2 * 4 * 4 elements, 7 channels of 2 elements
ELEMENTS, GROUPS = 5 * 32 + 7 * 2, 5 + 7

# A device on which every operation costs one picojoule
FLAT = "operations:\n" + "".join(f"  {name}: {{energy_pj: 1, origin: ASSUMED}}\n" for name in OPERATIONS)
FLAT += "memory:\n" + "".join(
    f"  {kind}: {{energy_pj_per_byte: {price}, origin: CITED}}\n" for kind, price in (("sram", 2), ("dram", 30))
)


@pytest.fixture
def two_layers(tmp_path: Path) -> Network:
    path = tmp_path / "two.yaml"
    path.write_text(TWO_LAYERS, encoding="utf-8")
    return load_network(path)


@pytest.fixture
def flat(tmp_path: Path) -> str:
    path = tmp_path / "flat.yaml"
    path.write_text(FLAT, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def resnet110() -> Estimate:
    return estimate(load_network("resnet110"), ["l2", "l1"], 128, device="horowitz-45nm")


def ops(**counts: int) -> dict[str, int]:
    return dict.fromkeys(OPERATIONS, 0) | counts


# The contract

# INTERFACE: what a program may rely on
HEAD = {"schema", "hwnorm", "network", "results", "comparison"}
NETWORK = {"name", "source", "input", "batch", "norm_layers", "channels", "elements_per_sample"}
RESULT = {"norm", "form", "phase", "sweeps", "formula_ops", "executed_ops", "bytes_read", "bytes_written"} | {
    *("paper", "cost", "layers")
}
PAPER = {"device", "time_ns", "power_uw"}
COST = {"cycles", "time_s", "energy_j"}
LAYER = {"name", "kind", "channels", "height", "width", "elements_per_group", "groups", "formula_ops", "executed_ops"}
COMPARISON = {"norm", "against", "accounting", "speedup"}
PAPER_COMPARISON = {*COMPARISON, "power_saving", "speedup_with_root", "power_saving_with_root"}

# What is there beside it
MORE_NETWORK = {"parameters", "macs_per_sample"}
MORE_RESULT = {"bits", "lanes", "clock_mhz"}
MORE_PAPER = {"time_with_root_ns", "power_with_root_uw"}
MORE_COST = {"dram_bytes", "sram_bytes", "energy_arithmetic_j", "energy_sram_j", "energy_dram_j"}
MORE_LAYER = {"norm", "cycles", "time_s", "memory_bound"}


def test_the_keys_are_those_of_the_contract(resnet110: Estimate) -> None:
    found = resnet110.to_dict()
    assert set(found) == HEAD | {"warnings"}
    assert found["schema"] == "hwnorm.estimate/1"
    assert found["hwnorm"] == hwnorm.__version__
    assert set(found["network"]) == NETWORK | MORE_NETWORK
    for result in found["results"]:
        assert set(result) == RESULT | MORE_RESULT
        assert set(result["paper"]) == PAPER | MORE_PAPER
        assert set(result["cost"]) == COST | MORE_COST
        for figure in (*result["cost"].values(), *(v for v in result["paper"].values() if isinstance(v, dict))):
            assert {"value", "origin"} <= set(figure) <= {"value", "origin", "error_pct"}
        for layer in result["layers"]:
            assert set(layer) == LAYER | MORE_LAYER
            assert tuple(layer["formula_ops"]) == tuple(layer["executed_ops"]) == OPERATIONS
        assert tuple(result["formula_ops"]) == tuple(result["executed_ops"]) == OPERATIONS
    paper, executed = found["comparison"]
    assert set(paper) == PAPER_COMPARISON
    assert set(executed) == {*COMPARISON, "energy_saving"}


def test_it_is_json(resnet110: Estimate) -> None:
    found = resnet110.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_resnet110(resnet110: Estimate) -> None:
    network = resnet110.to_dict()["network"]
    assert network["name"] == "resnet110" and network["source"] == "zoo:resnet110"
    assert network["input"] == [3, 32, 32] and network["batch"] == 128
    assert (network["norm_layers"], network["channels"], network["elements_per_sample"]) == (109, 4048, 1_048_576)
    assert network["parameters"] == 1_727_962
    first = resnet110.to_dict()["results"][1]["layers"][0]
    assert (first["channels"], first["height"], first["width"]) == (16, 32, 32)
    assert (first["elements_per_group"], first["groups"], first["kind"]) == (131_072, 16, "batch_norm")


def test_the_library_call_of_the_contract() -> None:
    network = hwnorm.load_network("resnet110")
    assert hwnorm.estimate(network, norms=["l2", "l1"], batch=128).to_dict()["comparison"][0]["speedup"] == 1.5


# Counts by hand


def test_formula_operations_of_two_layers_by_hand(two_layers: Network) -> None:
    """L1BN Eq. 3-8 and QuantBN Eq. 1; Eq. 9-11 and 15: so many an element, so many a group."""
    l2, l1 = estimate(two_layers).results
    m, g = ELEMENTS, GROUPS
    assert l2.formula_ops == ops(
        add=5 * m + g, radd=6 * m, mul=5 * m, cmul=4 * g, div=2 * m, sqrt=g, square=m
    )  # fmt: skip
    assert l1.formula_ops == ops(
        add=6 * m + g, radd=6 * m, cadd=m, mul=5 * m, cmul=5 * g, div=2 * m, sign=m, abs=m
    )  # fmt: skip


@pytest.mark.parametrize(
    ("norm", "phase", "per_element"),
    [
        ("l2", "forward", {"radd": 2, "square": 1}),  # S and Q
        ("l1", "forward", {"cmp": 1, "sel": 1, "cadd": 1, "radd": 2}),
    ],
)
def test_executed_operations_have_no_division_an_element(
    two_layers: Network, norm: str, phase: str, per_element: dict[str, int]
) -> None:
    (result,) = estimate(two_layers, [norm], phase=phase).results  # type: ignore[arg-type]
    found = result.executed_ops
    assert found is not None
    assert found["div"] + found["sqrt"] + found["recip"] <= 3 * GROUPS
    for name in ("cmp", "sel", "cadd", "radd", "square"):
        assert found[name] // ELEMENTS == per_element.get(name, 0), name


@pytest.mark.parametrize("norm", [*CATALOG, "as-is"])
@pytest.mark.parametrize("phase", PHASES)
def test_totals_are_sums_of_layers(norm: str, phase: str) -> None:
    network = load_network("wrn20-4-srelu" if norm == "as-is" else "vit-base" if norm == "layer" else "resnet20")
    (result,) = estimate(network, [norm], phase=phase).results  # type: ignore[arg-type]
    layers = result.layers()
    assert len(layers) == len(network.layers)
    for name in OPERATIONS:
        assert result.formula_ops[name] == sum(layer["formula_ops"][name] for layer in layers)
        if result.executed_ops is not None:
            assert result.executed_ops[name] == sum(layer["executed_ops"][name] for layer in layers)
    if result.executed_ops is not None:
        assert result.cost["cycles"].value == sum(layer["cycles"] for layer in layers)
        assert result.cost["time_s"].value == pytest.approx(sum(layer["time_s"] for layer in layers))
    else:
        assert result.cost == {} and result.traffic_bytes("read") is None


def test_a_layers_counts_are_those_of_the_engine() -> None:
    (result,) = estimate(load_network("lenet5"), ["l1"]).results
    for layer in result.layers():
        count = Engine("l1", 8, max_elements=18_432).count("training")
        assert count.executed is not None
        sizes = {"m": layer["elements_per_group"], "s": 0, "v": 0}
        assert layer["formula_ops"] == count.formula.totals(layer["groups"], sizes)
        assert layer["executed_ops"] == count.executed.totals(layer["groups"], sizes)


@pytest.mark.parametrize("norm", ["l2", "l1", "range", "mean-only"])
def test_elements_are_linear_in_the_batch_and_groups_do_not_depend_on_it(norm: str) -> None:
    network = load_network("resnet20")
    one, two, nine = (estimate(network, [norm], batch).results[0].formula_ops for batch in (1, 2, 9))
    for name in OPERATIONS:
        assert nine[name] - one[name] == 8 * (two[name] - one[name])


def test_norms_of_samples_are_proportional_to_the_batch() -> None:
    network = load_network("vit-base")
    one, nine = (estimate(network, ["as-is"], batch).results[0].formula_ops for batch in (1, 9))
    assert nine == {name: 9 * times for name, times in one.items()}


def test_training_is_forward_and_backward() -> None:
    network = load_network("resnet20")
    phases: dict[str, Any] = {
        phase: estimate(network, ["l1"], phase=phase, device="horowitz-45nm").results[0]  # type: ignore[arg-type]
        for phase in PHASES
    }
    for what in ("formula_ops", "executed_ops"):
        for name in OPERATIONS:
            parts = getattr(phases["forward"], what)[name] + getattr(phases["backward"], what)[name]
            assert getattr(phases["training"], what)[name] == parts
    for name in ("cycles", "dram_bytes", "energy_j"):
        parts = phases["forward"].cost[name].value + phases["backward"].cost[name].value
        assert phases["training"].cost[name].value == pytest.approx(parts)
    assert phases["training"].sweeps == {"forward": 3, "backward": 2}
    assert phases["inference"].sweeps == {"inference": 1}


def test_inference_of_a_folded_batch_norm_is_one_product_and_one_sum_an_element(two_layers: Network) -> None:
    l2, l1 = estimate(two_layers, phase="inference").results
    for result in (l2, l1):
        assert result.executed_ops == l1.executed_ops
        assert result.executed_ops is not None
        assert (result.executed_ops["mul"], result.executed_ops["add"]) == (ELEMENTS, ELEMENTS)


# Accounting


def test_accounting_paper_leaves_the_rest_out(two_layers: Network) -> None:
    found = estimate(two_layers, accounting="paper").to_dict()
    assert [row["accounting"] for row in found["comparison"]] == ["paper"]
    for result in found["results"]:
        assert set(result) == (RESULT | MORE_RESULT) - {"executed_ops", "bytes_read", "bytes_written", "cost"}


def test_accounting_executed_leaves_the_paper_out(two_layers: Network) -> None:
    found = estimate(two_layers, accounting="executed").to_dict()
    assert [row["accounting"] for row in found["comparison"]] == ["executed"]
    for result in found["results"]:
        assert set(result) == (RESULT | MORE_RESULT) - {"paper"}


def test_the_first_norm_is_the_one_that_others_are_compared_with(two_layers: Network) -> None:
    rows = estimate(two_layers, ["l1", "l2", "range"], accounting="paper").comparison()
    assert [(row["norm"], row["against"]) for row in rows] == [("l2", "l1"), ("range", "l1")]
    assert rows[0]["speedup"] == 2 / 3


# Energy


def test_energy_of_one_layer_by_hand(flat: str) -> None:
    network = Network("one", "test", (4, 8, 8), 2, (Layer("norm", "batch_norm", 4, 8, 8),))
    (result,) = estimate(network, ["l1"], device=flat, machine=Machine(onchip_kib=64)).results
    assert result.executed_ops is not None
    elements = 2 * 4 * 8 * 8
    # forward: x in three times, y out; backward: x and dy in, dy and x's flag once more, dx out
    dram, sram = elements * (1 + 1 + 2 + 1), elements * (2 * 2) + elements * 2 * 9 // 8
    assert (result.cost["dram_bytes"].value, result.cost["sram_bytes"].value) == (dram, sram)
    picojoules = sum(result.executed_ops.values()) + 2 * sram + 30 * dram
    assert result.cost["energy_j"].value == pytest.approx(picojoules * 1e-12, rel=1e-12)
    assert result.cost["energy_arithmetic_j"].value == pytest.approx(sum(result.executed_ops.values()) * 1e-12)
    assert result.cost["energy_j"].origin == "ASSUMED"


def test_energy_of_a_shifted_relu_by_hand() -> None:
    """One comparison of 8 bits an element, a byte in and a byte out."""
    network = Network("one", "test", (4, 8, 8), 2, (Layer("norm", "shifted_relu", 4, 8, 8),))
    (result,) = estimate(network, ["as-is"], phase="forward", device="horowitz-45nm").results
    assert result.cost["energy_arithmetic_j"].value == pytest.approx(512 * 0.03e-12)
    assert result.cost["energy_dram_j"].value == pytest.approx(512 * 2 * 243.75e-12)
    assert result.cost["energy_sram_j"].value == 0


def test_without_a_device_there_is_no_energy(two_layers: Network) -> None:
    for result in estimate(two_layers).results:
        assert not any(name.startswith("energy") for name in result.cost)


def test_the_papers_device_cannot_price_the_datapath(two_layers: Network) -> None:
    with pytest.raises(InputError, match="device de5-net-float32 has no operation"):
        estimate(two_layers, device="de5-net-float32").to_dict()


# Errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"norms": []}, "give a list of norms"),
        ({"phase": "train"}, "phase must be forward, backward, training, inference, not 'train'"),
        ({"accounting": "all"}, "accounting must be paper or executed, not 'all'"),
        ({"batch": 0}, "batch must be a positive integer, not 0"),
        ({"norms": ["l3"]}, "unknown norm 'l3'"),
        ({"device": "fpga"}, "unknown device 'fpga'"),
        ({"sampling_ratio": 0}, "sampling_ratio must be above 0 and at most 1, not 0"),
        ({"sampling_ratio": float("nan")}, "sampling_ratio must be above 0 and at most 1, not nan"),
        ({"sampling_ratio": 2}, "sampling_ratio must be above 0 and at most 1, not 2"),
        ({"bits": 3}, "bits must be"),
    ],
)
def test_wrong_arguments(two_layers: Network, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        estimate(two_layers, **arguments)


# Size


def calls(run: Callable[[], object]) -> int:
    """Functions that Python enters: work that no clock and no neighbour changes."""
    entered = 0

    def see(_: object, event: str, __: object) -> None:
        nonlocal entered
        entered += event == "call"

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        run()
    finally:
        sys.setprofile(before)
    return entered


def test_ten_times_as_many_norms_are_ten_times_the_work(tmp_path: Path) -> None:
    def work(norms: int) -> int:
        path = tmp_path / f"n{norms}.yaml"
        path.write_text(
            "input: [3, 8, 8]\nbatch: 4\nblocks:\n  unit: [{conv: 8, kernel: 3}, batch_norm, relu]\n"
            f"layers:\n  - {{unit: , times: {norms}}}\n",
            encoding="utf-8",
        )

        def run() -> None:
            found = estimate(load_network(path)).to_dict()
            assert found["network"]["norm_layers"] == norms

        return calls(run)

    work(10)  # what is cached
    small, large = work(1_000), work(10_000)
    assert 7 < large / small < 10.5
