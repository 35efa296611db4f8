"""Figures, drawn with matplotlib alone and without a display: legible at the width of a column, each axis with its
unit.

Colours are Okabe and Ito's, which differ in lightness too, so that they survive print and most colour vision.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnorm.cost.estimate import Estimate
from hwnorm.cost.result import Result
from hwnorm.errors import InputError, MissingTool
from hwnorm.report.table import shown
from hwnorm.views.count import OPERATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOG = logging.getLogger("hwnorm")
SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
HATCHES = ("", "//", "..", "xx")  # where there are more parts than colours
WIDTH = 7.0  # inches: a page's text; halves are a column
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "hwnorm",  # the same figure is the same file
}


def save(figure: Figure, path: Path) -> None:
    """The figure in the format that the file's name ends with, whole or not at all."""
    from hwnorm.files import write_whole

    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: a figure must end in {', '.join(SUFFIXES)}")
    data = io.BytesIO()
    dated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with warnings.catch_warnings(record=True) as told:  # of characters that the font lacks, for one
        warnings.simplefilter("always")
        figure.savefig(data, format=path.suffix[1:], dpi=200, metadata=dated[path.suffix])
    for message in dict.fromkeys(str(one.message) for one in told):
        LOG.warning("%s: matplotlib warns: %s", path, message)
    write_whole(path, data.getvalue())


def _legend(figure: Figure, axis: Any) -> None:
    """Above the panels, where it hides no bar."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), handlelength=1.2)


def of_estimate(estimate: Estimate, which: str) -> Figure:
    if not estimate.network.layers:
        raise InputError(f"{estimate.network.name} has no normalization layer: there is nothing to plot")
    match which:
        case "cost":
            return cost(estimate)
        case "layers":
            return layers(estimate)
        case "operations":
            return operations(estimate)
        case _:
            raise ValueError(f"figure must be cost, layers or operations, not {which!r}")


def cost(estimate: Estimate) -> Figure:
    """Paper and executed cost of each norm, a panel a quantity."""
    panels: dict[str, dict[str, list[float]]] = {}
    if "paper" in estimate.accountings:
        panels["time, paper accounting (s)"] = _each(estimate, lambda r: r.paper.time_ns.value * 1e-9)
        panels["power, paper accounting (kW)"] = _each(estimate, lambda r: r.paper.power_uw.value * 1e-9)
    for label, name in (("time, executed (s)", "time_s"), ("energy, executed (J)", "energy_j")):
        if "executed" in estimate.accountings and any(name in r.cost for r in estimate.results):
            # a norm that is not built leaves a gap
            panels[label] = _each(estimate, lambda r, name=name: r.cost[name].value if name in r.cost else nan)
    if not panels:
        names = ", ".join(result.name for result in estimate.results)
        raise InputError(
            f"{names}: no datapath for {estimate.phase}, so no executed cost to plot; --accounting paper has a cost, "
            "--figure operations the counts"
        )
    return grouped([estimate.network.name], panels, _title(estimate))


def _each(estimate: Estimate, value: Any) -> dict[str, list[float]]:
    return {result.name: [value(result)] for result in estimate.results}


def _title(estimate: Estimate) -> str:
    return f"{estimate.network.name}, batch {estimate.batch}, {estimate.phase}"


def grouped(groups: Sequence[str], panels: dict[str, dict[str, list[float]]], title: str) -> Figure:
    """Bars side by side: a panel a quantity, a group a network, a bar a norm. Long ranges get a logarithmic axis."""
    figure, axes = _figure(1 if len(groups) < 4 else len(panels), len(panels) if len(groups) < 4 else 1, title)
    for axis, (label, series) in zip(axes, panels.items(), strict=True):
        thick = 0.8 / len(series)
        for i, (name, values) in enumerate(series.items()):
            places = [g + (i - (len(series) - 1) / 2) * thick for g in range(len(groups))]
            bars = axis.bar(places, values, thick * 0.94, label=name, color=COLOURS[i % len(COLOURS)])
            if len(groups) < 4:
                axis.bar_label(bars, fmt="{:.3g}", fontsize=7, padding=1)
        everything = [v for values in series.values() for v in values if v > 0]
        if len(groups) > 3 and everything and max(everything) / min(everything) > 30:
            axis.set_yscale("log")
        axis.set_ylabel(label)
        slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(groups) > 3 else {}
        axis.set_xticks(range(len(groups)), map(shown, groups), parse_math=False, **slanted)
        axis.margins(y=0.12)
    _legend(figure, axes[0])
    return figure


def layers(estimate: Estimate) -> Figure:
    """Cost along the network: executed time of every layer, or formula operations where a norm has no datapath."""
    figure, axes = _figure(1, 1, _title(estimate))
    built = all(result.passes is not None for result in estimate.results)
    for i, result in enumerate(estimate.results):
        values = [row["time_s"] * 1e3 if built else sum(row["formula_ops"].values()) for row in result.layers()]
        places, colour = range(1, len(values) + 1), COLOURS[i % len(COLOURS)]
        if i == 0:  # the one that others are compared with, as a backdrop
            axes[0].bar(places, values, 1.0, color=colour, alpha=0.35, label=result.name)
        else:
            axes[0].step(places, values, where="mid", color=colour, linewidth=1.1, label=result.name)
    axes[0].set_xlabel("normalization layer, in order")
    axes[0].set_ylabel("time of the layer (ms)" if built else "formula operations of the layer")
    axes[0].set_ylim(bottom=0)
    _legend(figure, axes[0])
    return figure


def operations(estimate: Estimate) -> Figure:
    """Share of each operation, formula and executed, norm by norm."""
    rows: list[tuple[str, dict[str, int]]] = []
    for result in estimate.results:
        rows += [(f"{result.name}, {kind}", ops) for kind, ops in _counts(result, estimate.accountings)]
    figure, axes = _figure(1, 1, _title(estimate), height=0.9 + 0.34 * len(rows))
    axis = axes[0]
    occurring = [name for name in OPERATIONS if any(share(ops, name) >= 0.001 for _, ops in rows)]
    left = [0.0] * len(rows)
    for i, name in enumerate(occurring):
        widths = [100 * share(ops, name) for _, ops in rows]
        colour, hatch = COLOURS[i % len(COLOURS)], HATCHES[i // len(COLOURS)]
        axis.barh(range(len(rows)), widths, 0.7, left, label=name, color=colour, hatch=hatch, edgecolor="white")
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axis.set_yticks(range(len(rows)), [label for label, _ in rows])
    axis.invert_yaxis()
    axis.grid(visible=False)
    axis.set_xlim(0, 100)
    axis.set_xlabel("share of operations (%); below 0.1 % not shown")
    if occurring:
        axis.legend(ncols=1, loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=1.2)
    return figure


def _counts(result: Result, accountings: tuple[str, ...]) -> list[tuple[str, dict[str, int]]]:
    executed = result.executed_ops if "executed" in accountings else None
    return [("formula", result.formula_ops), *([("executed", executed)] if executed else [])]


def share(operations: dict[str, int], name: str) -> float:
    total = sum(operations.values())
    return operations[name] / total if total else 0.0


def _figure(rows: int, columns: int, title: str, height: float | None = None) -> tuple[Figure, list[Any]]:
    try:
        from matplotlib import rcParams
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingTool("figures need matplotlib, which is not installed: pip install matplotlib") from None
    rcParams.update(STYLE)  # drawn now and rendered later: a context would end between
    figure = Figure(figsize=(WIDTH, height or 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(shown(title), fontsize=9, x=0.01, ha="left", parse_math=False)  # a name may hold a $
    return figure, list(grid.flat)
