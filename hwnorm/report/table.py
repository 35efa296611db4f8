"""A table, printed as aligned text, markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FORMATS = ("table", "json", "csv", "markdown")

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns carry their unit in their name. A None is a dash for people and empty or null for programs."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    notes: tuple[str, ...] = ()

    def render(self, form: str) -> str:
        match form:
            case "table":
                return self._aligned()
            case "markdown":
                return self._markdown()
            case "csv":
                return self._csv()
            case "json":
                return json.dumps(self.records(), indent=2)
            case _:
                raise ValueError(f"format must be {', '.join(FORMATS)}, not {form!r}")

    def records(self) -> list[dict[str, Cell]]:
        """The rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def _texts(self) -> list[list[str]]:
        return [[text(cell) for cell in row] for row in self.rows]

    def _aligned(self) -> str:
        rows = self._texts()
        widths = [max(len(row[i]) for row in [list(self.columns), *rows]) for i in range(len(self.columns))]
        right = [all(_is_number(row[i]) for row in self.rows) for i in range(len(self.columns))]
        lines = [self.title] if self.title else []
        for row in [list(self.columns), ["-" * w for w in widths], *rows]:
            cells = zip(row, widths, right, strict=True)
            lines.append("  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in cells).rstrip())
        return "\n".join([*lines, *self.notes])

    def _markdown(self) -> str:
        rule = ["---:" if all(_is_number(row[i]) for row in self.rows) else "---" for i in range(len(self.columns))]
        lines = [_row(self.columns), _row(rule), *(_row(row) for row in self._texts())]
        above = [f"**{self.title}**", ""] if self.title else []
        below = ["", *self.notes] if self.notes else []
        return "\n".join([*above, *lines, *below])

    def _csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return out.getvalue().rstrip("\n")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is_number(cell: Cell) -> bool:
    return cell is None or isinstance(cell, int | float)


def text(cell: Cell) -> str:
    """Counts in full, measures with five digits."""
    match cell:
        case None:
            return "-"
        case str():
            return shown(cell)
        case bool():
            return str(cell)
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:,.0f}" if abs(cell) >= 1e5 else f"{cell:.5g}"


def shown(name: str) -> str:
    """A name on one line: what breaks a line, is not seen or is no character (of a file name) as Python writes it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def encodable(text: str, encoding: str | None) -> str:
    """The text, with escapes for what the encoding (None: UTF-8) has no code for."""
    code = encoding or "utf-8"
    return text.encode(code, "backslashreplace").decode(code)


def to_json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2)
