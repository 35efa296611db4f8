"""Speed and memory of the bit-true reference, side by side with torch's float32 batch norm and a naive int64 broadcast.

    python benchmarks/bench_reference.py

One thread, forward pass in training mode of an 8-bit activation of shape (64, 64, 56, 56). Seconds are the processor's
and medians of interleaved runs, so that other programs disturb all ways alike. The first call is that of a new process,
in which a compiled engine is compiled. Memory is what one call allocates at its peak.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402  the thread counts must be set before

from hwnorm.engine import Engine  # noqa: E402

SHAPE = (64, 64, 56, 56)
RUNS = 11
NAIVE, TORCH = "naive int64 broadcast", "torch float32 batch norm"


def naive_l1(x: np.ndarray, bits: int = 8, guard: int = 4) -> np.ndarray:
    """The same l1 forward pass without a thought for speed: int64 throughout, in the tensor's own layout, every value
    of the equations an array, every constant broadcast. gamma = 1, beta = 0."""
    wide, axes, m = x.astype(np.int64), (0, 2, 3), x.size // x.shape[1]
    S = wide.sum(axis=axes, keepdims=True)
    above = wide > S // m
    P, n = np.where(above, wide, 0).sum(axis=axes, keepdims=True), above.sum(axis=axes, keepdims=True)
    sigma = 2 * (m * P - n * S) / m**2 * np.sqrt(np.pi / 2)
    gain, exponent = np.frexp(2.0**5 / sigma)
    K, sh = np.floor(gain * 2.0 ** (bits + guard) + 0.5).astype(np.int64), bits + guard - exponent.astype(np.int64)
    B = -(K * S // m)
    return np.clip((K * wide + B + (1 << (sh - 1))) >> sh, -128, 127)


def ways(nchw: np.ndarray) -> dict[str, Callable[[], object]]:
    x = nchw.transpose(1, 0, 2, 3)  # a view: groups first, elements in their own order
    found: dict[str, Callable[[], object]] = {
        f"hwnorm {norm}{', compiled' * compiled}": partial(Engine(norm, 8, x[0].size, compiled=compiled).forward, x)
        for compiled in (False, True)
        for norm in ("l1", "l2")
    }
    found[NAIVE] = partial(naive_l1, nchw)
    try:
        import torch
    except ImportError:
        print("torch is not installed: its row is left out", file=sys.stderr)
    else:
        torch.set_num_threads(1)
        found[TORCH] = partial(torch.nn.BatchNorm2d(SHAPE[1]).train(), torch.from_numpy(nchw).float())
    return found


def tensor() -> np.ndarray:
    return np.clip(np.round(np.random.default_rng(0).normal(10, 30, SHAPE)), -128, 127).astype(np.int8)


def seconds(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


def first_call(name: str) -> float:
    """The first call in a process of its own: what a one-shot check pays, page faults and all."""
    out = subprocess.run([sys.executable, __file__, "--first", name], check=True, capture_output=True, text=True)
    return float(out.stdout)


def main() -> int:
    nchw = tensor()
    found = ways(nchw)
    if sys.argv[1:2] == ["--first"]:
        print(seconds(found[sys.argv[2]]))
        return 0
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(RUNS):
        for name, way in found.items():
            times[name].append(seconds(way))
    forward: Any = found["hwnorm l1"]
    agree = np.count_nonzero(naive_l1(nchw) == forward().y.transpose(1, 0, 2, 3)) / nchw.size
    print(f"the naive way agrees in {agree:.2%} of all elements (it rounds its gain from float64)")
    title = f"forward pass, {'x'.join(map(str, SHAPE))}, 8 bits"
    print(f"{title:44} {'M elements/s':>12} {'x naive':>8} {'x torch':>8} {'first call':>12}")
    warm = {name: median(runs) for name, runs in times.items()}
    for name, spent in warm.items():
        ratios = [warm[other] / spent if other in warm else float("nan") for other in (NAIVE, TORCH)]
        rate, first = (nchw.size / seconds / 1e6 for seconds in (spent, first_call(name)))
        print(f"{name:44} {rate:12.0f} {ratios[0]:8.1f} {ratios[1]:8.1f} {first:12.0f}")
    for name, way in found.items():
        if name.startswith("hwnorm"):
            tracemalloc.start()
            way()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            print(f"{name + ', peak allocation / input':44} {peak / nchw.nbytes:12.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
