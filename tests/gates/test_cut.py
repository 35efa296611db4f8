"""What is cut off a netlist, and what cannot be cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwnorm.errors import InputError
from hwnorm.gates import Netlist, netlist_of
from hwnorm.gates.clauses import Circuit
from hwnorm.gates.cut import Cut
from hwnorm.gates.unrolling import Unrolling

HEAD = "module top(input c1, input c2, input r, input [1:0] we, input [2:0] a, input [3:0] d, output reg [3:0] q = 0);"
MEMORY = "reg [3:0] m [0:7];"
REFUSED = {
    "two clocks": "reg [3:0] p = 0; always @(posedge c1) p <= d; always @(posedge c2) q <= p;",
    "a memory's is another": f"{MEMORY} always @(posedge c1) q <= m[a]; always @(posedge c2) if (we[0]) m[a] <= d;",
    "an asynchronous reset": "always @(posedge c1 or posedge r) if (r) q <= 0; else q <= d;",
    "a memory's": f"{MEMORY} always @(posedge c1) if (we[0]) m[a] <= d;"
    "always @(posedge c1 or posedge r) if (r) q <= 0; else q <= m[a];",
}


@pytest.mark.parametrize("of", [lambda n: Circuit(n, {}), lambda n: Unrolling(n, [])], ids=["circuit", "unrolling"])
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_has_no_one_clock_is_refused(text: str, of: Callable[[Netlist], object]) -> None:
    with pytest.raises(InputError, match=r"^top: only a design with one clock and no asynchronous reset can be proven"):
        of(netlist_of(f"{HEAD} {text} endmodule", "top", gates=None))


def test_what_a_memory_reads_comes_in_and_what_it_is_given_is_told() -> None:
    """Data bits matter with their own enables, an address with any of those."""
    text = f"""{HEAD} {MEMORY} integer k; always @(posedge c1) begin
      for (k = 0; k < 2; k = k + 1) if (we[k]) m[a][2*k +: 2] <= d[2*k +: 2];
      if (r) q <= m[a]; end endmodule"""
    netlist = netlist_of(text, "top", gates=None)
    (memory,) = (cell for cell in netlist.cells if cell.type == "$mem_v2")
    cut, enables = Cut(netlist), memory.pins["WR_EN"]
    assert len(set(enables)) == 2 and len(memory.pins["RD_DATA"]) == 4
    assert cut.inputs == [net for name, nets in netlist.inputs.items() if name != "c1" for net in nets]
    assert {(net, 1) for net in (*enables, *memory.pins["RD_EN"], *memory.pins["RD_SRST"])} <= set(cut.told)
    assert {(net, memory.pins["RD_EN"][0]) for net in memory.pins["RD_ADDR"]} <= set(cut.told)
    assert set(zip(memory.pins["WR_DATA"], enables, strict=True)) <= set(cut.told)
    assert {(net, enable) for net in memory.pins["WR_ADDR"] for enable in enables} <= set(cut.told)
    circuit, unrolling = Circuit(netlist, {}), Unrolling(netlist, [])
    assert circuit.inputs == cut.inputs and circuit.states == list(memory.pins["RD_DATA"])
    assert unrolling.inputs == [*cut.inputs, *memory.pins["RD_DATA"]] and unrolling.states == []
    assert all(unrolling.told[net] == 1 for net in memory.pins["WR_ADDR"])
