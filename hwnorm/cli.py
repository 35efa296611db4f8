"""The command line: arguments in, results on stdout, everything else on stderr.

Exit codes: 0 done, 1 the input is wrong, 2 the command line is wrong, 3 a tool is missing, 4 a tool or a check failed,
130 interrupted. An error is one line; a traceback comes only with --debug.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import hwnorm
from hwnorm.errors import HwnormError, InputError
from hwnorm.files import write_whole
from hwnorm.report.table import FORMATS, Table, to_json

if TYPE_CHECKING:
    from hwnorm.engine import Engine

LOG = logging.getLogger("hwnorm")


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        try:
            options = _parser().parse_args(arguments)
        finally:  # --version and -h have printed
            sys.stdout.flush()
        return _run(options)
    except BrokenPipeError:  # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(options: argparse.Namespace) -> int:
    try:
        _tell(options)
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        raise
    except Exception as fault:
        if options.debug:
            raise
        if isinstance(fault, HwnormError):
            return _fail(str(fault), fault.exit_code)
        if isinstance(fault, ValueError | OSError):
            return _fail(str(fault), 1)
        return _fail(f"internal fault, {type(fault).__name__}: {fault} (--debug shows where)", 1)


def _tell(options: argparse.Namespace) -> None:
    """With -v, what runs is told on stderr; modules say it through the logger."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("hwnorm: %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO if options.verbose else logging.WARNING)


def _fail(message: str, code: int) -> int:
    print("hwnorm: error:", " ".join(message.split()), file=sys.stderr)
    return code


# Arguments


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"hwnorm: error: {' '.join(message.split())} ({self.prog} -h shows the options)\n")


