"""Random designs with what the packing pass looks for, and with what only looks like it; and their proof by simulation.

The netlist, packed, runs beside the RTL in Icarus on random stimuli, with yosys' own models of the logic cells and the
models of ``ecp5_models.v`` of the two that yosys has only as black boxes. Every output is compared in every cycle.
"""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import subprocess
from collections import Counter
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from hwnorm.synth.packing import pack
from hwnorm.synth.targets import find_target
from hwnorm.synth.yosys import find_yosys

MODELS = Path(__file__).parent / "ecp5_models.v"
CYCLES = 1500


def multiplier(rng: random.Random, i: int, sources: list[str]) -> str:
    """One with 0 to 2 registers before and 0 to 3 behind, their controls mostly but not always alike."""
    wide, sign = rng.choice([4, 8, 12, 16, 18]), rng.choice(["", "signed "])
    left, right = rng.choice(sources), rng.choice(sources)
    before, behind = rng.choice([0, 1, 1, 2]), rng.choice([0, 1, 2, 2, 3])
    style = rng.choice(["plain", "plain", "enable", "enable", "reset", "both", "mixed"])
    second = {"square": "a{0}_{1}", "constant": f"{wide}'d{rng.randrange(3, 1 << (wide - 1))}"}
    operand = second.get(rng.choice(["two", "two", "square", "constant"]), "b{0}_{1}").format(i, before)
    if sign and "'d" in operand:
        operand = f"$signed({operand})"
    names = [(f"a{i}_{n}", f"b{i}_{n}") for n in range(before + 1)]
    lines = [f"  wire {sign}[{wide - 1}:0] a{i}_0 = {left}, b{i}_0 = {right};"]
    for (a, b), (a1, b1) in pairwise(names):
        lines += [f"  reg {sign}[{wide - 1}:0] {a1} = 0, {b1} = 0;", clocked(style, {a1: a, b1: b}, rng)]
    lines.append(f"  wire {sign}[{2 * wide - 1}:0] p{i}_0 = a{i}_{before} * {operand};")
    for n in range(behind):
        lines += [
            f"  reg {sign}[{2 * wide - 1}:0] p{i}_{n + 1} = 0;",
            clocked(style, {f"p{i}_{n + 1}": f"p{i}_{n}"}, rng),
        ]
    tap = f" ^ a{i}_{before}" if rng.random() < 0.3 else ""  # a second user of the input register
    return "\n".join([*lines, f"  assign o{i} = p{i}_{behind}{tap};"])


def clocked(style: str, moves: dict[str, str], rng: random.Random) -> str:
    body = " ".join(f"{to} <= {source};" for to, source in moves.items())
    clear = " ".join(f"{to} <= 0;" for to in moves)
    if style == "mixed":
        style = rng.choice(["plain", "enable", "enable2", "reset"])
    forms = {
        "plain": body,
        "enable": f"if (en) begin {body} end",
        "enable2": f"if (en2) begin {body} end",
        "reset": f"if (rst) begin {clear} end else begin {body} end",
        "both": f"if (rst) begin {clear} end else if (en) begin {body} end",
    }
    return f"  always @(posedge clk) begin {forms[style]} end"


def delay_line(rng: random.Random, i: int, sources: list[str]) -> str:
    """A block RAM that is read some words behind its writing, with 0 to 2 registers behind its own."""
    wide, lag, behind = rng.choice([9, 16, 18, 30, 36, 40]), rng.randrange(2, 500), rng.choice([0, 1, 1, 2])
    style, hint = rng.choice(["plain", "enable", "enable", "enable2", "reset"]), rng.choice(["(* no_rw_check *) ", ""])
    read = rng.choice(["", "if (en) "])
    data = "{" + ", ".join(rng.choice(sources) for _ in range(3)) + "}"
    lines = [
        f'  {hint}(* ram_style = "block" *) reg [{wide - 1}:0] m{i} [0:511]; reg [8:0] w{i} = 0; integer k{i};',
        f"  initial for (k{i} = 0; k{i} < 512; k{i} = k{i} + 1) m{i}[k{i}] = 0;",
        f"  reg [{wide - 1}:0] r{i}_0 = 0; wire [8:0] t{i} = w{i} - 9'd{lag};",
        f"  always @(posedge clk) begin w{i} <= w{i} + 1; m{i}[w{i}] <= {data}; {read}r{i}_0 <= m{i}[t{i}]; end",
    ]
    for n in range(behind):
        lines += [f"  reg [{wide - 1}:0] r{i}_{n + 1} = 0;", clocked(style, {f"r{i}_{n + 1}": f"r{i}_{n}"}, rng)]
    return "\n".join([*lines, f"  assign o{i} = r{i}_{behind};"])


