"""A design in the cells of a Liberty file, as tables: area and speed, and what its activity takes."""

from __future__ import annotations

from collections.abc import Sequence

from hwnorm.check.power import AsicPower, PartPower
from hwnorm.gates import Delay
from hwnorm.report.table import Cell, Table
from hwnorm.synth.asic import NOTE, AsicSynthesis

KINDS = ("switching_pj", "internal_pj", "clock_pj")


def summary(found: Sequence[AsicSynthesis]) -> Table:
    """One design a row."""
    rows: list[list[Cell]] = []
    for one in found:
        total, bits = one.total, sum(macro.bits for macro in one.macros)
        areas: list[Cell] = [total.area_um2, total.cells, total.ff, bits]
        rows.append([one.top, one.mapped.library.name, *areas, one.fmax_mhz, one.hwnorm_mhz, total.leakage_uw])
    columns = ("design", "library", "area_um2", "cells", "ff", "macro_bits", "fmax_mhz", "by_tables_mhz", "leakage_uw")
    return Table(columns, rows, notes=("", *_notes(found)))


def breakdown(found: Sequence[AsicSynthesis]) -> Table:
    """One instance a row; they add up to the totals."""
    rows: list[list[Cell]] = [
        [one.top, name, part.area_um2, part.cells, part.ff, part.leakage_uw]
        for one in found
        for name, part in one.breakdown.items()
    ]
    return Table(("design", "part", "area_um2", "cells", "ff", "leakage_uw"), rows)


def power(found: Sequence[AsicPower]) -> Table:
    """One delay model of a design a row; energies in pJ an element, power at the clock."""
    rows: list[list[Cell]] = []
    for one in found:
        for delay, total in one.total.items():
            energies = [total.dynamic_pj, *(getattr(total, kind) for kind in KINDS)]
            row = [one.name, one.synthesis.mapped.library.name, delay.value, one.clock_mhz, one.leakage_uw]
            rows.append([*row, one.uw(total.dynamic_pj), *energies])
    columns = ("design", "library", "delays", "clock_mhz", "leakage_uw", "dynamic_uw", "pj_per_element", *KINDS)
    checked = [
        f"{one.name}: {one.checked:,} elements of the mapped netlist, groups of {one.elements}: every bit equals the "
        f"reference; {one.cycles_per_element:g} cycles an element"
        for one in found
    ]
    return Table(columns, rows, notes=("", *checked))


def power_breakdown(found: Sequence[AsicPower]) -> Table:
    """One instance a row: where area and energy are."""
    rows: list[list[Cell]] = []
    for one in found:
        zero, unit = (one.parts.get(delay, {}) for delay in (Delay.ZERO, Delay.UNIT))
        for name, part in one.synthesis.breakdown.items():
            energy = zero.get(name, PartPower())
            glitches = unit[name].dynamic_pj if name in unit else None
            row: list[Cell] = [one.name, name, part.area_um2, energy.leakage_uw, energy.dynamic_pj, glitches]
            rows.append([*row, *(getattr(energy, kind) for kind in KINDS)])
    columns = ("design", "part", "area_um2", "leakage_uw", "pj_zero_delay", "pj_unit_delay", *KINDS)
    return Table(columns, rows)


def _notes(found: Sequence[AsicSynthesis]) -> list[str]:
    paths = [f"critical path of {one.top}: {one.critical_path}" for one in found if one.critical_path]
    macros = [
        f"memory macro of {one.top}: {macro.name}, {macro.words:,} words of {macro.width} bits"
        for one in found
        for macro in one.macros
    ]
    tools = dict.fromkeys(tool for one in found for tool in (f"yosys {one.mapped.yosys}", one.timed_by))
    return [*paths, *macros, f"tools: {', '.join(tools)}", f"note: {NOTE}"]
