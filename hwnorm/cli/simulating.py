"""``simulate``: a generated folder against the reference, bit for bit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hwnorm.cli.arguments import Commands, count, positive, whole
from hwnorm.cli.printing import LOG, emit, line, progress
from hwnorm.errors import InputError
from hwnorm.report.table import Table

Row = tuple[str, str]  # a design, and what was found of it


def add_to(commands: Commands) -> None:
    simulate = commands.add("simulate", commands.printing, "check a generated folder bit for bit")
    simulate.set_defaults(run=_simulate, parser=simulate)
    simulate.add_argument("folder", type=Path, metavar="DIR")
    simulate.add_argument("--elements-total", type=count, metavar="N", help="and N random elements more, in bulk")
    simulate.add_argument("--mutants", type=positive, metavar="N", help="how many of N planted faults the check finds")
    simulate.add_argument(
        "--with", dest="simulator", choices=("verilator", "icarus"), help="its cocotb bench; default: gates, in NumPy"
    )
    simulate.add_argument("--seed", type=whole, metavar="N", help="of what is drawn at random")
    simulate.add_argument("--axis", action="store_true", help="the engine behind AXI4-Stream (with --with)")


def _simulate(options: argparse.Namespace) -> int:
    from hwnorm.bundle import manifest

    if options.axis and not options.simulator:
        options.parser.error("--axis is for --with verilator or icarus")
    if options.simulator and (options.mutants or options.elements_total):
        options.parser.error("--mutants and --elements-total run without --with")
    parts = manifest.read(options.folder)
    for folder, about in parts:
        if about["kind"] != "rtl" and (options.simulator or options.mutants or options.seed is not None):
            raise InputError(f"{folder}: --with, --mutants and --seed are for folders of gen-rtl")
    if options.mutants:
        emit(options, _mutants(options, parts).render(options.format))
        return 0
    verilog = _by_bench if options.simulator else _by_gates
    rows = [row for f, about in parts for row in (verilog if about["kind"] == "rtl" else _hls)(options, f, about)]
    if options.format == "table":
        emit(options, "\n".join(f"{design}: {found}" for design, found in rows))
    else:
        emit(options, Table(("design", "found"), rows).render(options.format))
    return 0


def _by_bench(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> list[Row]:
    from hwnorm.bundle.vectors import check_unchanged
    from hwnorm.rtl import simulate

    simulate.check(about, folder)
    check_unchanged(folder, about)
    simulator = simulate.find(options.simulator)
    report = simulate.simulate(folder, about, simulator, 1 if options.seed is None else options.seed, options.axis)
    return [(report.top, found) for found in (str(report), *report.coverage.lines())]


def _by_gates(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> list[Row]:
    """Without any tool but Python's."""
    from hwnorm.check.bulk import bulk
    from hwnorm.check.folder import check_manifest
    from hwnorm.check.standard import check

    seed = options.seed or 0
    LOG.info("making a netlist of %s", about["name"])
    design = check_manifest(folder, about)
    found = check(design, seed)
    if options.elements_total:
        found.append(f"in bulk: {bulk(design, options.elements_total, progress(options), seed)}")
    return [(design.name, line) for line in found]


def _hls(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> list[Row]:
    from hwnorm.bundle import manifest
    from hwnorm.bundle.vectors import check_unchanged
    from hwnorm.hls import bulk, simulate

    simulate.check(about, folder, bulk=options.elements_total is not None)
    check_unchanged(folder, about)
    found = [simulate.simulate(folder, about["name"], about["dialect"])]
    if options.elements_total:
        engine = manifest.engine_of(about)
        report = bulk.bulk(engine, about["direction"], folder, options.elements_total, progress(options))
        found.append(f"in bulk: {report}")
    return [(about["name"], line) for line in found]


def _mutants(options: argparse.Namespace, parts: list[tuple[Path, dict[str, Any]]]) -> Table:
    """The survivors, of several designs with the design's name first; above them how many faults were found."""
    from hwnorm.check.folder import check_manifest
    from hwnorm.check.mutants import COLUMNS, score

    scores = []
    for folder, about in parts:
        LOG.info("making a netlist of %s", about["name"])
        design = check_manifest(folder, about)
        scores.append((design.name, score(design, options.mutants, options.seed or 0, line(options))))
        LOG.info("%s: %s", *scores[-1])
    columns = ("design", *COLUMNS) if len(scores) > 1 else COLUMNS
    rows = [[(record | {"design": name})[c] for c in columns] for name, one in scores for record in one.records()]
    return Table(columns, rows, "\n".join(f"{name}: {one}" for name, one in scores))
