"""What ``$mem_v2`` can ask of a memory, each in a design of its own that yosys is seen to make so, against Icarus."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gates.designs import Design
from gates.icarus import needs_icarus
from gates.test_against_icarus import compare

from hwnorm.errors import InputError
from hwnorm.gates import Netlist, netlist_of, synthesize

HEAD = """module top(input clk, input arst, input rst, input en, input [3:0] we, input [4:0] a, input [4:0] b,
                 input [4:0] c, input [11:0] d, output reg [11:0] q = 7);
  reg [11:0] m [{low}:{high}]; integer k; initial for (k = {low}; k <= {high}; k = k + 1) m[k] = 37 * k + 3;
"""
INPUTS = {"arst": 1, "rst": 1, "en": 1, "we": 4, "a": 5, "b": 5, "c": 5, "d": 12}
WRITE = "always @(posedge clk) if (we[0]) m[a] <= d;"
FEATURES = {  # text after the head, lowest and highest address, what the memory's parameters must then say
    "asynchronous reset": (
        f"{WRITE} always @(posedge clk or posedge arst) if (arst) q <= 12'hA5C; else if (en) q <= m[b];",
        (0, 31),
        {"RD_ARST_VALUE": "101001011100"},
    ),
    "reset over enable": (
        f"{WRITE} always @(posedge clk) if (rst) q <= 12'hA5C; else if (en) q <= m[b];",
        (0, 31),
        {"RD_SRST_VALUE": "101001011100", "RD_CE_OVER_SRST": "0"},
    ),
    "enable over reset": (
        f"{WRITE} always @(posedge clk) if (en) begin if (rst) q <= 12'hA5C; else q <= m[b]; end",
        (0, 31),
        {"RD_SRST_VALUE": "101001011100", "RD_CE_OVER_SRST": "1"},
    ),
    "transparent": (
        f"{WRITE} reg [4:0] at; always @(posedge clk) at <= b; always @* q = m[at];",
        (0, 31),
        {"RD_TRANSPARENCY_MASK": "1", "RD_CLK_ENABLE": "1"},
    ),
    "the later write wins": (
        "always @(posedge clk) begin if (we[0]) m[a[1:0]] <= d; if (we[1]) m[c[1:0]] <= ~d; q <= m[b[1:0]]; end",
        (0, 3),
        {"WR_PORTS": f"{2:032b}", "WR_PRIORITY_MASK": "0100"},
    ),
    "enables of single bits": (
        "always @(posedge clk) for (k = 0; k < 4; k = k + 1) if (we[k]) m[a][3*k +: 3] <= d[3*k +: 3];"
        "always @(posedge clk) q <= m[b];",
        (0, 31),
        {},
    ),
    "an offset": (f"{WRITE} always @* q = m[b];", (3, 31), {"OFFSET": f"{3:032b}", "RD_CLK_ENABLE": "0"}),
    "falling edges": (
        "always @(negedge clk) if (we[0]) m[a] <= d; always @(negedge clk) if (en) q <= m[b];",
        (0, 31),
        {"WR_CLK_POLARITY": "0", "RD_CLK_POLARITY": "0"},
    ),
    "the same address in all streams": (f"{WRITE} always @(posedge clk) q <= m[b];", (0, 31), {}),
}


@needs_icarus
@pytest.mark.parametrize("feature", list(FEATURES))
def test_against_icarus(feature: str, tmp_path: Path) -> None:
    body, (low, high), parameters = FEATURES[feature]
    design = _Steered(HEAD.format(low=low, high=high) + body + "\nendmodule\n", INPUTS, {"q": 12})
    design.low, design.uniform = low, "same address" in feature
    netlist = netlist_of(design.text, "top")
    memories = [cell for cell in netlist.cells if cell.type == "$mem_v2"]
    assert len(memories) == 1
    for key, wanted in parameters.items():
        assert memories[0].parameters[key] == wanted, key
    compare(netlist, design, tmp_path, 3, [design.text])


class _Steered(Design):
    low, uniform = 0, False

    def stimuli(self, seed: int, cycles: int, streams: int) -> dict[str, np.ndarray]:
        """Addresses that exist (Icarus reads x from the others), often the same for reading and writing. All streams
        go to the same ones for eight cycles, and for eight each its own way: what one way wrote the other reads."""
        found = super().stimuli(seed, cycles, streams)
        random = np.random.default_rng(seed + 1)
        for name in "abc":
            found[name] = np.maximum(found[name], self.low)
        found["b"] = np.where(random.random((cycles, streams)) < 0.3, found["a"], found["b"])
        together = np.arange(cycles) // 8 % 2 == 1
        for name in "abc":
            found[name][together | self.uniform] = found[name][together | self.uniform, :1]
        return found


def test_outside_it_reads_zero_and_writes_nothing() -> None:
    text = """module top(input clk, input we, input [3:0] a, input [3:0] b, input [79:0] d, output [79:0] q);
      reg [79:0] m [2:9]; assign q = m[b]; always @(posedge clk) if (we) m[a] <= d; endmodule"""
    simulation = netlist_of(text, "top").simulator(16, fields={"d": 2, "q": 2})
    each, ones = np.arange(16), np.full((2, 16), (1 << 40) - 1)
    simulation.step({"we": 1, "a": each, "b": 0, "d": ones})
    for b in range(16):  # stream k has written to address k alone
        for address in (b, (each + b) % 16):  # one for all streams, and each its own
            found = simulation.step({"we": 0, "b": address})["q"]
            inside = (each == address) & (each >= 2) & (each <= 9)
            assert (found == np.where(inside, ones, 0)).all()


def test_a_memory_without_a_clock_is_refused() -> None:
    text = """module top(input clk, input we, input [1:0] a, input d, output q);
      reg m [0:3]; assign q = m[a]; always @(posedge clk) if (we) m[a] <= d; endmodule"""
    design = json.loads(synthesize(text, "top"))
    memory = next(cell for cell in design["modules"]["top"]["cells"].values() if cell["type"] == "$mem_v2")
    memory["parameters"]["WR_CLK_ENABLE"] = "0"
    with pytest.raises(InputError, match="memory m: write port 0 has no clock, which makes it a latch"):
        Netlist.from_json(design).simulator(1)


def test_one_word_needs_no_address() -> None:
    text = """module top(input clk, input we, input a, input [7:0] d, output [7:0] q);
      reg [7:0] m [0:1]; assign q = m[a]; always @(posedge clk) if (we) m[a] <= d; endmodule"""
    design = json.loads(synthesize(text, "top"))
    memory = next(cell for cell in design["modules"]["top"]["cells"].values() if cell["type"] == "$mem_v2")
    memory["parameters"].update(ABITS=f"{0:032b}", SIZE=f"{1:032b}", INIT="x" * 8)
    memory["connections"].update(RD_ADDR=[], WR_ADDR=[])
    simulation = Netlist.from_json(design).simulator(3)
    assert (simulation.step({"we": [1, 0, 1], "a": [0, 1, 1], "d": [3, 4, 5]})["q"] == 0).all()
    assert simulation.step({"we": 0})["q"].tolist() == [3, 0, 5]
