"""Memories and multipliers as yosys maps them: predicted, then synthesised."""

from __future__ import annotations

from itertools import product

import pytest
from thinned import one_in

from hwnorm.cost.blocks import FAMILIES, mapped, sliced
from hwnorm.synth.flow import synthesise

MEMORY = """module memory(input clk, input we, input [{address}:0] wa, input [{address}:0] ra, input [{top}:0] d,
  output {kind} [{top}:0] q);
  (* no_rw_check *) reg [{top}:0] store [0:{last}];
  always @(posedge clk) if (we) store[wa] <= d;
  {read}
endmodule"""
PRODUCT = """module product(input clk, input signed [{a}:0] a, input signed [{b}:0] b, output reg signed [{y}:0] p);
  reg signed [{a}:0] x; reg signed [{b}:0] y;
  always @(posedge clk) begin x <= a; y <= b; p <= x * y; end
endmodule"""
TARGETS = ("ecp5", "xilinx", "ice40-up5k")
FACTORS = [(2, 2), (4, 4), (4, 5), (8, 8), (13, 8), (18, 17), (19, 8), (26, 18), (29, 20)]
QUEUES = [(8, 5), (16, 33), (32, 165), (64, 20)]
SIZES = [(16, 9), (32, 37), (64, 12), (64, 40), (128, 32), (128, 130), (512, 8), (512, 72), (1536, 20), (4608, 33)]


# Not a memory in flip-flops of ice40-up5k: it takes yosys its time, and has no block to count.
@pytest.mark.parametrize(
    ("target", "words", "width"),
    one_in(
        7,
        (
            (target, *size)
            for target, size in product(TARGETS, SIZES)
            if target != "ice40-up5k" or mapped(FAMILIES[target], *size).kind != "registers"
        ),
    ),
)
def test_block_rams(target: str, words: int, width: int) -> None:
    read = "always @(posedge clk) q <= store[ra];"
    text = MEMORY.format(address=(words - 1).bit_length() - 1, top=width - 1, last=words - 1, kind="reg", read=read)
    found = synthesise(text, "memory", target, seeds=0)
    said = mapped(FAMILIES[target], words, width)
    assert found.resources.bram == (said.cells if said.kind == "block" else 0)


@pytest.mark.parametrize(("target", "words", "width"), one_in(5, ((t, *size) for t, size in product(TARGETS, QUEUES))))
def test_queues_are_asked_for_as_blocks(target: str, words: int, width: int) -> None:
    read = "always @(posedge clk) q <= store[ra];"
    kind = '(* ram_style = "block" *)'
    text = MEMORY.format(address=(words - 1).bit_length() - 1, top=width - 1, last=words - 1, kind="reg", read=read)
    found = synthesise(text.replace("(* no_rw_check *)", f"(* no_rw_check *) {kind}"), "memory", target, seeds=0)
    said = mapped(FAMILIES[target], words, width, block=True)
    assert said.kind == "block" and found.resources.bram == said.cells


# Not two factors that are both too wide for xilinx: yosys slices them its own way there, and no engine has them.
@pytest.mark.parametrize(
    ("target", "a", "b"),
    one_in(7, ((t, *ab) for t, ab in product(TARGETS, FACTORS) if (t, *ab) != ("xilinx", 29, 20))),
)
def test_multipliers(target: str, a: int, b: int) -> None:
    found = synthesise(PRODUCT.format(a=a - 1, b=b - 1, y=a + b - 1), "product", target, seeds=0)
    assert found.resources.dsp == sliced(FAMILIES[target], a, b).blocks
