"""Designs with one fault each, made by yosys' ``mutate``, before the bench: ``python tests/rtl/mutants.py`` reports.

A mutant that the bench lets pass is tried again with other seeds and more groups. What differs then, and only then,
shows that the bench's own groups are too few; what never differs has its fault where no data reach, or changes nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from matrix import Case

from hwnorm.errors import ToolFailed
from hwnorm.files import write_folder
from hwnorm.rtl import simulate
from hwnorm.synth import process

COUNT, SEED = 20, 4
ELEMENTS, MORE_ELEMENTS = simulate.RANDOM_ELEMENTS, 6000  # random ones, in the bench's own run and in each further one
MORE_SEEDS = (11, 12)
LIMIT_S = 60.0  # a mutant may run in circles
DESIGNS = [
    Case(norm, form, direction, 6, 2, elements=9)
    for norm, form in (("l1", "positive-part"), ("l2", "one-pass"))
    for direction in ("forward", "backward")
]


@dataclass(frozen=True)
class Mutant:
    fault: str  # yosys' own words
    caught: str | None  # the bench's
    later: str | None = None  # what more groups showed

    @property
    def differs(self) -> bool:
        return self.caught is not None or self.later is not None


def run(case: Case, count: int, scratch: Path) -> list[Mutant]:
    folder = scratch / "dut"
    write_folder(folder, case.emitted())
    faults, texts = _mutate((folder / "rtl/dut.v").read_text(), count, scratch)
    assert _bench(folder, texts[0], 1, ELEMENTS) is None, "the netlist without a fault, written back, is right"
    found = []
    for fault, text in zip(faults, texts[1:], strict=True):
        caught = _bench(folder, text, 1, ELEMENTS)
        later = None
        for seed in MORE_SEEDS if caught is None else ():
            later = later or _bench(folder, text, seed, MORE_ELEMENTS)
        found.append(Mutant(fault, caught, later))
    return found


def told(case: Case, found: list[Mutant]) -> str:
    caught, missed = [m for m in found if m.caught], [m for m in found if m.differs and not m.caught]
    lines = [f"{case}: {len(found)} mutants, {len(caught)} caught, {len(missed)} missed, rest never differs"]
    lines += [f"  {m.fault}: {m.caught or (m.later and 'MISSED: ' + m.later) or 'no difference'}" for m in found]
    return "\n".join(lines)


def _bench(folder: Path, verilog: str, seed: int, elements: int) -> str | None:
    """The first difference, if there is one."""
    (folder / "rtl/dut.v").write_text(verilog)
    about = json.loads((folder / "manifest.json").read_text())
    try:
        simulate.simulate(folder, about, simulate.find("icarus"), seed, random_elements=elements, limit_s=LIMIT_S)
    except ToolFailed as failed:
        return str(failed)
    return None


def _mutate(verilog: str, count: int, scratch: Path) -> tuple[list[str], list[str]]:
    """The faults, and the netlists: one without a fault first."""
    home = scratch / "yosys"
    home.mkdir()
    (home / "dut.v").write_text(verilog)
    base = ["read_verilog dut.v", "hierarchy -top dut", "proc", "flatten", "opt_clean", "write_rtlil base.il"]
    _yosys(home, [*base, "write_verilog -noattr sound.v", f"mutate -list {2 * count} -seed {SEED} -o list.ys"])
    listed = (home / "list.ys").read_text().splitlines()
    faults = [line for line in listed if "$meminit" not in line][:count]  # what memories start with is no logic
    script = []
    for number, fault in enumerate(faults):
        script += ["design -reset", "read_rtlil base.il", fault, f"write_verilog -noattr mutant_{number}.v"]
    _yosys(home, script)
    names = ["sound", *(f"mutant_{number}" for number in range(len(faults)))]
    return faults, [(home / f"{name}.v").read_text() for name in names]


def _yosys(home: Path, script: list[str]) -> None:
    (home / "script.ys").write_text("\n".join(script) + "\n")
    command = [sys.executable, "-m", "hwnorm.synth.yosys_worker", "script.ys"]
    assert process.run(command, home, "log") == 0, (home / "log").read_text()[-2000:]


if __name__ == "__main__":
    for design in DESIGNS:
        with tempfile.TemporaryDirectory(prefix="hwnorm-") as where:
            print(told(design, run(design, COUNT, Path(where))), flush=True)
