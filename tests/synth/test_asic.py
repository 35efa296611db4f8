"""Designs in the cells of a Liberty file: what they are mapped to, how fast they are, how often their nets change."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from gates.priced import LIBRARY
from saif import CELLS, changes, needs_verilator, switching_pj
from wrong_designs import WRONG

from hwnorm.errors import InputError, MissingTool
from hwnorm.gates import Delay, States, energies, netlist_of
from hwnorm.synth import liberty_files, opensta
from hwnorm.synth.asic import synthesise_asic
from hwnorm.synth.liberty_files import INSTALLED, library
from hwnorm.synth.mapping import TIMED_TOP

SUM = """
// Absolute differences, summed up: a design of two modules.
module distance(input [7:0] a, input [7:0] b, output [7:0] y);
  assign y = a > b ? a - b : b - a;
endmodule
module sums(input clk, input rst, input valid, input [7:0] a, input [7:0] b, output reg [15:0] total);
  wire [7:0] y;
  distance apart(.a(a_0), .b(b_0), .y(y));
  reg [7:0] a_0, b_0, y_0;
  reg valid_0, valid_1;
  always @(posedge clk) begin
    a_0 <= a; b_0 <= b; valid_0 <= valid; y_0 <= y; valid_1 <= valid_0;
    if (rst) total <= 0; else if (valid_1) total <= total + y_0;
  end
endmodule
"""
STORE = """
module store(input clk, input write, input [{top}:0] at, input [3:0] x, output reg [3:0] y);
  reg [3:0] kept [0:{words}-1];
  always @(posedge clk) begin if (write) kept[at] <= x; y <= kept[at]; end
endmodule
"""
needs_opensta = pytest.mark.skipif(opensta.find_opensta() is None, reason="no sta on PATH: apt-get install opensta")


@pytest.fixture
def priced(tmp_path: Path) -> str:
    path = tmp_path / "priced.lib"
    path.write_text(LIBRARY)
    return str(path)


def test_area_is_that_of_its_cells(priced: str) -> None:
    found = synthesise_asic(SUM, "sums", priced)
    types = [cell.type for cell in found.mapped.cells]
    areas = {"inv": 1.5, "buffer": 2.0, "nand2": 2.5, "xor2": 4.5, "dff": 10.0}
    assert set(types) <= set(areas)
    assert found.total.area_um2 == pytest.approx(sum(areas[kind] for kind in types))
    assert found.total.ff == types.count("dff") == 8 + 8 + 1 + 8 + 1 + 16
    assert set(found.breakdown) == {"(top)", "apart"} and found.breakdown["apart"].ff == 0
    assert sum(part.cells for part in found.breakdown.values()) == len(types)
    assert found.macros == [] and found.critical_path is not None
    assert re.match(r"(y_0|total)\[\d\] -> total\[1\d\], [\d.]+ ns: \d+ cells", found.critical_path)


def test_the_mapped_netlist_does_what_the_source_does(priced: str) -> None:
    mapped = synthesise_asic(SUM, "sums", priced).mapped.netlist
    rng = np.random.default_rng(1)
    stimuli = {name: rng.integers(0, 256, (60, 64)) for name in ("a", "b")}
    stimuli |= {"valid": rng.integers(0, 2, (60, 64)), "rst": np.repeat([1] * 3 + [0] * 57, 64).reshape(60, 64)}
    seen = [found.simulator(64, seed=3).run(stimuli)["total"][4:] for found in (mapped, netlist_of(SUM, "sums"))]
    assert np.array_equal(*seen) and seen[0].any()


@pytest.mark.parametrize(("words", "macro"), [(64, False), (65, True), (256, True)])
def test_large_memories_stay_memories(priced: str, words: int, macro: bool) -> None:
    text = STORE.format(words=words, top=(words - 1).bit_length() - 1)
    found = synthesise_asic(text, "store", priced)
    assert [(m.words, m.width, m.bits) for m in found.macros] == ([(words, 4, 4 * words)] if macro else [])
    assert found.total.ff == (4 if not macro else 0) + (0 if macro else 4 * words)
    rng = np.random.default_rng(2)
    stimuli = {name: rng.integers(0, top, (99, 64)) for name, top in (("write", 2), ("at", words), ("x", 16))}
    stimuli["write"][:, 0] = 1
    both = (found.mapped.netlist, netlist_of(text, "store"))
    assert np.array_equal(*(one.simulator(64).run(stimuli)["y"] for one in both))


def test_cells_that_the_file_forbids_are_not_used(tmp_path: Path, priced: str) -> None:
    used = {cell.type for cell in synthesise_asic(SUM, "sums", priced).mapped.cells}
    forbidden = tmp_path / "forbidden.lib"
    forbidden.write_text(LIBRARY.replace("cell (xor2) { area : 4.5;", "cell (xor2) { area : 4.5; dont_use : true;"))
    assert used - {cell.type for cell in synthesise_asic(SUM, "sums", str(forbidden)).mapped.cells} == {"xor2"}


@pytest.mark.may_skip
@needs_opensta
@pytest.mark.parametrize("name", ["priced", *INSTALLED])
def test_opensta_is_of_the_same_opinion(priced: str, name: str) -> None:
    """Its own delay calculation, within 3 %."""
    if name in INSTALLED and not INSTALLED[name].is_file():
        pytest.skip(f"apt-get install qflow-tech-{name}")
    found = synthesise_asic(SUM, "sums", priced if name == "priced" else name)
    assert found.opensta_mhz is not None and found.hwnorm_mhz == pytest.approx(found.opensta_mhz, rel=0.03)
    assert found.fmax_mhz == found.opensta_mhz
    assert found.to_dict()["timing"]["fmax_by"].startswith("OpenSTA")


def test_without_opensta_the_figure_is_ours(priced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensta, "find_opensta", lambda: None)
    found = synthesise_asic(SUM, "sums", priced)
    assert found.fmax_mhz == found.hwnorm_mhz and found.opensta_mhz is None
    told = found.to_dict()
    assert told["timing"]["fmax_by"].startswith("hwnorm's own sum") and "opensta" not in told["tools"]


@pytest.mark.may_skip
@needs_opensta
def test_opensta_that_fails_is_told() -> None:
    with pytest.raises(Exception, match="OpenSTA"):
        opensta.period_ns("module timed(", "timed", "clk", LIBRARY)


@pytest.mark.slow
@needs_verilator
def test_verilator_counts_the_same_changes(tmp_path: Path, priced: str) -> None:
    """Switching energy, from the pins in Verilator's SAIF of the same netlist and their capacitances: within 5 %."""
    found = synthesise_asic(SUM, "sums", priced)
    rng = np.random.default_rng(4)
    cycles = 400
    widths = {"rst": 1, "valid": 1, "a": 8, "b": 8}
    stimuli = {name: rng.integers(0, 1 << width, cycles) for name, width in widths.items()}
    stimuli["rst"] = (np.arange(cycles) < 3).astype(int)
    at = dict(zip(widths, (0, 1, 2, 10), strict=True))
    words = sum(stimuli[name] << place for name, place in at.items()).tolist()
    seen = changes(tmp_path, found.mapped.verilog, CELLS, TIMED_TOP, "clk", widths, words)
    simulation = found.mapped.netlist.simulator(1, toggles=Delay.ZERO)
    states = States(simulation)
    simulation.run({name: values[:, None] for name, values in stimuli.items()})
    ours = energies(found.mapped.netlist, found.timing, simulation.toggles, states)
    theirs = switching_pj(seen, found.mapped.verilog)
    assert sum(e.switching_pj for e in ours) == pytest.approx(theirs, rel=0.05)