def _parser() -> _OneLineParser:
    parser = _OneLineParser(prog="hwnorm", description="What normalization costs in hardware.")
    parser.add_argument("--version", action="version", version=f"hwnorm {hwnorm.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = _OneLineParser(add_help=False)
    common.add_argument("-v", "--verbose", action="store_true", help="tell what runs")
    common.add_argument("-q", "--quiet", action="store_true", help="print results alone, no warnings")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    printing = _OneLineParser(add_help=False, parents=[common])
    printing.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    printing.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to FILE instead of printing")

    estimate = commands.add_parser("estimate", parents=[printing], help="what normalization costs in a network")
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
    estimate.add_argument("--input-shape", type=_shape, metavar="C,H,W", help="of one sample, for a PyTorch module")
    estimate.add_argument("--by-layer", action="store_true", help="one row a layer (JSON has them always)")
    estimate.add_argument("--explain", action="store_true", help="the formula behind every total")
    estimate.add_argument("--compare", action="store_true", help="what other op counters charge the same layers")
    estimate.add_argument("--plot", type=Path, metavar="FILE", help="a figure: .png, .svg or .pdf")
    estimate.add_argument("--figure", choices=("cost", "layers", "operations"), help="which figure; default cost")

    listing = commands.add_parser("list", parents=[printing], help="norms, networks, devices, targets: what there is")
    listing.set_defaults(run=_list)
    listing.add_argument("what", choices=("norms", "networks", "devices", "targets"))

    reproduce = commands.add_parser("reproduce", parents=[printing], help="a paper's table or figure, computed")
    reproduce.set_defaults(run=_reproduce)
    reproduce.add_argument("name", metavar="NAME", help="fig4, table4, table1, adder-tree, theorem1")
    reproduce.add_argument("--target", metavar="NAME", help="of table4: synthesise it there; hwnorm list targets")
    reproduce.add_argument("--seeds", type=_whole, default=3, metavar="N", help="placements; default 3")
    reproduce.add_argument("--plot", type=Path, metavar="FILE", help="the figure, where it is one: .png, .svg or .pdf")

    hls = commands.add_parser(
        "gen-hls", parents=[common], help="a folder with C++ for an HLS tool, with its test bench"
    )
    hls.set_defaults(run=_gen_hls)
    _generation(hls)
    hls.add_argument(
        "--dialect", choices=("ap", "ac", "plain"), default="ap", help="ap_int, ac_int or C++17; default ap"
    )

    rtl = commands.add_parser(
        "gen-rtl", parents=[common], help="a folder with Verilog: engine, AXI4-Stream wrapper, vectors, bench"
    )
    rtl.set_defaults(run=_gen_rtl)
    _generation(rtl)
    rtl.add_argument("--replay", choices=("onchip", "external"), default="onchip", help="default onchip")
    rtl.add_argument(
        "--apply", choices=("auto", "table", "multiply"), default="auto", help="how the last sweep maps an element"
    )

    simulate = commands.add_parser("simulate", parents=[printing], help="check a generated folder bit for bit")
    simulate.set_defaults(run=_simulate, parser=simulate)
    simulate.add_argument("folder", type=Path, metavar="DIR")
    simulate.add_argument("--elements-total", type=_count, metavar="N", help="and N random elements more, in bulk")
    simulate.add_argument("--mutants", type=_positive, metavar="N", help="how many of N planted faults the check finds")
    simulate.add_argument(
        "--with", dest="simulator", choices=("verilator", "icarus"), help="its cocotb bench; default: gates, in NumPy"
    )
    simulate.add_argument("--seed", type=_whole, metavar="N", help="of what is drawn at random")
    simulate.add_argument("--axis", action="store_true", help="the engine behind AXI4-Stream (with --with)")

    synth = commands.add_parser("synth", parents=[printing], help="synthesis, and placement where the family has it")
    synth.set_defaults(run=_synth, parser=synth)
    synth.add_argument("path", type=Path, metavar="PATH", help="a folder of gen-rtl, or a Verilog file with --top")
    synth.add_argument("--target", required=True, metavar="NAME", help="hwnorm list targets")
    synth.add_argument("--top", metavar="MODULE", help="of a Verilog file; default its name")
    synth.add_argument(
        "--seeds", type=_whole, default=5, metavar="N", help="placements; 0 is synthesis alone; default 5"
    )
    synth.add_argument("--jobs", type=_positive, metavar="N", help="placements at a time; default one a core")
    synth.add_argument("--liberty", metavar="FILE|NAME", help="with --target asic: its cells; a file, or osu018, ...")

    power = commands.add_parser("power", parents=[printing], help="area, leakage and power from switching activity")
    power.set_defaults(run=_power, parser=power)
    power.add_argument("folder", type=Path, metavar="DIR", help="a folder of gen-rtl")
    power.add_argument("--liberty", required=True, metavar="FILE|NAME", help="the cells: a file, or osu018, ...")
    power.add_argument("--clock-mhz", type=_above_zero, default=100.0, metavar="F", help="of power; default 100")
    power.add_argument(
        "--delay", choices=("both", "zero"), default="both", help="zero: without glitches, much faster; default both"
    )
    power.add_argument("--seed", type=_whole, default=0, metavar="N", help="of the data; default 0")

    characterize = commands.add_parser(
        "characterize", parents=[printing], help="measure units and engines on a target, write a device file"
    )
    characterize.set_defaults(run=_characterize, parser=characterize)
    characterize.add_argument("--target", metavar="NAME", help="hwnorm list targets")
    characterize.add_argument("--seeds", type=_whole, default=3, metavar="N", help="placements; 0 for none; default 3")
    characterize.add_argument("--engines", type=_positive, metavar="N", help="so many of them; default all")
    characterize.add_argument("--points", type=Path, metavar="FILE", help="fit again to what was measured before")
    characterize.add_argument("--device-file", type=Path, metavar="FILE", help="default the target's name, .json")
    characterize.add_argument("--jobs", type=_positive, metavar="N", help="placements at a time; default one a core")

    doctor = commands.add_parser("doctor", parents=[printing], help="which optional packages were found")
    doctor.set_defaults(run=_doctor)
    return parser


def _generation(parser: _OneLineParser) -> None:
    """The choices of a design, the same for every generator."""
    parser.add_argument("--norm", default="l1", metavar="NAME", help="hwnorm list norms; default l1")
    parser.add_argument("--form", metavar="NAME", help="one of the norm's datapaths; default the first")
    parser.add_argument("--bits", type=int, default=8, metavar="B", help="4 to 24; default 8")
    parser.add_argument("--lanes", type=int, default=4, metavar="P", help="elements a cycle, 1 to 64; default 4")
    parser.add_argument(
        "--direction",
        choices=("forward", "backward", "inference", "training"),
        default="forward",
        help="default forward",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--elements", type=int, metavar="M", help="every group has M elements")
    length.add_argument("--max-elements", type=int, metavar="M", help="groups of 1 to M elements; default 1024")
    parser.add_argument("--guard", type=int, default=4, metavar="G", help="guard bits, 2 to 8; default 4")
    parser.add_argument("--reciprocal", choices=("restoring", "pwl", "newton"), default="restoring", help="the unit")
    parser.add_argument(
        "--activation",
        choices=("none", "relu", "srelu", "sign", "ternary"),
        default="none",
        help="fused with the output; default none",
    )
    parser.add_argument(
        "--momentum-bits", type=int, metavar="K", help="forward updates running statistics, with momentum 2^-K"
    )
    parser.add_argument("--name", help="of the design; default says what it is: l1_forward_b8_p4")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="default: the name, in the current folder")


def _count(text: str) -> int:
    """A positive whole number, also as 1e8."""
    try:
        number = float(text)
        if number >= 1 and number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"must be a positive whole number such as 1e8, not {text!r}")


