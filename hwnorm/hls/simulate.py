"""Compiles a generated folder with g++ and runs its test bench on the golden vectors."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hwnorm.errors import InputError, MissingTool, ToolFailed
from hwnorm.hls.emit import DIALECTS

LOG = logging.getLogger("hwnorm")
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1")
INCLUDE = "HWNORM_HLS_INCLUDE"  # where a vendor's headers are
PACKAGED = {
    "ap": "templates/vivado/ap_types",
    "ac": "templates/catapult/ac_types/include",
}  # inside hls4ml, if installed
LIMIT_S = 600
DIFFERS, BAD_FILE = "differs from the reference", 2  # what the test bench's exit codes 1 and 2 mean


def check(about: dict[str, Any], folder: Path, bulk: bool) -> None:
    """Whether a manifest describes a folder that this room can run; InputError where it does not."""
    if about["kind"] != "hls" or about.get("dialect") not in DIALECTS:
        raise InputError(f"{folder}: a folder of kind {about['kind']!r} cannot be simulated here")
    if bulk and (about["dialect"] != "plain" or about["direction"] == "inference"):
        raise InputError(f"{folder}: --elements-total runs the plain dialect, forward or backward")


def simulate(folder: Path, name: str, dialect: str) -> str:
    """What the test bench printed; ToolFailed where a bit differs or it does not compile."""
    for file in (f"{name}.cpp", "test_bench.cpp", "vectors/groups_in.hex"):
        if not (folder / file).is_file():
            raise InputError(f"{folder}: {file} is missing; make the folder again with hwnorm gen-hls")
    style = DIALECTS[dialect]
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "test_bench"
        flags = (*STRICT, *style.flags, *_headers(dialect))
        compile_with(flags, [folder / f"{name}.cpp", folder / "test_bench.cpp"], program)
        return _run([str(program), str(folder / "vectors")], DIFFERS)


def compile_with(flags: Sequence[str], sources: Sequence[Path], target: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        raise MissingTool("no C++ compiler: g++ was looked for on PATH; install it (apt install g++)")
    _run([compiler, *flags, *map(str, sources), "-o", str(target)], "does not compile it")


def _headers(dialect: str) -> list[str]:
    """Where the vendor's integers are: a folder that the user names, or an installed package that carries them."""
    wanted = DIALECTS[dialect].headers
    if not wanted:
        return []
    spec = find_spec("hls4ml")
    homes = [Path(os.environ[INCLUDE])] if INCLUDE in os.environ else []
    homes += [Path(place) / PACKAGED[dialect] for place in (spec.submodule_search_locations or [] if spec else [])]
    for home in homes:
        if (home / wanted).is_file():
            return ["-isystem", str(home)]
    raise MissingTool(
        f"{wanted} was not found: set {INCLUDE} to the folder that has it, or pip install --no-deps hls4ml, which has"
    )


def _run(command: Sequence[str], what: str) -> str:
    LOG.info("running %s", " ".join(command))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ToolFailed(f"{command[0]} did not end within {LIMIT_S} s") from None
    if done.returncode == BAD_FILE and what == DIFFERS:
        raise InputError(f"{command[-1]}: {done.stderr.strip()}; make the folder again")
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise ToolFailed(f"{Path(command[0]).name} {what}: {first}")
    return done.stdout.strip()
