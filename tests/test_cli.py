"""The command line as a user runs it: a process of its own, in an empty folder."""

from __future__ import annotations

import csv
import io
import itertools
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from hwnorm.cli import main
from hwnorm.network.load import zoo_names
from hwnorm.norms.catalog import CATALOG
from hwnorm.report.table import Table

ROOT = Path(__file__).parents[1]
Golden = Callable[[str, str], None]


class Run:
    """``run("estimate", "lenet5")`` in an empty folder; the packages in ``without`` are not installed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "empty"
        self.folder.mkdir()
        self.blocker = folder / "blocker"

    def environment(self, without: tuple[str, ...] = ()) -> dict[str, str]:
        paths = [str(ROOT)]
        if without:
            self.blocker.mkdir(exist_ok=True)
            lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in without)]
            (self.blocker / "sitecustomize.py").write_text("\n".join(lines))
            paths.insert(0, str(self.blocker))
        unset = ("PYTHONPATH", "PYTHONUNBUFFERED", "COLUMNS")
        kept = {name: value for name, value in os.environ.items() if name not in unset}
        return kept | {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "100", "NO_COLOR": "1"}

    def __call__(self, *arguments: str, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hwnorm", *arguments]
        environment = self.environment(without)
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60)

    def done(self, *arguments: str) -> str:
        """stdout of a run that says nothing else."""
        found = self(*arguments)
        assert (found.returncode, found.stderr) == (0, "")
        return found.stdout

    def fails(self, code: int, *arguments: str, without: tuple[str, ...] = ()) -> str:
        """The one line of a run that fails."""
        found = self(*arguments, without=without)
        assert (found.returncode, found.stdout) == (code, ""), found.stderr
        assert re.fullmatch(r"hwnorm: error: [^\n]+\n", found.stderr), found.stderr
        return found.stderr.removeprefix("hwnorm: error: ").rstrip("\n")

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


# estimate


def test_estimate_in_an_empty_folder(run: Run, golden: Golden) -> None:
    golden("cli/estimate-resnet110.txt", run.done("estimate", "resnet110.yaml"))
    assert run.files() == []


def test_estimate_without_the_ending_is_the_same(run: Run) -> None:
    assert run.done("estimate", "resnet110") == run.done("estimate", "resnet110.yaml")


def test_estimate_json(run: Run) -> None:
    found = json.loads(run.done("estimate", "resnet110.yaml", "--format", "json"))
    assert found["schema"] == "hwnorm.estimate/1"
    assert found["network"]["norm_layers"] == 109
    assert [result["norm"] for result in found["results"]] == ["l2", "l1"]
    assert [len(result["layers"]) for result in found["results"]] == [109, 109]
    assert found["comparison"][0]["speedup"] == 1.5


def test_estimate_csv(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run.done("estimate", "resnet110.yaml", "--format", "csv"))))
    assert set(rows[0]) == {"norm", "accounting", "quantity", "value", "unit", "origin"}
    values = {(row["norm"], row["accounting"], row["quantity"]): row["value"] for row in rows}
    assert values["l2", "formula", "square"] == str(128 * 1_048_576)
    assert float(values["l1", "paper", "time_ns"]) == 2 * 128 * 1_048_576
    assert int(values["l1", "executed", "cycles"]) > 0


def test_estimate_markdown(run: Run, golden: Golden) -> None:
    golden("cli/estimate-lenet5.md", run.done("estimate", "lenet5", "--format", "markdown"))


def test_norm_is_repeatable_and_ordered(run: Run) -> None:
    text = run.done("estimate", "lenet5", "--norm", "range", "--norm", "l1", "--norm", "as-is", "--format", "json")
    assert [result["norm"] for result in json.loads(text)["results"]] == ["range", "l1", "as-is"]


def test_as_is_keeps_what_the_network_declares(run: Run) -> None:
    text = run.done("estimate", "vit-base", "--norm", "as-is", "--format", "json")
    (result,) = json.loads(text)["results"]
    assert {layer["norm"] for layer in result["layers"]} == {"layer"}


def test_batch_phase_and_machine(run: Run) -> None:
    options = ["--batch", "3", "--phase", "inference", "--bits", "12", "--lanes", "4", "--clock-mhz", "100"]
    found = json.loads(run.done("estimate", "lenet5", *options, "--format", "json"))
    assert found["network"]["batch"] == 3
    for result in found["results"]:
        assert (result["phase"], result["bits"], result["lanes"]) == ("inference", 12, 4)
        assert result["clock_mhz"] == 100
        assert result["sweeps"] == {"inference": 1}


def test_accounting(run: Run) -> None:
    paper = run.done("estimate", "lenet5", "--accounting", "paper")
    assert "executed" not in paper.split("Comparison")[0] and "paper: time" in paper
    executed = run.done("estimate", "lenet5", "--accounting", "executed")
    assert "paper: time" not in executed and "cycles" in executed


def test_by_layer(run: Run, golden: Golden) -> None:
    golden("cli/estimate-lenet5-by-layer.txt", run.done("estimate", "lenet5", "--by-layer"))
    rows = list(csv.DictReader(io.StringIO(run.done("estimate", "lenet5", "--by-layer", "--format", "csv"))))
    assert [row["norm"] for row in rows] == ["l2"] * 3 + ["l1"] * 3


def test_explain_and_compare(run: Run, golden: Golden) -> None:
    text = run.done("estimate", "lenet5", "--explain", "--compare", "--device", "horowitz-45nm")
    golden("cli/estimate-lenet5-explain-compare.txt", text)
    for counter in ("fvcore", "thop", "torchinfo", "onnx-tool", "torch FlopCounterMode"):
        assert counter in text


def test_explained_sums_give_the_totals(run: Run) -> None:
    lines = run.done("estimate", "lenet5", "--explain").split("How each total comes about\n")[1].split("\n")[2:]
    checked = 0
    for line in lines:
        cells = re.split(r" {2,}", line)
        if len(cells) == 7:
            parts = [part.replace(",", "").split(" * ") for part in cells[5].split(" + ")]
            assert sum(int(a) * int(b) for a, b in parts) == int(cells[6].replace(",", "")), line
            checked += 1
    assert checked > 20


def test_a_network_without_norms(run: Run, golden: Golden) -> None:
    found = run("estimate", "wgangp32-d")
    assert found.returncode == 0
    golden("cli/estimate-without-norms.txt", found.stdout + found.stderr)
    quiet = run("estimate", "wgangp32-d", "-q")
    assert (quiet.stdout, quiet.stderr) == (found.stdout, "")


def test_warnings_go_to_stderr_and_leave_json_alone(run: Run) -> None:
    found = run("estimate", "gpt2", "--norm", "l2", "--norm", "l1", "--format", "json")
    assert found.returncode == 0
    warnings = json.loads(found.stdout)["warnings"]
    assert len(warnings) == 2
    assert found.stderr == "".join(f"hwnorm: warning: {warning}\n" for warning in warnings)


NETWORK = "input: [3, 4, 4]\nbatch: 2\nlayers:\n  - batch_norm\n"


@pytest.mark.parametrize("seed", ["0", "1"])
def test_warnings_come_in_the_order_of_the_network(run: Run, seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever order sets have in this process."""
    (run.folder / "mixed.yaml").write_text(NETWORK + "  - {group_norm: 3}\n  - layer_norm\n  - rms_norm\n")
    monkeypatch.setenv("PYTHONHASHSEED", seed)
    options = ["--norm", "as-is", "--device", "ecp5", "--lanes", "64", "--format", "json", "-q"]
    warnings = json.loads(run.done("estimate", "mixed.yaml", *options))["warnings"]
    told = [warning.split()[0] for warning in warnings if "extrapolated" in warning]
    assert list(dict.fromkeys(told)) == ["l2", "group", "layer", "rms"]


