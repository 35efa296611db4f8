"""Faults that are known to change nothing are proven, those that do never are: exhaustive for a small machine."""

from __future__ import annotations

import numpy as np
import pytest

from hwnorm.check.equivalence import PROVEN, Equivalence
from hwnorm.check.observed import Observed
from hwnorm.gates import Mutant, Netlist, mutants, mutated, netlist_of
from hwnorm.gates.clauses import states_of
from hwnorm.gates.lanes import Words
from hwnorm.gates.parts import parts_of

pytest.importorskip("pysat", reason="python-sat was not found: pip install python-sat")

# Of four states in a ring, one bit each, exactly one is on; what a carries is taken over in a cycle that is known.
RING = """module top(input clk, input rst, input go, input d, output q, output valid, output never);
  reg [3:0] at = 1; reg a = 0, b = 0;
  wire [3:0] next = {at[2:0], at[3]};
  assign valid = at[3];
  assign q = b;
  assign never = at[0] & at[2];
  always @(posedge clk) begin
    if (rst) at <= 1; else if (go) at <= next;
    if (rst) a <= 0; else if (at[1]) a <= d;
    if (at[2] & go) b <= a;
  end
endmodule"""
CYCLES, STREAMS = 200, 64
PROMISED = {"q": "valid"}


@pytest.fixture(scope="module")
def ring() -> Netlist:
    return netlist_of(RING, "top", gates=None)


def runs(netlist: Netlist, faults: list[Mutant]) -> tuple[Observed, list[bool]]:
    """All side by side under the same inputs; and of each fault whether it was seen, valid data only."""
    random, words = np.random.default_rng(0), len(faults) + 1
    simulation = mutated(netlist, [f for f in faults for _ in range(STREAMS)]).simulator(STREAMS * words)
    nets = np.array(states_of(parts_of(simulation.netlist)))
    states: list[Words] = []
    seen = np.zeros(words, bool)
    for _ in range(CYCLES):
        drive = {name: random.random(STREAMS) < often for name, often in (("rst", 0.1), ("go", 0.7), ("d", 0.5))}
        simulation.drive({name: np.tile(value, words) for name, value in drive.items()})
        simulation.evaluate()
        states.append(simulation.values(nets))
        valid = simulation.slices("valid")[0]
        shown = np.array([valid, simulation.slices("never")[0], simulation.slices("q")[0] & valid])
        seen |= (shown != shown[:, -1:]).any(axis=0)
        simulation.clock()
    every = np.array(states).transpose(2, 1, 0)
    apart = [word ^ every[-1] for word in every[:-1]]
    differing = [{k: row[k] for k in np.flatnonzero(row.any(axis=1)).tolist()} for row in apart]
    return Observed(every[-1], differing), seen[:-1].tolist()


def test_what_is_proven_is_never_seen(ring: Netlist) -> None:
    """The machine is so small that 12,800 cycles reach all that can be. Not proven is that b may always follow a: while
    at[3] waits they are equal, which takes three values to say."""
    faults = mutants(ring, 1000)
    observed, seen = runs(ring, faults)
    equivalence = Equivalence(ring, PROMISED, observed)
    verdicts = [equivalence.verdict(number, fault) for number, fault in enumerate(faults)]
    proven = {k for k, verdict in enumerate(verdicts) if verdict == PROVEN}
    harmless = {k for k, found in enumerate(seen) if not found}
    assert proven < harmless and len(harmless) == 9 and len(faults) > 80
    assert {observed_name(ring, observed, k) for k in harmless - proven} == {"b"}
    assert {observed_name(ring, observed, k) for k in proven} == {"", "a", "b"}


def observed_name(ring: Netlist, observed: Observed, number: int) -> str:
    """Of the register in which the fault was there, though nobody saw it."""
    states = states_of(parts_of(ring))
    return ", ".join(ring.net_name(states[k]) for k in observed.differing[number])


def test_a_verdict_does_not_rest_on_what_was_observed(ring: Netlist) -> None:
    """Nothing was simulated but power-on: everything looks constant, and nothing harmful is proven."""
    faults = mutants(ring, 1000)
    _, seen = runs(ring, faults)
    nothing = np.zeros((len(states_of(parts_of(ring))), 1), np.uint64)
    equivalence = Equivalence(ring, PROMISED, Observed(nothing, [{} for _ in faults]))
    verdicts = [equivalence.verdict(number, fault) for number, fault in enumerate(faults)]
    assert [str(f) for f, found, v in zip(faults, seen, verdicts, strict=True) if found and v == PROVEN] == []


def test_no_time_is_no_proof(ring: Netlist) -> None:
    faults = mutants(ring, 1000)
    observed, _ = runs(ring, faults)
    equivalence = Equivalence(ring, PROMISED, observed)
    assert {equivalence.verdict(number, fault, -1) for number, fault in enumerate(faults)} == {"open: no proof in time"}
