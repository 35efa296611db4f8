"""The folder of gen-rtl: what is in it, that it is the same every time, and what cannot be made."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwnorm.cli import main
from hwnorm.cost.fabric import fabric_names
from hwnorm.engine import Engine
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit
from hwnorm.rtl.simulate import Simulator
from hwnorm.synth.yosys import find_yosys

KINDS = [  # one of every shape that a wrapper or an engine can have
    ("--norm", "l1", "--elements", "1024"),
    ("--norm", "l2", "--max-elements", "100", "--lanes", "3"),
    ("--norm", "layer", "--direction", "backward", "--lanes", "2", "--max-elements", "20"),
    ("--norm", "range", "--direction", "backward", "--bits", "12", "--max-elements", "50"),
    ("--norm", "srelu", "--lanes", "1"),
    ("--norm", "l1", "--direction", "backward", "--replay", "external"),
    ("--norm", "fold-ternary", "--direction", "inference"),
    ("--norm", "l1-fs", "--bits", "4", "--lanes", "16"),
    ("--norm", "mean-only", "--activation", "relu", "--elements", "9"),
    ("--norm", "l1", "--form", "pivot", "--momentum-bits", "3", "--lanes", "64", "--max-elements", "64"),
    ("--norm", "l2", "--max-elements", "1", "--lanes", "1", "--reciprocal", "pwl"),
    ("--norm", "l1", "--bits", "20", "--guard", "6", "--reciprocal", "newton", "--apply", "multiply"),
]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    monkeypatch.chdir(tmp_path)
    command = ["gen-rtl", "-q", "-o", "made", *request.param]
    monkeypatch.setattr(sys, "argv", ["hwnorm", *command])  # the files name the command that made them
    assert main(command) == 0
    return tmp_path / "made"


@pytest.mark.parametrize("made", KINDS, ids=" ".join, indirect=True)
def test_tools_take_it(made: Path, simulator: Callable[[str], Simulator]) -> None:
    """Verilator without a warning but those that the files explain, Icarus, yosys; and no line is too long to read."""
    about = json.loads((made / "manifest.json").read_text())
    name = about["name"]
    plain, axis = made / "rtl" / f"{name}.v", made / "rtl" / f"{name}_axis.v"
    for file in (plain, axis):
        text = file.read_text()
        assert "\\" not in text and "$auto" not in text
        assert max(map(len, text.splitlines())) <= 120
        for line in text.splitlines():
            assert "lint_off" not in line or "// " in line, "a waiver without a reason"
    find_yosys().run(
        f"read_verilog {name}.v {name}_axis.v; hierarchy -check -top {name}_axis; proc; check", plain.parent
    )
    tool = simulator("icarus").folder / "iverilog"
    subprocess.run([tool, "-g2005", "-o", made / "o", plain, axis], check=True)
    tool = simulator("verilator").folder / "verilator"
    subprocess.run([tool, "--lint-only", "-Wall", axis, plain], check=True, capture_output=True)


def test_the_manifest_predicts_what_it_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for lanes in (4, 64):
        assert main(["gen-rtl", "-q", "--norm", "l1", "--lanes", str(lanes), "-o", f"p{lanes}"]) == 0
        told = json.loads((tmp_path / f"p{lanes}" / "manifest.json").read_text())["predicted"]
        assert list(told) == list(fabric_names())
        assert any("64 lanes" in what for what in told["ecp5"]["outside"]) is (lanes == 64)
        if lanes == 4:  # reports/rtl-ecp5.md: 1113 LUT, 1806 FF, 4 DSP, 3 BRAM, 243 MHz were measured
            found = {name: told["ecp5"][name] for name in ("lut", "ff", "dsp", "bram", "fmax_mhz")}
            assert all(figure["origin"] == "FITTED" and figure["error_pct"] < 8 for figure in found.values())
            assert [found[name]["value"] for name in ("dsp", "bram")] == [4, 3]
            for name, measured, within in (("lut", 1113, 0.05), ("ff", 1806, 0.05), ("fmax_mhz", 243, 0.08)):
                assert found[name]["value"] == pytest.approx(measured, rel=within)


@pytest.mark.parametrize("norm", ["l1", "l2", "range", "l1-ns"])
@pytest.mark.parametrize("length", ["elements", "max_elements"])
def test_the_readme_says_what_dgamma_counts_in(norm: str, length: str) -> None:
    """Its exponent is a register's, which the engine's own value of dgamma knows."""
    engine = Engine(norm, 8, **{length: 40})  # type: ignore[arg-type]
    readme = emit(Design(engine, "backward", 4), "dut", "")["README.md"].decode()
    told = re.search(r"`result_dgamma` has (\d+)(?: \+ `layer_(\w+)_frac`)? fraction bits", readme)
    assert told is not None and (told[2] is None) == (length == "elements" and not engine.norm.sampling)
    x = np.random.default_rng(0).integers(-128, 128, (1, 40))
    sampled = {"sampled": np.ones(40, bool)} if norm == "l1-ns" else {}
    dgamma = engine.backward_call(x, engine.forward(x, **sampled).saved).run()["dgamma"]
    register = engine.registers(40)[told[2]][1] if told[2] else 0
    assert (np.asarray(dgamma.frac) == int(told[1]) + register).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--max-elements", "17"), "What a group of 5 beats has beyond 17 elements is not noticed"),
        (("--norm", "layer", "--max-elements", "20"), "it has none, so that this is a handshake alone"),
        (("--replay", "external"), "The further inputs have no `last`"),
        (("--norm", "l2", "--direction", "inference"), "shift is beta - scale * mean with that scale"),
        (("--elements", "1024"), "taken when the sums of its first sweep stand"),
    ],
)
def test_the_readme_says_what_a_host_has_to_know(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    assert main(["gen-rtl", "-q", *arguments, "-o", str(tmp_path / "made")]) == 0
    assert (tmp_path / "made" / "README.md").read_text().count(says) == 1


def test_the_same_command_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = []
    for _ in range(2):
        assert main(["gen-rtl", "-q", "--norm", "l2", "--direction", "training", "--max-elements", "20"]) == 0
        folder = tmp_path / "l2_training_b8_p4"
        found.append({p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()})
        shutil.rmtree(folder)
    assert found[0] == found[1]
    assert {p.parts[0] for p in found[0]} == {"forward", "backward", "manifest.json"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--lanes", "0"), 1, "lanes must be an integer from 1 to 64, not 0"),
        (("--lanes", "65"), 1, "lanes must be an integer from 1 to 64, not 65"),
        (("--bits", "25"), 1, "bits must be an integer from 4 to 24, not 25"),
        (("--elements", "0"), 1, "elements must be a positive integer, not 0"),
        (("--norm", "layer-l2"), 1, "unknown norm 'layer-l2': did you mean 'layer-l1'"),
        (("--form", "one-pass"), 1, "norm 'l1' has no form 'one-pass'"),
        (("--norm", "elu"), 1, "norm 'elu' has no forward datapath (it has: none: it is counted, not built)"),
        (("--norm", "fold-sign"), 1, "norm 'fold-sign' has no forward datapath (it has: inference)"),
        (("--norm", "rms", "--momentum-bits", "3"), 1, "norm 'rms' keeps no running statistics"),
        (("--norm", "srelu", "--activation", "ternary"), 1, "has to know what 1.0 is"),
        (("--name", "module"), 1, "name must be an identifier such as l1_forward_b8_p4, and no word of Verilog"),
        (("--name", "clk"), 1, "and no word of Verilog, not 'clk'"),
        (("--name", ""), 1, "name must be an identifier"),
        (("--max-elements", "0"), 1, "max_elements must be a positive integer, not 0"),
        (("-o", "theirs"), 1, "theirs"),
        (("--max-elements", "5000000"), 1, "--max-elements 5000000 is more than 4194304"),
        (("--activation", "relu", "--direction", "backward"), 1, "--activation does nothing backward"),
        (("--momentum-bits", "3", "--direction", "inference"), 1, "--momentum-bits does nothing in inference"),
        (("--replay", "somewhere"), 2, "--replay"),
        (("--elements", "4", "--max-elements", "4"), 2, "not allowed with"),
        (("--norm", "l2", "--direction", "backward", "--apply", "table"), 1, "l2, backward, 8 bits: its last sweep"),
    ],
)
def test_what_cannot_be_made_says_why(
    arguments: tuple[str, ...],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "mine.txt").write_text("not hwnorm's")
    try:
        found = main(["gen-rtl", *arguments])
    except SystemExit as left:
        found = left.code
    out, err = capsys.readouterr()
    assert (found, out) == (code, "")
    assert err.startswith("hwnorm: error: ") and says in err and err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["theirs"] and len(list((tmp_path / "theirs").iterdir())) == 1
