"""What the generated engines cost on ECP5: l1 and l2, forward and backward, at 1, 4 and 16 lanes, and what options add.

    python benchmarks/rtl_on_fpga.py [--seeds 5] [-o reports/rtl-ecp5.md]

8 bits, groups of 1024 elements (4096 at 16 lanes), replay on chip, out of context. Results are kept by content, so that
a second run only prints. A minute or so a row on two cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from fpga_page import main

from hwnorm.engine import Engine
from hwnorm.rtl import verilog
from hwnorm.rtl.design import Design
from hwnorm.rtl.engine import EngineBlock
from hwnorm.synth.flow import synthesise

PROTOTYPE = {  # a hand-optimised forward engine of the plain case: LUT, FF, DSP, MHz
    ("l1", "forward", 1, "table"): "464 / 720 / 0, 281",
    ("l1", "forward", 4, "table"): "556 / 948 / 0, 285",
    ("l1", "forward", 16, "table"): "1011 / 1962 / 0, 268",
    ("l2", "forward", 16, "table"): "946 / 1986 / 16, 258",
    ("l1", "forward", 16, "multiply"): "1569 / 3233 / 16, 254",
    ("l2", "forward", 16, "multiply"): "1503 / 3256 / 32, 255",
}
HEAD = (
    *("norm", "direction", "lanes", "groups", "apply", "LUT", "FF", "DSP", "BRAM"),
    *("MHz (worst-best)", "min beats", "by hand"),
)
ABOUT = """8 bits, replay on chip, flip-flops packed into block RAMs and multipliers
(docs/synthesis.md); nextpnr times neither inside block RAMs nor inside multipliers. "By hand": LUT / FF / DSP, MHz of a
prototype of the plain case that was optimised by hand, without results, keep flags and loaded registers."""


def designs() -> Iterator[tuple[str, str, int, str, Design]]:
    for norm in ("l1", "l2"):
        for lanes in (1, 4, 16):
            m = 4096 if lanes == 16 else 1024
            for apply in ("table", "multiply"):
                yield norm, "forward", lanes, apply, Design(Engine(norm, 8, m), "forward", lanes, False, False, apply)
            yield norm, "backward", lanes, "multiply", Design(Engine(norm, 8, m), "backward", lanes, results=False)
    for norm in ("l1", "l2"):  # what a run-time length and results add
        yield norm, "forward", 4, "multiply", Design(Engine(norm, 8, max_elements=1024), "forward", 4, results=False)
        yield norm, "forward", 4, "multiply", Design(Engine(norm, 8, max_elements=1024), "forward", 4)


def row(norm: str, direction: str, lanes: int, apply: str, design: Design, seeds: int) -> list[str]:
    text = verilog.text(EngineBlock(design.plan, "engine"), f"{norm} {direction}")
    found = synthesise(text, "engine", "ecp5", seeds, jobs=os.cpu_count())
    r, f = found.resources, found.fmax
    fixed = design.engine.elements is not None
    groups = f"{design.engine.max_elements}" if fixed else f"1 to {design.engine.max_elements}"
    groups += ", with results" if design.results else ""
    hand = PROTOTYPE.get((norm, direction, lanes, apply), "") if fixed else ""
    speed = f"{f.median:.0f} ({f.worst:.0f}-{f.best:.0f})" if f else "-"
    numbers = (r.lut, r.ff, r.dsp, r.bram)
    return [norm, direction, str(lanes), groups, apply, *map(str, numbers), speed, str(design.plan.min_beats), hand]


if __name__ == "__main__":
    main(
        __file__,
        __doc__,
        "Generated engines on ECP5",
        HEAD,
        lambda seeds: (row(*one, seeds) for one in designs()),
        ABOUT,
    )
