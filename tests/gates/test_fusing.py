"""Who looks at ports alone sees the same: gates are taken into others only where nobody else reads them."""

from __future__ import annotations

import numpy as np
import pytest
from gates.icarus import cells_as_they_are

from hwnorm.errors import InputError
from hwnorm.gates import Delay, netlist_of

STREAMS, CYCLES = 70, 30
HEAD = "module top(input clk, input a, input b, input c, input d, output y, output q);\n"
READ = "wire t = a & b; assign y = t | c; "
MEMORY = READ + "reg m [0:1]; "
EDGE = "always @(posedge clk) "
TEXTS = {  # an AND that one OR reads, and somebody else
    "a carry": "assign y = (a & b) | (a & c) | (b & c); assign q = a ^ b ^ c;",
    "both pins": "wire t = a & b; assign y = t | t; assign q = (a & b) | (a & b);",
    "an output": "assign q = a & b; assign y = q | c;",
    "a register": f"{READ} reg r = 0; {EDGE} r <= t; assign q = r;",
    "an enable": f"{MEMORY} {EDGE} if (t) m[c] <= d; assign q = m[d];",
    "an address": f"{MEMORY} {EDGE} if (d) m[c] <= a; assign q = m[t];",
    "where it writes": f"{MEMORY} {EDGE} m[t] <= d; assign q = m[c];",
    "what it writes": f"{MEMORY} {EDGE} m[d] <= t; assign q = m[c];",
    "a clocked read": f"{MEMORY} reg r = 0; assign q = r; {EDGE} begin if (d) m[c] <= a; if (t) r <= m[c]; end",
    "a state that is cleared": "reg r = 0; always @(posedge clk, negedge a) if (!a) r <= 0; else r <= b;"
    "assign y = r | (c & d); assign q = b ^ c;",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_ports_are_the_same(text: str) -> None:
    netlist = netlist_of(HEAD + text + "\nendmodule\n", "top", gates=None)
    random = np.random.default_rng(1)
    stimuli = {name: random.integers(0, 2, (CYCLES, STREAMS)) for name in "abcd"}
    found = [netlist.simulator(STREAMS, ports_alone=alone).run(stimuli) for alone in (False, True)]
    assert all((found[0][name] == found[1][name]).all() for name in netlist.outputs)
    assert all(values.any() and not values.all() for values in found[0].values())


def test_what_is_gone_cannot_be_looked_at() -> None:
    netlist = netlist_of(HEAD + TEXTS["a carry"] + "endmodule", "top", gates=None)
    whole, ports = netlist.simulator(8), netlist.simulator(8, ports_alone=True)
    nets = {cell.pins["Y"][0] for cell in netlist.cells}
    gone = [net for net in nets if netlist.program_of_ports.row[net] == netlist.program_of_ports.size]
    assert gone and netlist.program.size == netlist.program_of_ports.size + len(gone)
    assert whole.values(np.array(gone)).shape == (len(gone), 1)
    with pytest.raises(IndexError):
        ports.values(np.array(gone))
    with pytest.raises(ValueError, match="toggles are those of every net"):
        netlist.simulator(8, ports_alone=True, toggles=Delay.ZERO)


def test_a_loop_is_named_whole() -> None:
    text = """module top(input a, input b, output y); wire t;
      \\$_AND_ one(.A(a), .B(y), .Y(t)); \\$_OR_ two(.A(t), .B(b), .Y(y)); endmodule"""
    netlist = cells_as_they_are(text)
    for alone in (False, True):
        with pytest.raises(InputError, match="a combinational loop of 2 cells"):
            netlist.simulator(1, ports_alone=alone)
