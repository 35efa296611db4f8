"""The whole way: Verilog text through yosys, the packing pass and nextpnr over several seeds, to a Synthesis."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hwnorm.errors import InputError, ToolFailed
from hwnorm.synth.nextpnr import NETLIST, Placement, find_nextpnr, place
from hwnorm.synth.result import Fmax, Resources, Synthesis
from hwnorm.synth.targets import Target, find_target
from hwnorm.synth.yosys import find_yosys

Json = dict[str, Any]


def synthesise(verilog: str, top: str, target: str | Target = "ecp5", seeds: int = 5, jobs: int = 2) -> Synthesis:
    wanted = find_target(target) if isinstance(target, str) else target
    yosys = find_yosys()
    tools = {"yosys": yosys.version}
    with tempfile.TemporaryDirectory(prefix="hwnorm_synth_") as scratch:
        folder = Path(scratch)
        (folder / "design.v").write_text(verilog, encoding="utf-8")
        yosys.run(f"read_verilog design.v\n{wanted.synth} -top {top}\nwrite_json {NETLIST}\n", folder)
        netlist = json.loads((folder / NETLIST).read_text(encoding="utf-8"))
        cells = count_cells(netlist, top)
        placements: list[Placement] = []
        if wanted.placer:
            tool = find_nextpnr(wanted.placer)
            tools["nextpnr"] = tool.version
            with ThreadPoolExecutor(jobs) as pool:
                placements = list(pool.map(lambda seed: place(tool, wanted, folder, seed), range(1, seeds + 1)))
    used = placements[0].used if placements else {}
    return Synthesis(
        wanted.name,
        wanted.device,
        wanted.grade,
        top,
        tools,
        resources(wanted, cells, used),
        Fmax({p.seed: p.fmax_mhz for p in placements if p.fmax_mhz is not None}),
        None,
        cells=dict(cells),
        utilisation=used,
    )


def count_cells(netlist: Json, top: str) -> Counter[str]:
    try:
        cells = netlist["modules"][top]["cells"].values()
    except KeyError:
        raise ToolFailed(f"yosys wrote no module {top}") from None
    found = Counter(c["type"] for c in cells if c["type"] != "$scopeinfo")
    if not found:
        raise InputError(f"{top} synthesises to nothing: are its clock and its outputs among its ports?")
    return found


def resources(target: Target, cells: Counter[str], used: dict[str, int]) -> Resources:
    weights = {"lut": target.luts, "ff": target.ffs, "dsp": target.dsps, "bram": target.brams, "lutram": target.lutrams}
    counts = {kind: round(sum(cells[t] * w for t, w in weight.items())) for kind, weight in weights.items()}
    if used:
        counts |= {kind: used.get(name, 0) for kind, name in target.placed.items()}
    return Resources(**counts)
