"""Faults of small blocks, of which exhaustive simulation says whether they are ever seen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnorm.bundle import manifest
from hwnorm.check import unrolled
from hwnorm.check.drawing import call_of
from hwnorm.check.equivalence import LATE, PROVEN
from hwnorm.check.folder import check_manifest
from hwnorm.check.proof import Layers, Range
from hwnorm.check.reset_proof import ResetProof
from hwnorm.check.stage_proof import StageProof, known_of
from hwnorm.check.unrolled import layers_of, ranges_of, worlds_of
from hwnorm.check.window_proof import Operand, Window, WindowProof
from hwnorm.engine import Engine
from hwnorm.files import write_folder
from hwnorm.gates import Mutant, Netlist, mutants, mutated, netlist_of
from hwnorm.gates.clauses import DRAWS
from hwnorm.gates.unrolling import UNREAD
from hwnorm.rtl import verilog
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit
from hwnorm.rtl.engine import EngineBlock

pytest.importorskip("pysat", reason="python-sat was not found: pip install python-sat")

# Three bits are captured, two of them added one after another: the token stands five cycles after the start.
STAGE = """module stage(input clk, input rst, input start, input [2:0] v_in, input release_, output free, output token,
  output [1:0] q);
  reg [2:0] time_ = 0, feed = 0; reg running = 0, held = 0, idle = 1, carry = 0; reg [1:0] got = 0;
  assign free = idle, token = held, q = got;
  always @(posedge clk) begin
    if (running) begin
      time_ <= time_ + 1;
      if (time_ == 3) running <= 0;
    end
    if (start) begin running <= 1; time_ <= 0; feed <= v_in; carry <= 0; idle <= 0; end
    else feed <= feed >> 1;
    if (running & (time_ < 2)) begin got <= {feed[0] ^ carry, got[1]}; carry <= feed[0] | carry; end
    if (running & (time_ == 3)) held <= 1;
    else if (release_) held <= 0;
    if (held & release_) idle <= 1;
    if (rst) begin running <= 0; time_ <= 0; held <= 0; idle <= 1; end
  end
endmodule
module top(input clk, input rst, input start, input [2:0] v, input r, output free, output token, output [1:0] q);
  stage stage_1(.clk(clk), .rst(rst), .start(start), .v_in(v), .release_(r), .free(free), .token(token), .q(q));
endmodule"""
LATENCY = 4

# A pipeline in which the second bit of a sum of two bits and nothing is what it is without a carry from below.
PIPE = """module pipe(input clk, input rst, input valid, input first, input a, input b, output out_valid, output y);
  reg v0 = 0, v1 = 0, s = 0, c = 0, t = 0;
  assign out_valid = v1, y = t;
  always @(posedge clk) begin
    v0 <= valid & ~rst; v1 <= v0 & ~rst;
    s <= a ^ b; c <= a & b;
    t <= s ^ (s & c);
  end
endmodule
module top(input clk, input rst, input valid, input first, input a, input b, output out_valid, output y);
  pipe sweep_1(.clk(clk), .rst(rst), .valid(valid), .first(first), .a(a), .b(b), .out_valid(out_valid), .y(y));
