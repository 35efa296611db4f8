"""Verilog mapped to the cells of a Liberty file, by yosys and the abc in it.

The design is flattened and mapped for speed, flip-flops first, then the logic between them with buffers behind what
drives much. A memory of more than MOST_WORDS words stays one, as a compiled macro would: a Liberty file of standard
cells has no area, time or energy of it, so its bits are told apart. Smaller ones become flip-flops and multiplexers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hwnorm.cache import cached
from hwnorm.errors import InputError, ToolFailed
from hwnorm.gates import Cell, Library, Netlist
from hwnorm.gates.logic import function
from hwnorm.gates.tables import tables_of
from hwnorm.synth.hierarchy import TOP_KEY, scopes, source_names
from hwnorm.synth.yosys import find_yosys, wrong_design

MOST_WORDS = 64  # of a memory that becomes flip-flops
MEMORY = "$mem_v2"
DESIGN, LIBERTY, LIMITS = "design.v", "cells.lib", "limits.txt"
HIERARCHY, NETLIST, FOR_TIMING = "hierarchy.json", "netlist.json", "netlist.v"
OUTPUT_LOADS = 4  # inverters on every output, as abc sees it
# abc's own script does not end on wide multipliers. buffer -p: what registers drive is buffered too.
MAPPED = "+strash;dch,-f;map,-B,0.9;topo;buffer,-c,-p;upsize,-c;dnsize,-c"
TIMED_TOP = "timed"
NOTHING = "{} maps to nothing: are its clock and its outputs among its ports?"


@dataclass(frozen=True)
class Macro:
    """A memory that stays one."""

    name: str
    words: int
    width: int

    @property
    def bits(self) -> int:
        return self.words * self.width


@dataclass(frozen=True)
class Mapped:
    """``netlist``: every cell's instance is that of the source. ``verilog``: the same cut at its memories, whose pins
    are ports, the module TIMED_TOP: for a timing tool."""

    netlist: Netlist
    verilog: str
    yosys: str

    @property
    def library(self) -> Library:
        assert self.netlist.library is not None
        return self.netlist.library

    @property
    def cells(self) -> list[Cell]:
        """Those of the library."""
        return [cell for cell in self.netlist.cells if cell.type in self.library.cells]

    @property
    def macros(self) -> list[Macro]:
        return [
            Macro(cell.instance or cell.name, int(cell.parameters["SIZE"], 2), int(cell.parameters["WIDTH"], 2))
            for cell in self.netlist.cells
            if cell.type == MEMORY
        ]


def part(instance: str) -> str:
    """The first level of the hierarchy that an instance is in."""
    return instance.split(".")[0] or TOP_KEY


def map_design(verilog: str, top: str, library: Library, liberty: str, file_name: str = DESIGN) -> Mapped:
    """``liberty`` is the text that ``library`` was read from. InputError where yosys cannot read the design, or where
    the file lacks what every design needs; kept by content."""
    yosys = find_yosys()
    script, limits = _script(top, library), _limits(library)

    def run() -> bytes:
        with tempfile.TemporaryDirectory(prefix="hwnorm_map_") as scratch:
            folder = Path(scratch)
            for name, text in ((DESIGN, verilog), (LIBERTY, liberty), (LIMITS, limits)):
                (folder / name).write_text(text, encoding="utf-8")
            try:
                yosys.run(script, folder)
            except ToolFailed as fault:
                if "No top module found" in str(fault):  # an empty one is none
                    raise InputError(NOTHING.format(top)) from None
                if told := wrong_design(fault, DESIGN):
                    raise InputError(told.replace(DESIGN, file_name)) from None
                raise
            found = {name: _read(folder / name) for name in (HIERARCHY, NETLIST, FOR_TIMING)}
        return json.dumps(found).encode()

    kept: dict[str, str] = json.loads(cached("mapped", (yosys.version, script, limits, liberty, verilog), run))
    module = json.loads(kept[NETLIST])["modules"][top]
    netlist = Netlist.from_json({"modules": {top: module}}, top, library)
    if not netlist.cells:
        raise InputError(NOTHING.format(top))
    return Mapped(_placed(netlist, module, json.loads(kept[HIERARCHY]), top), kept[FOR_TIMING], yosys.version)


def _read(path: Path) -> str:
    if not path.is_file() or not path.stat().st_size:
        raise ToolFailed(f"yosys ended without a fault, but its {path.name} is missing or empty")
    return path.read_text(encoding="utf-8")


def _placed(netlist: Netlist, module: Mapping[str, Any], hierarchy: dict[str, Any], top: str) -> Netlist:
    """Cells with the instances that they belong to, which abc does not tell."""
    where = scopes(dict(module), source_names(hierarchy, top))
    return replace(netlist, cells=tuple(replace(c, instance=".".join(where[c.name])) for c in netlist.cells))


def _script(top: str, library: Library) -> str:
    avoided = " ".join(f"-dont_use {name}" for name, cell in sorted(library.cells.items()) if cell.special)
    return "\n".join(
        (
            *(f"read_verilog {DESIGN}", f"hierarchy -check -top {top}", "proc", f"write_json {HIERARCHY}"),
            *("design -reset", f"read_liberty -lib -ignore_miss_func {LIBERTY}", f"read_verilog {DESIGN}"),
            *(f"synth -flatten -noabc -top {top} -run begin:fine", "opt -fast -full"),
            *(f"memory_map t:{MEMORY} r:SIZE<={MOST_WORDS} %i", "opt -undriven -fine", "techmap", "opt -fast -full"),
            # A register of a cell library starts anyhow. Enables become logic, so that abc sees how much they drive.
            *("setattr -unset init", "dfflegalize -cell $_DFF_?_ x -cell $_DFF_???_ x -cell $_DFFSR_???_ x"),
            *("techmap", "opt -nodffe -nosdff -full", "simplemap", "opt_clean"),
            *(f"dfflibmap {avoided} -liberty {LIBERTY}", "opt -nodffe -nosdff"),
            f"abc -liberty {LIBERTY} -constr {LIMITS} {avoided} -script {MAPPED}",
            *("setundef -zero", "opt_clean -purge", f"write_json {NETLIST}"),
            *(f"expose -evert t:{MEMORY}", "splitnets", "opt_clean -purge", f"rename -top {TIMED_TOP}"),
            f"write_verilog -noattr -noexpr -nohex -simple-lhs {FOR_TIMING}",
            "",
        )
    )


def _limits(library: Library) -> str:
    """What drives inputs and loads outputs, without which abc buffers nothing: the smallest inverter, four of it."""
    inverters = [
        cell
        for cell in library.cells.values()
        if cell.behaviour is not None
        and not cell.special
        and cell.behaviour.state is None
        and [f.expression for f in cell.behaviour.outputs.values()] == [function("!A").expression]
    ]
    if not inverters:
        raise InputError(f"{library.name}: a Liberty file without an inverter")
    smallest = min(inverters, key=lambda cell: (cell.area, cell.name))
    if not tables_of(library, smallest.name).arcs:
        raise InputError(
            f"{library.name}: cell {smallest.name} has no tables of delay: a file without them will not do"
        )
    if not library.voltage > 0:
        raise InputError(f"{library.name}: no nom_voltage, which energies need")
    load_ff = 1e3 * OUTPUT_LOADS * sum(rise for rise, _ in smallest.capacitance_pf.values())
    return f"set_driving_cell {smallest.name}\nset_load {load_ff:.3f} [all_outputs]\n"