def _whole(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text!r}")
    return int(text)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _above_zero(text: str) -> float:
    try:
        if 0 < float(text) < float("inf"):
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(size) for size in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"must be sizes such as 3,224,224, not {text!r}")
    return shape


# Commands. Each imports what it needs, so that none waits for another's packages.


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
            _emit(options, to_json(found.to_dict() | rows))
        case "csv":
            first = estimate_tables.by_layer if options.by_layer else estimate_tables.flat
            table = next(iter(extras.values()), None) or first(found)
            _emit(options, table.render("csv"))
        case form:
            layers = [estimate_tables.by_layer(found)] if options.by_layer else []
            tables = [*layers, *estimate_tables.tables(found), *extras.values()]
            _emit(options, "\n\n".join([estimate_tables.headline(found), *(table.render(form) for table in tables)]))
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
    _emit(options, table.render(options.format))
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from hwnorm.report.reproduce import reproduce

    found = reproduce(options.name, options.target, options.seeds, _line(options))
    if options.plot:
        from hwnorm.report import plots

        plots.save(found.figure(), options.plot)
    _emit(options, found.render(options.format))
    return 0


def _gen_hls(options: argparse.Namespace) -> int:
    from hwnorm.hls.emit import check_name, emit

    def one(engine: Engine, direction: str, name: str, command: str) -> dict[str, bytes]:
        return emit(engine, direction, options.lanes, options.dialect, name, command)

    return _generate(options, check_name, one)


def _gen_rtl(options: argparse.Namespace) -> int:
    from hwnorm.rtl.design import Design
    from hwnorm.rtl.emit import check_name, emit

    def one(engine: Engine, direction: str, name: str, command: str) -> dict[str, bytes]:
        external = options.replay == "external"
        return emit(Design(engine, direction, options.lanes, external, apply=options.apply), name, command)

    return _generate(options, check_name, one)


def _generate(
    options: argparse.Namespace,
    check_name: Callable[[str], None],
    emit: Callable[[Engine, str, str, str], dict[str, bytes]],
) -> int:
    """A folder, or for training one with a folder a direction in it."""
    from hwnorm.bundle import manifest
    from hwnorm.files import write_folder

    engine = manifest.engine_of(vars(options))
    training = options.direction == "training"
    name = options.name or f"{options.norm}_{options.direction}_b{options.bits}_p{options.lanes}".replace("-", "_")
    check_name(name)
    command = shlex.join(["hwnorm", *sys.argv[1:]])
    files: dict[str, bytes] = {}
    for direction in ("forward", "backward") if training else (options.direction,):
        part = f"{name}_{direction}" if training else name
        LOG.info("generating %s", part)
        found = emit(engine, direction, part, command)
        files |= {f"{direction}/{file}": data for file, data in found.items()} if training else found
    if training:
        files["manifest.json"] = manifest.render(manifest.parts(name, command, ("forward", "backward"), files))
    target = options.output or Path(name)
    write_folder(target, files)
    if not options.quiet:
        print(target)
    return 0


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
    _emit(options, "\n".join([f"{report.top}: {report}", *(f"{report.top}, {o}" for o in report.coverage.lines())]))


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
            _emit(options, Table(COLUMNS, rows, f"{found.name}: {scored}").render(options.format))
        else:
            LOG.info("%s: %s", found.name, scored)
            _emit(options, Table(COLUMNS, rows).render(options.format))
        return
    lines = check(found, seed)
    if options.elements_total:
        lines.append(f"in bulk: {bulk(found, options.elements_total, _progress(options), seed)}")
    _emit(options, "\n".join(f"{found.name}: {line}" for line in lines))


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
        report = bulk.bulk(engine, about["direction"], folder, options.elements_total, _progress(options))
        print(f"{about['name']}, in bulk: {report}")


def _progress(options: argparse.Namespace) -> Callable[[int], None]:
    """A line on stderr that counts up, where somebody is watching."""
    watched = sys.stderr.isatty() and not options.quiet
    total = options.elements_total

    def told(done: int) -> None:
        if watched:
            print(f"\r{done:,} of {total:,} elements", end="\n" if done >= total else "", file=sys.stderr)

    return told