endmodule"""


@cache
def staged() -> tuple[Netlist, list[Mutant]]:
    netlist = netlist_of(STAGE, "top", by_instance=True)
    return netlist, mutants(netlist, 1000)


@cache
def seen(most: int) -> list[bool]:
    """Of the stage's faults, whether each shows for any two values up to ``most`` one after another, with or without a
    reset in between at any cycle, and however long nobody takes the first."""
    netlist, faults = staged()
    cases = [
        (*pair, reset, wait)
        for pair in itertools.product(range(most + 1), repeat=2)
        for reset in range(LATENCY + 3)
        for wait in range(3)
    ]
    shown = np.zeros(len(faults), bool)
    for first, second, reset, wait in cases:
        simulation = mutated(netlist, faults).simulator(len(faults) + 1)
        taken = LATENCY + 2 + wait
        for cycle in range(2 * taken + 6):
            begins = {0: first, taken + 3: second}
            struck = reset and cycle == reset
            drive = {"rst": int(bool(struck)), "start": int(cycle in begins), "v": begins.get(cycle, 7 - first)}
            simulation.drive({**drive, "r": int(cycle in (taken, 2 * taken + 4))})
            simulation.evaluate()
            out = simulation.outputs()
            for name in ("free", "token", "q"):
                values = np.asarray(out[name]).reshape(-1)
                matters = np.asarray(out["token"]).reshape(-1)[-1] if name == "q" else 1
                shown |= (values[:-1] != values[-1]) & bool(matters)
            simulation.clock()
    return shown.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("most", [7, 3])
@pytest.mark.parametrize("worlds", [1, 4])
def test_a_stage(worlds: int, most: int) -> None:
    """What is proven is never seen, and what is seen is refuted; values above 3 are needed to see some of the rest. And
    that whether all values are looked at together or in parts, of one value each in the end."""
    netlist, faults = staged()
    each = (most + 1) // worlds
    parts = [{"v_in": Range(lo, lo + each - 1)} for lo in range(0, most + 1, each)]
    captured = {"v_in": Range(0, most)}
    proof = StageProof(netlist, "stage_1", faults, LATENCY, captured, Layers({}), worlds=parts)
    verdicts = [proof.verdict(k) for k in range(len(faults))]
    shown = seen(most)
    wrong = [str(f) for f, v, found in zip(faults, verdicts, shown, strict=True) if found and v == PROVEN]
    assert wrong == []
    assert verdicts.count(PROVEN) >= 5
    assert sum(shown) > 50


# What a stage took in at its start beside what comes by in a cycle behind its run.
BEHIND = STAGE.replace("input [2:0] v_in,", "input [2:0] v_in, input d, input lay,").replace(
    "input r,", "input r, input d, input l,"
)
BEHIND = BEHIND.replace(".v_in(v),", ".v_in(v), .d(d), .lay(l),").replace("q = got;", "q = {2{late & (h ^ OTHER)}};")
BEHIND = BEHIND.replace(
    "  always @(posedge clk) begin",
    """  reg late = 0, h = 0, u = 0;
  always @(posedge clk) begin
    u <= d; late <= held & ~start;
    if (start) h <= OTHER;""",
)


@pytest.mark.parametrize("other", ["u", "lay"])
def test_behind_a_run_nothing_is_as_it_was_before(other: str) -> None:
    """A register may hold something else, and the next layer may have come."""
    netlist = netlist_of(BEHIND.replace("OTHER", other), "top", by_instance=True, gates=None)
    of_q = [f for f in mutants(netlist, 1000) if f.type == "$_XOR_" and "design:4." in f.src]
    (fault,) = (f for f in of_q if f.pin == "Y" and f.mode.value == "const0")
    proof = StageProof(netlist, "stage_1", [fault], LATENCY, {"v_in": Range(0, 7)}, Layers({"lay": "lay"}))
    assert proof.verdict(0) == "refuted: q[0]"


def test_a_pipeline() -> None:
    """Both factors of ``s & c`` are never 1 together, so one of them may be stuck; all of y may not."""
    netlist = netlist_of(PIPE, "top", by_instance=True, gates=None)
    faults = mutants(netlist, 1000)
    proof = WindowProof(netlist, "sweep_1", faults, Window(5, {"out_valid": "", "y": "out_valid"}))
    verdicts = {str(fault): proof.verdict(k) for k, fault in enumerate(faults)}
    random = np.random.default_rng(0)
    simulation = mutated(netlist, faults).simulator(len(faults) + 1)
    shown = np.zeros(len(faults), bool)
    for _ in range(2000):
        simulation.drive({name: int(random.integers(2)) for name in ("valid", "first", "a", "b")} | {"rst": 0})
        simulation.evaluate()
        out = {name: np.asarray(v).reshape(-1) for name, v in simulation.outputs().items()}
        shown |= out["out_valid"][:-1] != out["out_valid"][-1]
        shown |= (out["y"][:-1] != out["y"][-1]) & bool(out["out_valid"][-1])
        simulation.clock()
    proven = [verdicts[str(fault)] == PROVEN for fault in faults]
    assert not any(p and found for p, found in zip(proven, shown, strict=True))
    assert any(proven)


# What is kept is shown eight cycles after it was asked for: longer than the window, and than the first look.
KEPT = """module kept(input clk, input load, input ask, input d, output told, output y);
  reg h = 0; reg [7:0] asked = 0;
  assign told = asked[7], y = h;
  always @(posedge clk) begin
    if (load) h <= d;
    asked <= {asked[6:0], ask};
  end