def test_a_file_in_the_folder_comes_first(run: Run) -> None:
    (run.folder / "resnet110.yaml").write_text(NETWORK)
    for name in ("resnet110.yaml", "resnet110", "./resnet110.yaml"):
        found = json.loads(run.done("estimate", name, "--format", "json"))
        assert (found["network"]["norm_layers"], found["network"]["batch"]) == (1, 2)


def test_a_device_of_the_users_own(run: Run) -> None:
    (run.folder / "mine.yaml").write_text("operations:\n  add: {energy_pj: 1, origin: MEASURED}\n")
    line = run.fails(1, "estimate", "lenet5", "--device", "mine.yaml")
    assert re.match(r"device mine has no operation '\w+', which this count needs \(it has: add\)", line)


# -o


def test_output_is_what_would_be_printed(run: Run) -> None:
    for form in ("table", "json", "csv", "markdown"):
        printed = run.done("estimate", "lenet5", "--format", form)
        assert run.done("estimate", "lenet5", "--format", form, "-o", "out") == ""
        assert (run.folder / "out").read_text() == printed
        assert run.files() == ["out"]


def test_output_is_left_alone_by_a_run_that_fails(run: Run) -> None:
    (run.folder / "out").write_text("old")
    run.fails(1, "estimate", "lenet", "-o", "out")
    assert (run.folder / "out").read_text() == "old"
    assert run.files() == ["out"]


