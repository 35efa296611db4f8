"""A verdict with a limit is the same in every run only where the same literals and clauses are made in the same order:
nothing may depend on the order of a set of names, which differs from process to process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwnorm.gates import synthesize

pytest.importorskip("pysat", reason="python-sat was not found: pip install python-sat")

# Two words that come together and two that do not; an operand that is copied at three depths.
BLOCK = """module block(input clk, input valid, input first, input [1:0] m, input [1:0] k, input e, input g, input q_in,
  output y);
  reg first_0 = 0, first_1 = 0, q_at_0 = 0, q_at_1 = 0, q_at_2 = 0, t = 0;
  assign y = t;
  always @(posedge clk) begin
    first_0 <= valid & first; first_1 <= first_0;
    if (valid & first) q_at_0 <= q_in;
    if (first_0) q_at_1 <= q_in;
    if (first_1) q_at_2 <= q_in;
    t <= ^{m, k, e, g} ^ (q_at_0 & q_at_1 & q_at_2);
  end
endmodule
module top(input clk, input valid, input first, input [1:0] m, input [1:0] k, input e, input g, input q_in, output y);
  block sweep_1(.clk(clk), .valid(valid), .first(first), .m(m), .k(k), .e(e), .g(g), .q_in(q_in), .y(y));
endmodule"""
WINDOW = """
import sys
from pathlib import Path
from hwnorm.check.proof import Layers, Range
from hwnorm.check.window_proof import Operand, Window, WindowProof
from hwnorm.gates import Netlist

copies = {"sweep_1.q_at_0": "", "sweep_1.q_at_1": "sweep_1.first_0", "sweep_1.q_at_2": "sweep_1.first_1"}
layer = Layers({name: name for name in "megk"}, [{"m": 1, "k": 2}, {"m": 2, "k": 0}, {"m": 3, "k": 3}])
window = Window(3, {"y": ""}, layer, {"q_in": Operand(Range(1, 1), copies)})
proof = WindowProof(Netlist.from_json(Path(sys.argv[1]), "top"), "sweep_1", [], window)
print(proof.literals.below(range(1, proof.literals.fresh())), proof.assumed)
"""
# Of three registers in a ring one is on: that a fault is harmless rests on several lemmas.
RING = """module top(input clk, input go, output never);
  reg [2:0] at = 1; reg last = 0;
  assign never = (at[0] & at[1]) | (at[1] & at[2]) | (at[0] & at[2] & last);
  always @(posedge clk) begin if (go) at <= {at[1:0], at[2]}; last <= at[2]; end
endmodule"""
INDUCTION = """
import sys
from pathlib import Path
import numpy as np
from hwnorm.check.equivalence import Equivalence
from hwnorm.check.observed import Observed
from hwnorm.gates import Netlist, clauses, mutants
from hwnorm.gates.parts import parts_of

told, made = [], clauses.solver

class Heard:
    def __init__(self, name):
        self._solver = made(name)
    def __getattr__(self, name):
        return getattr(self._solver, name)
    def add_clause(self, clause):
        told.append(clause)
        self._solver.add_clause(clause)

clauses.solver = Heard
netlist = Netlist.from_json(Path(sys.argv[1]), "top")
simulation = netlist.simulator(64)
nets, states, random = np.array(clauses.states_of(parts_of(netlist))), [], np.random.default_rng(0)
for _ in range(20):
    simulation.drive({"go": random.integers(0, 2, 64)})
    simulation.evaluate()
    states.append(simulation.values(nets)[:, 0])
    simulation.clock()
faults = [fault for fault in mutants(netlist, 100) if fault.type != "$_DFF_P_"]
equivalence = Equivalence(netlist, {}, Observed(np.array(states).T.copy(), [{} for _ in faults]))
verdicts = [equivalence.verdict(number, fault) for number, fault in enumerate(faults)]
assert verdicts.count("proven") > 3
print(verdicts, told)
"""


@pytest.mark.parametrize(("text", "script"), [(BLOCK, WINDOW), (RING, INDUCTION)], ids=["window", "induction"])
def test_literals_and_clauses_come_in_the_same_order(text: str, script: str, tmp_path: Path) -> None:
    path = tmp_path / "netlist.json"
    path.write_bytes(synthesize(text, "top", by_instance=True))
    found = [
        subprocess.run(
            [sys.executable, "-c", script, str(path)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "012"
    ]
    assert found[0] and found[0] == found[1] == found[2]
