"""What synthesis found, as tables: the totals, and where in the design they are."""

from __future__ import annotations

from collections.abc import Sequence

from hwnorm.report.table import Cell, Table
from hwnorm.synth import asic
from hwnorm.synth.result import Synthesis
from hwnorm.synth.targets import TARGETS

COUNTS = ("lut", "ff", "dsp", "bram", "lutram")


def summary(found: Sequence[Synthesis]) -> Table:
    """One design a row."""
    rows: list[list[Cell]] = []
    for one in found:
        counts = one.resources.to_dict()
        fmax = one.fmax.to_dict()
        speeds = [fmax["median"], fmax["best"], fmax["worst"], fmax["seeds"]]
        rows.append([one.top, one.target, one.device, *(counts[name] for name in COUNTS), *speeds])
    columns = ("design", "target", "device", *COUNTS, "fmax_mhz", "best_mhz", "worst_mhz", "seeds")
    tools = dict.fromkeys(f"{tool} {number}" for one in found for tool, number in one.tools.items())
    paths = [f"critical path of {one.top}: {one.critical_path}" for one in found if one.critical_path]
    notes = dict.fromkeys(f"note: {note}" for one in found for note in one.notes)
    return Table(columns, rows, notes=("", *paths, f"tools: {', '.join(tools)}", *notes))


def breakdown(found: Sequence[Synthesis]) -> Table:
    """One instance a row; they add up to the totals."""
    rows: list[list[Cell]] = []
    for one in found:
        for part, resources in one.breakdown.items():
            counts = resources.to_dict()
            rows.append([one.top, part, *(counts[name] for name in COUNTS)])
    return Table(("design", "part", *COUNTS), rows)


def targets_table() -> Table:
    rows: list[list[Cell]] = [
        [t.name, t.device, t.grade, "yes" if t.placer else "no", t.summary] for t in TARGETS.values()
    ]
    rows.append([asic.TARGET, "a Liberty file", "-", "no", asic.SUMMARY])
    return Table(("target", "device", "grade", "placed", "what it is"), rows)
