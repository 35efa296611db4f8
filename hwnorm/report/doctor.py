"""Which optional packages were found, and what each missing one would give."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hwnorm.report.table import Cell, Table

PACKAGES = {
    "numpy": ("the bit-true reference and every count", "pip install hwnorm"),
    "yaml": ("networks and devices in YAML", "pip install hwnorm"),
    "matplotlib": ("figures: --plot", "pip install hwnorm"),
    "onnx": ("networks in ONNX", "pip install 'hwnorm[onnx]'"),
    "torch": ("networks in PyTorch", "pip install 'hwnorm[torch]'"),
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
    return Table(("package", "version", "where", "what it gives", "to install"), rows)


def _version(module: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "unknown"
