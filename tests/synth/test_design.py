"""What a path means, and the command line around it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from hwnorm.bundle.manifest import SCHEMA
from hwnorm.cli import main
from hwnorm.errors import InputError
from hwnorm.synth.design import design_of
from hwnorm.synth.flow import synthesise

COUNTER = "module {name}(input clk, output reg [7:0] n); always @(posedge clk) n <= n + 1; endmodule\n"


ABOUT = {
    **{"schema": SCHEMA, "kind": "rtl", "norm": "l1", "form": "abs", "direction": "forward", "reciprocal": "divider"},
    **{"bits": 8, "lanes": 4, "guard": 3, "vectors": {}},
}


def folder(path: Path, engine: str, **about: object) -> Path:
    (path / "rtl").mkdir(parents=True)
    (path / "rtl" / f"{engine}.v").write_text("// module none\n" + COUNTER.format(name=engine))
    (path / "manifest.json").write_text(json.dumps({**ABOUT, "name": engine, **about}))
    return path


@pytest.mark.slow
def test_a_folder_of_parts_is_several_designs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("forward", "backward"):
        folder(tmp_path / part, f"l1_{part}")
    about = {"schema": SCHEMA, "kind": "parts", "parts": ["forward", "backward"]}
    (tmp_path / "manifest.json").write_text(json.dumps(about))
    assert main(["synth", str(tmp_path), "--target", "xilinx", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["results"]
    assert [one["top"] for one in found] == ["l1_forward", "l1_backward"]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"kind": "hls"}, "f: a folder of kind 'hls' has no Verilog; hwnorm gen-rtl makes one"),
        ({"name": "../n"}, "'name' is no name; make the folder again"),
        ({"name": None}, "'name' is missing or no str; make the folder again"),
        ({"name": "other"}, "f: rtl/other.v is missing; make the folder again"),
        ({"kind": "parts", "parts": ["../.."]}, "'parts' must name folders"),
        ({"schema": "hwnorm.manifest/0"}, "not a manifest of this hwnorm"),
    ],
)
def test_a_wrong_folder(
    about: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(tmp_path / "f", "n", **about)
    assert main(["synth", str(tmp_path / "f"), "--target", "ecp5"]) == 1
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
    if "name" not in about:  # which leads to files, of which power looks at others first
        assert main(["power", str(tmp_path / "f"), "--liberty", "osu018"]) == 1
        assert capsys.readouterr().err == told


def test_a_file_of_several_modules_needs_a_top(tmp_path: Path) -> None:
    path = tmp_path / "both.v"
    path.write_text(COUNTER.format(name="one") + COUNTER.format(name="two"))
    with pytest.raises(InputError, match="several modules, say which with --top: one, two"):
        design_of(path)
    assert design_of(path, "two").top == "two"
    with pytest.raises(InputError, match="has no module 'tow': did you mean 'two'"):
        design_of(path, "tow")


@pytest.mark.parametrize(
    "text",
    [
        '(* keep_hierarchy = "yes" *) module one(input clk); endmodule',
        "\ufeffmodule one(input clk); endmodule",
        "module \\one (input clk); endmodule",
        "macromodule one(input clk); endmodule",
    ],
)
def test_modules_in_other_clothes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.v"
    path.write_text(text + " module two(input clk); endmodule", encoding="utf-8")
    assert [design_of(path, top).top for top in ("one", "two")] == ["one", "two"]


def test_what_is_included_is_part_of_the_design(tmp_path: Path) -> None:
    """From beside the file that includes it. What is not there is missed only where it is wanted."""
    path, part = tmp_path / "top.v", tmp_path / "parts" / "counter.vh"
    part.parent.mkdir()
    part.write_text(COUNTER.format(name="top"))
    path.write_text(
        '// `include "no.v"\n`ifdef HERE\n`include "parts/counter.vh"\n`else\n`include "no.vh"\n`endif\n'
        "module other(input clk); endmodule\n"
    )
    with pytest.raises(InputError, match=r"Can't open include file `no\.vh'"):
        synthesise(design_of(path, "top").verilog, "top", "xilinx")
    path.write_text("`define HERE\n" + path.read_text())
    assert synthesise(design_of(path, "top").verilog, "top", "xilinx").resources.ff == 8
    part.write_text('`include "counter.vh"')  # itself
    path.write_text('`include "parts/counter.vh"\nmodule top(input clk); endmodule\n')
    with pytest.raises(InputError, match=r"Can't open include file `counter\.vh'"):
        synthesise(design_of(path, "top").verilog, "top", "xilinx")


def test_data_in_another_file_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "rom.v"
    path.write_text('module rom(input clk); reg m [1:0]; initial $readmemh("rom.hex", m); endmodule')
    with pytest.raises(InputError, match=r"rom\.v: \$readmem reads another file"):
        design_of(path)


def test_the_command_prints_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(folder(tmp_path / "f", "counter"))
    arguments = ["synth", path, "--target", "xilinx"]
    assert main([*arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["ff"], found["fmax_mhz"]["median"]) == ("hwnorm.synth/1", 8, None)
    assert main([*arguments, "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["design"], row["ff"], row["fmax_mhz"]) == ("counter", "8", "")
    assert main(arguments) == 0
    assert "(top)" in capsys.readouterr().out
    assert main([*arguments, "-o", str(tmp_path / "out.txt")]) == 0
    assert capsys.readouterr().out == "" and "counter" in (tmp_path / "out.txt").read_text()


@pytest.mark.slow
def test_options_stand_for_the_folder_that_they_would_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--norm", "mean-only", "--bits", "4", "--max-elements", "20", "--direction", "training"]
    target = ["--target", "xilinx", "--format", "json"]
    assert main(["gen-rtl", *options, "-o", "made", "-q"]) == 0
    assert main(["synth", "made", *target]) == 0
    of_folder = json.loads(capsys.readouterr().out)["results"]
    assert [one["top"] for one in of_folder] == [f"mean_only_training_b4_p4_{d}" for d in ("forward", "backward")]
    assert main(["synth", *options, *target]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == of_folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["made", "--bits", "8"], "--bits: of a design to be generated, and made is one already"),
        (["--top", "engine"], "--top is of a Verilog file"),
        (["--elements", "5", "--max-elements", "9"], "not allowed with"),
    ],
)
def test_a_path_and_options_exclude_each_other(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["synth", *arguments, "--target", "ecp5"])
    told = capsys.readouterr().err
    assert left.value.code == 2
    assert told.count("\n") == 1 and message in told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["synth", "--lanes", "0", "--target", "ecp5"], 1, "lanes must be an integer from 1 to 64"),
        (["synth", "--norm", "elu", "--target", "ecp5"], 1, "counted, not built"),
        (["synth", "missing.v", "--target", "ecp5"], 1, "missing.v: no such file or folder"),
        (["synth", "missing.v", "--target", "ecp"], 1, "unknown target 'ecp': did you mean 'ecp5'"),
    ],
)
def test_errors_are_one_line(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and message in told


def test_list_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "targets", "--format", "json"]) == 0
    assert {"ecp5", "ice40-up5k", "xilinx"} <= {row["target"] for row in json.loads(capsys.readouterr().out)}
