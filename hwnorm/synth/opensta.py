"""OpenSTA, where it is installed (Debian: apt-get install opensta): a second opinion on how fast a netlist is."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from hwnorm.errors import ToolFailed
from hwnorm.synth.process import run

PROGRAM = "sta"
LOG_FILE, PERIOD_NS = "sta.log", 1000.0
SCRIPT = """\
read_liberty cells.lib
read_verilog netlist.v
link_design {top}
create_clock -name clock -period {period} [get_ports {clock}]
report_checks -path_delay max -digits 6
exit
"""
SLACK = re.compile(r"^\s*(-?[\d.]+)\s+slack", re.MULTILINE)


@cache
def find_opensta() -> str | None:
    """Its version, None where it is not on PATH."""
    if shutil.which(PROGRAM) is None:
        return None
    try:
        told = subprocess.run([PROGRAM, "-version"], capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return f"OpenSTA {told.split()[0]}" if told.split() else None


def period_ns(verilog: str, top: str, clock: str, liberty: str) -> float | None:
    """The shortest, between registers; None where nothing is timed. ToolFailed with OpenSTA's reason."""
    with tempfile.TemporaryDirectory(prefix="hwnorm_sta_") as scratch:
        folder = Path(scratch)
        (folder / "cells.lib").write_text(liberty, encoding="utf-8")
        (folder / "netlist.v").write_text(verilog, encoding="utf-8")
        (folder / "run.tcl").write_text(SCRIPT.format(top=top, period=PERIOD_NS, clock=clock), encoding="utf-8")
        code = run([PROGRAM, "-exit", "run.tcl"], folder, LOG_FILE)
        told = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    slack = SLACK.search(told)
    if slack is not None:
        return PERIOD_NS - float(slack[1])
    if code == 0 and "No paths found" in told:
        return None
    lines = [line for line in told.splitlines() if "rror" in line] or told.splitlines()[-1:] or ["no message"]
    raise ToolFailed(f"OpenSTA: {lines[0].strip()}")
