"""What is counted beside carry chains, against what nextpnr counts."""

from __future__ import annotations

import pytest

from hwnorm.engine import Engine
from hwnorm.rtl import verilog
from hwnorm.rtl.design import Design
from hwnorm.rtl.engine import EngineBlock
from hwnorm.synth.flow import synthesise
from hwnorm.synth.nextpnr import find_nextpnr

CHAINS = """module chains(input clk, input en, input [{top}:0] a, input [{top}:0] b, input c, output reg [{top}:0] s,
  output reg carry, output reg [{top}:0] d, output reg gt);
  always @(posedge clk) begin
    {{carry, s}} <= a + b + c;
    if (en) d <= a - b;
    gt <= a > b;
  end
endmodule"""


@pytest.mark.parametrize("bits", [7, 8, 16, 17])
def test_chains_in_and_out(bits: int) -> None:
    text = CHAINS.format(top=bits - 1)
    alone, placed = (synthesise(text, "chains", "ecp5", seeds=seeds) for seeds in (0, 1))
    assert alone.resources == placed.resources
    assert "(placement)" not in placed.breakdown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "direction", "length"), [("l1", "forward", {"elements": 48}), ("l2", "backward", {"max_elements": 20})]
)
def test_an_engine_is_counted_as_the_placer_counts_it(norm: str, direction: str, length: dict[str, int]) -> None:
    design = Design(Engine(norm, 6, length.get("elements"), max_elements=length.get("max_elements")), direction, 2)
    text = verilog.text(EngineBlock(design.plan, "engine"), "")
    find_nextpnr("ecp5")
    alone, placed = (synthesise(text, "engine", "ecp5", seeds=seeds) for seeds in (0, 1))
    assert alone.resources == placed.resources
    assert alone.breakdown == placed.breakdown
