"""``synth``, ``power`` and ``characterize``: what tools say of a design or a device."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnorm.cli.arguments import Commands, above_zero, positive, whole
from hwnorm.cli.generating import rtl_choices, rtl_designs
from hwnorm.cli.printing import LOG, command_line, emit, emit_results, line, steps
from hwnorm.errors import InputError
from hwnorm.files import write_whole

if TYPE_CHECKING:
    from hwnorm.synth.design import Design


def add_to(commands: Commands) -> None:
    synth = commands.add("synth", commands.printing, "synthesis, and placement where the family has it")
    synth.set_defaults(run=_synth, parser=synth)
    synth.add_argument(
        "path",
        type=Path,
        nargs="?",
        metavar="PATH",
        help="a folder of gen-rtl, or a Verilog file; else the options below",
    )
    synth.add_argument("--target", required=True, metavar="NAME", help="hwnorm list targets")
    synth.add_argument("--top", metavar="MODULE", help="of a Verilog file; default its name")
    synth.add_argument(
        "--seeds", type=whole, default=5, metavar="N", help="placements; 0 is synthesis alone; default 5"
    )
    synth.add_argument("--jobs", type=positive, metavar="N", help="placements at a time; default one a core")
    synth.add_argument("--liberty", metavar="FILE|NAME", help="with --target asic: its cells; a file, or osu018, ...")
    rtl_choices(choices := synth.add_argument_group("without PATH, the design that gen-rtl would write"))
    synth.set_defaults(choices=_kept_apart(choices))

    power = commands.add("power", commands.printing, "area, leakage and power from switching activity")
    power.set_defaults(run=_power, parser=power)
    power.add_argument("folder", type=Path, metavar="DIR", help="a folder of gen-rtl")
    power.add_argument("--liberty", required=True, metavar="FILE|NAME", help="the cells: a file, or osu018, ...")
    power.add_argument("--clock-mhz", type=above_zero, default=100.0, metavar="F", help="of power; default 100")
    power.add_argument(
        "--delay", choices=("both", "zero"), default="both", help="zero: without glitches, much faster; default both"
    )
    power.add_argument("--seed", type=whole, default=0, metavar="N", help="of the data; default 0")

    characterize = commands.add(
        "characterize", commands.printing, "measure units and engines on a target, write a device file"
    )
    characterize.set_defaults(run=_characterize, parser=characterize)
    characterize.add_argument("--target", metavar="NAME", help="hwnorm list targets")
    characterize.add_argument("--seeds", type=whole, default=3, metavar="N", help="placements; 0 for none; default 3")
    characterize.add_argument("--engines", type=positive, metavar="N", help="so many of them; default all")
    characterize.add_argument("--points", type=Path, metavar="FILE", help="fit again to what was measured before")
    characterize.add_argument("--device-file", type=Path, metavar="FILE", help="default the target's name, .json")
    characterize.add_argument("--jobs", type=positive, metavar="N", help="placements at a time; default one a core")


def _kept_apart(group: argparse._ArgumentGroup) -> dict[str, Any]:
    """The defaults of a group's options; on the command line's result stand only those that were given."""
    found = {}
    for action in group._group_actions:
        found[action.dest], action.default = action.default, argparse.SUPPRESS
    return found


def _designs(options: argparse.Namespace) -> list[Design]:
    """Of the folder or the file, or of the options of gen-rtl."""
    from hwnorm.synth.design import Design, design_of

    given = {name: value for name, value in vars(options).items() if name in options.choices}
    if options.path is not None:
        if given:
            names = ", ".join("--" + name.replace("_", "-") for name in given)
            options.parser.error(f"{names}: of a design to be generated, and {options.path} is one already")
        if options.path.is_dir():
            return [design_of(file, options.top or file.stem) for file in _engines(options.path)]
        return [design_of(options.path, options.top)]
    if options.top is not None:
        options.parser.error("--top is of a Verilog file: say which")
    from hwnorm.rtl import verilog
    from hwnorm.rtl.emit import check
    from hwnorm.rtl.engine import EngineBlock

    found = rtl_designs(argparse.Namespace(**(options.choices | given)))
    for design in found.values():
        check(design)
    return [
        Design(verilog.text(EngineBlock(design.plan, name), name), name, f"{name}.v") for name, design in found.items()
    ]


def _engines(folder: Path) -> list[Path]:
    """The Verilog of the engines in a generated folder."""
    files = {part: part / "rtl" / f"{about['name']}.v" for part, about in _rtl(folder)}
    for part, file in files.items():
        if not file.is_file():
            raise InputError(f"{part}: rtl/{file.name} is missing; make the folder again")
    return [*files.values()]


def _rtl(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The manifests of a generated folder; InputError where one is of no Verilog."""
    from hwnorm.bundle import manifest

    found = manifest.read(folder)
    for path, about in found:
        if about["kind"] != "rtl":
            raise InputError(f"{path}: a folder of kind {about['kind']!r} has no Verilog; hwnorm gen-rtl makes one")
        if not about["name"].isidentifier():
            raise InputError(f"{path / 'manifest.json'}: 'name' is no name; make the folder again")
    return found


