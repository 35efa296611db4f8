"""Table IV of today from measurements that are made up: every ratio by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hwnorm.cost.measure import Operation, Point
from hwnorm.report.reproduce import table4_today

FPGA = {
    ("l2", "forward"): ({"lut": 1000, "ff": 2000, "dsp": 8, "bram": 2}, (200.0, 190.0, 220.0)),
    ("l2", "backward"): ({"lut": 2000, "ff": 3000, "dsp": 16, "bram": 2}, (180.0, 170.0, 190.0)),
    ("l1", "forward"): ({"lut": 900, "ff": 2200, "dsp": 0, "bram": 3}, (240.0, 230.0, 250.0)),
    ("l1", "backward"): ({"lut": 1500, "ff": 2400, "dsp": 8, "bram": 2}, (210.0, 200.0, 225.0)),
}
CELLS = {
    ("l2", "forward"): ({"area_um2": 4e5, "ff": 2000, "macro_bits": 100, "energy_pj_per_element": 200.0}, (400.0,)),
    ("l2", "backward"): ({"area_um2": 6e5, "ff": 3000, "macro_bits": 100, "energy_pj_per_element": 300.0}, (300.0,)),
    ("l1", "forward"): ({"area_um2": 3e5, "ff": 2200, "macro_bits": 150, "energy_pj_per_element": 150.0}, (420.0,)),
    ("l1", "backward"): ({"area_um2": 4e5, "ff": 2500, "macro_bits": 100, "energy_pj_per_element": 200.0}, (330.0,)),
}
PRICES = {"sign": 2.0, "abs": 5.0, "square": 20.0, "root": 100.0, "reciprocal": 200.0}


def made_up(monkeypatch: pytest.MonkeyPatch, target: str, figures: dict[Any, Any], priced: bool) -> Any:
    def engines(experiments: Any, *_: Any) -> list[Point]:
        rows = [(e, *figures[e.norm, e.direction]) for e in experiments]
        return [Point(e, totals, {}, mhz) for e, totals, mhz in rows]

    def operations(_: Any, widths: Any, *__: Any) -> list[Operation]:
        totals: dict[str, float] = {"ff": 10, "area_um2": 50.0} if priced else {"ff": 10, "lut": 5, "dsp": 0}
        return [
            Operation(name, bits, 10 if name == "root" else 1, 5 if name == "root" else 1, totals, 500.0, price)
            for name, price in ((name, PRICES[name] if priced else None) for name in PRICES)
            for bits in widths
        ]

    monkeypatch.setattr(table4_today, "measure_all", engines)
    monkeypatch.setattr(table4_today, "measure_operators", operations)
    return table4_today.build(target, 3, bits=(8,), widths=(16,))


def rows(table: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(table.render("json"))
    return found


def test_an_fpga(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made_up(monkeypatch, "ecp5", FPGA, priced=False)
    both = rows(found.tables[2])[2]
    assert both["pass"] == "both"
    assert both["l1 faster by"] == round(210 / 180, 2)  # the slower engine of each
    assert (both["at least"], both["at most"]) == (round(200 / 190, 2), round(225 / 170, 2))
    assert both["lut saved %"] == 20.0 and both["dsp saved %"] == round(100 * (1 - 8 / 24), 1)
    assert "1.17" in found.findings[0] and "20 % of the LUTs" in found.findings[0]
    assert "energy" not in found.findings[0]
    root = next(r for r in rows(found.tables[0]) if r["operation"] == "root" and r["operands"] == "16 bits")
    assert (root["ns a result"], root["ns to the result"]) == (10.0, 20.0)  # 5 and 10 cycles of 2 ns


def test_standard_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made_up(monkeypatch, "osu018", CELLS, priced=True)
    forward, backward, both = rows(found.tables[2])
    assert forward["pJ an element saved %"] == 25.0
    assert backward["pJ an element saved %"] == round(100 / 3, 1)
    assert both["pJ an element saved %"] == 30.0 and both["area um2 saved %"] == 30.0
    assert both["l1 faster by"] == 1.1
    assert "Of its 50 % of power 30 % of the energy an element is left" in found.findings[0]
    assert "65 % at 16 bits" in found.findings[-1]  # 1 - (2 + 5) / 20
    root = next(r for r in rows(found.tables[0]) if r["operation"] == "root" and r["operands"] == "16 bits")
    assert root["power uW"] == 100.0 / 5 * 100  # pJ a result, every fifth cycle of 100 MHz


def test_the_papers_rows_stand_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = [r for r in rows(made_up(monkeypatch, "ecp5", FPGA, priced=False).tables[0]) if "paper" in r["operands"]]
    assert [(r["operation"], r["registers"], r["ns to the result"], r["power uW"]) for r in printed] == [
        ("sign", 153, 1, 2),
        ("abs", 337, 1, 6),
        ("square", 407, 3, 15),
        ("sqrt", 438, 28, 40),
    ]
