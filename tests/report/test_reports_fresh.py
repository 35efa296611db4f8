"""Every report that is committed is what its command prints now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwnorm.report.reproduce import NAMES, reproduce

REPORTS = Path(__file__).parents[2] / "reports"
COMMAND = re.compile(r"^Made by `hwnorm reproduce ([a-z0-9-]+) --format markdown`\.$", re.MULTILINE)
WRITTEN = sorted(path.name for path in REPORTS.glob("*.md") if COMMAND.search(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_every_reproduction_is_there(name: str) -> None:
    path = REPORTS / f"{name}.md"
    assert path.exists(), f"hwnorm reproduce {name} --format markdown -o reports/{name}.md"


def test_the_figure_is_there() -> None:
    assert (REPORTS / "fig4.svg").exists(), "hwnorm reproduce fig4 --plot reports/fig4.svg"


@pytest.mark.parametrize("file", WRITTEN)
def test_report_is_fresh(file: str) -> None:
    text = (REPORTS / file).read_text(encoding="utf-8")
    found = COMMAND.search(text)
    assert found is not None
    name = found.group(1)
    assert file == f"{name}.md"
    now = reproduce(name).render("markdown") + "\n"
    assert text == now, f"stale: hwnorm reproduce {name} --format markdown -o reports/{file}"
