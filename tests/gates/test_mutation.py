"""Faults: what can be seen is seen, what cannot is not, and each stands in its own stream."""

from __future__ import annotations

import numpy as np
import pytest
from gates.test_toggles import cell, module, port

from hwnorm.gates import Mode, Netlist, mutants, mutated, netlist_of, survivors

ACCUMULATOR = """module adder(input [7:0] a, input [7:0] b, output [7:0] y);
  assign y = a + b;
endmodule
module top(input clk, input clear, input en, input [7:0] x, output reg [7:0] sum = 0);
  wire [7:0] next;
  adder add(sum, x, next);
  always @(posedge clk) if (clear) sum <= 0; else if (en) sum <= next;
endmodule"""


@pytest.fixture(scope="module")
def accumulator() -> Netlist:
    return netlist_of(ACCUMULATOR, "top", by_instance=True)


def stimuli(cycles: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    return {
        "clear": random.random((cycles, 1)) < 0.1,
        "en": random.random((cycles, 1)) < 0.7,
        "x": random.integers(0, 256, (cycles, 1)),
    }


def test_all_faults_of_an_accumulator_are_killed(accumulator: Netlist) -> None:
    """Every net of it matters and can be set: no fault is equivalent, but those that say the same of a reset."""
    faults = mutants(accumulator, 10_000, seed=1)
    assert len(faults) == len(set(faults)) > 300
    assert {fault.mode for fault in faults} == set(Mode)
    left = survivors(accumulator, faults, stimuli(400))
    assert left == []


def test_a_weak_stimulus_leaves_some(accumulator: Netlist) -> None:
    faults = mutants(accumulator, 200, seed=1)
    zeros = {name: np.zeros((50, 1), np.int64) for name in ("clear", "en", "x")}
    assert 50 < len(survivors(accumulator, faults, zeros)) < 200


def test_faults_say_where_they_are(accumulator: Netlist) -> None:
    faults = mutants(accumulator, 10_000)
    assert {fault.instance for fault in faults} == {"", "add"}
    assert all(fault.src.startswith("design:") for fault in faults)
    assert all(" at " in str(fault) and fault.name in str(fault) for fault in faults)
    first = mutants(accumulator, len(accumulator.cells))
    assert len({fault.cell for fault in first}) == len(accumulator.cells), "each cell once before any twice"
    assert mutants(accumulator, 20, seed=3) == mutants(accumulator, 20, seed=3) != mutants(accumulator, 20, seed=4)


def test_an_equivalent_fault_survives() -> None:
    """y = a | (a & b) is a, whatever b is: nobody can tell the AND stuck at 0. Stuck at 1 they can."""
    redundant = module(
        {"a": port("input", 2), "b": port("input", 3), "y": port("output", 5)},
        {"and": cell("$_AND_", A=2, B=3, Y=4), "or": cell("$_OR_", A=2, B=4, Y=5)},
        {"a": 2, "b": 3},
    )
    netlist = Netlist.from_json(redundant)
    all_inputs = {"a": np.array([[0], [1], [0], [1]]), "b": np.array([[0], [0], [1], [1]])}
    faults = mutants(netlist, 100)
    left = {(fault.name, fault.pin, fault.mode) for fault in survivors(netlist, faults, all_inputs)}
    assert ("and", "Y", Mode.CONST0) in left and ("and", "B", Mode.INV) in left
    assert ("and", "Y", Mode.CONST1) not in left and ("or", "Y", Mode.INV) not in left


@pytest.mark.parametrize("mode", list(Mode))
def test_a_fault_is_in_its_stream_alone(mode: Mode, accumulator: Netlist) -> None:
    fault = next(f for f in mutants(accumulator, 10_000) if f.mode is mode and f.type == "$_XOR_")
    other = next(f for f in mutants(accumulator, 10_000) if f.mode is mode and f.cell != fault.cell)
    drive = {name: np.repeat(values, 130, axis=-1) for name, values in stimuli(60).items()}
    sound = accumulator.simulator(130).run(drive)["sum"]
    found = mutated(accumulator, [other, fault]).simulator(130).run(drive)["sum"]
    assert (found[:, 2:] == sound[:, 2:]).all()
    assert (found[:, 1] != sound[:, 1]).any()
    alone = mutated(accumulator, [fault]).simulator(130).run(drive)["sum"]
    assert (alone[:, 0] == found[:, 1]).all()


def test_several_faults_on_one_bit() -> None:
    """a and b are 1: the AND inverted, stuck at 0, stuck at 1, and its first pin inverted and stuck at 0."""
    single = module(
        {"a": port("input", 2), "b": port("input", 3), "y": port("output", 4)},
        {"and": cell("$_AND_", A=2, B=3, Y=4)},
        {},
    )
    netlist = Netlist.from_json(single)
    wanted = [("Y", Mode.INV), ("Y", Mode.CONST0), ("Y", Mode.CONST1), ("A", Mode.INV), ("A", Mode.CONST0)]
    known = {(fault.pin, fault.mode): fault for fault in mutants(netlist, 100)}
    simulation = mutated(netlist, [known[key] for key in wanted]).simulator(6)
    assert simulation.step({"a": 1, "b": 1})["y"].tolist() == [0, 0, 1, 0, 0, 1]
    assert simulation.step({"a": 0, "b": 1})["y"].tolist() == [1, 0, 1, 1, 0, 0]


def test_a_memory_has_faults_too() -> None:
    text = """module top(input clk, input we, input [2:0] a, input [3:0] d, output [3:0] q);
      reg [3:0] m [0:7]; assign q = m[a]; always @(posedge clk) if (we) m[a] <= d; endmodule"""
    netlist = netlist_of(text, "top")
    faults = [fault for fault in mutants(netlist, 1000) if fault.type == "$mem_v2"]
    assert {fault.pin for fault in faults} >= {"RD_ADDR", "RD_DATA", "WR_ADDR", "WR_DATA"}
    random = np.random.default_rng(0)
    drive = {name: random.integers(0, high, (300, 1)) for name, high in (("we", 2), ("a", 8), ("d", 16))}
    left = survivors(netlist, faults, drive)
    assert [fault for fault in left if fault.pin in ("RD_DATA", "WR_DATA")] == []
