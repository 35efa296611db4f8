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
    "jinja2": ("generated C++", "pip install hwnorm"),
    "onnx": ("networks in ONNX", "pip install 'hwnorm[onnx]'"),
    "torch": ("networks in PyTorch", "pip install 'hwnorm[torch]'"),
    "hls4ml": ("ap_int.h and ac_int.h, to simulate such folders", "pip install --no-deps hls4ml"),
}
TOOLS = {
    "g++": ("hwnorm simulate of a C++ folder", "apt install g++"),
}
DISTRIBUTIONS = {"yaml": "pyyaml"}


def doctor_table() -> Table:
    rows: list[list[Cell]] = [["python", sys.version.split()[0], sys.executable, "everything", ""]]
    for module, (gives, install) in PACKAGES.items():
        spec = find_spec(module)
        where = spec.origin if spec else None
        rows.append([DISTRIBUTIONS.get(module, module), _version(module) if spec else "missing", where, gives, ""])
        if spec is None:
            rows[-1][-1] = install
    for tool, (gives, install) in TOOLS.items():
        where = shutil.which(tool)
        rows.append([tool, _tool_version(where) if where else "missing", where, gives, "" if where else install])
    return Table(("package", "version", "where", "what it gives", "to install"), rows)


def _tool_version(path: str) -> str:
    done = subprocess.run([path, "-dumpfullversion"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _version(module: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "unknown"
