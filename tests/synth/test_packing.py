"""The packing pass, proved by simulation, and what it gains."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from ecp5_designs import design, differences, netlist
from thinned import one_in

from hwnorm.synth.flow import synthesise

CARRIES = ("gates_in_carries", "carry_ends", "carry_beginnings")
KINDS = ("bram_output", "dsp_input", "dsp_output", "dsp_pipeline")


@pytest.mark.parametrize("seed", one_in(3, ([seed] for seed in range(6))))
def test_a_packed_netlist_equals_its_rtl(seed: int, tmp_path: Path) -> None:
    verilog, outputs = design(seed)
    found, packed = netlist(verilog, tmp_path)
    assert packed
    assert differences(verilog, found, outputs, tmp_path) == "equal"


@pytest.mark.long
def test_many_packed_netlists_equal_their_rtl(tmp_path: Path) -> None:
    total: Counter[str] = Counter()
    for seed in range(100, 220):
        verilog, outputs = design(seed)
        found, packed = netlist(verilog, tmp_path / str(seed))
        total.update(packed)
        assert differences(verilog, found, outputs, tmp_path / str(seed)) == "equal", f"design({seed})"
    assert min(total[kind] for kind in (*KINDS, *CARRIES, "flip_flops_shared")) > 20, total


def test_the_bench_sees_a_register_that_is_lost(tmp_path: Path) -> None:
    """The planted bug: without it, a bench that compares nothing would pass everything."""
    found, packed = netlist(MULTIPLIER, tmp_path)
    assert packed == Counter(dsp_input=1, dsp_output=1, dsp_pipeline=1, flip_flops_removed=96)
    assert differences(MULTIPLIER, found, 1, tmp_path) == "equal"
    (cell,) = (c for c in found["modules"]["top"]["cells"].values() if c["type"] == "MULT18X18D")
    cell["parameters"]["REG_PIPELINE_CLK"] = "NONE"
    assert differences(MULTIPLIER, found, 1, tmp_path).startswith("o0 differs in cycle")


PORTS = "input clk, input rst, input en, input en2, input [17:0] x, input [17:0] y"
MULTIPLIER = f"""module top({PORTS}, output [39:0] o0);
  reg [15:0] a = 0, b = 0; reg [31:0] m = 0, p = 0;
  always @(posedge clk) begin a <= x; b <= y; m <= a * b; p <= m; end
  assign o0 = p;
endmodule
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("always @(posedge clk) begin if (en) begin a <= x; b <= y; p <= a * b; end end", {"dsp_input", "dsp_output"}),
        ("always @(posedge clk) begin if (en) begin a <= x; b <= y; end p <= a * b; end", {"dsp_input"}),
        ("always @(posedge clk) begin if (en) a <= x; if (en2) b <= y; p <= a * b; end", {"dsp_output"}),
        ("always @(posedge clk) begin a <= x; if (rst) p <= 0; else p <= a * y; end", {"dsp_output"}),
        ("always @(posedge clk) if (rst) p <= 0; else if (en) p <= x * y;", set()),
        ("always @(negedge clk) begin a <= x; b <= y; p <= a * b; end", set()),
        ("always @(posedge clk or posedge rst) if (rst) p <= 0; else p <= x * y;", set()),
        ("initial p = 7; always @(posedge clk) p <= x * y;", set()),
    ],
    ids=[
        "enable",
        "enable before",
        "two enables",
        "reset behind",
        "reset and enable",
        "falling",
        "asynchronous",
        "init 7",
    ],
)
def test_a_multiplier_takes_registers_of_one_control_only(body: str, expected: set[str], tmp_path: Path) -> None:
    registers = "reg [15:0] a, b; reg [31:0] p;"
    verilog = f"module top({PORTS}, output [39:0] o0); {registers} {body} assign o0 = p; endmodule"
    _, packed = netlist(verilog, tmp_path)
    assert {kind for kind in packed if kind in KINDS} == expected


@pytest.mark.parametrize(
    ("read", "behind", "packs"),
    [
        ("r <= m[x[8:0]];", "q <= r;", True),
        ("if (en) r <= m[x[8:0]];", "if (en2) q <= r;", True),
        ("r <= m[x[8:0]];", "if (rst) q <= 0; else q <= r;", False),
        ("if (rst) r <= 0; else r <= m[x[8:0]];", "q <= r;", False),
        ("r <= m[x[8:0]];", "q <= r; s <= r;", True),
        ("r <= m[x[8:0]];", "q <= r; s <= ~r;", False),
    ],
    ids=["plain", "two enables", "reset", "reset inside", "twins", "second user"],
)
def test_a_block_ram_takes_its_only_users(read: str, behind: str, packs: bool, tmp_path: Path) -> None:
    verilog = f"""module top({PORTS}, output [39:0] o0, output [39:0] o1);
  (* no_rw_check, ram_style = "block" *) reg [35:0] m [0:511]; reg [35:0] r, q, s;
  always @(posedge clk) begin m[y[8:0]] <= {{x, y}}; {read} {behind} end
  assign o0 = q; assign o1 = s;
endmodule
"""
    _, packed = netlist(verilog, tmp_path)
    assert (packed["bram_output"] == 1) is packs


def test_a_register_with_other_users_stays_for_them(tmp_path: Path) -> None:
    verilog = MULTIPLIER.replace("assign o0 = p;", "assign o0 = p; assign o1 = a;").replace(
        "o0);", "o0, output [39:0] o1);"
    )
    found, packed = netlist(verilog, tmp_path)
    assert packed["flip_flops_shared"] == 16 and packed["flip_flops_removed"] == 80
    assert differences(verilog, found, 2, tmp_path) == "equal"


def test_packing_twice_changes_nothing_more(tmp_path: Path) -> None:
    from hwnorm.synth.packing import pack

    verilog, _ = design(1)
    found, _ = netlist(verilog, tmp_path)
    assert pack(found["modules"]["top"]) == Counter()


RAM = """module top(input clk, input we, input [8:0] wa, input [8:0] ra, input [35:0] d, output reg [35:0] out);
  (* no_rw_check *) reg [35:0] mem [0:511]; reg [35:0] r, q, d1; reg [8:0] wa1, ra1; reg we1;
  always @(posedge clk) begin
    we1 <= we; wa1 <= wa; ra1 <= ra; d1 <= d;
    if (we1) mem[wa1] <= d1; r <= mem[ra1]; q <= r; out <= q;
  end
endmodule
"""
PRODUCT = """module top(input clk, input [15:0] x, input [15:0] y, output reg [31:0] out);
  reg [15:0] x1, y1, a, b; reg [31:0] m, p;
  always @(posedge clk) begin x1 <= x; y1 <= y; a <= x1; b <= y1; m <= a * b; p <= m; out <= p; end
endmodule
"""


@pytest.mark.slow
@pytest.mark.parametrize(("verilog", "ceiling_mhz"), [(RAM, 480), (PRODUCT, 490)], ids=["bram", "multiplier"])
def test_what_it_gains(verilog: str, ceiling_mhz: float) -> None:
    """From what logic reaches around bare primitives to nearly the primitives' own ceilings (as nextpnr has them)."""
    before, after = (synthesise(verilog, "top", seeds=3, pack=pack).fmax.median for pack in (False, True))
    assert before is not None and after is not None
    assert before < 150 and 0.85 * ceiling_mhz < after
