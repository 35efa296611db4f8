"""A reproduction: tables, and the sentences that say what they show."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hwnorm.errors import InputError
from hwnorm.report.table import Table


@dataclass(frozen=True)
class Reproduction:
    name: str
    title: str
    tables: tuple[Table, ...]
    findings: tuple[str, ...]  # paragraphs
    plot: Callable[[], Any] | None = None

    @property
    def command(self) -> str:
        return f"hwnorm reproduce {self.name}"

    def figure(self) -> Any:
        if self.plot is None:
            raise InputError(f"{self.name} has no figure to plot")
        return self.plot()

    def render(self, form: str) -> str:
        match form:
            case "json":
                tables = [json.loads(table.render("json")) for table in self.tables]
                head = {"schema": "hwnorm.reproduce/1", "name": self.name, "title": self.title, "command": self.command}
                titles = [table.title for table in self.tables]
                parts = [{"title": title, "rows": rows} for title, rows in zip(titles, tables, strict=True)]
                return json.dumps({**head, "tables": parts, "findings": list(self.findings)}, indent=2)
            case "csv":
                return "\n\n".join(table.render("csv") for table in self.tables)
            case "markdown":
                lines = [f"# {self.title}", f"Made by `{self.command} --format markdown`."]
                return "\n\n".join([*lines, *(table.render("markdown") for table in self.tables), *self.findings])
            case _:
                paragraphs = [textwrap.fill(finding, 110) for finding in self.findings]
                return "\n\n".join([self.title, *(table.render("table") for table in self.tables), *paragraphs])
