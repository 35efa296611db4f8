"""Every design that the bench has to pass: ``python tests/rtl/matrix.py`` runs them all, ``make regression`` too.

Catalogue entry x form x direction x bits x lanes x length (given at run time or fixed) x apply (as it comes, or looked
up in a table where that can be), memories on chip; golden and random groups. The default forms at a run-time length
come first. Entries that are the same hardware (with one sample or another, say; forms that differ in training alone,
for inference) are run once: what passed is kept in a table under a digest of the Verilog but for its comments, the
vectors and the bench. After a change only the designs that are another now are run; and a run that was interrupted, or
is repeated with the same sources, does not even generate what it has seen. Verilator; for one number of bits and lanes
Icarus, which knows unknown bits. The subset that ``make test-slow`` and CI run is here too.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import cycle
from multiprocessing import Manager
from pathlib import Path
from typing import Any

from hwnorm.engine import Engine
from hwnorm.files import write_folder, write_whole
from hwnorm.norms.catalog import CATALOG
from hwnorm.rtl import simulate
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit
from hwnorm.rtl.plan import TABLE_BITS

ROOT = Path(__file__).parents[2]
BITS = (4, 6, 8, 10, 12, 16)
LANES = (1, 3, 4, 16)
ELEMENTS = {16: 37}  # three beats, the last not full
SHORT = 13
RANDOM_ELEMENTS = {True: 600, False: 250}  # by whether the length is fixed
UNKNOWN_BITS = (8, 3)  # bits and lanes that Icarus runs
KEPT = ROOT / "build" / "regression"
COLUMNS = ("design", "seed", "case", "groups", "elements", "missed")
DRAWING = ("hwnorm/bundle/*.py", "hwnorm/rtl/simulate.py", "hwnorm/rtl/cocotb_worker.py")  # and running
SOURCES = ("hwnorm/**/*.py", "sim/*.py", "rtl_templates/rtl/*", "tests/rtl/matrix.py")


@dataclass(frozen=True)
class Case:
    norm: str
    form: str
    direction: str
    bits: int = 8
    lanes: int = 4
    fixed: bool = False
    elements: int = 0  # 0: few
    table: bool = False
    external: bool = False
    axis: bool = False
    simulator: str = "icarus"

    def __str__(self) -> str:
        words = [self.norm, self.form, self.direction, f"b{self.bits}", f"p{self.lanes}"]
        words += ["fixed" if self.fixed else "runtime", str(self.longest)]
        words += ["table"] * self.table + ["external"] * self.external + ["axis"] * self.axis + [self.simulator]
        return "-".join(words)

    @property
    def longest(self) -> int:
        return self.elements or ELEMENTS.get(self.lanes, SHORT)

    def design(self) -> Design:
        length = {"elements": self.longest} if self.fixed else {"max_elements": self.longest}
        engine = Engine(self.norm, self.bits, form=self.form, **length)
        apply = "table" if self.table else "auto"  # which takes none, as the groups are short
        return Design(engine, self.direction, self.lanes, self.external, apply=apply)

    def emitted(self) -> dict[str, bytes]:
        return emit(self.design(), "dut", f"hwnorm gen-rtl, as in {self}")

    def run(self, seed: int = 1, files: dict[str, bytes] | None = None) -> simulate.Report:
        """ToolFailed where a bit differs."""
        simulator = simulate.find(self.simulator)
        with tempfile.TemporaryDirectory(prefix="hwnorm-") as scratch:
            files, folder = files or self.emitted(), Path(scratch) / "dut"
            write_folder(folder, files)
            about = json.loads(files["manifest.json"])
            count = RANDOM_ELEMENTS[self.fixed] * (1 if not self.elements else 6)
            return simulate.simulate(folder, about, simulator, seed, self.axis, count)


def datapaths() -> Iterator[tuple[str, str, str]]:
    """Norm, form, direction."""
    for name, norm in CATALOG.items():
        for form in norm.forms:
            for direction in Engine(name, 8, SHORT, form=form).directions:
                yield name, form, direction


def tabulated() -> Iterator[tuple[str, str, str]]:
    """Those that can be looked up, but for entries that differ in their samples alone."""
    paths = [path for path in datapaths() if not CATALOG[path[0]].sampling]
    return (path for path in paths if Case(*path, fixed=True, table=True).design().plan.tabulated)


def everything() -> list[Case]:
    found = [
        Case(*path, bits, lanes, fixed, simulator="icarus" if (bits, lanes) == UNKNOWN_BITS else "verilator")
        for path in datapaths()
        for bits in BITS
        for lanes in LANES
        for fixed in (False, True)
    ]
    looked_up = [replace(case, table=True) for case in found if case.bits <= TABLE_BITS]
    found += [case for case in looked_up if case.design().plan.tabulated]
    return sorted(found, key=lambda case: case.fixed or case.form != next(iter(CATALOG[case.norm].forms)))


def subset() -> list[Case]:
    """Every datapath once at 8 bits; then long groups, the wrapper, memories outside, tables."""
    lanes, fixed = cycle(LANES), cycle((False, False, False, False, True, True, True, True))
    # Directions come in threes and lanes in fours: each direction sees every number of lanes.
    found = [Case(*path, 8, next(lanes), next(fixed)) for path in datapaths()]
    found += [
        Case("l1", "positive-part", "forward", 8, 4, elements=700),
        Case("l2", "one-pass", "backward", 8, 16, True, elements=1600, axis=True),
        Case("layer", "two-pass", "forward", 12, 3, external=True),
        *(Case("l1", "abs", d, 10, 3, axis=True) for d in ("forward", "backward", "inference")),
        *(Case("l2", "two-pass", d, 16, 4, True, axis=True) for d in ("forward", "backward")),
        Case("rms", "one-pass", "forward", 6, 16, axis=True),
        Case("l2-bs", "one-pass", "backward", 4, 1, axis=True),
        Case("fold-sign", "threshold", "inference", 8, 3, axis=True),
        Case("l1", "positive-part", "forward", 8, 3, True, external=True),
        Case("l2", "one-pass", "backward", 8, 3, external=True),
        Case("l2", "two-pass", "forward", 8, 4, True, external=True, axis=True),
        Case("range", "two-sweep", "forward", 8, 1, external=True),
        *(Case("l2", "one-pass", "forward", 8, p, f, elements=n) for p, f, n in ((1, False, 220), (4, True, 900))),
        Case("l1", "positive-part", "backward", 16, 1, True, elements=300),
        *(Case(*path, 8, p, f, table=True) for path, p, f in zip(tabulated(), cycle((16, 4, 1, 16, 3)), fixed)),
        Case("l1", "positive-part", "forward", 4, 3, table=True),
    ]  # fmt: skip
    # Icarus compiles at once, what Verilator compiles runs four times as fast.
    return [replace(c, simulator="verilator" if c.lanes > 3 or c.elements else "icarus") for c in found]


def _sources(patterns: tuple[str, ...]) -> bytes:
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.digest()


def key(files: dict[str, bytes], case: Case, seed: int) -> str:
    """Of all that an outcome depends on. Random groups are drawn by the reference, as the golden ones are."""
    about = json.loads(files["manifest.json"])
    ran = [about["streams"], about["cycles"], case.simulator, case.axis, case.elements, case.fixed, seed]
    digest = hashlib.sha256(_sources(DRAWING) + json.dumps(ran).encode())
    for name, data in sorted(files.items()):
        if name.endswith((".v", ".hex", ".py")):
            digest.update(name.encode() + b"\0" + (re.sub(rb"//.*", b"", data) if name.endswith(".v") else data))
    return digest.hexdigest()[:16]


class Passed:
    """The table of what has passed: the first case of each design, what was compared, which points were not hit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self.rows = {row["design"]: row for row in csv.DictReader(io.StringIO(text))}

    def add(self, found: dict[str, Any]) -> None:
        self.rows[found["design"]] = {name: found[name] for name in COLUMNS}

    def write(self) -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(sorted(self.rows.values(), key=lambda row: row["case"]))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, text.getvalue().encode())


