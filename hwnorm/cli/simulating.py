"""``simulate``: a generated folder against the reference, bit for bit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hwnorm.cli.arguments import Commands, count, positive, whole
from hwnorm.cli.printing import LOG, emit, progress
from hwnorm.errors import InputError
from hwnorm.report.table import Table


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
    for folder, about in manifest.read(options.folder):
        if about["kind"] != "rtl":
            _simulate_hls(options, folder, about)
        elif options.simulator:
            _simulate_by_bench(options, folder, about)
        else:
            _simulate_by_gates(options, folder, about)
    return 0


def _simulate_by_bench(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> None:
    from hwnorm.bundle.vectors import check_unchanged
    from hwnorm.rtl import simulate

    simulate.check(about, folder)
    check_unchanged(folder, about)
    simulator = simulate.find(options.simulator)
    report = simulate.simulate(folder, about, simulator, 1 if options.seed is None else options.seed, options.axis)
    emit(options, "\n".join([f"{report.top}: {report}", *(f"{report.top}, {o}" for o in report.coverage.lines())]))


def _simulate_by_gates(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> None:
    """Without any tool but Python's."""
    from hwnorm.check.bulk import bulk
    from hwnorm.check.folder import check_manifest
    from hwnorm.check.mutants import COLUMNS, score
    from hwnorm.check.standard import check

    seed = options.seed or 0
    LOG.info("making a netlist of %s", about["name"])
    found = check_manifest(folder, about)
    if options.mutants:
        scored = score(found, options.mutants, seed)
        rows = [[record[column] for column in COLUMNS] for record in scored.records()]
        if options.format in ("table", "markdown"):
            emit(options, Table(COLUMNS, rows, f"{found.name}: {scored}").render(options.format))
        else:
            LOG.info("%s: %s", found.name, scored)
            emit(options, Table(COLUMNS, rows).render(options.format))
        return
    lines = check(found, seed)
    if options.elements_total:
        lines.append(f"in bulk: {bulk(found, options.elements_total, progress(options), seed)}")
    emit(options, "\n".join(f"{found.name}: {line}" for line in lines))


def _simulate_hls(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> None:
    from hwnorm.bundle import manifest
    from hwnorm.bundle.vectors import check_unchanged
    from hwnorm.hls import bulk, simulate

    simulate.check(about, folder, bulk=options.elements_total is not None)
    if options.simulator or options.mutants or options.seed is not None:
        raise InputError(f"{folder}: --with, --mutants and --seed are for folders of gen-rtl")
    check_unchanged(folder, about)
    print(f"{about['name']}: {simulate.simulate(folder, about['name'], about['dialect'])}")
    if options.elements_total:
        engine = manifest.engine_of(about)
        report = bulk.bulk(engine, about["direction"], folder, options.elements_total, progress(options))
        print(f"{about['name']}, in bulk: {report}")
