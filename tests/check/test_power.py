"""``hwnorm power``: an engine mapped to cells, run against the reference, and its activity priced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from gates.priced import CLOCK_ENERGY, IDLE_CLOCK_ENERGY, LIBRARY, PINS, VOLTAGE

from hwnorm.check import power as room
from hwnorm.check.power import AsicPower, PartPower, measure_asic, realistic
from hwnorm.cli import main
from hwnorm.engine import Engine
from hwnorm.errors import ToolFailed
from hwnorm.gates import Delay
from hwnorm.rtl.design import Design
from hwnorm.synth.asic import AsicSynthesis, synthesise_asic

DESIGN = Design(Engine("l1", 4, 64), "forward", 1)


@pytest.fixture(scope="module", autouse=True)
def _shorter() -> Iterator[None]:
    """Activity of fewer cycles and streams."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "CYCLES", 128)
        patch.setattr(room, "STREAMS", 64)
        yield


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("library") / "priced.lib"
    path.write_text(LIBRARY)
    return str(path)


@pytest.fixture(scope="module")
def measured(priced: str) -> AsicPower:
    return measure_asic(DESIGN, priced, clock_mhz=250)


def test_parts_add_up(measured: AsicPower) -> None:
    for delay in Delay:
        parts = measured.parts[delay]
        assert set(parts) <= set(measured.synthesis.breakdown)
        assert sum(part.dynamic_pj for part in parts.values()) == pytest.approx(measured.energy_pj_per_element[delay])
    assert measured.area_um2 == pytest.approx(sum(part.area_um2 for part in measured.synthesis.breakdown.values()))


def test_power_is_energy_at_a_clock(measured: AsicPower) -> None:
    """1 pJ a cycle at 1 MHz is 1 uW; back to back, one lane takes one element a cycle."""
    assert measured.cycles_per_element == pytest.approx(max(64, DESIGN.plan.min_beats) / 64)
    for delay in Delay:
        each_cycle = measured.energy_pj_per_element[delay] / measured.cycles_per_element
        assert measured.dynamic_uw[delay] == pytest.approx(250 * each_cycle)


def test_every_register_pays_its_clock_in_every_cycle(measured: AsicPower) -> None:
    edges = 2 * measured.cycles_per_element * measured.synthesis.total.ff
    own = PINS["CLK"] * VOLTAGE**2 / 2
    clock = measured.total[Delay.ZERO].clock_pj
    assert edges * (own + IDLE_CLOCK_ENERGY) < clock < edges * (own + CLOCK_ENERGY)
    assert measured.total[Delay.UNIT].clock_pj == pytest.approx(clock)


def test_glitches_only_add(measured: AsicPower) -> None:
    zero, unit = measured.total[Delay.ZERO], measured.total[Delay.UNIT]
    assert 1 < unit.switching_pj / zero.switching_pj < 4
    assert unit.leakage_uw == zero.leakage_uw > 0


def test_the_same_seed_gives_the_same_figures(measured: AsicPower, priced: str) -> None:
    again = measure_asic(DESIGN, priced, clock_mhz=250, delays=(Delay.ZERO,))
    assert again.total[Delay.ZERO] == measured.total[Delay.ZERO]
    other = measure_asic(DESIGN, priced, clock_mhz=250, delays=(Delay.ZERO,), seed=9)
    assert other.total[Delay.ZERO] != measured.total[Delay.ZERO]
    assert other.energy_pj_per_element[Delay.ZERO] == pytest.approx(
        measured.energy_pj_per_element[Delay.ZERO], rel=0.05
    )


