"""Runs a tool in a folder, with its words in a log file there; what every tool of this room has in common."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from hwnorm.errors import ToolFailed

LOG = logging.getLogger("hwnorm")
LIMIT_S = 1800.0
TAIL = 4000  # characters at a log's end in which a tool names its reason
_running: dict[int, tuple[Path, subprocess.Popen[bytes]]] = {}


def run(command: Sequence[str], folder: Path, log: str, limit_s: float = LIMIT_S) -> int:
    """The exit code. ToolFailed where it does not end in time; interrupted, or late, it is gone.

    It stays in our process group: what ends us by the group (a terminal, ``timeout``, a CI runner) ends it too.
    """
    LOG.info("running %s", " ".join(command))
    home = str(Path(__file__).parents[2])  # a worker imports the hwnorm that started it
    path = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH", "")) if part)
    with (folder / log).open("wb") as told:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": path},
        )
        _running[child.pid] = (folder, child)
        try:
            return child.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise ToolFailed(f"a tool did not end within {limit_s:g} s: {' '.join(command)}") from None
        finally:
            _running.pop(child.pid, None)
            if child.poll() is None:
                child.kill()
                child.wait()


def stop(folder: Path) -> None:
    """Ends what still runs in a folder: for who was interrupted while threads wait for their tools."""
    for where, child in list(_running.values()):
        if where == folder and child.poll() is None:
            child.kill()


def reason(folder: Path, log: str) -> str:
    """The line in which a tool says what went wrong, or its last one."""
    try:
        text = (folder / log).read_text(encoding="utf-8", errors="replace")[-TAIL:]
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error") or ": error" in line.lower()]
    return (errors or lines[-1:] or ["no message"])[-1]


def package_version(distribution: str) -> str | None:
    """Of an installed pip package that can be imported, else None."""
    if find_spec(distribution.replace("-", "_")) is None:
        return None
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def python_call(module: str, function: str) -> list[str]:
    """A command that calls ``module.function(arguments)``: how the WebAssembly builds of tools are started."""
    code = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
    return [sys.executable, "-c", code]


def announce_slow_start(package: str, name: str) -> None:
    """A WebAssembly tool is compiled once, on its first start; who waits for it should know."""
    try:
        import platformdirs

        kept = Path(os.environ.get("YOWASP_CACHE_DIR", platformdirs.user_cache_dir("YoWASP", appauthor=False)))
        if (kept / package).exists():
            return
    except ImportError:
        pass
    LOG.warning("%s is compiled on its first start: that takes about a minute, once", name)
