"""Places and routes a netlist out of context, and reads nextpnr's own JSON report.

Out of context: ports are no pins, so that only paths between registers are timed. nextpnr times neither inside block
RAMs nor inside DSP blocks, and knows no limit of the clock tree: a frequency above some 400 MHz is the arithmetic's,
not a promise of the silicon.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hwnorm.errors import InputError, MissingTool, ToolFailed
from hwnorm.synth.process import announce_slow_start, package_version, python_call, reason, run
from hwnorm.synth.targets import Target

NETLIST = "netlist.json"
TOO_LARGE = ("no BELs remaining", "Unable to place cell", "Unable to find a placement location")


@dataclass(frozen=True, slots=True)
class Nextpnr:
    family: str
    number: str
    command: tuple[str, ...]
    package: str | None

    @property
    def version(self) -> str:
        return f"{self.number} ({self.package or 'nextpnr-' + self.family})"


@dataclass(frozen=True, slots=True)
class Step:
    """One edge of a critical path: what kind, how long, from which cell's port to which."""

    kind: str
    delay_ns: float
    cell: str
    port: str
    to_cell: str
    to_port: str


@dataclass(frozen=True, slots=True)
class Placement:
    """One seed's outcome."""

    seed: int
    fmax_mhz: float | None
    used: dict[str, int]
    path: tuple[Step, ...]


@cache
def find_nextpnr(family: str) -> Nextpnr:
    """For ``ecp5``, ``ice40``, ...: the pip package, else one on PATH; MissingTool where neither is."""
    package = f"yowasp-nextpnr-{family}"
    number = package_version(package)
    if number is not None:
        module = package.replace("-", "_")
        return Nextpnr(family, number, tuple(python_call(module, module.replace("yowasp", "run"))), package)
    where = shutil.which(f"nextpnr-{family}")
    if where is None:
        raise MissingTool(f"nextpnr-{family} was not found: pip install {package}")
    try:
        told = subprocess.run([where, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise MissingTool(f"{where} does not run ({fault}): pip install {package}") from None
    found = re.search(r"Version (?:nextpnr-)?([\w.+-]+)", told.stdout + told.stderr)
    return Nextpnr(family, found[1] if found else "unknown", (where,), None)


def place(tool: Nextpnr, target: Target, folder: Path, seed: int) -> Placement:
    """Places ``netlist.json`` of the folder. InputError where the design does not fit the device."""
    report, log = f"report{seed}.json", f"nextpnr{seed}.log"
    if tool.package is not None:
        announce_slow_start(tool.package.replace("-", "_"), tool.package)
    options = ["--json", NETLIST, "--seed", str(seed), "--report", report, *target.place_options]
    if run([*tool.command, *options], folder, log):
        why = reason(folder, log)
        if any(words.lower() in why.lower() for words in TOO_LARGE):
            raise InputError(f"the design does not fit {target.device}: {why}")
        raise ToolFailed(f"nextpnr {tool.version}, seed {seed}: {why}")
    try:
        return read_report(json.loads((folder / report).read_text(encoding="utf-8")), seed)
    except (OSError, ValueError, LookupError, TypeError) as fault:
        raise ToolFailed(f"nextpnr {tool.version}, seed {seed}: its report cannot be read ({fault!r})") from None


def read_report(report: dict[str, Any], seed: int) -> Placement:
    """The slowest clock decides; its own path is the critical one. A design without registers has no frequency."""
    clocks = {name: float(entry["achieved"]) for name, entry in report["fmax"].items()}
    slowest = min(clocks, key=lambda name: clocks[name], default=None)
    paths = [p for p in report["critical_paths"] if {_clock(p["from"]), _clock(p["to"])} == {slowest}]
    steps = tuple(_step(edge) for edge in paths[0]["path"]) if paths else ()
    utilisation = report["utilization"]
    if not utilisation:
        raise ValueError("no utilisation in it")
    return Placement(
        seed,
        clocks[slowest] if slowest else None,
        {name: int(entry["used"]) for name, entry in utilisation.items() if entry["used"]},
        steps,
    )


def _clock(domain: str) -> str:
    """Of ``posedge clk``."""
    return domain.split()[-1]


def _step(edge: dict[str, Any]) -> Step:
    start, end = edge["from"], edge["to"]
    return Step(edge["type"], float(edge["delay"]), start["cell"], start["port"], end["cell"], end["port"])
