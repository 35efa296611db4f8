"""Measured devices: what ships can be made again from its points, and says how far it is to be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwnorm.cost import characterise
from hwnorm.cost.estimate import estimate
from hwnorm.cost.experiments import Experiment, checked_on, fitted_to, table_engines
from hwnorm.cost.fabric import fabric_names, find_fabric, load, shipped
from hwnorm.cost.figure import Origin
from hwnorm.cost.grid import grid
from hwnorm.cost.quantities import CLOCK, ENERGY, EXACT
from hwnorm.cost.streaming import Machine
from hwnorm.engine import Engine
from hwnorm.errors import InputError
from hwnorm.network.load import load_network
from hwnorm.report.cost_tables import errors_table
from hwnorm.rtl.design import Design

DEVICES = Path(__file__).parents[2] / "hwnorm" / "cost" / "devices"
MEAN_GOAL = {"lut": 5.0, "ff": 5.0, "area_um2": 5.0, "energy_pj_per_element": 10.0, "fmax_mhz": 8.0}  # in percent
CHECKED = ("ecp5", "osu018")  # on a hundred held-out engines: reports/cost-model-NAME.md
DRIFT = 0.05  # in percent: linear algebra of another machine

some_device = pytest.mark.parametrize("name", fabric_names())


@some_device
def test_it_is_made_from_the_points_beside_it(name: str) -> None:
    """Nobody edits a device file, and no change of the model leaves it behind. (Fitted again, it may differ in the
    last digits.)"""
    again = characterise.again(DEVICES / f"{name}.points.json").device
    there = json.loads((DEVICES / f"{name}.json").read_text(encoding="utf-8"))
    assert {key: there[key] for key in ("tools", "date", "command", "measured")} == {
        key: again[key] for key in ("tools", "date", "command", "measured")
    }
    for quantity, found in there["errors"].items():
        assert again["errors"][quantity] == pytest.approx(found, abs=DRIFT), quantity


@some_device
def test_the_errors_that_are_told_are_its_own(name: str) -> None:
    """reports/cost-fit-NAME.csv, by `make reports`."""
    device = json.loads((DEVICES / f"{name}.json").read_text(encoding="utf-8"))
    told = Path(__file__).parents[2] / "reports" / f"cost-fit-{name}.csv"
    assert told.read_text(encoding="utf-8").strip() == errors_table(device, device["engines"]).render("csv").strip()


@some_device
def test_its_errors_are_within_the_goals(name: str) -> None:
    fabric, slack = shipped(name), 1.0 if name in CHECKED else 1.5
    for quantity, goal in MEAN_GOAL.items():
        if quantity in fabric.errors:
            assert fabric.errors[quantity]["mean_pct"] <= slack * goal, quantity
    for quantity in EXACT:
        if quantity in fabric.errors:
            assert fabric.errors[quantity] == {"mean_pct": 0, "worst_pct": 0}


@some_device
def test_an_estimate_says_fitted_and_how_well(name: str) -> None:
    machine = Machine(lanes=min(8, shipped(name).measured["lanes"][1]))
    found = estimate(load_network("resnet20"), ["l1"], 8, device=name, bits=8, machine=machine).results[0].cost
    errors = shipped(name).errors
    for quantity in set(errors) - {ENERGY}:
        assert found[quantity].origin is Origin.FITTED
        assert found[quantity].error_pct == errors[quantity]["mean_pct"]
    if ENERGY in errors:
        assert found["energy_j"].origin is Origin.FITTED and found["energy_j"].error_pct == errors[ENERGY]["mean_pct"]


@some_device
def test_outside_the_measured_range_it_says_so(name: str) -> None:
    network = load_network("resnet110")
    fabric = shipped(name)
    design = Design(Engine("l1", 8, 1024), "forward", 64)
    built = fabric.built(design)
    assert built.outside[0] == f"64 lanes (measured: {fabric.measured['lanes'][0]} to {fabric.measured['lanes'][1]})"
    for figure in built.figures.values():
        assert figure.origin is Origin.ASSUMED and figure.error_pct is None
    found = estimate(network, ["l1"], device=name, machine=Machine(lanes=64))
    assert any("is extrapolated: 64 lanes" in warning for warning in found.warnings)


def test_larger_than_what_was_measured_is_outside_too() -> None:
    """Each of its bits, lanes and elements was measured, but not together."""
    fabric = shipped("ecp5")
    built = fabric.built(Design(Engine("l2", 24, max_elements=131072), "backward", 16))
    assert [what.split()[1] for what in built.outside[:2]] == ["LUT", "BRAM"]
    assert {figure.origin for figure in built.figures.values()} == {Origin.ASSUMED}


def test_a_clock_is_told_of_engines_as_large_as_those_that_were_placed() -> None:
    fabric = shipped("ecp5")
    placed = {**fabric.errors[CLOCK], "largest": 1000.0}
    one = replace(fabric, errors={**fabric.errors, CLOCK: placed})
    found = [one.built(Design(Engine("l1", 8, 1024), "forward", lanes)) for lanes in (1, 16)]
    assert [len(built.outside) for built in found] == [0, 1]
    assert [built.figures[CLOCK].origin for built in found] == [Origin.FITTED, Origin.ASSUMED]
    assert found[1].figures["lut"].origin is Origin.FITTED


def test_the_clock_of_wide_engines_is_that_of_their_placement() -> None:
    """reports/rtl-ecp5.md: to none of these is a coefficient fitted. 16 lanes have up to three times the LUTs of 4."""
    errors = []
    for line in (DEVICES.parents[2] / "reports" / "rtl-ecp5.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells and cells[0] in ("l1", "l2") and cells[3].isdigit():
            norm, direction, lanes, elements, apply = cells[:5]
            design = Design(Engine(norm, 8, int(elements)), direction, int(lanes), results=False, apply=apply)
            errors.append(shipped("ecp5").resources(design)[CLOCK].value / float(cells[9].split()[0]) - 1)
    assert len(errors) == 18
    assert sum(map(abs, errors)) / len(errors) < 0.04 and max(map(abs, errors)) < 0.1


@some_device
def test_the_grid_says_what_one_engine_says(name: str) -> None:
    bits, lanes, elements, groups = (6, 8), (1, 3, 8), (40, 500), (1, 7)
    found = grid(name, "l2", "backward", bits=bits, lanes=lanes, elements=elements, groups=groups)
    assert found.configurations == 2 * 3 * 2 * 2
    for i, width in enumerate(bits):
        for j, number in enumerate(lanes):
            design = Design(Engine("l2", width, max_elements=500), "backward", number)
            for quantity, figure in shipped(name).resources(design).items():
                assert found.engines[quantity][i, j] == figure.value
            for k, length in enumerate(elements):
                for n, many in enumerate(groups):
                    assert found.cycles[i, j, k, n] == design.plan.cycles(many, -(-length // number))


def test_what_is_checked_is_not_what_is_fitted() -> None:
    assert len(checked_on()) >= 100
    assert not set(checked_on()) & set(fitted_to())
    assert set(table_engines()) <= set(fitted_to())
    assert {one.norm for one in checked_on()} - {one.norm for one in fitted_to()}
    assert {one.lanes for one in checked_on()} - {one.lanes for one in fitted_to()}
    assert {one.bits for one in checked_on()} - {one.bits for one in fitted_to()}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a device file of hwnorm characterize"),
        ('{"schema": "hwnorm.device/2"}', "is of schema 'hwnorm.device/2', not 'hwnorm.device/1'"),
        ('{"schema": "hwnorm.device/1"}', "not a device file of hwnorm characterize"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mine.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        find_fabric(str(tmp_path / "mine.json"))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("coefficients", {}, "an engine costs nothing with it"),
        ("coefficients", 5, "TypeError"),
        ("measured", {}, "KeyError"),
        ("path", {}, "ValueError"),
        ("lut_of_ram", "x", "TypeError"),
    ],
)
def test_a_file_that_no_engine_can_be_costed_with(tmp_path: Path, key: str, value: object, says: str) -> None:
    device = json.loads((DEVICES / "ecp5.json").read_text(encoding="utf-8")) | {key: value}
    (tmp_path / "mine.json").write_text(json.dumps(device), encoding="utf-8")
    with pytest.raises(InputError, match=f"mine.json: not a device file of hwnorm characterize: .*({says})"):
        find_fabric(str(tmp_path / "mine.json"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a measured device"):
        load(tmp_path / "none.json")


def test_a_target_without_a_model() -> None:
    with pytest.raises(InputError, match="target 'nexus' has no cost model"):
        characterise.modelled("nexus")


@pytest.mark.parametrize(
    "change",
    [
        lambda points: [],
        lambda points: points | {"engines": []},
        lambda points: points | {"engines": [points["engines"][0] | {"totals": None}]},
    ],
    ids=["list", "no-engines", "no-totals"],
)
def test_points_that_are_none(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    points = json.loads((DEVICES / "osu018.points.json").read_text(encoding="utf-8"))
    (tmp_path / "points.json").write_text(json.dumps(change(points)), encoding="utf-8")
    with pytest.raises(InputError, match="no points of hwnorm characterize"):
        characterise.again(tmp_path / "points.json")


def test_real_synthesis_is_within_the_worst_error() -> None:
    """A subset of ``make validate-cost``."""
    from hwnorm.cost.validation import validate

    found = validate(shipped("ecp5"), 0, lambda _: None, count=2)
    assert len(found) == 2
    for one in found:
        for kind in ("lut", "ff"):
            error = one.error_pct(kind)
            assert error is not None and abs(error) <= 15
        assert one.error_pct("dsp") == one.error_pct("bram") == 0


def test_an_experiment_is_named_for_what_it_is() -> None:
    assert Experiment("l1", "abs", "forward", 8, 4, 100).name == "l1_abs_forward_b8_p4_m100"
    assert Experiment("l1", "abs", "forward", 8, 4, 100, False, True).name == "l1_abs_forward_b8_p4_max100_external"