def test_output_into_a_folder_that_is_not_there(run: Run) -> None:
    line = run.fails(1, "estimate", "lenet5", "-o", "none/out")
    assert line == "none/out: cannot be written: No such file or directory"


@pytest.mark.parametrize(("name", "told"), [(b"net-\xff.yaml", r"net-\udcff"), (b"net\n2.yaml", r"net\n2")])
def test_a_name_that_cannot_be_written_is_escaped(run: Run, name: bytes, told: str) -> None:
    (run.folder / os.fsdecode(name)).write_text(NETWORK)
    for form in ("table", "markdown", "csv"):
        printed = run.done("estimate", os.fsdecode(name), "--format", form)
        assert printed.startswith(f"{told}: 1 norm") or form == "csv"
        run.done("estimate", os.fsdecode(name), "--format", form, "-o", os.fsdecode(b"out-\xff"))
        assert (run.folder / os.fsdecode(b"out-\xff")).read_text() == printed


def test_a_terminal_that_has_fewer_characters(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (run.folder / "netz-ü.yaml").write_text(NETWORK)
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert run.done("estimate", "netz-ü.yaml").startswith("netz-\\xfc: 1 normalization layers")
    assert run.done("gen-hls", "-o", "ü") == "\\xfc\n"


def test_a_folder_whose_name_cannot_be_written(run: Run) -> None:
    name = os.fsdecode(b"made-\xff")
    assert run.done("gen-hls", "-o", name) == "made-\\udcff\n"
    manifest = json.loads((run.folder / name / "manifest.json").read_text())
    assert manifest["command"] == r"hwnorm gen-hls -o 'made-\udcff'"


# --plot


@pytest.mark.parametrize("figure", ["cost", "layers", "operations"])
def test_plot(run: Run, figure: str) -> None:
    text = run.done("estimate", "lenet5", "--plot", "figure.svg", "--figure", figure)
    assert text == run.done("estimate", "lenet5")
    assert run.files() == ["figure.svg"]
    assert "<svg" in (run.folder / "figure.svg").read_text()


def test_plot_of_what_is_not_built(run: Run) -> None:
    line = run.fails(1, "estimate", "lenet5", "--norm", "elu", "--accounting", "executed", "--plot", "figure.svg")
    assert line.startswith("elu: no datapath for training, so no executed cost to plot; ")
    assert run.files() == []


def test_plot_of_a_name_in_characters_that_the_font_lacks(run: Run) -> None:
    (run.folder / "漢.yaml").write_text(NETWORK)
    found = run("estimate", "漢.yaml", "--plot", "figure.png")
    assert found.returncode == 0
    assert re.fullmatch(r"hwnorm: figure\.png: matplotlib warns: Glyph 28450 [^\n]+\n", found.stderr)
    assert run("estimate", "漢.yaml", "--plot", "figure.png", "-q").stderr == ""


def test_plot_of_an_unknown_ending(run: Run) -> None:
    line = run.fails(1, "estimate", "lenet5", "--plot", "figure.jpg")
    assert line == "figure.jpg: a figure must end in .png, .svg, .pdf"
    assert run.files() == []


def test_plot_of_a_reproduction(run: Run) -> None:
    run.done("reproduce", "fig4", "--plot", "fig4.pdf", "-o", "fig4.md", "--format", "markdown")
    assert run.files() == ["fig4.md", "fig4.pdf"]
    assert run.fails(1, "reproduce", "table4", "--plot", "table4.png") == "table4 has no figure to plot"


# Errors: one line each, all of them in one golden file

WRONG_INPUT = (
    ("estimate", "lenet"),
    ("estimate", "nothing-like-it"),
    ("estimate", "missing.yaml"),
    ("estimate", "missing.onnx"),
    ("estimate", "broken.yaml"),
    ("estimate", "no.such.package:callable"),
    ("estimate", "lenet5", "--norm", "l3"),
    ("estimate", "lenet5", "--norm", "rangee"),
    ("estimate", "lenet5", "--device", "horowitz"),
    ("estimate", "lenet5", "--device", "missing.yaml"),
    ("estimate", "lenet5", "--device", "de5-net-float32"),
    ("estimate", "lenet5", "--batch", "0"),
    ("estimate", "lenet5", "--bits", "3"),
    ("estimate", "lenet5", "--bits", "25"),
    ("estimate", "lenet5", "--lanes", "65"),
    ("estimate", "lenet5", "--clock-mhz", "0"),
    ("estimate", "lenet5", "--onchip-kib", "-1"),
    ("estimate", "lenet5", "--dram-gbps", "nan"),
    ("estimate", "lenet5", "--sampling-ratio", "0"),
    ("reproduce", "fig5"),
    ("reproduce", "something"),
)


def test_wrong_input(run: Run, golden: Golden) -> None:
    (run.folder / "broken.yaml").write_text(NETWORK.replace("batch_norm", "batchnorm"))
    lines = [f"$ hwnorm {' '.join(arguments)}\n{run.fails(1, *arguments)}\n" for arguments in WRONG_INPUT]
    golden("cli/wrong-input.txt", "\n".join(lines))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("estimat", "lenet5"), "invalid choice: 'estimat'"),
        (("estimate",), "the following arguments are required: NETWORK"),
        (("estimate", "lenet5", "--bacth", "3"), "unknown argument '--bacth': did you mean '--batch'?"),
        (("estimate", "lenet5", "--batch", "many"), "argument --batch: invalid int value: 'many'"),
        (("estimate", "lenet5", "--phase", "train"), "argument --phase: invalid choice: 'train'"),
        (("estimate", "lenet5", "--format", "xml"), "argument --format: invalid choice: 'xml'"),
        (("estimate", "lenet5", "--input-shape", "3,0"), "argument --input-shape: must be sizes such as 3,224,224"),
        (("list",), "the following arguments are required"),
        (("list", "nets"), "invalid choice: 'nets'"),
    ],
)
def test_wrong_command_line(run: Run, arguments: tuple[str, ...], says: str) -> None:
    found = run(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert re.fullmatch(r"hwnorm: error: [^\n]+ -h shows the options\)\n", found.stderr)
    assert says in found.stderr


def test_debug_shows_the_traceback(run: Run) -> None:
    found = run("estimate", "lenet", "--debug")
    assert found.returncode == 1
    assert found.stderr.startswith("Traceback (most recent call last):")
    assert "InputError: no file and no network 'lenet'" in found.stderr


def test_an_internal_fault_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> None:
        raise KeyError("two\nlines")

    monkeypatch.setattr("hwnorm.report.doctor.doctor_table", lambda: broken(None))
    assert main(["doctor"]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err == "hwnorm: error: internal fault, KeyError: 'two\\nlines' (--debug shows where)\n"
    with pytest.raises(KeyError):
        main(["doctor", "--debug"])


def test_what_runs_is_told_once_however_often_a_program_calls(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        assert main(["estimate", "lenet5", "-v"]) == 0
        assert capsys.readouterr().err.count("hwnorm: reading lenet5\n") == 1
    assert logging.getLogger("hwnorm").handlers == []


def test_quiet_is_silent_but_for_results(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def doctor_table() -> Table:
        logging.getLogger("hwnorm").warning("takes a minute")
        return Table(("column",), [["result"]])

    monkeypatch.setattr("hwnorm.report.doctor.doctor_table", doctor_table)
    for options, told in (([], "hwnorm: takes a minute\n"), (["-q"], "")):
        assert main(["doctor", "--format", "csv", *options]) == 0
        assert capsys.readouterr() == ("column\nresult\n", told)


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hwnorm.network.load.load_network", stop)
    assert main(["estimate", "lenet5"]) == 130
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "hwnorm: error: interrupted\n")


@pytest.mark.may_skip
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_from_outside(run: Run, number: signal.Signals) -> None:
    """A device file that never comes: the process waits, and is interrupted there. (Tests in the background ignore that
    signal, which a process would inherit.)"""
    os.mkfifo(run.folder / "device.yaml")
    command = [sys.executable, "-m", "hwnorm", "estimate", "lenet5", "--device", "device.yaml", "-o", "out"]
    environment = run.environment()
    process = subprocess.Popen(
        command,
        cwd=run.folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    writer = os.open(run.folder / "device.yaml", os.O_WRONLY)  # returns once it reads
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    os.close(writer)
    assert (process.returncode, stderr) == (130, "hwnorm: error: interrupted\n")
    assert run.files() == ["device.yaml"]


@pytest.mark.parametrize("module", ["argparse", "logging", "hwnorm.cost.estimate"])
def test_interrupted_while_it_loads(run: Run, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = f"""
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
"""
    run.blocker.mkdir()
    (run.blocker / "sitecustomize.py").write_text(finder)
    monkeypatch.setattr(
        run, "environment", lambda _: Run.environment(run, ()) | {"PYTHONPATH": f"{run.blocker}:{ROOT}"}
    )
    assert run.fails(130, "estimate", "lenet5") == "interrupted"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("list", "devices"), 0), (("estimate", "gpt2", "--norm", "l2"), 0), (("estimate", "lenet"), 1)],
)
def test_messages_have_nowhere_to_go(run: Run, arguments: tuple[str, ...], code: int) -> None:
    """With stderr closed stdout has what it has else, and nothing of the messages."""
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "hwnorm", *arguments]
    environment = run.environment()
    found = subprocess.run(command, cwd=run.folder, env=environment, stdout=subprocess.PIPE, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (code, run(*arguments).stdout)


@pytest.mark.parametrize("arguments", [("list", "devices"), ("--version",), ("estimate", "-h"), ("estimate", "vgg7")])
def test_a_reader_that_left(run: Run, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "hwnorm", *arguments]
    environment = run.environment()
    found = subprocess.run(command, cwd=run.folder, env=environment, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (found.returncode, found.stderr) == (0, b"")


# A package that is missing


def test_without_matplotlib(run: Run) -> None:
    line = run.fails(3, "estimate", "lenet5", "--plot", "figure.png", without=("matplotlib",))
    assert line == "figures need matplotlib, which is not installed: pip install matplotlib"
    assert run.files() == []


def test_without_onnx(run: Run) -> None:
    (run.folder / "net.onnx").write_bytes(b"")
    line = run.fails(3, "estimate", "net.onnx", without=("onnx",))
    assert line.startswith("reading ONNX needs the package onnx") and line.endswith("pip install hwnorm[onnx]")


def test_without_torch(run: Run) -> None:
    line = run.fails(3, "estimate", "package:callable", without=("torch",))
    assert line.startswith("reading PyTorch modules needs the package torch")
    assert line.endswith("pip install hwnorm[torch]")


OPTIONAL = ("matplotlib", "onnx", "torch")


def test_everything_else_works_without_them(run: Run) -> None:
    for arguments in (("estimate", "lenet5"), ("reproduce", "fig4"), ("list", "norms"), ("doctor",)):
        found = run(*arguments, without=OPTIONAL)
        assert (found.returncode, found.stderr) == (0, ""), arguments


# list, doctor, reproduce

DEVICES = ["de5-net-float32", "horowitz-45nm", "ecp5", "ice40-up5k", "osu018", "xilinx"]  # cited, then measured


@pytest.mark.parametrize("what", ["norms", "networks", "devices"])
def test_list(run: Run, what: str, golden: Golden) -> None:
    golden(f"cli/list-{what}.txt", run.done("list", what))
    rows = json.loads(run.done("list", what, "--format", "json"))
    column = what.removesuffix("s")
    names = [row[column] for row in rows]
    expected = {"norms": [*CATALOG], "networks": zoo_names(), "devices": DEVICES}[what]
    assert list(dict.fromkeys(names)) == expected
    assert all(row["what it is"] for row in rows)
    read = list(csv.DictReader(io.StringIO(run.done("list", what, "--format", "csv"))))
    assert [row[column] for row in read] == names
    assert run.done("list", what, "--format", "markdown").startswith(f"| {column} | ")


def test_doctor(run: Run) -> None:
    rows = json.loads(run.done("doctor", "--format", "json"))
    assert [row["package"] for row in rows[:3]] == ["python", "numpy", "pyyaml"]
    assert {row["package"] for row in rows} >= set(OPTIONAL)
    for row in rows:
        assert row["what it gives"]
        if row["version"] != "missing":
            assert row["where"] and row["version"]
    for form in ("table", "csv", "markdown"):
        assert "pyyaml" in run.done("doctor", "--format", form)


def test_doctor_knows_every_package_that_hwnorm_asks_for(run: Run) -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = asked["optional-dependencies"]
    extras = [packages for name, packages in optional.items() if name not in ("dev", "bench")]
    names = {re.split(r"[^\w-]", one)[0] for one in (*asked["dependencies"], *itertools.chain(*extras))}
    rows = json.loads(run.done("doctor", "--format", "json"))
    assert names - {row["package"] for row in rows} == set()


def test_doctor_says_how_to_install_what_is_missing(run: Run) -> None:
    found = run("doctor", "--format", "json", without=OPTIONAL)
    rows = {row["package"]: row for row in json.loads(found.stdout)}
    for name in OPTIONAL:
        assert rows[name]["version"] == "missing" and rows[name]["where"] is None
        assert rows[name]["to install"].startswith("pip install")
    assert rows["numpy"]["to install"] == ""


@pytest.mark.parametrize("name", ["fig4", "table4", "table1", "adder-tree", "theorem1"])
def test_reproduce(run: Run, name: str) -> None:
    assert run.done("reproduce", name).startswith(("L1BN ", "Sampling "))


# Help


def test_version(run: Run) -> None:
    import hwnorm

    assert run.done("--version") == f"hwnorm {hwnorm.__version__}\n"


@pytest.mark.parametrize("command", ["", "estimate", "list", "reproduce", "doctor"])
def test_help(run: Run, command: str) -> None:
    text = run.done(*command.split(), "-h")
    assert text.startswith(f"usage: hwnorm {command}".rstrip())
    assert text == run.done(*command.split(), "--help")
    if command == "estimate":
        for option in ("--norm", "--batch", "--phase", "--accounting", "--device", "--bits", "--lanes", "--clock-mhz"):
            assert option in text
        for option in ("--by-layer", "--plot", "--format", "--output", "--explain", "--compare", "--debug"):
            assert option in text


def test_generate_and_simulate(run: Run) -> None:
    made = run("gen-hls", "--bits", "8", "--norm", "l1", "--dialect", "plain")
    assert (made.returncode, made.stdout) == (0, "l1_forward_b8_p4\n")
    checked = run("simulate", "l1_forward_b8_p4", "--elements-total", "1e5")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("every bit equals the reference") == 2
    told = run("simulate", "l1_forward_b8_p4", "-v")
    assert "hwnorm: running" in told.stderr and "g++" in told.stderr


def test_both_directions_in_one_folder(run: Run) -> None:
    made = run("gen-hls", "--norm", "l2", "--direction", "training", "--dialect", "plain", "-o", "both")
    assert made.returncode == 0, made.stderr
    checked = run("simulate", "both")
    assert [line.split(":")[0] for line in checked.stdout.splitlines()] == [
        "l2_training_b8_p4_forward",
        "l2_training_b8_p4_backward",
    ]
    assert run.done("simulate", "both", "-o", "told.txt") == ""
    assert (run.folder / "told.txt").read_text() == checked.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--lanes", "0"], 1, "lanes must be"),
        (["--bits", "25"], 1, "bits must be"),
        (["--elements", "0"], 1, "elements must be a positive integer"),
        (["--norm", "l7"], 1, "unknown norm 'l7'"),
        (["--norm", "l2", "--form", "abs"], 1, "has no form 'abs'"),
        (["--norm", "elu"], 1, "counted, not built"),
        (["--norm", "fold-sign"], 1, "has no forward datapath"),
        (["--name", "9 lives"], 1, "name must be an identifier"),
        (["--elements", "5", "--max-elements", "9"], 2, "not allowed with"),
        (["--direction", "up"], 2, "invalid choice"),
    ],
)
def test_wrong_designs_write_nothing(run: Run, arguments: list[str], code: int, message: str) -> None:
    found = run("gen-hls", *arguments)
    assert found.returncode == code and message in found.stderr
    assert run.files() == []


def test_a_folder_that_is_not_ours(run: Run) -> None:
    (run.folder / "theirs").mkdir()
    assert run("simulate", "theirs").returncode == 1
    found = run("gen-hls", "-o", "theirs")
    assert found.returncode == 1 and "was not made by hwnorm" in found.stderr
    made = run("gen-hls", "--dialect", "plain", "-o", "ours")
    assert made.returncode == 0
    wrong = run.folder / "ours" / "vectors" / "stream_out.hex"
    wrong.write_text(wrong.read_text().replace("1", "2", 1))
    found = run("simulate", "ours")
    assert found.returncode == 1 and "stream_out.hex: was cut or edited" in found.stderr


def test_a_figure_needs_a_file(run: Run) -> None:
    assert run("estimate", "lenet5", "--figure", "layers").returncode == 2


def test_explained_and_compared_for_programs(run: Run) -> None:
    found = json.loads(run("estimate", "lenet5", "--explain", "--compare", "--format", "json").stdout)
    assert {row["counter"] for row in found["compare"]} >= {"thop", "onnx-tool"}
    assert any(row["per group"] == "5 m + 1" for row in found["explain"])
