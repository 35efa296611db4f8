"""A table in its four formats."""

from __future__ import annotations

import csv
import io
import json

import pytest

from hwnorm.report.table import FORMATS, Table, text

TABLE = Table(
    ("norm", "operations", "share", "form"),
    [["l2", 1234567, 0.5, "one-pass"], ["range", None, 1234567.8, "a|b, c"], ["l1", 0, 1 / 3, None]],
    "A title",
    ("A note.",),
)


def test_aligned() -> None:
    assert TABLE.render("table").split("\n") == [
        "A title",
        "norm   operations      share  form",
        "-----  ----------  ---------  --------",
        "l2      1,234,567        0.5  one-pass",
        "range           -  1,234,568  a|b, c",
        "l1              0    0.33333  -",
        "A note.",
    ]


def test_markdown() -> None:
    assert TABLE.render("markdown").split("\n") == [
        "**A title**",
        "",
        "| norm | operations | share | form |",
        "| --- | ---: | ---: | --- |",
        "| l2 | 1,234,567 | 0.5 | one-pass |",
        "| range | - | 1,234,568 | a\\|b, c |",
        "| l1 | 0 | 0.33333 | - |",
        "",
        "A note.",
    ]


def test_csv_has_full_digits_and_quotes() -> None:
    lines = list(csv.reader(io.StringIO(TABLE.render("csv"))))
    assert lines[0] == ["norm", "operations", "share", "form"]
    assert lines[1:3] == [["l2", "1234567", "0.5", "one-pass"], ["range", "", "1234567.8", "a|b, c"]]
    assert float(lines[3][2]) == 1 / 3
    assert lines[3][3] == ""


def test_json_is_a_list_of_rows() -> None:
    rows = json.loads(TABLE.render("json"))
    assert rows[0] == {"norm": "l2", "operations": 1234567, "share": 0.5, "form": "one-pass"}
    assert rows[1]["operations"] is None and rows[2]["share"] == 1 / 3


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows(form: str) -> None:
    empty = Table(("a", "b"), [])
    assert empty.render(form).split("\n")[0] in ("a  b", "[]", "a,b", "| a | b |")


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_row_is_a_line_whatever_is_in_it(form: str) -> None:
    table = Table(("name", "size"), [["conv\n1\r\x1b[2J\udcff", 1], ["ü|漢", 2]])
    *_, first, second = table.render(form).split("\n")
    assert r"conv\n1\r\x1b[2J\udcff" in first and "漢" in second


def test_no_line_ends_in_a_space() -> None:
    assert all(line == line.rstrip() for line in TABLE.render("table").split("\n"))


def test_columns_of_different_length_are_a_fault() -> None:
    for form in ("table", "json"):
        with pytest.raises((ValueError, IndexError)):
            Table(("a", "b"), [[1]]).render(form)


def test_unknown_format() -> None:
    with pytest.raises(ValueError, match="format must be table, json, csv, markdown, not 'html'"):
        TABLE.render("html")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, "-"),
        ("", ""),
        (True, "True"),
        (0, "0"),
        (-1234, "-1,234"),
        (0.0, "0"),
        (1.5, "1.5"),
        (0.4666666, "0.46667"),
        (1e-9, "1e-09"),
        (99999.4, "99999"),
        (123456.7, "123,457"),
        (-0.01176, "-0.01176"),
    ],
)
def test_cells(cell: str | float | None, shown: str) -> None:
    assert text(cell) == shown
