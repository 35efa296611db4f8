"""An estimate as tables: operations, cost and comparison side by side, layer by layer, or explained."""

from __future__ import annotations

from collections.abc import Sequence

from hwnorm.cost.counters import counters
from hwnorm.cost.estimate import Estimate
from hwnorm.cost.figure import Figure, least_sure
from hwnorm.cost.result import Result
from hwnorm.report.table import Cell, Table, shown
from hwnorm.views.count import OPERATIONS

UNITS = {
    **{"cycles": "cycles", "time_s": "s", "dram_bytes": "bytes", "sram_bytes": "bytes", "fmax_mhz": "MHz"},
    **{"lut": "LUTs", "ff": "flip-flops", "dsp": "multipliers", "bram": "block RAMs", "area_um2": "um2"},
    **{"macro_bits": "bits", "energy_pj_per_element": "pJ"},
}
LABELS = {"fmax_mhz": "clock", "area_um2": "area", "macro_bits": "memory"}


def headline(estimate: Estimate) -> str:
    network = estimate.network
    return (
        f"{shown(network.name)}: {len(network.layers)} normalization layers, {network.channels:,} channels, "
        f"{network.elements_per_sample:,} elements a sample, batch {estimate.batch}; {estimate.phase}"
    )


def tables(estimate: Estimate) -> list[Table]:
    found = [operations(estimate), costs(estimate)]
    return [*found, comparison(estimate)] if len(estimate.results) > 1 else found


def operations(estimate: Estimate) -> Table:
    """One row an operation that occurs, a column for each norm and accounting."""
    columns: list[str] = ["operation"]
    counts: list[dict[str, int] | None] = []
    for result in estimate.results:
        columns.append(f"{result.name} formula")
        counts.append(result.formula_ops)
        if "executed" in estimate.accountings:
            columns.append(f"{result.name} executed")
            counts.append(result.executed_ops)
    rows: list[list[Cell]] = [
        [name, *(None if ops is None else ops[name] for ops in counts)]
        for name in OPERATIONS
        if any(ops and ops[name] for ops in counts)
    ]
    notes = tuple(
        f"{r.name} has no datapath for {r.phase}: its operations are counted as printed only."
        for r in _unbuilt(estimate)
    )
    return Table(tuple(columns), rows, "Operations", notes)


def _unbuilt(estimate: Estimate) -> list[Result]:
    return [r for r in estimate.results if r.executed_ops is None] if "executed" in estimate.accountings else []


def costs(estimate: Estimate) -> Table:
    """One row a quantity with its unit and origin, a column for each norm."""
    rows: list[list[Cell]] = []
    if "executed" in estimate.accountings:
        rows.append(["form", "", "", *(r.form for r in estimate.results)])
        for direction in dict.fromkeys(d for r in estimate.results for d in r.sweeps):
            rows.append([f"sweeps, {direction}", "", "", *(r.sweeps.get(direction) for r in estimate.results)])
        for what in ("read", "written"):
            rows.append([f"bytes {what}", "bytes", "", *(r.traffic_bytes(what) for r in estimate.results)])
        for name in dict.fromkeys(name for r in estimate.results for name in r.cost):
            figures = [r.cost.get(name) for r in estimate.results]
            label = LABELS.get(name) or name.removesuffix("_s").removesuffix("_j").replace("_", " ")
            unit = UNITS.get(name) or name.rpartition("_")[2].upper()
            rows.append([label, unit, _origin(figures), *(f.value if f else None for f in figures)])
    if "paper" in estimate.accountings:
        papers = [r.paper for r in estimate.results]
        for label, unit, name in (
            ("paper: time", "ns", "time_ns"),
            ("paper: power", "uW", "power_uw"),
            ("paper: time with roots", "ns", "time_with_root_ns"),
            ("paper: power with roots", "uW", "power_with_root_uw"),
        ):
            rows.append([label, unit, getattr(papers[0], name).origin.value, *(getattr(p, name).value for p in papers)])
    return Table(("cost", "unit", "origin", *(r.name for r in estimate.results)), rows, "Cost")


def _origin(figures: Sequence[Figure | None]) -> str:
    """The weakest, and the mean error that it has been found to have."""
    origin, error = least_sure(*(figure for figure in figures if figure))
    return origin.value + (f", {error:.2g} %" if error else "")


def comparison(estimate: Estimate) -> Table:
    columns = ("norm", "against", "accounting", "speedup", "saving", "speedup with roots", "saving with roots", "saved")
    rows: list[list[Cell]] = []
    for row in estimate.comparison():
        paper = row["accounting"] == "paper"
        saved = row.get("power_saving") if paper else row.get("energy_saving")
        with_roots = [row.get("speedup_with_root"), row.get("power_saving_with_root")]
        what = "power" if paper else "energy" if "energy_saving" in row else None
        rows.append([row["norm"], row["against"], row["accounting"], row["speedup"], saved, *with_roots, what])
    notes = (
        "paper: sign, abs, square and root at the prices of L1BN Table IV, nothing else.",
        "executed: every operation, sweep and byte of the streaming engine.",
    )
    return Table(columns, rows, "Comparison", notes)


