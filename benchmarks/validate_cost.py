"""The cost model beside real synthesis, on a hundred engines that it was not fitted to: ``make validate-cost``.

Writes reports/cost-model-TARGET.md, and ends with 1 where a goal is missed: LUTs, flip-flops and area 5 % on average,
15 % at worst, energy 10 % on average, the clock 8 %; multipliers, block RAMs and bits of memory exact. Cycles are those
of the plan, which every test of the RTL compares. What is synthesised is kept: an interrupted run goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hwnorm.cost.fabric import Fabric, find_fabric
from hwnorm.cost.quantities import CLOCK, ENERGY
from hwnorm.cost.validation import Checked, totals, validate
from hwnorm.report.cost_tables import held_out_table, totals_table

ROOT = Path(__file__).parents[1]
MEAN_GOAL = {"lut": 5.0, "ff": 5.0, "area_um2": 5.0, ENERGY: 10.0, CLOCK: 8.0}
WORST_GOAL = {"lut": 15.0, "ff": 15.0, "area_um2": 15.0}


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


def page(fabric: Fabric, found: list[Checked], command: str) -> str:
    """What was measured, with how many seeds."""
    placed = [one for one in found if CLOCK in one.measured]
    seeds = f", {len(placed)} of them placed, with {min(one.seeds for one in placed)} seeds" if placed else ""
    if placed and "area_um2" in placed[0].measured:
        seeds = ", timed before placement"
    fitted = fabric.errors.get(CLOCK, {})
    clock = f", its clock to {fitted['points']:g} with {fitted['seeds']:g}" if fitted.get("points") else ""
    faults = missed(found)
    verdict = "All goals are met." if not faults else "Missed: " + "; ".join(faults) + "."
    return (
        f"Made by `{command}`: {len(found)} engines that the model was not fitted to{seeds}. The model was fitted to "
        f"{fabric.engines} others{clock} (`{fabric.source}`). {verdict}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="ecp5")
    parser.add_argument("--engines", type=int, help="so many of the hundred; the report says how many")
    parser.add_argument("--seeds", type=int, default=2, help="placements of each fifth engine; default 2")
    parser.add_argument("--no-report", action="store_true", help="do not write reports/")
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    fabric = find_fabric(options.target)
    if fabric is None:
        parser.error(f"no measured device {options.target}: hwnorm list devices")
    told = (lambda what: print(what, file=sys.stderr, flush=True)) if sys.stderr.isatty() else (lambda what: None)
    found = validate(fabric, options.seeds, told, options.engines, jobs=options.jobs)
    tables = [totals_table(fabric, found), held_out_table(found)]
    print(tables[0].render("table"))
    if not options.no_report:
        count = "" if options.engines is None else f" --engines {options.engines}"
        command = f"python benchmarks/validate_cost.py --target {options.target}{count} --seeds {options.seeds}"
        head = [f"# The cost model on {fabric.name}, beside synthesis", page(fabric, found, command)]
        text = "\n\n".join([*head, *(table.render("markdown") for table in tables)])
        (ROOT / "reports" / f"cost-model-{fabric.name}.md").write_text(text + "\n", encoding="utf-8")
    faults = missed(found)
    print("\n".join(f"MISSED {line}" for line in faults) or "all goals are met")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
