"""Multipliers, adders, comparators and memory as the plan predicts them, beside what yosys finds before mapping."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwnorm.engine import Engine
from hwnorm.norms.catalog import CATALOG
from hwnorm.rtl import verilog
from hwnorm.rtl.design import Design
from hwnorm.rtl.engine import EngineBlock
from hwnorm.rtl.inventory import inventory
from hwnorm.synth.yosys import find_yosys

LANES, ELEMENTS = 4, 16  # a multiple: no lane is ever left out, which would be compared
ARITHMETIC = ("$add", "$sub", "$neg", "$gt", "$ge", "$lt", "$le", "$eq", "$ne")
SAME_AS = {"l2": ("-bs", "-fs", "-vdn"), "l1": ("-bs", "-fs", "-vdn"), "range": ("-bs", "-fs", "-vdn")}


def designs() -> Iterator[tuple[str, Design]]:
    for name, norm in CATALOG.items():
        if name.endswith(SAME_AS.get(name.split("-")[0], ())) and "-" in name:
            continue  # the graph of -ns, to the node
        for form in norm.forms:
            engine = Engine(name, 8, ELEMENTS, form=form)
            for direction in engine.directions:
                yield f"{name}_{form}_{direction}".replace("-", "_"), Design(engine, direction, LANES, apply="multiply")
    for name, direction in (("l1", "forward"), ("l2", "inference")):
        yield f"{name}_{direction}_table", Design(Engine(name, 8, ELEMENTS), direction, LANES, apply="table")


def found_by_yosys(folder: Path, names: list[str]) -> dict[str, dict[str, Counter[str]]]:
    """Cells of every module of every design, and bits of memory as the cell ``memory``."""
    script = []
    for name in names:
        script += [f"read_verilog {name}.v", f"hierarchy -top {name}", "proc", "memory_collect", "opt_clean"]
        script += [f"write_json {name}.json", "design -reset"]
    find_yosys().run("\n".join(script), folder)
    found = {}
    for name in names:
        modules = json.loads((folder / f"{name}.json").read_text())["modules"]
        found[name] = {m: cells(module) for m, module in modules.items()}
    return found


def cells(module: dict[str, dict[str, dict[str, str | dict[str, str]]]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for cell in module["cells"].values():
        kind, parameters = cell["type"], cell["parameters"]
        total[str(kind)] += 1
        if kind == "$mem_v2":
            assert isinstance(parameters, dict)
            total["memory"] += int(parameters["SIZE"], 2) * int(parameters["WIDTH"], 2)
    return total


def whole(modules: dict[str, Counter[str]], top: str) -> Counter[str]:
    """A module with all that it holds."""
    total: Counter[str] = Counter()
    for kind, number in modules[top].items():
        if kind in modules:
            total += Counter({k: n * number for k, n in whole(modules, kind).items()})
        else:
            total[kind] += number
    return total


@pytest.mark.slow
def test_the_plan_is_what_yosys_finds(tmp_path: Path) -> None:
    wanted = dict(designs())
    for name, design in wanted.items():
        (tmp_path / f"{name}.v").write_text(verilog.text(EngineBlock(design.plan, name), name))
    wrong = []
    for name, modules in found_by_yosys(tmp_path, list(wanted)).items():
        top, design = modules[name], wanted[name]
        sweeps = sum((whole(modules, m) for m in top if m.startswith(f"{name}_sweep_")), Counter())
        assert whole(modules, name)["$mul"] == sweeps["$mul"]  # none in the scalar stages
        predicted = inventory(design.plan)
        found = {
            "multipliers": sweeps["$mul"],
            "adders and comparators": sum(sweeps[kind] for kind in ARITHMETIC),
            "memory_bits": whole(modules, name)["memory"],
        }
        predicted["adders and comparators"] = predicted.pop("adders") + predicted.pop("comparators")
        if design.plan.tabulated:  # it counts and addresses, which is nobody's arithmetic
            found["adders and comparators"] = predicted["adders and comparators"]
        if found != predicted:
            wrong.append((name, predicted, found))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("norm", ["l1", "layer-l1", "range"])
def test_l1_statistics_use_no_multiplier(norm: str) -> None:
    """The sweeps before the last one: nothing but comparators and adders."""
    plan = Design(Engine(norm, 8, ELEMENTS), "forward", LANES).plan
    last = plan.sweeps.pop()
    assert inventory(plan)["multipliers"] == 0
    plan.sweeps.append(last)