endmodule
module top(input clk, input load, input ask, input d, output told, output y);
  kept sweep_1(.clk(clk), .load(load), .ask(ask), .d(d), .told(told), .y(y));
endmodule"""


def test_what_came_apart_is_not_forgotten() -> None:
    """A register that holds what is wrong shows it long after."""
    netlist = netlist_of(KEPT, "top", by_instance=True, gates=None)
    faults = [f for f in mutants(netlist, 1000) if f.pin == "D" and f.mode.value == "inv"]
    proof = WindowProof(netlist, "sweep_1", faults, Window(5, {"told": "", "y": "told"}))
    verdicts = [proof.verdict(k) for k in range(len(faults))]
    assert len(verdicts) == 9 and not any(v == PROVEN for v in verdicts)


# A memory is given y and an address while ``w`` is high; everybody else looks at y while it is low.
WRITTEN = """module written(input clk, input we, input ask, input d, input at, input out,
  output told, output y, output z);
  reg h = 0, w = 0, a = 0, asked = 0; reg m [0:1];
  assign told = asked & ~w, y = h & w, z = m[out];
  always @(posedge clk) begin
    h <= d; w <= we; a <= at; asked <= ask;
    if (w) m[a] <= y;
  end
endmodule
module top(input clk, input we, input ask, input d, input at, input out, output told, output y, output z);
  written sweep_1(.clk(clk), .we(we), .ask(ask), .d(d), .at(at), .out(out), .told(told), .y(y), .z(z));
endmodule"""


def test_what_a_memory_is_given_matters_while_it_is_written() -> None:
    """That its address is not 0 at other times is not seen. That y is wrong is, by the memory alone."""
    netlist = netlist_of(WRITTEN, "top", by_instance=True)
    y, at = netlist.outputs["y"], {cell.type: cell for cell in netlist.cells}["$mem_v2"].pins["WR_ADDR"]
    cells = [replace(c, pins={**c.pins, "WR_DATA": y}) if c.type == "$mem_v2" else c for c in netlist.cells]
    netlist = replace(netlist, cells=tuple(cells))
    gates = {cell.name: cell.pins["Y"] for cell in cells if cell.pins.get("Y") in (y, at)}
    faults = [f for f in mutants(netlist, 1000) if f.name in gates and f.mode.value.startswith("const")]
    proof = WindowProof(netlist, "sweep_1", faults, Window(5, {"told": "", "y": "told", "z": ""}))
    proven = [f for k, f in enumerate(faults) if proof.verdict(k) == PROVEN]
    assert [(gates[f.name], f.mode.value, f.pin == "Y") for f in proven] == [(at, "const1", False)]
    assert len(faults) == 12


COPY = """module copy(input clk, input valid, input first, input [2:0] q_in, output y);
  reg first_0 = 0; reg [2:0] q_at_1 = 0; reg t = 0;
  assign y = t;
  always @(posedge clk) begin
    first_0 <= valid & first;
    if (first_0) q_at_1 <= q_in;
    t <= q_at_1[2] & q_at_1[1];
  end
endmodule
module top(input clk, input valid, input first, input [2:0] q, output y);
  copy sweep_1(.clk(clk), .valid(valid), .first(first), .q_in(q), .y(y));
