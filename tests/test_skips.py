"""What the suite itself promises: in CI a test that lacks its tool fails, unless it says that it may be skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
def test_that_passes(): pass
@pytest.mark.skipif(True, reason="no tool")
def test_marked(): pass
def test_found_out(): pytest.skip("no tool")
@pytest.fixture
def tool(): pytest.skip("no tool")
def test_by_fixture(tool): pass
@pytest.mark.may_skip
def test_that_may(tool): pass
@pytest.mark.xfail
def test_that_is_known_to_fail(): assert False
"""
MODULE = "import pytest\npytest.importorskip('no_such_package')\n"
NOT_OURS = ("-p", "no:cacheprovider", "-o", "markers=may_skip", "--continue-on-collection-errors")


@pytest.mark.parametrize(
    ("ci", "told"),
    [("1", "1 failed, 1 passed, 1 skipped, 1 xfailed, 3 errors"), ("", "1 passed, 5 skipped, 1 xfailed")],
)
def test_a_skip_in_ci_is_a_failure(tmp_path: Path, ci: str, told: str) -> None:
    conftest = (Path(__file__).parent / "conftest.py").read_text()
    files = {"conftest.py": conftest, "test_each.py": TESTS, "test_module.py": MODULE, "pytest.ini": "[pytest]\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", *NOT_OURS]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"CI": ci}, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1].startswith(told)
    assert ("in CI a skip is a failure: Skipped: no tool" in done.stdout) is bool(ci)