def by_layer(estimate: Estimate) -> Table:
    """One row a layer and norm."""
    columns = (
        *("layer", "kind", "norm", "channels", "height", "width", "groups", "elements per group"),
        *("formula ops", "executed ops", "cycles", "time s", "memory bound"),
    )
    rows: list[list[Cell]] = []
    for result in estimate.results:
        for row in result.layers():
            executed = row["executed_ops"]
            rows.append(
                [
                    *(row[key] for key in ("name", "kind", "norm", "channels", "height", "width", "groups")),
                    row["elements_per_group"],
                    sum(row["formula_ops"].values()),
                    None if executed is None else sum(executed.values()),
                    *(row.get(key) for key in ("cycles", "time_s", "memory_bound")),
                ]
            )
    return Table(columns, rows, "By layer")


def flat(estimate: Estimate) -> Table:
    """One row a figure, for programs."""
    rows: list[list[Cell]] = []
    for result in estimate.results:
        for accounting, ops in (("formula", result.formula_ops), ("executed", result.executed_ops)):
            if accounting == "formula" or "executed" in estimate.accountings:
                rows += [
                    [result.name, accounting, name, times, "operations", ""] for name, times in (ops or {}).items()
                ]
        if "executed" in estimate.accountings:
            for direction, sweeps in result.sweeps.items():
                rows.append([result.name, "executed", f"sweeps_{direction}", sweeps, "sweeps", ""])
            for what in ("read", "written"):
                rows.append([result.name, "executed", f"bytes_{what}", result.traffic_bytes(what), "bytes", ""])
            for name, figure in result.cost.items():
                unit = UNITS.get(name) or name.rpartition("_")[2].upper()
                rows.append([result.name, "executed", name, figure.value, unit, figure.origin.value])
        if "paper" in estimate.accountings:
            for name, entry in result.paper.to_dict().items():
                if isinstance(entry, dict):
                    rows.append([result.name, "paper", name, entry["value"], name.rpartition("_")[2], entry["origin"]])
    for row in estimate.comparison():
        for name in ("speedup", "power_saving", "energy_saving", "speedup_with_root", "power_saving_with_root"):
            if name in row:
                rows.append([row["norm"], row["accounting"], f"{name}_against_{row['against']}", row[name], "", ""])
    return Table(("norm", "accounting", "quantity", "value", "unit", "origin"), rows)


def explained(estimate: Estimate) -> Table:
    """Every total as the closed formula that it comes from, summed over the layers."""
    rows: list[list[Cell]] = []
    for result in estimate.results:
        for norm, often in result.often.items():
            count = result.counted[norm].count
            for accounting, tally in (("formula", count.formula), ("executed", count.executed)):
                if tally is None or (accounting == "executed" and "executed" not in estimate.accountings):
                    continue
                totals = tally.times(often)
                for operation in OPERATIONS:
                    if totals[operation]:
                        terms = tally.per_group(operation)
                        sums = " + ".join(f"{n} * {often[symbol]:,}" for symbol, n in terms.items() if n)
                        formula = tally.expression(operation)
                        rows.append([result.name, norm, accounting, operation, formula, sums, totals[operation]])
    notes = (
        "per group: m elements, s of them sampled, v virtual; a number alone is once a group.",
        "summed: the same with the sums over all groups of all layers in the place of m, s, v and 1.",
    )
    columns = ("under", "norm", "accounting", "operation", "per group", "summed over the layers", "total")
    return Table(columns, rows, "How each total comes about", notes)


def compared(estimate: Estimate) -> Table:
    """Our count of the first norm beside what other counters charge the same layers."""
    first = estimate.results[0]
    elements = estimate.batch * estimate.network.elements_per_sample
    rows: list[list[Cell]] = []
    for accounting, ops in (("formula", first.formula_ops), ("executed", first.executed_ops)):
        if ops is not None:
            total = sum(ops.values())
            note = f"all kinds together, {estimate.phase}"
            rows.append([f"hwnorm, {first.name} {accounting}", total, total / elements if elements else None, note])
    for counter in counters():
        charge = counter.charge(estimate.network, estimate.batch)
        rows.append([counter.name, charge, charge / elements if elements else None, counter.note])
    notes = ("Theirs: forward pass of a batch norm in the place of every layer, as their sources charge it.",)
    return Table(("counter", "operations", "per element", "what it counts"), rows, "Other op counters", notes)
