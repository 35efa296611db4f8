"""How many configurations a second the cost model prices: ``python benchmarks/bench_grid.py``.

A configuration is an engine (norm, direction, width, lanes) on a workload (groups of a length, how many of them). One
thread, nothing kept from before; ends with 1 below 10,000 a second.
"""

from __future__ import annotations

import time

from hwnorm.cost.fabric import fabric_names
from hwnorm.cost.grid import grid

GOAL = 10_000
BITS, LANES = (4, 6, 8, 12, 16), (1, 2, 4, 8, 16, 32)
ELEMENTS = [49 * k for k in range(1, 65)]
GROUPS = (16, 64, 256)


def main() -> int:
    device = fabric_names()[0]
    begin = time.perf_counter()
    found = [
        grid(device, norm, direction, bits=BITS, lanes=LANES, elements=ELEMENTS, groups=GROUPS)
        for norm in ("l1", "l2")
        for direction in ("forward", "backward")
    ]
    seconds = time.perf_counter() - begin
    count, engines = sum(one.configurations for one in found), sum(one.measured.size for one in found)
    print(
        f"{count:,} configurations of {engines} engines on {device} in {seconds:.2f} s: {count / seconds:,.0f} a second"
    )
    return int(count / seconds < GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
