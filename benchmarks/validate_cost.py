"""The cost model beside real synthesis, on a hundred engines that it was not fitted to: ``make validate-cost``.

Writes reports/cost-model-TARGET.md, and ends with 1 where a goal is missed: LUTs and flip-flops 5 % on average and 15 %
at worst, multipliers and block RAMs exact, the clock 8 % on average. What is synthesised is kept: an interrupted run
goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hwnorm.cost.fabric import find_fabric
from hwnorm.cost.validation import Checked, totals, validate
from hwnorm.report.cost_tables import held_out_table, totals_table

ROOT = Path(__file__).parents[1]
MEAN_GOAL, WORST_GOAL = {"lut": 5.0, "ff": 5.0, "fmax_mhz": 8.0}, {"lut": 15.0, "ff": 15.0}


def missed(found: list[Checked]) -> list[str]:
    lines = []
    for quantity, total in totals(found).items():
        if total.get("wrong"):
            lines.append(f"{quantity}: {total['wrong']:g} of {total['points']:g} are not exact")
        if total["mean_pct"] > MEAN_GOAL.get(quantity, float("inf")):
            lines.append(f"{quantity}: {total['mean_pct']} % on average, goal {MEAN_GOAL[quantity]} %")
        if total["worst_pct"] > WORST_GOAL.get(quantity, float("inf")):
            lines.append(f"{quantity}: {total['worst_pct']} % at worst, goal {WORST_GOAL[quantity]} %")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="ecp5")
    parser.add_argument("--engines", type=int, help="so many of them; the report is written only with all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    fabric = find_fabric(options.target)
    if fabric is None:
        parser.error(f"no measured device {options.target}: hwnorm list devices")
    told = (lambda what: print(what, file=sys.stderr, flush=True)) if sys.stderr.isatty() else (lambda what: None)
    found = validate(fabric, options.seeds, told, options.engines, jobs=options.jobs)
    tables = [totals_table(fabric, found), held_out_table(found)]
    print(tables[0].render("table"))
    if options.engines is None:
        command = f"make validate-cost TARGET={options.target}"
        head = [
            f"# The cost model on {fabric.name}, beside synthesis",
            f"Made by `{command}`. The model: {fabric.source}.",
        ]
        text = "\n\n".join([*head, *(table.render("markdown") for table in tables)])
        (ROOT / "reports" / f"cost-model-{fabric.name}.md").write_text(text + "\n", encoding="utf-8")
    faults = missed(found)
    print("\n".join(f"MISSED {line}" for line in faults) or "all goals are met")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
