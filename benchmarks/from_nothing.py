"""One engine from nothing to a placed netlist: seconds of ``gen-rtl``, ``simulate`` and ``synth --target ecp5``.

    python benchmarks/from_nothing.py [--seeds N]

L1, 8 bits, 4 lanes, each step a command of its own as a user types it, with an empty cache. Goal: 60 seconds on two
cores. Beside seconds on the clock those of the processor, which say more on a busy machine. Ends with 1 above the goal.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_S = 60.0
ENGINE = "l1_forward_b8_p4"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, help="placements; default what hwnorm synth does")
    options = parser.parse_args()
    seeds = [] if options.seeds is None else ["--seeds", str(options.seeds)]
    steps = {
        "gen-rtl": ["gen-rtl", "--norm", "l1", "--bits", "8", "--lanes", "4", "-o", ENGINE],
        "simulate": ["simulate", ENGINE],
        "synth": ["synth", ENGINE, "--target", "ecp5", *seeds],
    }
    total = 0.0
    with tempfile.TemporaryDirectory(prefix="hwnorm_nothing_") as scratch:
        cache = Path(scratch) / "cache"
        cache.mkdir()
        environment = {**os.environ, "HWNORM_CACHE": str(cache)}
        for name, arguments in steps.items():
            begun, spent = time.perf_counter(), _processor_s()
            done = subprocess.run(
                [sys.executable, "-m", "hwnorm", *arguments, "-q"],
                cwd=scratch,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                return done.returncode
            seconds = time.perf_counter() - begun
            total += seconds
            print(f"{name:<9} {seconds:6.1f} s, of the processor {_processor_s() - spent:6.1f} s", flush=True)
    print(f"together  {total:6.1f} s on {os.cpu_count()} cores, goal {GOAL_S:g} s")
    return int(total > GOAL_S)


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
