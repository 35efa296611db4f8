"""Times, states and energies of small netlists, worked by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from gates.priced import (
    AXES,
    CLOCK_DELAY,
    CLOCK_ENERGY,
    FLOP_ENERGY,
    IDLE_CLOCK_ENERGY,
    INV_DELAY,
    INV_ENERGY,
    INV_LEAKAGE_NW,
    LIBRARY,
    LOADS,
    NAND_ENERGY,
    PINS,
    SETUP,
    SLEWS,
    VOLTAGE,
    WIRE_PF,
)

from hwnorm.errors import InputError
from hwnorm.gates import Delay, Library, Netlist, States, analyse, energies
from hwnorm.gates.tables import RISE, Table, tables_of

CELLS = Library.from_text(LIBRARY)
HALF = VOLTAGE**2 / 2  # of a change, for each pF


def netlist(
    ports: dict[str, tuple[str, int]], cells: dict[str, tuple[str, dict[str, int]]], library: Library = CELLS
) -> Netlist:
    """Ports of one bit by direction and net, cells by type and pins."""
    shown = {
        name: {"type": kind, "connections": {pin: [net] for pin, net in pins.items()}, "port_directions": _ways(pins)}
        for name, (kind, pins) in cells.items()
    }
    module = {
        "ports": {name: {"direction": way, "bits": [net]} for name, (way, net) in ports.items()},
        "cells": shown,
        "netnames": {name: {"bits": [net]} for name, (_, net) in ports.items()},
    }
    return Netlist.from_json({"modules": {"top": module}}, "top", library)


def _ways(pins: dict[str, int]) -> dict[str, str]:
    return {pin: "output" if pin in ("Y", "Q", "QN") else "input" for pin in pins}


def run(found: Netlist, delay: Delay, **stimuli: list[int]) -> dict[str, Any]:
    """Of each cell its energies, after so many cycles; all registers start at 0."""
    simulation = found.simulator(64, toggles=delay)
    states = States(simulation, every=1)
    for step in range(len(next(iter(stimuli.values())))):
        simulation.step({name: np.full(64, values[step]) for name, values in stimuli.items()})
    return {e.cell.name: e for e in energies(found, analyse(found), simulation.toggles, states)}


PIPELINE = netlist(
    {"clk": ("input", 2), "a": ("input", 3), "y": ("output", 6)},
    {
        "first": ("dff", {"CLK": 2, "D": 3, "Q": 4}),
        "between": ("inv", {"A": 4, "Y": 5}),
        "last": ("dff", {"CLK": 2, "D": 5, "Q": 6}),
    },
)


def test_a_path_from_register_to_register() -> None:
    q, y = PINS["inv"] + WIRE_PF, PINS["D"] + WIRE_PF
    slew = CLOCK_DELAY[0] / 10 + 4 * CLOCK_DELAY[2] * q
    wanted = CLOCK_DELAY[0] + CLOCK_DELAY[2] * q
    wanted += INV_DELAY[0] + INV_DELAY[1] * slew + INV_DELAY[2] * y
    found = analyse(PIPELINE)
    assert found.period_ns == pytest.approx(wanted + SETUP)
    assert (found.path, found.into) == ((4, 5), 6)
    assert found.load_pf[4][RISE] == pytest.approx(q) and found.slew_ns[4] == pytest.approx(slew)
    assert found.load_pf[2][RISE] == pytest.approx(2 * PINS["CLK"])  # a clock's wire is its tree's


def test_an_inverter_between_registers() -> None:
    """a toggles in every cycle from the second on, what the first register shows one cycle later."""
    cycles = 9
    found = run(PIPELINE, Delay.ZERO, a=[k % 2 for k in range(cycles)])
    changes = 64 * (cycles - 2)  # of the inverter's input: a first differs in cycle 1, and is seen one later
    slew = CLOCK_DELAY[0] / 10 + 4 * CLOCK_DELAY[2] * (PINS["inv"] + WIRE_PF)
    inverter, first = found["between"], found["first"]
    assert inverter.switching_pj == pytest.approx(changes * (PINS["inv"] + WIRE_PF) * HALF)
    mean = (INV_ENERGY[0][0] + INV_ENERGY[1][0]) / 2 + 0.1 * slew
    assert inverter.internal_pj == pytest.approx(changes * mean)
    assert inverter.clock_pj == 0
    high = sum([0, 0, 1, 0, 1, 0, 1, 0, 1]) / cycles  # what the register shows
    leakage = high * INV_LEAKAGE_NW["A"] + (1 - high) * INV_LEAKAGE_NW["!A"]
    assert inverter.leakage_uw == pytest.approx(1e-3 * leakage)
    assert first.switching_pj == pytest.approx(64 * (cycles - 1) * (PINS["D"] + WIRE_PF) * HALF)
    assert first.internal_pj == pytest.approx(changes * FLOP_ENERGY)
    changing = (cycles - 1) / cycles  # cycles in which D is not what is kept: all but the first
    each = changing * CLOCK_ENERGY + (1 - changing) * IDLE_CLOCK_ENERGY
    assert first.clock_pj == pytest.approx(64 * 2 * cycles * (PINS["CLK"] * HALF + each))


def test_a_register_that_stands_still_pays_its_clock() -> None:
    found = run(PIPELINE, Delay.ZERO, a=[0] * 5)
    assert found["first"].dynamic_pj == pytest.approx(64 * 10 * (PINS["CLK"] * HALF + IDLE_CLOCK_ENERGY))
    assert found["first"].clock_pj == found["first"].dynamic_pj


NAND = netlist(
    {"clk": ("input", 2), "a": ("input", 3), "b": ("input", 4), "y": ("output", 6)},
    {"gate": ("nand2", {"A": 3, "B": 4, "Y": 5}), "kept": ("dff", {"CLK": 2, "D": 5, "Q": 6})},
)


def test_inputs_share_an_output_by_how_often_it_would_follow_them() -> None:
    """A changes 6 times, B twice; the output would follow A where B is 1, and B where A is."""
    a, b = [0, 1, 0, 1, 0, 1, 0, 0], [0, 0, 1, 1, 1, 1, 0, 0]
    found = run(NAND, Delay.ZERO, a=a, b=b)["gate"]
    by_a, by_b = 6 * sum(b) / 8, 2 * sum(a) / 8
    share = by_a / (by_a + by_b)
    y = [1 - p * q for p, q in zip(a, b, strict=True)]
    changes = sum(p != q for p, q in pairwise(y))
    assert changes == 4
    of_output = changes * (share * NAND_ENERGY["A"] + (1 - share) * NAND_ENERGY["B"])
    of_input = 6 * 0.001 * (1 - sum(b) / 8)  # A changes without effect: its table holds where B is 0
    assert found.internal_pj == pytest.approx(64 * (of_output + of_input))
    assert found.switching_pj == pytest.approx(64 * (6 + 2) * (PINS["nand2"] + WIRE_PF) * HALF)
    assert found.leakage_uw == pytest.approx(2e-3)


def test_a_glitch_is_paid_with_unit_delay_alone() -> None:
    """y = a nand not a is always 1, but for the time that the inverter takes."""
    found = netlist(
        {"clk": ("input", 2), "a": ("input", 3), "y": ("output", 6)},
        {
            "inverter": ("inv", {"A": 3, "Y": 4}),
            "gate": ("nand2", {"A": 3, "B": 4, "Y": 5}),
            "kept": ("dff", {"CLK": 2, "D": 5, "Q": 6}),
        },
    )
    a = [0, 1, 0, 1, 0]
    zero, unit = (run(found, delay, a=a) for delay in Delay)
    assert zero["kept"].switching_pj == 0
    glitches = 2  # when a rises: y falls and rises
    assert unit["kept"].switching_pj == pytest.approx(64 * 2 * glitches * (PINS["D"] + WIRE_PF) * HALF)
    assert unit["gate"].dynamic_pj > zero["gate"].dynamic_pj


def test_what_came_after() -> None:
    simulation = PIPELINE.simulator(64, toggles=Delay.ZERO)
    for value in (0, 1, 0):
        simulation.step({"a": value})
    before = simulation.toggles
    for value in (1, 1, 1):
        simulation.step({"a": value})
    assert (simulation.toggles - before).cycles == 3 * 64
    assert (simulation.toggles - before).by_net()["a"] == 64
    assert (simulation.toggles - before).by_net()["clk"] == 6 * 64


@pytest.mark.parametrize("at", [(0.0, 0.0), (0.4, 0.03), (1.0, 0.1), (2.0, 0.3), (-0.5, 0.05)])
def test_tables_are_linear_between_their_points_and_beyond(at: tuple[float, float]) -> None:
    x, y = at
    plane = Table((0.0, 1.0), (0.0, 0.1), ((3.0, 4.0), (5.0, 6.0)))
    assert plane(x, y) == pytest.approx(3 + 2 * x + 10 * y)


def test_axes_stand_in_either_order() -> None:
    """Some files have the load first."""
    order = "variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;"
    turned = LIBRARY.replace(order, "variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;")
    turned = turned.replace(AXES, 'index_1 ("0, 0.02, 0.1"); index_2 ("0, 0.4, 1");')
    plain, other = (tables_of(Library.from_text(text), "inv").arcs[0].delay[RISE] for text in (LIBRARY, turned))
    assert (plain.first, plain.second) == (other.first, other.second) == (SLEWS, LOADS)
    assert other.values == tuple(zip(*plain.values, strict=True))


def test_a_table_that_was_cut_is_refused() -> None:
    cut = LIBRARY.replace(f'cell_rise (plane) {{ {AXES} values ("', f'cell_rise (plane) {{ {AXES} values ("7, ', 1)
    with pytest.raises(InputError, match=r"priced, cell inv: a cell_rise table of 10 values does not fit its axes"):
        tables_of(Library.from_text(cut), "inv")


def test_units_are_those_of_the_file() -> None:
    text = LIBRARY.replace("capacitive_load_unit (1, pf)", "capacitive_load_unit (10, ff)")
    text = text.replace('time_unit : "1ns"', 'time_unit : "100ps"').replace('"1nW"', '"1pW"')
    found = Library.from_text(text)
    assert found.cells["inv"].capacitance_pf["A"] == pytest.approx((0.01 * PINS["inv"],) * 2)
    assert found.cells["nand2"].leakage_uw == pytest.approx(2e-6)
    arc = tables_of(found, "inv").arcs[0]
    assert arc.delay[RISE](0.0, 0.0) == pytest.approx(0.1 * INV_DELAY[0])
    assert tables_of(found, "nand2").energies[1].rise(0.0, 0.0) == pytest.approx(0.01 * NAND_ENERGY["A"])
    with pytest.raises(InputError, match="its units are not understood"):
        Library.from_text(LIBRARY.replace('"1nW"', '"1 horse"'))


@pytest.mark.parametrize(("first", "second"), [("Q", "QN"), ("QN", "Q")])
def test_a_path_ends_at_the_first_output_that_the_file_names(first: str, second: str) -> None:
    """And not at that which a set has first, another one in every process."""
    q = LIBRARY[LIBRARY.index("pin (Q)") : LIBRARY.rindex("}\n}")]
    both = q.replace("pin (Q)", f"pin ({first})") + q.replace("pin (Q)", f"pin ({second})")
    cells = {"between": ("inv", {"A": 4, "Y": 5}), "one": ("dff", {"CLK": 2, "D": 3, first: 4})}
    cells["last"] = ("dff", {"CLK": 2, "D": 5, second: 6, first: 7})
    found = netlist({"clk": ("input", 2), "a": ("input", 3)}, cells, Library.from_text(LIBRARY.replace(q, both)))
    assert analyse(found).into == 7


def test_a_netlist_of_no_library_has_no_times() -> None:
    with pytest.raises(InputError, match="without a Liberty file"):
        analyse(Netlist.from_json({"modules": {"top": {"ports": {}, "cells": {}, "netnames": {}}}}))


def test_a_loop_cannot_be_timed() -> None:
    loop = netlist(
        {"clk": ("input", 2), "y": ("output", 6)},
        {
            "one": ("inv", {"A": 5, "Y": 4}),
            "two": ("inv", {"A": 4, "Y": 5}),
            "kept": ("dff", {"CLK": 2, "D": 5, "Q": 6}),
        },
    )
    with pytest.raises(InputError, match="combinational loop"):
        analyse(loop)