def carry_chain(rng: random.Random, i: int, sources: list[str]) -> str:
    """Sums whose terms come through gates, with carries in and out, of any length."""
    wide, sign = rng.randrange(1, 20), rng.choice(["", "signed "])
    left, right = rng.choice(sources), rng.choice(sources)
    a, b, bit = f"a{i}", f"b{i}", rng.choice(["en", "rst", f"a{i}[0]"])
    gated = [
        b,
        f"({b} & {{{wide}{{{bit}}}}})",
        f"({bit} ? {b} : 8'd0)",
        f"({bit} ? {b} : ~{b})",
        f"({a} ^ {b})",
        "1'd1",
    ]
    term, other = rng.choice(gated), rng.choice([a, a, f"q{i}", f"(rst ? 8'd0 : q{i})", f"(q{i} >> 1)"])
    total = rng.choice([
        f"{other} + {term}", f"{other} - {term}", f"{other} + {term} + {bit}", f"{{{other} + {term}}}",
        f"({{{other}, {bit}}} + {{{term}, {bit}}}) >> 1", f"{{{a} > {b}, {a} >= {term}, {other} < {b}}}",
    ])  # fmt: skip
    lines = [
        f"  wire {sign}[{wide - 1}:0] a{i} = {left}, b{i} = {right};",
        f"  reg {sign}[{wide + rng.choice([-1, 0, 1]) if wide > 1 else wide}:0] q{i} = 0;",
        clocked(rng.choice(["plain", "enable", "reset"]), {f"q{i}": total}, rng),
    ]
    return "\n".join([*lines, f"  assign o{i} = {{40{{q{i}}}}};"])  # no bit of it is constant


def design(seed: int, blocks: int = 6) -> tuple[str, int]:
    """Verilog of a module ``top`` with outputs o0, o1, ... of 40 bits; each block may read those before it."""
    rng = random.Random(seed)
    parts = []
    for i in range(blocks):
        sources = ["x", "y", *(f"o{n}" for n in range(i))]
        parts.append(rng.choice([multiplier, delay_line, carry_chain, carry_chain])(rng, i, sources))
    outputs = ", ".join(f"output [39:0] o{i}" for i in range(blocks))
    head = f"module top(input clk, input rst, input en, input en2, input [17:0] x, input [17:0] y, {outputs});"
    return "\n".join([head, *parts, "endmodule\n"]), blocks


def netlist(verilog: str, folder: Path, *, packs: bool = True) -> tuple[dict, Counter[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.v").write_text(verilog)
    commands = ["read_verilog design.v", *find_target("ecp5").commands("top"), "write_json netlist.json"]
    find_yosys().run("\n".join(commands) + "\n", folder)
    found = json.loads((folder / "netlist.json").read_text())
    return found, pack(found["modules"]["top"]) if packs else Counter()


def differences(verilog: str, found: dict, outputs: int, folder: Path) -> str:
    """What the test bench printed: "equal", or the first output and cycle in which netlist and RTL differ."""
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not on PATH: apt install iverilog")
    spec = find_spec("pyosys") or pytest.skip("yosys' cell models come with pyosys: pip install pyosys")
    cells = Path(spec.submodule_search_locations[0]) / "share" / "lattice"
    (folder / "packed.json").write_text(json.dumps({**found, "modules": {"top": connected(found["modules"]["top"])}}))
    find_yosys().run("read_json packed.json\nrename top netlist\nwrite_verilog -noattr netlist.v\n", folder)
    (folder / "bench.v").write_text(bench(outputs))
    common = (cells / "common_sim.vh").read_text()
    without = re.sub(r"module TRELLIS_COMB\b.*?endmodule", "", common, flags=re.DOTALL)  # $error in it: Icarus 12
    (folder / "common.v").write_text(without)
    sources = [
        *(folder / f"{name}.v" for name in ("design", "netlist", "bench", "common")),
        MODELS,
        cells / "ccu2c_sim.vh",
    ]
    program = folder / "bench"
    build = ["iverilog", "-g2012", "-DNO_INCLUDES", "-s", "bench", "-o", program, *sources]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def connected(module: dict) -> dict:
    """Without the outputs that are said to go nowhere, which Verilog writes as no connection at all."""
    module = copy.deepcopy(module)
    for cell in module["cells"].values():
        outputs = {p for p, direction in cell["port_directions"].items() if direction == "output"}
        cell["connections"] = {p: b for p, b in cell["connections"].items() if p not in outputs or b != ["x"]}
    return module


def bench(outputs: int) -> str:
    wires = "\n".join(f"  wire [39:0] p{i}, q{i};" for i in range(outputs))
    check = "\n".join(
        f'    if (p{i} !== q{i}) begin $display("o{i} differs in cycle %0d: %h, not %h", n, q{i}, p{i}); $finish; end'
        for i in range(outputs)
    )
    ports = ["clk", "rst", "en", "en2", "x", "y"]
    inputs = ", ".join(f".{port}({port})" for port in ports)
    left, right = (", ".join(f".o{i}({kind}{i})" for i in range(outputs)) for kind in "pq")
    return f"""module bench;
  reg clk = 0, rst = 0, en = 0, en2 = 0; reg [17:0] x = 0, y = 0; integer n;
{wires}
  top rtl({inputs}, {left});
  netlist net({inputs}, {right});
  initial begin
    for (n = 0; n < {CYCLES}; n = n + 1) begin
      #5;
{check}
      clk = 1; #5; clk = 0; #1;
      rst = $urandom % 16 == 0; en = $urandom % 4 != 0; en2 = $urandom % 3 != 0;
      x = $urandom; y = $urandom % 8 ? $urandom : 0;
    end
    $display("equal"); $finish;
  end
endmodule
"""