def _synth(options: argparse.Namespace) -> int:
    from hwnorm.report import synth_tables
    from hwnorm.synth.asic import TARGET
    from hwnorm.synth.flow import synthesise
    from hwnorm.synth.targets import find_target

    if (options.target == TARGET) != (options.liberty is not None):
        options.parser.error("--target asic and --liberty FILE go together")
    if options.target == TARGET:
        return _synth_asic(options)
    target = find_target(options.target)
    found = []
    for design in _designs(options):
        told = steps(options, f"{design.top}, {target.name}")
        LOG.info("synthesising %s for %s", design.top, target.name)
        kwargs = {"jobs": options.jobs, "file_name": design.file_name, "told": told}
        found.append(synthesise(design.verilog, design.top, target, options.seeds, **kwargs))
    tables = (synth_tables.summary(found), synth_tables.breakdown(found))
    emit_results(options, [one.to_dict() for one in found], tables)
    return 0


def _synth_asic(options: argparse.Namespace) -> int:
    from hwnorm.report import asic_tables
    from hwnorm.synth.asic import synthesise_asic

    found = []
    for design in _designs(options):
        LOG.info("mapping %s to %s", design.top, options.liberty)
        found.append(synthesise_asic(design.verilog, design.top, options.liberty, file_name=design.file_name))
    tables = (asic_tables.summary(found), asic_tables.breakdown(found))
    emit_results(options, [one.to_dict() for one in found], tables)
    return 0


def _power(options: argparse.Namespace) -> int:
    from hwnorm.check.folder import check_manifest
    from hwnorm.check.power import power
    from hwnorm.gates import Delay
    from hwnorm.report import asic_tables

    delays = (Delay.ZERO,) if options.delay == "zero" else (Delay.ZERO, Delay.UNIT)
    found = []
    for path, about in _rtl(options.folder):
        folder = check_manifest(path, about)
        told = steps(options, f"{folder.name}, {options.liberty}")
        found.append(power(folder, options.liberty, options.clock_mhz, delays, options.seed, told=told))
    syntheses = asic_tables.summary([one.synthesis for one in found])
    tables = (asic_tables.power(found), asic_tables.power_breakdown(found), syntheses)
    emit_results(options, [one.to_dict() for one in found], tables)
    return 0


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
            command=command_line(),
            count=options.engines,
            told=line(options),
            jobs=options.jobs,
        )
    else:
        found = characterise.again(options.points)
    target = options.device_file or Path(f"{found.device['name']}.json")
    if options.points is None:
        write_whole(target.with_suffix(POINTS), characterise.printed(found.points))
    write_whole(target, characterise.printed(found.device))
    emit(options, errors_table(found.device, len(found.points["engines"])).render(options.format))
    return 0