def _synth(options: argparse.Namespace) -> int:
    from hwnorm.report import synth_tables
    from hwnorm.synth.asic import TARGET
    from hwnorm.synth.design import designs
    from hwnorm.synth.flow import synthesise
    from hwnorm.synth.targets import find_target

    if (options.target == TARGET) != (options.liberty is not None):
        options.parser.error("--target asic and --liberty FILE go together")
    if options.target == TARGET:
        return _synth_asic(options)
    target = find_target(options.target)
    found = []
    for design in designs(options.path, options.top):
        told = _steps(options, f"{design.top}, {target.name}")
        LOG.info("synthesising %s for %s", design.top, target.name)
        kwargs = {"jobs": options.jobs, "file_name": design.file_name, "told": told}
        found.append(synthesise(design.verilog, design.top, target, options.seeds, **kwargs))
    tables = (synth_tables.summary(found), synth_tables.breakdown(found))
    _emit_results(options, [one.to_dict() for one in found], tables)
    return 0


def _synth_asic(options: argparse.Namespace) -> int:
    from hwnorm.report import asic_tables
    from hwnorm.synth.asic import synthesise_asic
    from hwnorm.synth.design import designs

    found = []
    for design in designs(options.path, options.top):
        LOG.info("mapping %s to %s", design.top, options.liberty)
        found.append(synthesise_asic(design.verilog, design.top, options.liberty))
    tables = (asic_tables.summary(found), asic_tables.breakdown(found))
    _emit_results(options, [one.to_dict() for one in found], tables)
    return 0


def _power(options: argparse.Namespace) -> int:
    from hwnorm.bundle import manifest
    from hwnorm.check.folder import check_manifest
    from hwnorm.check.power import power
    from hwnorm.gates import Delay
    from hwnorm.report import asic_tables

    delays = (Delay.ZERO,) if options.delay == "zero" else (Delay.ZERO, Delay.UNIT)
    found = []
    for path, about in manifest.read(options.folder):
        if about["kind"] != "rtl":
            raise InputError(f"{path}: a folder of kind {about['kind']!r} has no Verilog; hwnorm gen-rtl makes one")
        folder = check_manifest(path, about)
        told = _steps(options, f"{folder.name}, {options.liberty}")
        found.append(power(folder, options.liberty, options.clock_mhz, delays, options.seed, told=told))
    syntheses = asic_tables.summary([one.synthesis for one in found])
    tables = (asic_tables.power(found), asic_tables.power_breakdown(found), syntheses)
    _emit_results(options, [one.to_dict() for one in found], tables)
    return 0


def _emit_results(options: argparse.Namespace, results: Sequence[dict[str, Any]], tables: Sequence[Table]) -> None:
    """One design's JSON, or several together; of the tables CSV has the first."""
    match options.format:
        case "json":
            _emit(options, to_json(results[0] if len(results) == 1 else {"results": list(results)}))
        case "csv":
            _emit(options, tables[0].render("csv"))
        case form:
            _emit(options, "\n\n".join(table.render(form) for table in tables))


def _steps(options: argparse.Namespace, title: str) -> Callable[[int, int, str], None]:
    """A line on stderr of the steps that are done, where somebody is watching."""
    watched = sys.stderr.isatty() and not options.quiet

    def told(done: int, total: int, what: str) -> None:
        if watched:
            line = f"\r{title}: {done} of {total}, {what}"
            print(f"{line:<70}", end="\n" if done >= total else "", file=sys.stderr, flush=True)

    return told


def _characterize(options: argparse.Namespace) -> int:
    """The device file, what was measured beside it, and a table of errors."""
    from datetime import date

    from hwnorm.cost import characterise
    from hwnorm.cost.fabric import POINTS
    from hwnorm.report.cost_tables import errors_table

    if (options.target is None) == (options.points is None):
        options.parser.error("give --target NAME to measure, or --points FILE to fit again")
    if options.points is None:
        found = characterise.characterise(
            options.target,
            options.seeds,
            date=date.today().isoformat(),
            command=shlex.join(["hwnorm", *sys.argv[1:]]),
            count=options.engines,
            told=_line(options),
            jobs=options.jobs,
        )
    else:
        found = characterise.again(options.points)
    target = options.device_file or Path(f"{found.device['name']}.json")
    if options.points is None:
        write_whole(target.with_suffix(POINTS), characterise.printed(found.points))
    write_whole(target, characterise.printed(found.device))
    _emit(options, errors_table(found.device, len(found.points["engines"])).render(options.format))
    return 0


def _line(options: argparse.Namespace) -> Callable[[str], None]:
    """A line on stderr that says what runs, where somebody is watching; else the log does."""
    watched = sys.stderr.isatty() and not options.quiet

    def told(what: str) -> None:
        if watched:
            print(f"\r{what:<100}", end="", file=sys.stderr, flush=True)
        LOG.info("%s", what)

    return told


def _doctor(options: argparse.Namespace) -> int:
    from hwnorm.report.doctor import doctor_table

    _emit(options, doctor_table().render(options.format))
    return 0


def _emit(options: argparse.Namespace, text: str) -> None:
    if options.output is None:
        print(text)
    else:
        write_whole(options.output, (text + "\n").encode())