def _outcome(case: Case, seed: int, taken: MutableMapping[str, str]) -> dict[str, Any]:
    """``taken``: designs that passed before, or that another process has begun; its case is ``as`` then."""
    found: dict[str, Any] = {"case": str(case), "seed": seed, "ok": True}
    try:
        files = case.emitted()
        found["design"] = key(files, case, seed)
        claim = f"{case}, now"
        first = taken.setdefault(found["design"], claim)
        if first != claim:
            return found | {"as": first}
        report = case.run(seed, files)
        missed = " ".join(sorted(point.replace(" ", "") for point in report.coverage.missed))
        return found | {"groups": report.groups, "elements": report.elements, "missed": missed}
    except Exception as fault:  # a fault of ours in one design is no reason to leave out the others
        return found | {"ok": False, "told": f"{type(fault).__name__}: {fault}"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time; default one a core")
    parser.add_argument("--seed", type=int, default=1, help="of random groups, stalls and resets; default 1")
    parser.add_argument("--only", default="", metavar="TEXT", help="designs whose name has it, such as l2-one-pass")
    parser.add_argument("--sample", type=int, metavar="N", help="so many of them, drawn by the seed")
    parser.add_argument("--subset", action="store_true", help="those that CI runs")
    parser.add_argument("--passed", type=Path, default=KEPT / "passed.csv", help="what passed before, and now")
    options = parser.parse_args()
    cases = [c for c in (subset() if options.subset else everything()) if options.only in str(c)]
    if options.sample is not None:
        cases = random.Random(options.seed).sample(cases, min(options.sample, len(cases)))
    passed = Passed(options.passed)
    kept = KEPT / f"{_sources(SOURCES).hex()[:16]}.jsonl"
    KEPT.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    before = [one for one in map(json.loads, lines) if one["ok"] and one["design"] in passed.rows]
    done = {(one["case"], one["seed"]) for one in before}
    todo = [c for c in cases if (str(c), options.seed) not in done]
    print(f"{len(cases)} designs, {len(cases) - len(todo)} of them done before; what passed: {passed.path}", flush=True)
    failed, different, started = 0, 0, time.monotonic()
    with Manager() as shared, ProcessPoolExecutor(options.jobs) as pool, kept.open("a", encoding="utf-8") as log:
        taken = shared.dict({design: row["case"] for design, row in passed.rows.items()})
        running = [pool.submit(_outcome, case, options.seed, taken) for case in todo]
        for number, future in enumerate(as_completed(running), 1):
            found = future.result()
            log.write(json.dumps(found) + "\n")
            log.flush()
            if not found["ok"]:
                failed += 1
                print(f"FAILED {found['case']}: {found['told']}", flush=True)
            elif "as" not in found:
                different += 1
                passed.add(found)
            if number % 20 == 0 or number == len(todo):
                passed.write()
                spent = f"{time.monotonic() - started:.0f} s"
                print(f"{number} of {len(todo)}, {different} of them run, {failed} failed, {spent}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
