"""What ``hwnorm simulate`` prints and writes, of one design and of several; the checks themselves are stood in for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwnorm.check.folder import Folder
from hwnorm.check.mutants import COLUMNS, Score
from hwnorm.cli import main
from hwnorm.gates import Mode, Mutant

FORWARD, BACKWARD = (f"mean_only_training_b4_p4_{direction}" for direction in ("forward", "backward"))
FOUND = [(name, line) for name in (FORWARD, BACKWARD) for line in ("equal", "not covered: 3 lengths")]


def survivor(name: str) -> Mutant:
    return Mutant(Mode.INV, 0, name, "$_AND_", "", "Y", 0, None, "")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two designs."""
    made = tmp_path_factory.mktemp("made") / "both"
    options = ["--norm", "mean-only", "--bits", "4", "--max-elements", "20", "--direction", "training"]
    assert main(["gen-rtl", *options, "-o", str(made), "-q"]) == 0
    return made


@pytest.fixture
def told(both: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of both designs, or of a part alone: the same on stdout and, with -o, in a file. A check tells two lines, and of
    the faults of each design one survives."""

    def score(folder: Folder, count: int, seed: int, told: Callable[[str], None]) -> Score:
        return Score(count, 0, [survivor(folder.name)], ["open"], f"rtl/{folder.name}.v")

    monkeypatch.setattr("hwnorm.check.standard.check", lambda *_: ["equal", "not covered: 3 lengths"])
    monkeypatch.setattr("hwnorm.check.mutants.score", score)

    def run(form: str, *options: str, part: str = "") -> str:
        arguments = ["simulate", str(both / part), "--format", form, *options]
        assert main(arguments) == 0
        printed = capsys.readouterr().out
        assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
        assert capsys.readouterr().out == ""
        assert (tmp_path / "out").read_text() == printed
        return printed

    return run


def test_every_part_in_every_format(told: Any) -> None:
    assert told("table").splitlines() == [f"{design}: {found}" for design, found in FOUND]
    assert json.loads(told("json")) == [{"design": design, "found": found} for design, found in FOUND]
    assert [*csv.reader(io.StringIO(told("csv")))] == [["design", "found"], *map(list, FOUND)]
    assert told("markdown").startswith(f"| design | found |\n| --- | --- |\n| {FORWARD} | equal |\n")


def test_mutants_of_several_designs_are_one_table(told: Any) -> None:
    rows = json.loads(told("json", "--mutants", "7"))
    assert [(*row,) for row in rows] == [("design", *COLUMNS)] * 2
    assert [row["design"] for row in rows] == [row["cell"] for row in rows] == [FORWARD, BACKWARD]
    assert [row["design"] for row in csv.DictReader(io.StringIO(told("csv", "--mutants", "7")))] == [FORWARD, BACKWARD]
    for form in ("table", "markdown"):
        first, second = told(form, "--mutants", "7").splitlines()[:2]
        assert f"{FORWARD}: 6 of 7 mutants killed" in first and f"{BACKWARD}: 6 of 7 mutants killed" in second


def test_mutants_of_one_design_have_no_column_for_it(told: Any) -> None:
    title, empty, columns, *_ = told("markdown", "--mutants", "7", part="forward").splitlines()
    assert title.startswith(f"**{FORWARD}: 6 of 7 mutants killed (85.7 %): 0 by the golden vectors") and empty == ""
    assert columns == f"| {' | '.join(COLUMNS)} |"
    assert [(*row,) for row in json.loads(told("json", "--mutants", "7", part="forward"))] == [COLUMNS]
