"""Speed of a netlist in NumPy: elements that are driven, computed by gates, read and compared, a second.

    python benchmarks/bench_gates.py [--per-gate]

The design takes 16 lanes of 8 bits a cycle: it sums them, sums their positive deviations from a mean, keeps them in a
memory, and writes them scaled, rounded and clipped. Stimuli are packed and outputs unpacked and compared with integers
within the time; of several runs the best counts. ``--per-gate`` shows the way not taken, one NumPy call for each gate.
One thread.
"""

from __future__ import annotations

import sys
import time
from functools import partial

import numpy as np

from hwnorm.gates import Delay, Netlist, mutants, mutated, netlist_of
from hwnorm.gates.calls import bind
from hwnorm.gates.logic import OUT, operations
from hwnorm.gates.program import Group

LANES, CYCLES, RUNS = 16, 24, 5
DESIGN = """
module lane(input clk, input signed [7:0] x, input [4:0] k, input signed [11:0] b, input signed [7:0] mean,
            output reg signed [7:0] y, output reg [8:0] above);
  reg signed [12:0] p; reg signed [13:0] s;
  wire signed [13:0] r = s >>> 4;
  always @(posedge clk) begin
    p <= x * $signed({1'b0, k});
    s <= p + b;
    y <= r > 127 ? 127 : r < -128 ? -128 : r;
    above <= x > mean ? x - mean : 0;
  end
endmodule
module top(input clk, input first, input [127:0] x, input [4:0] k, input [11:0] b, input [7:0] mean,
           output [127:0] y, output reg [23:0] S, output reg [23:0] P, output reg [127:0] before);
  reg [127:0] memory [0:63]; reg [5:0] at = 0;
  always @(posedge clk) begin at <= at + 1; memory[at] <= x; before <= memory[at]; end
  wire [8:0] above [0:15];
  genvar g;
  generate for (g = 0; g < 16; g = g + 1) begin : lanes
    lane l(clk, x[8*g +: 8], k, b, mean, y[8*g +: 8], above[g]);
  end endgenerate
  integer i; reg [23:0] s, p;
  always @* begin
    s = 0; p = 0;
    for (i = 0; i < 16; i = i + 1) begin s = s + {{16{x[8*i + 7]}}, x[8*i +: 8]}; p = p + above[i]; end
  end
  always @(posedge clk) begin S <= (first ? 0 : S) + s; P <= (first ? 0 : P) + p; end
endmodule
"""


def checked(netlist: Netlist, streams: int, random: np.random.Generator) -> float:
    """Seconds a cycle, with everything; the outputs are those of the equations, or it fails."""
    simulation = netlist.simulator(streams, fields={"x": LANES, "y": LANES, "before": LANES})
    x = random.integers(-128, 128, (CYCLES, LANES, streams)).astype(np.int8)
    k, b, mean = (random.integers(lo, hi, streams) for lo, hi in ((0, 32), (-1500, 1500), (-20, 20)))
    want = np.clip((x.astype(np.int16) * k.astype(np.int16) + b.astype(np.int16)) >> 4, -128, 127).astype(np.int8)
    simulation.drive({"k": k, "b": b, "mean": mean})
    start = time.perf_counter()
    for cycle in range(CYCLES):
        found = simulation.step({"x": x[cycle], "first": int(cycle == 0)})
        if cycle >= 3 and not np.array_equal(found["y"].view(np.int8), want[cycle - 3]):
            raise AssertionError(f"cycle {cycle} differs")
    seconds = (time.perf_counter() - start) / CYCLES
    total = (found["S"].astype(np.int64) << 40) >> 40
    assert np.array_equal(total, x[:-1].astype(np.int64).sum(axis=(0, 1)))
    return seconds


def evaluated(netlist: Netlist, streams: int, toggles: Delay | None = None) -> float:
    simulation = netlist.simulator(streams, toggles=toggles)
    simulation.evaluate()
    start = time.perf_counter()
    for _ in range(CYCLES):
        simulation.evaluate()
    return (time.perf_counter() - start) / CYCLES


def one_call_a_gate(netlist: Netlist, streams: int) -> float:
    """The same program, but each gate by itself on the rows where its pins stand."""
    simulation = netlist.simulator(streams)
    values = simulation._values
    calls = []
    for step in simulation._program.steps:
        if not isinstance(step, Group):
            calls += bind([step], values, values[step.out[0] : step.out[0] + step.out.size], simulation._look_up)
            continue
        found, count = operations(step.expression)
        spare = np.empty((count, values.shape[1]), values.dtype)
        for gate, out in enumerate(step.out):
            planes = {OUT: values[out], **{p: values[row] for p, row in enumerate(step.pins[:, gate])}}
            fresh = {plane: spare[plane] for _, _, plane in found if plane != OUT}
            for ufunc, sources, to in found:
                calls.append(partial(ufunc, *(planes[s] for s in sources), out=planes[OUT] if to == OUT else fresh[to]))
                planes |= {to: fresh[to]} if to != OUT else {}
    start = time.perf_counter()
    for _ in range(CYCLES):
        for call in calls:
            call()
    return (time.perf_counter() - start) / CYCLES


def main() -> int:
    random = np.random.default_rng(0)
    netlist = netlist_of(DESIGN, "top")
    start = time.perf_counter()
    simulation = netlist.simulator(64)
    gates = sum(step.out.size for step in simulation._program.steps)
    print(f"{gates} gates, {len(netlist.cells)} cells, {len(simulation._program.times)} levels, ", end="")
    print(f"compiled in {1e3 * (time.perf_counter() - start):.0f} ms")
    print(f"{'streams':>8} {'us/cycle':>9} {'M elements/s':>13} {'evaluate alone':>15} {'G gates/s':>10}", end="")
    print(f" {'one call a gate':>16}" if "--per-gate" in sys.argv else "")
    for streams in (512, 1024, 2048, 4096, 8192):
        whole = min(checked(netlist, streams, random) for _ in range(RUNS))
        alone = min(evaluated(netlist, streams) for _ in range(RUNS))
        print(f"{streams:8} {1e6 * whole:9.0f} {LANES * streams / whole / 1e6:13.1f} ", end="")
        print(f"{1e6 * alone:12.0f} us {gates * streams / alone / 1e9:10.1f}", end="")
        print(f" {1e6 * one_call_a_gate(netlist, streams):13.0f} us" if "--per-gate" in sys.argv else "")
    for delay in Delay:
        seconds = min(evaluated(netlist, 1024, delay) for _ in range(3))
        print(f"toggles, {delay}, 1024 streams: {1e6 * seconds:.0f} us a cycle")
    faults = mutants(netlist, 500)
    start = time.perf_counter()
    simulation = mutated(netlist, faults).simulator(len(faults) + 1)
    made = time.perf_counter() - start
    seconds = min(evaluated(mutated(netlist, faults), len(faults) + 1) for _ in range(3))
    print(f"500 mutants: made in {1e3 * made:.0f} ms, {1e6 * seconds:.0f} us a cycle of all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
