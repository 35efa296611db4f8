"""``gen-rtl`` and ``gen-hls``: folders with designs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hwnorm.cli.arguments import Commands, OneLineParser
from hwnorm.cli.printing import LOG, command_line, say
from hwnorm.errors import InputError

if TYPE_CHECKING:
    from hwnorm.engine import Engine
    from hwnorm.rtl.design import Design

MOST_ELEMENTS = 1 << 22  # of a group


def add_to(commands: Commands) -> None:
    hls = commands.add("gen-hls", commands.common, "a folder with C++ for an HLS tool, with its test bench")
    hls.set_defaults(run=_gen_hls)
    _engine(hls)
    _output(hls)
    hls.add_argument(
        "--dialect", choices=("ap", "ac", "plain"), default="ap", help="ap_int, ac_int or C++17; default ap"
    )

    rtl = commands.add("gen-rtl", commands.common, "a folder with Verilog: engine, AXI4-Stream wrapper, vectors, bench")
    rtl.set_defaults(run=_gen_rtl)
    rtl_choices(rtl)
    _output(rtl)


def rtl_choices(parser: OneLineParser | argparse._ArgumentGroup) -> None:
    """What a design in Verilog is asked to be; ``rtl_designs`` reads it."""
    _engine(parser)
    parser.add_argument("--replay", choices=("onchip", "external"), default="onchip", help="default onchip")
    parser.add_argument(
        "--apply", choices=("auto", "table", "multiply"), default="auto", help="how the last sweep maps an element"
    )


def rtl_designs(choices: argparse.Namespace) -> dict[str, Design]:
    """The design of each direction by its name. Whether there is such a datapath is not looked at yet."""
    from hwnorm.rtl.design import Design
    from hwnorm.rtl.emit import check_name

    engine, external = _chosen(choices), choices.replay == "external"
    check_name(_name(choices))
    return {
        name: Design(engine, direction, choices.lanes, external, apply=choices.apply)
        for direction, name in _parts(choices).items()
    }


def _engine(parser: OneLineParser | argparse._ArgumentGroup) -> None:
    """The choices of an engine, the same for every generator."""
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


def _output(parser: OneLineParser) -> None:
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="default: the name, in the current folder")


def _chosen(choices: argparse.Namespace) -> Engine:
    from hwnorm.bundle import manifest

    if choices.max_elements == 0:  # to a manifest that is none given
        raise InputError("max_elements must be a positive integer, not 0")
    for option, length in (("--elements", choices.elements), ("--max-elements", choices.max_elements)):
        if length is not None and length > MOST_ELEMENTS:
            raise InputError(
                f"{option} {length} is more than {MOST_ELEMENTS}: golden vectors have groups of that length"
            )
    if choices.activation != "none" and choices.direction == "backward":
        raise InputError("--activation does nothing backward, where there is no y: who sends dy masks it")
    if choices.momentum_bits is not None and choices.direction not in ("forward", "training"):
        raise InputError(f"--momentum-bits does nothing in {choices.direction}: forward keeps the running statistics")
    return manifest.engine_of(vars(choices))


def _name(choices: argparse.Namespace) -> str:
    if choices.name is not None:
        return str(choices.name)
    return f"{choices.norm}_{choices.direction}_b{choices.bits}_p{choices.lanes}".replace("-", "_")


def _parts(choices: argparse.Namespace) -> dict[str, str]:
    """A design's name by its direction; training has two."""
    if choices.direction != "training":
        return {choices.direction: _name(choices)}
    return {direction: f"{_name(choices)}_{direction}" for direction in ("forward", "backward")}


def _gen_hls(options: argparse.Namespace) -> int:
    from hwnorm.hls.emit import check_name, emit

    engine = _chosen(options)
    check_name(_name(options))
    return _generate(options, lambda d, name, command: emit(engine, d, options.lanes, options.dialect, name, command))


def _gen_rtl(options: argparse.Namespace) -> int:
    from hwnorm.cost.fabric import predicted
    from hwnorm.rtl.emit import check, emit

    designs = rtl_designs(options)

    def files(_: str, name: str, command: str) -> dict[str, bytes]:
        check(designs[name])  # of what cannot be built nothing is predicted
        return emit(designs[name], name, command, predicted(designs[name]))

    return _generate(options, files)


def _generate(options: argparse.Namespace, emit: Callable[[str, str, str], dict[str, bytes]]) -> int:
    """A folder, or for training one with a folder a direction in it. ``emit`` makes the files of a direction, a name
    and a command."""
    from hwnorm.bundle import manifest
    from hwnorm.files import write_folder

    name, parts, files = _name(options), _parts(options), dict[str, bytes]()
    command = command_line()
    for direction, part in parts.items():
        LOG.info("generating %s", part)
        found = emit(direction, part, command)
        files |= {f"{direction}/{file}": data for file, data in found.items()} if len(parts) > 1 else found
    if len(parts) > 1:
        files["manifest.json"] = manifest.render(manifest.parts(name, command, tuple(parts), files))
    target = options.output or Path(name)
    write_folder(target, files)
    if not options.quiet:
        say(target)
    return 0
