"""The catalogue as a table: what each normalization costs, side by side."""

from __future__ import annotations

from hwnorm.engine import Engine
from hwnorm.norms.catalog import CATALOG
from hwnorm.norms.form import Norm
from hwnorm.report.table import Cell, Table
from hwnorm.views.count import OPERATIONS, OpCount, Phase, Tally

BITS = 8
ELEMENTS = 1024  # only the widths of stored registers depend on it


def norms_table() -> Table:
    """Training per group of m elements, formula and executed; sweeps and bits of the executed form."""
    columns = (
        *("norm", "form", "formula per element", "executed per element", "formula per group", "executed per group"),
        *("sweeps", "bits read", "bits written", "replay bits", "saved bits", "saved bits per group"),
        *("what it is", "citation"),
    )
    rows = [row for norm in CATALOG.values() for row in _rows(norm)]
    notes = (
        f"Per group of training (folds: of inference), {BITS} bits, (s) and (v) per sampled and per virtual element "
        "alone.",
        "sweeps: forward/backward, those of some groups only in brackets; bits read and written: per element, by all "
        "of them;",
        "replay bits: per element, on chip between sweeps; saved bits: per element, from the forward to the backward "
        "pass.",
    )
    return Table(columns, rows, notes=notes)


def _rows(norm: Norm) -> list[list[Cell]]:
    return [_one(norm, form) for form in norm.forms or [None]]


def _one(norm: Norm, form: str | None) -> list[Cell]:
    phase: Phase = "training" if norm.printed.forward else "inference"
    count = Engine(norm.name, BITS, ELEMENTS, form=form).count(phase)
    built = count.executed is not None
    return [
        norm.name,
        form or "not built",
        *_elementwise(count),
        *_groupwise(count),
        _sweeps(count) if built else None,
        count.total_traffic.read if built else None,
        count.total_traffic.written if built else None,
        count.total_traffic.replayed if built else None,
        count.saved_bits_per_element if built else None,
        count.saved_bits_per_group if built else None,
        norm.summary,
        norm.cite,
    ]


def _elementwise(count: OpCount) -> list[Cell]:
    return [_terms(count.formula, "msv"), None if count.executed is None else _terms(count.executed, "msv")]


def _groupwise(count: OpCount) -> list[Cell]:
    return [_terms(count.formula, "1"), None if count.executed is None else _terms(count.executed, "1")]


def _terms(tally: Tally, symbols: str) -> str:
    """``3 add, 2 mul``; what is done for sampled elements alone with its symbol."""
    found = []
    for operation in OPERATIONS:
        for symbol, times in tally.per_group(operation).items():
            if symbol in symbols and times:
                found.append(f"{times} {operation}" + (f" ({symbol})" if symbol in "sv" else ""))
    return ", ".join(found) or "none"


def _sweeps(count: OpCount) -> str:
    parts = [f"{t.sweeps}" + (f"(+{t.conditional})" if t.conditional else "") for t in count.traffic.values()]
    return "/".join(parts)
