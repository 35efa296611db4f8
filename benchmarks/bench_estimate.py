"""`hwnorm estimate` beside torchinfo on the same ResNet-110, in one run: ``python benchmarks/bench_estimate.py``.

Each row runs its two sides in turn, so that what else the machine does meets both, and prints the medians. torchinfo
gets what its users write: the module built, ``summary`` with an input size. It runs the network on that input, so its
time grows with the batch; ours does not look at data. The goals are for batch 128, which is the network's own, and the
program ends with 1 where one of those is missed; batch 1, the least that torchinfo can be given, stands beside it. One
thread. Peak memory is that of the whole process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = (
        "1"  # torch's threads wait for each other where neighbours take a core: times a hundred apart
    )

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

TORCH_NETWORKS = ROOT / "tests" / "network" / "torch_networks.py"
WHOLE_GOAL, COUNTING_GOAL, LINEAR_GOAL, SECONDS_GOAL = 5.0, 20.0, 15.0, 2.0

TORCHINFO = f"""
import sys
sys.path.insert(0, {str(TORCH_NETWORKS.parent)!r})
from torch_networks import resnet110
from torchinfo import summary
summary(resnet110(), input_size=(int(sys.argv[1]), 3, 32, 32), verbose=0)
"""

GENERATED = """input: [3, 8, 8]
batch: 4
blocks:
  unit: [{{conv: 8, kernel: 3}}, batch_norm, relu]
layers:
  - {{unit: , times: {norms}}}
"""


def process(*command: str) -> tuple[float, float]:
    """(seconds, peak MiB) of a whole process."""
    begin = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *command], cwd=tempfile.gettempdir(), env=ENVIRONMENT, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)[:60]} ended with {child.returncode}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


TORCHINFO_THERE = find_spec("torchinfo") is not None and find_spec("torch") is not None
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def timed(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def in_turn(times: int, *sides: Callable[[], Any]) -> list[list[Any]]:
    found: list[list[Any]] = [[] for _ in sides]
    for _ in range(times):
        for results, side in zip(found, sides, strict=True):
            results.append(side())
    return found


def row(what: str, ours: float, theirs: float, unit: str, goal: float | None = None) -> bool:
    met = goal is None or theirs / ours >= goal
    aim = "" if goal is None else f"   goal {goal:g}{'' if met else ': MISSED'}"
    print(f"{what:38s} {ours:10.4g} {theirs:10.4g} {unit:4s} {theirs / ours:8.1f}{aim}")
    return met


def whole_processes(folder: Path) -> bool:
    """First of all: a child's peak memory is at least its parent's, which must not have loaded anything yet."""
    met = True
    if TORCHINFO_THERE:
        print(f"{'ResNet-110':38s} {'hwnorm':>10s} {'torchinfo':>10s} {'':4s} {'ratio':>8s}")
        for batch, times in ((128, 3), (1, 7)):
            ours, theirs = in_turn(times, estimate_process, lambda batch=batch: process("-c", TORCHINFO, str(batch)))
            reached = row(f"whole process, torchinfo at batch {batch}", seconds(ours), seconds(theirs), "s", WHOLE_GOAL)
            row("  peak memory", peak(ours), peak(theirs), "MiB")
            met &= reached or batch == 1
    else:
        (ours,) = in_turn(7, estimate_process)
        print("torchinfo or torch is not installed, so its rows are left out: pip install torch torchinfo")
        print(f"whole process: {seconds(ours):.3f} s, {peak(ours):.0f} MiB")

    small, large = in_turn(5, *(partial(estimate_process, str(path)) for path in generate(folder).values()))
    met &= seconds(large) < SECONDS_GOAL
    print(f"\n{'generated network, norm layers':38s} {'1,000':>10s} {'10,000':>10s} {'':4s} {'ratio':>8s}")
    aim = f"   goal {SECONDS_GOAL:g} s{'' if seconds(large) < SECONDS_GOAL else ': MISSED'}"
    print(f"{'whole process':38s} {seconds(small):10.4g} {seconds(large):10.4g} s            {aim}")
    print(f"{'  peak memory':38s} {peak(small):10.4g} {peak(large):10.4g} MiB")
    return met


def estimate_process(network: str = "resnet110.yaml") -> tuple[float, float]:
    return process("-m", "hwnorm", "estimate", network)


def seconds(runs: list[tuple[float, float]]) -> float:
    return median(run[0] for run in runs)


def peak(runs: list[tuple[float, float]]) -> float:
    return max(run[1] for run in runs)


def generate(folder: Path) -> dict[int, Path]:
    paths = {norms: folder / f"net{norms}.yaml" for norms in (1_000, 10_000)}
    for norms, path in paths.items():
        path.write_text(GENERATED.format(norms=norms), encoding="utf-8")
    return paths


def counting(folder: Path) -> bool:
    """In one process, everything imported: what the counting itself takes."""
    from hwnorm.cost.estimate import estimate
    from hwnorm.network.load import load_network

    def ours(name: str | Path, batch: int | None = None) -> None:
        estimate(load_network(name), batch=batch).to_dict(by_layer=False)

    small, large = in_turn(7, *(partial(timed, partial(ours, path)) for path in generate(folder).values()))
    linear = median(large) / median(small)
    met = linear < LINEAR_GOAL
    aim = f"   goal linear, under {LINEAR_GOAL:g}{'' if met else ': MISSED'}"
    print(f"{'read and counted, in process':38s} {median(small):10.4g} {median(large):10.4g} s    {linear:8.1f}{aim}")
    if not TORCHINFO_THERE:
        return met

    sys.path.insert(0, str(TORCH_NETWORKS.parent))
    from torch_networks import resnet110
    from torchinfo import summary

    model, network = resnet110(), load_network("resnet110")

    def theirs(batch: int) -> None:
        summary(model, input_size=(batch, 3, 32, 32), verbose=0)

    print(f"\n{'ResNet-110, counting alone':38s} {'hwnorm':>10s} {'torchinfo':>10s} {'':4s} {'ratio':>8s}")
    for batch, times in ((128, 5), (1, 15)):
        read, given, other = in_turn(
            times,
            lambda batch=batch: timed(lambda: ours("resnet110", batch)),
            lambda batch=batch: timed(lambda: estimate(network, batch=batch).to_dict(by_layer=False)),
            lambda batch=batch: timed(lambda: theirs(batch)),
        )
        reached = row(f"batch {batch}, reading included", median(read), median(other), "s", COUNTING_GOAL)
        row(f"batch {batch}, network and module built", median(given), median(other), "s", COUNTING_GOAL)
        met &= reached or batch == 1
    return met


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        results = [whole_processes(Path(folder)), counting(Path(folder))]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
