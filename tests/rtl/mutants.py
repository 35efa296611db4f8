"""Designs with one fault each, made by yosys' ``mutate``, before the bench.

    python tests/rtl/mutants.py [-o reports/bench-mutants.md]

Of a mutant that the golden vectors let pass yosys tries to prove that it is the same machine: once all registers have
been equal for a few cycles they stay so (equiv_induct). One that it cannot prove has the whole bench before it, random
groups, stalls and resets, and if that finds nothing a thousand streams of gates (hwnorm.check). What these find, and
only that, shows that the bench's own groups are too few. What nobody finds is open: to tell it would take a state that
no groups reach, or these do not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matrix import Case

from hwnorm.check import standard
from hwnorm.check.folder import check_manifest
from hwnorm.errors import ToolFailed
from hwnorm.files import write_folder
from hwnorm.rtl import simulate
from hwnorm.synth import process

COUNT, SEED = 20, 4
ELEMENTS = (600, 6000)  # at random, in the bench, one run after the other: each draws groups of its own
CYCLES = 3  # of induction
SLOWER = 10  # a mutant may take so many times as long as the design; it may run in circles
DESIGNS = [
    Case(norm, form, direction, 6, 2, elements=9)
    for norm, form in (("l1", "positive-part"), ("l2", "one-pass"))
    for direction in ("forward", "backward")
]


@dataclass(frozen=True)
class Mutant:
    fault: str  # yosys' own words
    caught: str | None  # the bench's
    proven: bool = False  # that nothing is changed
    later: str | None = None  # what the streams of gates showed

    @property
    def differs(self) -> bool:
        return self.caught is not None or self.later is not None

    @property
    def outcome(self) -> str:
        if self.caught or self.later:
            return f"caught: {self.caught}" if self.caught else f"missed: {self.later}"
        return "proven to change nothing" if self.proven else "open"


def run(case: Case, count: int, scratch: Path) -> Iterator[Mutant]:
    folder = scratch / "dut"
    write_folder(folder, case.emitted())
    faults, texts = _mutate((folder / "rtl/dut.v").read_text(), count, scratch)
    started = time.monotonic()
    told = _bench(folder, texts[0], random=ELEMENTS[0])
    assert told is None, f"the netlist without a fault, written back, is right, but: {told}"
    limit_s = SLOWER * (time.monotonic() - started)
    for fault, text in zip(faults, texts[1:], strict=True):
        caught, later = _bench(folder, text, limit_s, tests="golden"), None
        proven = caught is None and _same(scratch / "yosys", fault)
        if caught is None and not proven:
            runs = (_bench(folder, text, limit_s * many / ELEMENTS[0], random=many) for many in ELEMENTS)
            caught = next(filter(None, runs), None)
            later = None if caught else _gates(folder)
        yield Mutant(fault, caught, proven, later)


def told(case: Case, found: list[Mutant]) -> str:
    lines = [f"{case}: " + ", ".join(f"{count} {word}" for word, count in counted(found).items())]
    return "\n".join([*lines, *(f"  {m.fault}: {m.outcome}" for m in found)])


def counted(found: list[Mutant]) -> dict[str, int]:
    return {word: sum(m.outcome.startswith(word) for m in found) for word in ("caught", "proven", "missed", "open")}


def page(outcomes: dict[Case, list[Mutant]]) -> str:
    few, many = ELEMENTS
    lines = [
        "# Mutants before the bench",
        "",
        "    python tests/rtl/mutants.py -o reports/bench-mutants.md",
        "",
        (__doc__ or "").split("\n\n", 2)[2].strip(),
        "",
        f"The bench: cocotb, Icarus, golden vectors and {few} random elements (or {many:,}), with stalls, "
        "bursts and resets.",
        f"The proof: registers, bits of memories and outputs that were equal for {CYCLES} cycles are equal in the "
        "next.",
        "",
        "| design | faults | caught | proven to change nothing | missed | open |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case, found in outcomes.items():
        lines.append(f"| {case} | {len(found)} | " + " | ".join(map(str, counted(found).values())) + " |")
    for case, found in outcomes.items():
        lines += ["", f"## {case}", ""]
        lines += [f"- {m.outcome.partition(':')[0]}: `{m.fault.split(' -src')[0]}`" for m in found]
    return "\n".join(lines) + "\n"


def _bench(
    folder: Path, verilog: str, limit_s: float = simulate.LIMIT_S, random: int = 0, tests: str = ""
) -> str | None:
    """The first difference, if there is one. Golden vectors alone show most faults, in a tenth of the time."""
    (folder / "rtl/dut.v").write_text(verilog)
    about = json.loads((folder / "manifest.json").read_text())
    try:
        icarus = simulate.find("icarus")
        simulate.simulate(folder, about, icarus, random_elements=random, tests=tests, limit_s=limit_s)
    except ToolFailed as failed:
        return str(failed)
    return None


def _gates(folder: Path) -> str | None:
    try:
        standard.check(check_manifest(folder, json.loads((folder / "manifest.json").read_text())))
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


def _same(home: Path, fault: str) -> bool:
    """Whether it is proven that a fault changes no register and no output. Memories are taken as registers; what lies
    between registers has no name, so as not to be compared."""
    nameless = ["select -set kept t:$*ff* %co1:+[Q] i:* %u o:* %u", "rename -hide w:* @kept %d"]
    script = []
    for name, changes in (("gold", []), ("gate", [fault])):
        script += [
            "design -reset",
            "read_rtlil base.il",
            *changes,
            "memory_map",
            "opt_clean",
            *nameless,
            f"rename dut {name}",
        ]
        script += [f"design -stash {name}"]
    script += ["design -copy-from gold gold", "design -copy-from gate gate", "equiv_make gold gate both"]
    script += ["hierarchy -top both", "equiv_struct", f"equiv_simple -seq {CYCLES}", f"equiv_induct -seq {CYCLES}"]
    _yosys(home, [*script, "tee -o status equiv_status"])
    return "Equivalence successfully proven" in (home / "status").read_text()


def _yosys(home: Path, script: list[str]) -> None:
    (home / "script.ys").write_text("\n".join(script) + "\n")
    command = [sys.executable, "-m", "hwnorm.synth.yosys_worker", "script.ys"]
    assert process.run(command, home, "log") == 0, (home / "log").read_text()[-2000:]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    outcomes: dict[Case, list[Mutant]] = {}
    for case in DESIGNS:
        outcomes[case] = []
        with tempfile.TemporaryDirectory(prefix="hwnorm-") as where:
            for mutant in run(case, COUNT, Path(where)):
                outcomes[case].append(mutant)
                print(f"{case} {mutant.fault.split(' -src')[0]}: {mutant.outcome}", flush=True)
        print(told(case, outcomes[case]).splitlines()[0], flush=True)
        if options.output:
            options.output.write_text(page(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
