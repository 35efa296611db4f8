"""Wrong files end in one line, soon and in little memory; files that only look odd are read right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from onnx_mutants import mutants

SEED = 20180226  # of the generator; the files of one seed are always the same
KIB = 500 * 1024


def test_mutated_files(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    known = list(mutants(SEED))
    assert len(known) > 200
    for mutant in known:
        (tmp_path / f"{mutant.name}.onnx").write_bytes(mutant.content)
    root = Path(__file__).parents[2]
    script = Path(__file__).with_name("read_many.py")
    done = subprocess.run(
        [sys.executable, str(script), *(f"{mutant.name}.onnx" for mutant in known)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"the reader died at {lines[-1:]}: {done.stderr[-2000:]}"
    assert lines.pop()["kib"] < KIB
    wrong = []
    for mutant, line in zip(known, lines[1::2], strict=True):
        fine = not line.get("fault") and line["seconds"] < 5
        if "error" in line:
            text = line["error"]
            fine &= mutant.expected in ("error", "either") and "\n" not in text and len(text) < 2000
            fine &= text.startswith(f"{mutant.name}.onnx: ")
        elif fine:
            fine &= mutant.expected in ("either", line["layers"])
            fine &= all(isinstance(size, int) and 0 < size < 1 << 52 for one in line["layers"] for size in one[1:])
        if not fine:
            wrong.append((mutant.name, mutant.expected, line))
    assert not wrong
    errors = sum("error" in line for line in lines[1::2])
    print(f"{len(known)} files: {errors} errors, {len(known) - errors} networks")