# What is wrong


def test_a_name_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(liberty_files.INSTALLED, "osu018", tmp_path / "none.lib")
    with pytest.raises(MissingTool, match="apt-get install qflow-tech-osu018"):
        library("osu018")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no Liberty file"),
        ("library (x) {", "not closed"),
        ("module x; endmodule", "no Liberty|not expected|not a"),
    ],
)
def test_what_is_no_liberty_file(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "x.lib"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        synthesise_asic(SUM, "sums", str(path))


@pytest.mark.parametrize(
    ("plain", "lacking", "told"),
    [
        ('function : "!A"', 'function : "A"', "a Liberty file without an inverter"),
        ("timing_type : combinational", "timing_type : removed", "cell inv has no tables of delay"),
        ("nom_voltage : 2.0;", "", "no nom_voltage"),
    ],
)
def test_a_library_that_lacks_what_every_design_needs(tmp_path: Path, plain: str, lacking: str, told: str) -> None:
    path = tmp_path / "x.lib"
    path.write_text(LIBRARY.replace(plain, lacking))
    with pytest.raises(InputError, match=f"priced: {told}"):
        synthesise_asic(SUM, "sums", str(path))


def test_verilog_that_is_wrong(priced: str) -> None:
    with pytest.raises(InputError, match=r"sums\.v:2: syntax error"):
        synthesise_asic("module sums(input clk);\n assign x = ;\nendmodule", "sums", priced, file_name="sums.v")
    with pytest.raises(InputError, match="maps to nothing"):
        synthesise_asic("module sums(input clk);\nendmodule", "sums", priced)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_design_is_the_caller_s(priced: str, wrong: str) -> None:
    with pytest.raises(InputError) as fault:
        synthesise_asic(WRONG[wrong], "top", priced)
    assert "ERROR" not in str(fault.value)


def test_half_periods_are_not_timed(priced: str) -> None:
    halves = """module top(input clk, input d, output reg q); reg r;
    always @(posedge clk) r <= d; always @(negedge clk) q <= r; endmodule"""
    with pytest.raises(InputError, match="registers at both edges of a clock"):
        synthesise_asic(halves, "top", priced)


def test_it_is_kept_by_content(priced: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = synthesise_asic(SUM, "sums", priced).to_dict()
    monkeypatch.setattr("hwnorm.synth.yosys.Yosys.run", None)  # is not called
    assert json.dumps(synthesise_asic(SUM, "sums", priced).to_dict()) == json.dumps(first)
