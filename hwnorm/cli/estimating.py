"""``estimate``, ``reproduce``, ``list`` and ``doctor``: what is known without running a tool."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hwnorm.cli.arguments import Commands, shape, whole
from hwnorm.cli.printing import LOG, emit, line
from hwnorm.errors import InputError
from hwnorm.report.table import Table, to_json


def add_to(commands: Commands) -> None:
    estimate = commands.add("estimate", commands.printing, "what normalization costs in a network")
    estimate.set_defaults(run=_estimate, parser=estimate)
    estimate.add_argument("network", metavar="NETWORK", help="FILE.yaml, FILE.onnx, package.module:callable, or a name")
    estimate.add_argument("--norm", action="append", metavar="NAME", help="repeatable; default l2 and l1; or as-is")
    estimate.add_argument("--batch", type=int, metavar="N", help="default: what the network names")
    estimate.add_argument("--phase", choices=("training", "forward", "backward", "inference"), default="training")
    estimate.add_argument("--accounting", choices=("paper", "executed"), help="default: both")
    estimate.add_argument("--device", metavar="NAME|FILE", help="prices, or a measured device; hwnorm list devices")
    estimate.add_argument("--bits", type=int, default=8, metavar="B", help="width of x and y, 4 to 24; default 8")
    estimate.add_argument("--lanes", type=int, default=16, metavar="P", help="elements a cycle; default 16")
    estimate.add_argument("--clock-mhz", type=float, metavar="F", help="default: the measured device's, else 200")
    estimate.add_argument("--onchip-kib", type=float, default=512.0, metavar="K", help="replay memory; default 512")
    estimate.add_argument("--dram-gbps", type=float, default=12.8, metavar="G", help="gigabytes a second; default 12.8")
    estimate.add_argument("--sampling-ratio", type=float, default=1 / 32, metavar="R", help="of ns, bs, fs, vdn; 1/32")
    estimate.add_argument("--input-shape", type=shape, metavar="C,H,W", help="of one sample, for a PyTorch module")
    estimate.add_argument("--by-layer", action="store_true", help="one row a layer (JSON has them always)")
    estimate.add_argument("--explain", action="store_true", help="the formula behind every total")
    estimate.add_argument("--compare", action="store_true", help="what other op counters charge the same layers")
    estimate.add_argument("--plot", type=Path, metavar="FILE", help="a figure: .png, .svg or .pdf")
    estimate.add_argument("--figure", choices=("cost", "layers", "operations"), help="which figure; default cost")

    listing = commands.add("list", commands.printing, "norms, networks, devices, targets: what there is")
    listing.set_defaults(run=_list)
    listing.add_argument("what", choices=("norms", "networks", "devices", "targets"))

    reproduce = commands.add("reproduce", commands.printing, "a paper's table or figure, computed")
    reproduce.set_defaults(run=_reproduce)
    reproduce.add_argument("name", metavar="NAME", help="fig4, table4, table1, adder-tree, theorem1")
    reproduce.add_argument("--target", metavar="NAME", help="of table4: synthesise it there; hwnorm list targets")
    reproduce.add_argument("--seeds", type=whole, default=3, metavar="N", help="placements; default 3")
    reproduce.add_argument("--plot", type=Path, metavar="FILE", help="the figure, where it is one: .png, .svg or .pdf")

    doctor = commands.add("doctor", commands.printing, "which optional packages were found")
    doctor.set_defaults(run=_doctor)


def _estimate(options: argparse.Namespace) -> int:
    from hwnorm.cost.estimate import estimate
    from hwnorm.cost.streaming import Machine
    from hwnorm.network.load import load_network
    from hwnorm.report import estimate_tables

    if options.figure and not options.plot:
        options.parser.error("--figure says what --plot FILE shows: give both")
    if options.format == "csv" and options.by_layer + options.explain + options.compare > 1:
        options.parser.error("a CSV file is one table: give one of --by-layer, --explain, --compare")
    LOG.info("reading %s", options.network)
    if options.input_shape and ":" not in options.network:
        raise InputError("--input-shape is for package.module:callable: a file says its own")
    network = load_network(options.network, batch=options.batch, input_shape=options.input_shape)
    machine = Machine(options.lanes, onchip_kib=options.onchip_kib, dram_gbps=options.dram_gbps)
    LOG.info("counting %d normalization layers", len(network.layers))
    found = estimate(
        network,
        options.norm,
        options.batch,
        phase=options.phase,
        accounting=options.accounting,
        device=options.device,
        bits=options.bits,
        machine=machine,
        clock_mhz=options.clock_mhz,
        sampling_ratio=options.sampling_ratio,
    )
    if not options.quiet:
        for warning in found.warnings:
            print(f"hwnorm: warning: {warning}", file=sys.stderr)
    if options.plot:
        from hwnorm.report import plots

        plots.save(plots.of_estimate(found, options.figure or "cost"), options.plot)
    further = {"explain": estimate_tables.explained, "compare": estimate_tables.compared}
    extras = {name: table(found) for name, table in further.items() if getattr(options, name)}
    match options.format:
        case "json":
            rows = {name: table.records() for name, table in extras.items()}
            emit(options, to_json(found.to_dict() | rows))
        case "csv":
            first = estimate_tables.by_layer if options.by_layer else estimate_tables.flat
            table = next(iter(extras.values()), None) or first(found)
            emit(options, table.render("csv"))
        case form:
            layers = [estimate_tables.by_layer(found)] if options.by_layer else []
            tables = [*layers, *estimate_tables.tables(found), *extras.values()]
            emit(options, "\n\n".join([estimate_tables.headline(found), *(table.render(form) for table in tables)]))
    return 0


def _list(options: argparse.Namespace) -> int:
    match options.what:
        case "norms":
            from hwnorm.report.catalog_tables import norms_table

            table = norms_table()
        case "networks":
            from hwnorm.network.load import zoo_about

            table = Table(("network", "what it is"), [list(row) for row in zoo_about().items()])
        case "targets":
            from hwnorm.report.synth_tables import targets_table

            table = targets_table()
        case _:
            from hwnorm.cost.device import device_names, load_device
            from hwnorm.cost.fabric import fabric_names, shipped

            rows: list[list[str | int | float | None]] = []
            rows += [[d.name, d.summary, d.source] for d in map(load_device, device_names())]
            rows += [[f.name, f.summary, f.source] for f in map(shipped, fabric_names())]
            table = Table(("device", "what it is", "source"), rows)
    emit(options, table.render(options.format))
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from hwnorm.report.reproduce import reproduce

    found = reproduce(options.name, options.target, options.seeds, line(options))
    if options.plot:
        from hwnorm.report import plots

        plots.save(found.figure(), options.plot)
    emit(options, found.render(options.format))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from hwnorm.report.doctor import doctor_table

    emit(options, doctor_table().render(options.format))
    return 0
