"""The papers' figures, as the commands print them."""

from __future__ import annotations

import json
from math import log, pi, sqrt
from typing import Any

import pytest

from hwnorm.errors import InputError
from hwnorm.report.reproduce import NAMES, reproduce
from hwnorm.report.reproduce.result import Reproduction
from hwnorm.report.table import FORMATS

FOUND: dict[str, Reproduction] = {}


def found(name: str) -> Reproduction:
    if name not in FOUND:
        FOUND[name] = reproduce(name)
    return FOUND[name]


def rows(name: str, table: int = 0) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(found(name).tables[table].render("json"))
    return listed


def test_names() -> None:
    assert list(NAMES) == ["fig4", "table4", "table1", "adder-tree", "theorem1"]
    with pytest.raises(InputError, match=r"nothing to reproduce by the name of 'table-4': did you mean 'table4'\?"):
        reproduce("table-4")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_renders(name: str, form: str) -> None:
    text = found(name).render(form)
    assert text.strip()
    match form:
        case "json":
            data = json.loads(text)
            assert (data["schema"], data["name"]) == ("hwnorm.reproduce/1", name)
            assert data["command"] == f"hwnorm reproduce {name}"
            assert all(table["rows"] for table in data["tables"]) and data["findings"]
        case "csv":
            assert text.count("\n\n") == len(found(name).tables) - 1
        case "markdown":
            assert text.startswith(f"# {found(name).title}\n\nMade by `hwnorm reproduce {name} --format markdown`.\n")
            for paragraph in found(name).findings:
                assert paragraph in text
        case _:
            assert text.startswith(found(name).title)
            assert all(len(line) <= 110 for line in text.split("\n\n")[-1].split("\n"))


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("fig4", ["1.5", "0.46667", "3", "0.6", "46.7 %", "3.0 and 60 %", "1.5 + 14 S"]),
        ("table4", ["153", "337", "407", "438", "28", "40"]),
        ("table1", ["2,174", "1,480", "926", "633", "645", "512", "0.31923", "0.31641", "0.2062"]),
        ("adder-tree", ["36.7 %", "0.36725", "18.615", "13.615", "401,408", "35.7 %"]),
        ("theorem1", ["1.2533"]),
    ],
)
@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_papers_figures_are_printed(name: str, figures: list[str], form: str) -> None:
    text = found(name).render(form)
    for figure in figures:
        assert figure in text, figure


def test_fig4_by_network() -> None:
    by_network = rows("fig4")
    assert len(by_network) == 11
    for row in by_network:
        assert row["speedup"] == 1.5
        assert row["power saved"] == pytest.approx(7 / 15)
        assert row["with roots"] == pytest.approx(row["1.5 + 14 S/(N E)"], rel=1e-14)
        assert row["executed speedup"] > 0.9


def test_fig4_by_accounting() -> None:
    readings = {row["accounting"]: (row["speedup"], row["power or energy saved"]) for row in rows("fig4", 1)}
    assert readings["Table IV, root ignored, training"] == (1.5, pytest.approx(7 / 15))
    assert readings["Table IV, root ignored, forward"] == (3.0, pytest.approx(0.6))
    assert readings["Table IV, root ignored, inference"] == (None, None)
    root = 14 * 4048 / (128 * 1_048_576)
    assert readings["Table IV, root included, training"][0] == pytest.approx(1.5 + root)
    assert readings["Table IV, root included, forward"][0] == pytest.approx(3 + 2 * root)
    for bits in (8, 16, 24):  # of the arithmetic L1 saves a third and more, of the whole next to nothing
        arithmetic, on_chip, whole = (
            readings[f"executed, {bits} bits: {what}"][1]
            for what in ("all arithmetic", "and on-chip memory", "and external memory")
        )
        assert arithmetic > 1 / 3 and on_chip < arithmetic / 2 and abs(whole) < 0.03


def test_fig4_journal_by_hand() -> None:
    shared = {row["the journal's claim"]: row["shared work per element"] for row in rows("fig4", 2)}
    c = shared["25 % less time"]
    assert (2 + c) / (3 + c) == pytest.approx(0.75)
    c = shared["25 % more speed (20 % less time)"]
    assert (3 + c) / (2 + c) == pytest.approx(1.25)
    c = shared["37 % less energy"]
    assert (8 + c) / (15 + c) == pytest.approx(0.63)


def test_table4_uses() -> None:
    uses = {(row["norm"], row["pass"]): row for row in rows("table4", 1)}
    assert [uses["l2", "forward"][op] for op in ("sign", "abs", "square", "sqrt")] == ["0", "0", "m", "1"]
    assert [uses["l1", "forward"][op] for op in ("sign", "abs", "square", "sqrt")] == ["0", "m", "0", "0"]
    assert [uses["l1", "backward"][op] for op in ("sign", "abs", "square", "sqrt")] == ["m", "0", "0", "0"]
    assert sum(row["time ns per element"] for (norm, _), row in uses.items() if norm == "l2") == 3
    assert sum(row["power uW per element"] for (norm, _), row in uses.items() if norm == "l1") == 8


def test_table1_shares() -> None:
    shares = {row["network"]: row["printed share of time"] for row in rows("table1")}
    # L1BN Table I
    printed = {"resnet110": 0.319, "densenet100": 0.316, "mobilenet-v1": 0.206}
    assert {name: round(share, 3) for name, share in shares.items()} == printed
    assert all(0 < row["computed share of operations"] < 0.05 for row in rows("table1"))


def test_adder_tree_by_hand() -> None:
    m = 56 * 56 * 128
    for row in rows("adder-tree"):
        assert row["log m / log s - 1"] == pytest.approx(log(m) / log(row["s"]) - 1)
        assert row["ratio really used"] == row["s"] / m
    (printed,) = [row for row in rows("adder-tree") if row["sample"] == "bs 1/32"]
    assert round(printed["log m / log s - 1"], 3) == 0.367
    assert (printed["levels of m"], printed["levels of s"]) == (19, 14)
    assert (round(printed["log2 m"], 1), round(printed["log2 s"], 1)) == (18.6, 13.6)


def test_theorem1() -> None:
    for row in rows("theorem1"):
        ratio, spread = row["std / mean abs, computed"], row["spread over groups"]
        if row["by integration"] is not None:
            assert ratio == pytest.approx(
                row["by integration"], abs=spread / 2 + 1 / 16384
            )  # 64 groups; 1 / m is the bias
    gaussian = rows("theorem1")[0]
    assert gaussian["by integration"] == sqrt(pi / 2)
    assert gaussian["std / mean abs, computed"] == pytest.approx(1.2533, abs=2e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fig4"])
def test_no_figure(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} has no figure to plot"):
        found(name).figure()