def test_a_netlist_that_is_wrong_has_no_power(priced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the last sweep every exclusive or is a nand."""

    def spoilt(*arguments: object, **options: object) -> AsicSynthesis:
        found = synthesise_asic(*arguments, **options)  # type: ignore[arg-type]
        netlist = found.mapped.netlist
        spoils = [c.type == "xor2" and c.instance.startswith("sweep_3") for c in netlist.cells]
        assert any(spoils)
        cells = [replace(c, type="nand2") if bad else c for c, bad in zip(netlist.cells, spoils, strict=True)]
        return replace(found, mapped=replace(found.mapped, netlist=replace(netlist, cells=tuple(cells))))

    monkeypatch.setattr(room, "synthesise_asic", spoilt)
    with pytest.raises(ToolFailed, match=r"realistic group \d+ of 64 elements"):
        measure_asic(DESIGN, priced, delays=(Delay.ZERO,))


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "direction"), [("l2", "backward"), ("range", "forward"), ("l1", "inference")])
def test_other_engines(priced: str, norm: str, direction: str) -> None:
    """One run has ``groups`` groups in every stream, the other twice as many: at least CYCLES more."""
    design = Design(Engine(norm, 4, 64), direction, 2)
    found = measure_asic(design, priced, delays=(Delay.ZERO,))
    groups = ceil(room.CYCLES / max(64 // 2, design.plan.min_beats))
    assert found.elements == 64 and found.checked == (groups + 2 * groups) * 64 * room.STREAMS > 0
    assert found.energy_pj_per_element[Delay.ZERO] > 0 and set(found.parts) == {Delay.ZERO}


def test_data_are_within_their_rails_and_fill_them() -> None:
    x = realistic(np.random.default_rng(0), 8, 200, 1000)
    assert x.min() >= -128 and x.max() <= 127
    assert 16 <= np.abs(x).mean() <= 40
    assert (np.abs(x) >= 127).mean() < 0.02


def test_part_power_adds() -> None:
    assert PartPower(1, 2, 3, 4) + PartPower(1, 1, 1, 1) == PartPower(2, 3, 4, 5)
    assert PartPower(9, 2, 3, 4).dynamic_pj == 9


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("made") / "engine"
    options = ["--norm", "l1", "--bits", "4", "--lanes", "1", "--elements", "64", "-q"]
    assert main(["gen-rtl", *options, "-o", str(path)]) == 0
    return str(path)


@pytest.mark.slow
def test_the_command_prints_it(priced: str, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", folder, "--liberty", priced, "--format", "json", "--clock-mhz", "250"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "hwnorm.power/1" and found["library"] == "priced"
    assert set(found["dynamic_uw"]) == set(found["energy_pj_per_element"]) == {"zero-delay", "unit-delay"}
    assert {"area_um2", "cells", "fmax_mhz", "leakage_uw", "breakdown", "macro_bits"} <= set(found)
    parts = [part["pj_per_element"]["zero-delay"]["all"] for part in found["breakdown"].values()]
    assert sum(parts) == pytest.approx(found["energy_pj_per_element"]["zero-delay"], abs=1e-3)
    for form, told in (("table", "pj_per_element"), ("markdown", "| design |"), ("csv", "design,library,delays")):
        assert main(["power", folder, "--liberty", priced, "--format", form, "--delay", "zero"]) == 0
        assert told in capsys.readouterr().out


def test_synth_takes_the_same_folder(priced: str, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", folder, "--target", "asic", "--liberty", priced, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "hwnorm.synth/1" and found["target"] == "asic" and found["device"] == "priced"
    assert found["area_um2"] > 0 and found["cells"] > 0 and found["fmax_mhz"] > 0 and found["leakage_uw"] > 0
    assert main(["synth", folder, "--target", "asic", "--liberty", priced]) == 0
    assert "critical path of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["power", "DIR", "--liberty", "none.lib"], 1, "none.lib: no such Liberty file"),
        (["power", "nowhere", "--liberty", "LIB"], 1, "no manifest.json"),
        (["synth", "DIR", "--target", "asic"], 2, "--target asic and --liberty FILE go together"),
        (["synth", "DIR", "--target", "ecp5", "--liberty", "LIB"], 2, "--target asic and --liberty FILE go together"),
        (["power", "DIR"], 2, "--liberty"),
        (["power", "DIR", "--liberty", "LIB", "--clock-mhz", "-1"], 2, "must be a number above 0"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], code: int, told: str, priced: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [{"DIR": folder, "LIB": priced}.get(word, word) for word in arguments]
    try:
        found = main(filled)
    except SystemExit as ended:
        found = int(str(ended.code))
    shown = capsys.readouterr()
    assert found == code and shown.out == ""
    assert shown.err.startswith("hwnorm: error: ") and shown.err.count("\n") == 1 and told in shown.err


def test_a_folder_of_hls_has_no_power(priced: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "c")
    assert main(["gen-hls", "--norm", "l1", "--bits", "4", "-q", "-o", path]) == 0
    assert main(["power", path, "--liberty", priced]) == 1
    assert "has no Verilog" in capsys.readouterr().err
