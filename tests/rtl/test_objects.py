"""A file of Verilator's library is compiled once; a design's own, and one that is wrong, every time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwnorm.rtl.objects import LIBRARY, compile_once

TEXT = "int twice(int x) { return 2 * x; }\n"


class Compiler:
    """The real one, which writes down how often it was called to compile."""

    def __init__(self, home: Path) -> None:
        self.log, self.program, self.folder = home / "log", home / "cxx", home
        self.program.write_text(f'#!/bin/sh\ncase "$*" in *-c*) echo "$*" >> {self.log};; esac\nexec g++ "$@"\n')
        self.program.chmod(0o755)

    def __call__(self, source: Path, *flags: str) -> bytes | None:
        target = self.folder / "made.o"
        target.unlink(missing_ok=True)
        code = compile_once([str(self.program), *flags, "-c", "-o", str(target), str(source)])
        return None if code else target.read_bytes()

    @property
    def calls(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    if not shutil.which("g++"):
        pytest.skip("no g++")
    monkeypatch.setenv("HWNORM_CACHE", str(tmp_path / "cache"))
    return Compiler(tmp_path)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "include"
    folder.mkdir()
    (folder / LIBRARY).write_text("// 1\n")
    (folder / "part.cpp").write_text(TEXT)
    return folder / "part.cpp"


def test_the_library_is_compiled_once(compiler: Compiler, library: Path) -> None:
    first = compiler(library)
    assert first and compiler(library) == first and compiler.calls == 1
    assert compiler(library, "-O2") and compiler.calls == 2  # other code
    (library.parent / LIBRARY).write_text("// 2\n")
    assert compiler(library) and compiler.calls == 3  # another version


def test_a_design_is_compiled_every_time(compiler: Compiler, tmp_path: Path) -> None:
    own = tmp_path / "design.cpp"
    own.write_text(TEXT)
    assert compiler(own) and compiler(own) and compiler.calls == 2


def test_what_is_wrong_is_not_kept(compiler: Compiler, library: Path) -> None:
    library.write_text("int twice(\n")
    assert compiler(library) is None and compiler(library) is None and compiler.calls == 2
