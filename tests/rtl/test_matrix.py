"""Equal hardware is run once: what is another design has another key."""

from __future__ import annotations

from pathlib import Path

import matrix
import pytest


def key_of(norm: str, form: str, direction: str, seed: int = 1) -> str:
    case = matrix.Case(norm, form, direction, 4, 1)
    return matrix.key(case.emitted(), case, seed)


def test_the_same_hardware() -> None:
    """An instance is a group of l2; training and inference of layer are one thing."""
    assert key_of("instance", "one-pass", "forward") == key_of("l2", "one-pass", "forward")
    assert key_of("layer", "one-pass", "inference") == key_of("layer", "one-pass", "forward")


def test_other_hardware_or_other_groups() -> None:
    keys = [
        key_of("l2", form, direction) for form in ("one-pass", "two-pass") for direction in ("forward", "inference")
    ]
    keys += [key_of("l2", "one-pass", "forward", seed=2)]
    assert keys[1] == keys[3]  # inference has no statistics, and no forms
    assert len(set(keys)) == len(keys) - 1


def test_nothing_that_is_run_is_left_out_of_the_key() -> None:
    """One constant of the Verilog, one word of the vectors, one line of the bench; not a comment."""
    case = matrix.Case("mean-only", "two-sweep", "forward", 4, 1)
    files = case.emitted()
    right = matrix.key(files, case, 1)
    for name in ("rtl/dut.v", "rtl/dut_axis.v", "vectors/stream_out.hex", "sim/bench.py"):
        assert matrix.key(files | {name: files[name] + b"0\n"}, case, 1) != right, name
    assert matrix.key(files | {"rtl/dut.v": files["rtl/dut.v"] + b"// more"}, case, 1) == right


def test_what_passed_is_read_again(tmp_path: Path) -> None:
    """And what another case has claimed is not run again."""
    table = matrix.Passed(tmp_path / "passed.csv")
    case = matrix.Case("mean-only", "two-sweep", "forward", 4, 1)
    taken = {key_of("mean-only", "two-sweep", "forward"): "another"}
    assert matrix._outcome(case, 1, taken)["as"] == "another"
    table.add({"design": "d", "seed": 1, "case": "c", "groups": 2, "elements": 3, "missed": "", "ok": True})
    table.write()
    again = matrix.Passed(table.path)
    assert again.rows == {"d": {"design": "d", "seed": "1", "case": "c", "groups": "2", "elements": "3", "missed": ""}}


@pytest.mark.slow
def test_the_stated_matrix_comes_first() -> None:
    """Default forms at a run-time length: entry, direction, bits, lanes."""
    cases = matrix.everything()
    stated = [c for c in cases if not c.fixed and c.form == matrix.Engine(c.norm, c.bits, 5).form]
    assert cases[: len(stated)] == stated
    assert {(c.bits, c.lanes) for c in stated} == {(b, p) for b in (4, 6, 8, 10, 12, 16) for p in (1, 3, 4, 16)}