endmodule"""


@pytest.mark.parametrize(("most", "flag", "proven"), [(5, "sweep_1.first_0", 1), (6, "sweep_1.first_0", 0), (5, "", 0)])
def test_an_operand_is_in_its_range_when_it_is_copied(most: int, flag: str, proven: bool) -> None:
    """6 has both of the higher bits, 5 has not; of the cycle before nothing follows."""
    netlist = netlist_of(COPY, "top", by_instance=True, gates=None)
    faults = [f for f in mutants(netlist, 1000) if f.type == "$_AND_" and f.pin == "Y" and f.mode.value == "const0"]
    operands = {"q_in": Operand(Range(0, most), {"sweep_1.q_at_1": flag})}
    proof = WindowProof(netlist, "sweep_1", faults, Window(5, {"y": ""}, operands=operands))
    found = [proof.verdict(k) for k in range(len(faults))]
    assert (PROVEN in found) == proven


# An operand is copied when a group's first beat comes to it, and the one in front told by that beat that it may go on.
SWEEP = """module sweep(input clk, input rst, input valid, input first, input d, input q_in, output release_,
  output out_valid, output y);
  reg first_0 = 0, first_1 = 0, first_2 = 0, valid_0 = 0, valid_1 = 0, valid_2 = 0;
  reg d_0 = 0, d_1 = 0, d_2 = 0, q_at_2 = 0;
  assign release_ = first_2, out_valid = valid_2, y = d_2 ^ q_at_2;
  always @(posedge clk) begin
    first_0 <= valid & first; first_1 <= first_0; first_2 <= first_1;
    valid_0 <= valid; valid_1 <= valid_0; valid_2 <= valid_1;
    d_0 <= d; d_1 <= d_0; d_2 <= d_1;
    if (first_1) q_at_2 <= q_in;
    if (rst) begin first_0 <= 0; first_1 <= 0; first_2 <= 0; valid_0 <= 0; valid_1 <= 0; valid_2 <= 0; end
  end
endmodule
module top(input clk, input rst, input valid, input first, input d, input q, output release_,
  output out_valid, output y);
  sweep sweep_1(.clk(clk), .rst(rst), .valid(valid), .first(first), .d(d), .q_in(q), .release_(release_),
    .out_valid(out_valid), .y(y));
