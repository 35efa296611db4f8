"""``gen-rtl`` and ``gen-hls``: folders with designs."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hwnorm.cli.arguments import Commands, OneLineParser
from hwnorm.cli.printing import LOG

if TYPE_CHECKING:
    from hwnorm.engine import Engine


def add_to(commands: Commands) -> None:
    hls = commands.add("gen-hls", commands.common, "a folder with C++ for an HLS tool, with its test bench")
    hls.set_defaults(run=_gen_hls)
    _generation(hls)
    hls.add_argument(
        "--dialect", choices=("ap", "ac", "plain"), default="ap", help="ap_int, ac_int or C++17; default ap"
    )

    rtl = commands.add("gen-rtl", commands.common, "a folder with Verilog: engine, AXI4-Stream wrapper, vectors, bench")
    rtl.set_defaults(run=_gen_rtl)
    _generation(rtl)
    rtl.add_argument("--replay", choices=("onchip", "external"), default="onchip", help="default onchip")
    rtl.add_argument(
        "--apply", choices=("auto", "table", "multiply"), default="auto", help="how the last sweep maps an element"
    )


def _generation(parser: OneLineParser) -> None:
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
