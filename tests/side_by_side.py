"""Two Verilog descriptions of one block in one bench: random inputs, every output compared in every cycle."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import verilog as amaranth_verilog

from hwnorm.rtl.verilog import text

CYCLES_A_RESET = 1000
MEMORY = re.compile(r"reg[^;\n]*? (\w+) \[0:(\d+)\];(?!\n    initial begin)")


@dataclass(frozen=True)
class Outcome:
    differences: int
    valid: int  # cycles in which any output's valid was high
    first: str


def printed(block: Any) -> str:
    return text(block, "a header")


def reference(block: Any) -> str:
    """Amaranth's RTLIL, through yosys."""
    return str(amaranth_verilog.convert(block, name="reference", ports=block.ports, emit_src=False))


def with_zeros(source: str) -> str:
    """Memories that start with zeros, as Amaranth's do, instead of unknown bits."""
    fill = r"\g<0> integer at_\1; initial for (at_\1 = 0; at_\1 <= \2; at_\1 = at_\1 + 1) \1[at_\1] = 0;"
    return MEMORY.sub(fill, source)


def compared(block: Any, ours: str, folder: Path, cycles: int, seed: int = 1) -> Outcome:
    theirs = reference(block)
    (folder / "ours.v").write_text(with_zeros(ours))
    (folder / "theirs.v").write_text(theirs)
    (folder / "bench.v").write_text(_bench(block, ours, theirs, cycles, seed))
    command = ["iverilog", "-g2005", "-s", "bench", "-o", "bench", "ours.v", "theirs.v", "bench.v"]
    subprocess.run(command, cwd=folder, check=True)
    told = subprocess.run(["vvp", "bench"], cwd=folder, check=True, capture_output=True, text=True).stdout
    *first, last = told.splitlines()
    bad, valid = last.split()[1::2]
    return Outcome(int(bad), int(valid), "\n".join(first))


def _bench(block: Any, ours: str, theirs: str, cycles: int, seed: int) -> str:
    inputs = {name: len(signal) for name, signal in block.inputs.items()}
    outputs = {name: len(signal) for name, signal in block.outputs.items()}
    lines = ["module bench;", "reg clk = 0, rst = 0;", "integer cycle, bad = 0, valid = 0, seed;"]
    lines += [f"reg [{width - 1}:0] {name}_;" for name, width in inputs.items()]
    lines += [f"wire [{width - 1}:0] {name}_a, {name}_b;" for name, width in outputs.items()]
    for letter, module, source in (("a", block.name, ours), ("b", "reference", theirs)):
        head = re.search(rf"module {module}\s*\(.*?\);", source, re.DOTALL)
        assert head is not None
        pins = [f".{name}({name})" for name in ("clk", "rst") if re.search(rf"\b{name}\b", head[0])]
        pins += [f".{name}({name}_)" for name in inputs] + [f".{name}({name}_{letter})" for name in outputs]
        lines.append(f"{module} {letter} ({', '.join(pins)});")
    lines += [f"initial begin seed = {seed};", f"for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin"]
    lines += [f"{name}_ = {_stimulus(name, width)};" for name, width in inputs.items()]
    lines.append(f"rst = cycle % {CYCLES_A_RESET} == {CYCLES_A_RESET * 7 // 10}; #4;")
    for name in outputs:
        difference = f'if (bad < 5) $display("cycle %0d {name} %h %h", cycle, {name}_a, {name}_b);'
        # What is unknown in one may be known in the other: nobody has written to a memory yet.
        lines.append(f"if (|({name}_a ^ {name}_b) === 1) begin {difference} bad = bad + 1; end")
    lines.append(f"valid = valid + ({' | '.join(['0', *(f'{name}_a' for name in outputs if 'valid' in name)])});")
    lines.append("#1 clk = 1; #5 clk = 0; end")
    lines.append('$display("bad %0d valid %0d", bad, valid); $finish; end endmodule')
    return "\n".join(lines)


def _stimulus(name: str, width: int) -> str:
    """Streams that now run, now stall; layers that are loaded at first and seldom later."""
    dice = "($urandom(seed) >> 8)"
    if name == "layer_valid":
        return f"cycle % {CYCLES_A_RESET} < 40 || {dice} % 200 == 0"
    if name.endswith(("_valid", "_ready")):
        return f"{dice} % 8 < ((cycle / 500) % 2 ? 7 : 4)"
    if name.endswith("_last"):
        return f"{dice} % 5 == 0"
    return f"{{{', '.join([dice.replace(' >> 8', '')] * -(-width // 32))}}}"