endmodule"""
SWEPT: dict[str, str] = {"release": "", "out_valid": "", "y": "out_valid"}


@pytest.mark.parametrize(("released", "count"), [(8, 3), (0, 0)])
def test_what_a_reset_may_leave(released: int, count: int) -> None:
    """``first`` at any depth where ``release`` is not looked at so soon, else nothing. ``valid`` it has to forget."""
    netlist = netlist_of(SWEEP, "top", by_instance=True, gates=None)
    faults = [f for f in mutants(netlist, 1000) if f.pin == "R" and f.mode.value == "const0"]
    proof = ResetProof(netlist, "sweep_1", faults, Window(5, SWEPT, released=released))
    proven = [k for k in range(len(faults)) if proof.verdict(k) == PROVEN]
    random, shown = np.random.default_rng(0), np.zeros(len(faults), bool)
    simulation = mutated(netlist, faults).simulator(len(faults) + 1)
    since, begun = 0, False
    for _ in range(4000):
        rst, valid = int(random.random() < 0.1), int(random.integers(2))
        first = int(random.integers(2)) if begun else 1
        simulation.drive({"rst": rst, "valid": valid, "first": first, "d": 0, "q": int(random.integers(2))})
        simulation.evaluate()
        out = {name: np.asarray(v).reshape(-1) for name, v in simulation.outputs().items()}
        if not rst and since:
            shown |= (out["out_valid"][:-1] != out["out_valid"][-1]) | (
                (out["y"][:-1] != out["y"][-1]) & bool(out["out_valid"][-1])
            )
            shown |= (out["release_"][:-1] != out["release_"][-1]) & (since >= released)
        since, begun = (1, False) if rst else (since + (since > 0), begun or valid == 1)
        simulation.clock()
    assert len(proven) == count and not shown[proven].any()
    assert shown.sum() == len(faults) - count


def test_what_a_reset_may_leave_of_a_block_that_does_not_read_what_is_first() -> None:
    """Nothing: with or without a beat behind it, what was valid is seen."""
    netlist = netlist_of(PIPE, "top", by_instance=True, gates=None)
    faults = [f for f in mutants(netlist, 1000) if f.type == "$_NOT_"]
    proof = ResetProof(netlist, "sweep_1", faults, Window(5, {"out_valid": "", "y": "out_valid"}))
    assert "first" not in proof.block.inputs
    assert faults and all(proof.verdict(k) != PROVEN for k in range(len(faults)))


def test_no_time_is_no_proof() -> None:
    netlist = netlist_of(PIPE, "top", by_instance=True, gates=None)
    faults = mutants(netlist, 1000)
    proof = WindowProof(netlist, "sweep_1", faults, Window(5, {"out_valid": "", "y": "out_valid"}))
    proven = [k for k in range(len(faults)) if proof.verdict(k) == PROVEN]
    again = WindowProof(netlist, "sweep_1", faults, Window(5, {"out_valid": "", "y": "out_valid"}))
    assert proven and {again.verdict(k, -1) for k in proven} == {"open: no proof in time"}


def test_what_is_late_behind_others_is_tried_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that is slow with more than one fault in a block."""
    write_folder(tmp_path / "d", emit(Design(Engine("l1", 8, max_elements=4), "forward", 1), "engine", ""))
    ((path, about),) = manifest.read(tmp_path / "d")
    made, asked = check_manifest(path, about), list[int]()

    class Slow:
        def __init__(self, count: int) -> None:
            self.count = count

        def verdict(self, *_: object) -> str:
            return PROVEN if self.count == 1 else LATE

    def proofs(*arguments: Any) -> Iterator[Slow]:
        asked.append(len(arguments[3]))
        yield Slow(asked[-1])

    monkeypatch.setattr(unrolled, "_proofs", proofs)
    faults = [fault for fault in mutants(made.optimised, 1000) if fault.instance == "stage_1"][:3]
    assert unrolled.verdicts(made, faults) == [PROVEN] * 3 and asked == [3, 1, 1, 1]


@pytest.mark.parametrize("norm", ["l2", "range", "rms", "l2-ns"])
def test_no_reciprocal_is_above_one(norm: str) -> None:
    """What the worlds of a stage rest on, in the reference."""
    engine, rng = Engine(norm, 8, max_elements=29), np.random.default_rng(0)
    design, met = Design(engine, "backward", 4), 0
    stage = EngineBlock(design.plan, "engine").stages[1]
    zero, other = worlds_of(stage, design.plan)
    ((_, limit),) = other.items()
    assert list(zero.values()) == [Range(0, 0)]
    for m in (1, 2, 3, 7, 29):
        found = call_of(engine, "forward", m, 500, rng).run()
        mantissa, frac = found["R"].v, np.broadcast_to(found["R"].frac, found["R"].v.shape)
        some = mantissa > 0
        assert np.all(frac[some] >= limit.lo) and np.all(frac[some] <= limit.hi)
        met += int(some.sum())
    assert met > 500


def number(proof: StageProof, literals: Sequence[int], draw: int, signed: bool) -> int:
    bits = [proof.literals.value(literal) >> draw & 1 for literal in literals]
    return sum(bit << k for k, bit in enumerate(bits)) - (bits[-1] << len(bits) if signed else 0)


def port(proof: StageProof, phase: Any, name: str, draw: int, signed: bool) -> int:
    """What a run starts with."""
    return number(proof, [phase.frames[0][net] for net in proof.block.inputs[name]], draw, signed)


@pytest.mark.slow
def test_where_a_bounded_sum_runs() -> None:
    """The cycles that a bound is claimed of are those of the sum: m * P - n * S in every draw, from either state."""
    plan = Design(Engine("l1", 8, max_elements=13), "forward", 4).plan
    engine = EngineBlock(plan, "engine")
    netlist = netlist_of(verilog.text(engine, ""), "engine", by_instance=True)
    stage = engine.stages[2]
    (sum_,) = (known for known in known_of("stage_2", stage) if known.label == "stage_2.sub_bit")
    assert sum_.values.lo == 0 and not sum_.signed
    captured = {port.name: Range(cell.lo, cell.hi) for cell, port in stage.captured.items()}
    proof = StageProof(netlist, "stage_2", [], stage.plan.latency, captured, Layers({"m": "m"}))

    for phase in proof.phases:
        runs = sum_.bits(phase.frames, proof.block.labels)
        for draw in range(DRAWS):
            m, n = (port(proof, phase, name, draw, False) for name in ("m", "n_in"))
            p, s = (port(proof, phase, name, draw, True) for name in ("P_in", "S_in"))
            assert number(proof, runs, draw, True) == m * p - n * s


@pytest.mark.slow
def test_where_a_bounded_quotient_runs() -> None:
    """Those of q are its own: (m * U - W * S) * R, rounded to 12 bits behind the point, in every draw in which the
    difference is one of any group."""
    plan = Design(Engine("l1", 8, max_elements=13), "backward", 4).plan
    engine = EngineBlock(plan, "engine")
    netlist = netlist_of(verilog.text(engine, ""), "engine", by_instance=True)
    stage = engine.stages[1]
    known = {known.label.removeprefix("stage_1."): known for known in known_of("stage_1", stage)}
    difference, q = known["sub_2_bit"].values, known["round_q_result"]
    assert q.values == Range(-(2**19 + 2**12), 2**19 + 2**12)  # of 21 bits
    captured = {port.name: Range(cell.lo, cell.hi) for cell, port in stage.captured.items()}
    proof = StageProof(netlist, "stage_1", [], stage.plan.latency, captured, Layers({"m": "m"}))
    compared = 0
    for phase in proof.phases:
        runs = q.bits(phase.frames, proof.block.labels)
        for draw in range(DRAWS):
            m, r, frac = (port(proof, phase, name, draw, False) for name in ("m", "R_in", "R_frac_in"))
            u, w, s = (port(proof, phase, name, draw, True) for name in ("U_in", "W_in", "S_in"))
            if difference.lo <= m * u - w * s <= difference.hi:
                found = ((m * u - w * s) * r << 13 >> frac) + 1 >> 1
                assert number(proof, runs, draw, True) == min(max(found, -(2**20)), 2**20 - 1)
                compared += 1
    assert compared > DRAWS


def test_registers_hold_one_layer_together() -> None:
    """Also one of which a stage does not read every bit; and sums are of no more elements than the layer has."""
    design = Design(Engine("l1", 8, max_elements=13), "backward", 4)
    engine = EngineBlock(design.plan, "engine")
    netlist = netlist_of(verilog.text(engine, ""), "engine", by_instance=True)
    stage, words = engine.stages[1], layers_of(design)
    captured = {port.name: Range(cell.lo, cell.hi) for cell, port in stage.captured.items()}
    shorter = [Design(Engine("l1", 8, max_elements=m), "backward", 4) for m in range(1, 14)]
    layer = Layers({cell.name: port.name for cell, port in stage.layer.items()}, words, ranges_of(stage, shorter))
    proof = StageProof(netlist, "stage_1", [], stage.plan.latency, captured, layer)
    assert UNREAD in proof.block.inputs["inv_m_frac"]
    met = set()
    for draw in range(DRAWS):

        def bits(name: str, draw: int = draw) -> list[int | None]:
            nets = proof.block.inputs[name]
            of = proof.phases[0].frames[0]
            return [proof.literals.value(of[net]) >> draw & 1 if net > 1 else None for net in nets]

        m = sum((bit or 0) << k for k, bit in enumerate(bits("m")))
        (own,) = (one for one in words if one["m"] == m)
        for name, value in own.items():
            if name in proof.block.inputs:
                assert all(bit in (None, value >> k & 1) for k, bit in enumerate(bits(name)))
        found = bits("W_in")
        total = sum((bit or 0) << k for k, bit in enumerate(found)) - ((found[-1] or 0) << len(found))
        assert -128 * m <= total <= 127 * m
        met.add(m)
    assert met == set(range(1, 14))
