"""Many elements through every design: ``python tests/check/bulk.py``, ``make bulk``.

l1 and l2, forward and backward, at 8 bits and 16 lanes: 1e8 elements each, by a compiled model where there is g++.
Every other catalogue entry, direction and width, at 4 lanes: 1e6 each, by gates. Groups of 1000 elements, drawn anew.
What was found is kept in build/bulk.jsonl, under a digest of the design's Verilog and golden vectors: a run that was
interrupted goes on where it stood, after a change only the designs that are another now are run again, and entries that
are the same hardware (with one sample or another, say) are run once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnorm.check.bulk import bulk
from hwnorm.check.folder import check_manifest
from hwnorm.engine import Engine
from hwnorm.errors import HwnormError
from hwnorm.files import write_folder
from hwnorm.norms.catalog import CATALOG
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "bulk.jsonl"
BITS = (4, 8, 12, 16)
MOST = 1000
LONGER = {("l1", "forward"), ("l1", "backward"), ("l2", "forward"), ("l2", "backward")}


@dataclass(frozen=True)
class Case:
    norm: str
    direction: str
    bits: int

    def __str__(self) -> str:
        return f"{self.norm}-{self.direction}-b{self.bits}"

    @property
    def longer(self) -> bool:
        return self.bits == 8 and (self.norm, self.direction) in LONGER

    @property
    def total(self) -> int:
        return 100_000_000 if self.longer else 1_000_000

    @property
    def lanes(self) -> int:
        return 16 if self.longer else 4

    def emitted(self) -> dict[str, bytes]:
        engine = Engine(self.norm, self.bits, max_elements=MOST)
        return emit(Design(engine, self.direction, self.lanes), "dut", "tests/check/bulk.py")

    def run(self, files: dict[str, bytes]) -> dict[str, Any]:
        """How many elements, how, and what was told of the first difference."""
        with tempfile.TemporaryDirectory(prefix="hwnorm-") as scratch:
            place = Path(scratch) / "dut"
            write_folder(place, files)
            folder = check_manifest(place, json.loads(files["manifest.json"]))
            try:
                report = bulk(folder, self.total, lambda done: None, compiler=self.longer)
            except HwnormError as fault:
                return {"ok": False, "told": str(fault)}
            return {"ok": True, "elements": report.elements, "groups": report.groups, "how": report.how}


def cases() -> Iterator[Case]:
    for bits in BITS:
        for name in CATALOG:
            for direction in Engine(name, bits, MOST).directions:
                yield Case(name, direction, bits)


def digest(files: dict[str, bytes]) -> str:
    """Of what is run and what it is held against: the Verilog but for its comments, the vectors."""
    found = hashlib.sha256(re.sub(rb"//.*", b"", files["rtl/dut.v"]))
    for name, data in sorted(files.items()):
        if name.endswith(".hex"):
            found.update(name.encode() + b"\0" + data)
    return found.hexdigest()[:16]


def report(done: dict[str, dict[str, Any]]) -> str:
    """Elements by design and width; none of their bits differs."""
    wanted = list(cases())
    paths = list(dict.fromkeys((case.norm, case.direction) for case in wanted))
    lines = [
        "# Elements of which no bit differs from the reference",
        "",
        "    make bulk      # python tests/check/bulk.py",
        "",
        (__doc__ or "").split("\n\n", 1)[1].strip(),
        "",
        "| norm | direction | " + " | ".join(f"{bits} bits" for bits in BITS) + " |",
        "| --- | --- |" + " --- |" * len(BITS),
    ]
    for norm, direction in paths:
        found = [done.get(str(Case(norm, direction, bits)), {}) for bits in BITS]
        words = [f"{one['elements']:,} {one['how']}" if one.get("ok") else one.get("told", "not run") for one in found]
        lines.append(f"| {norm} | {direction} | " + " | ".join(words) + " |")
    different = {one["digest"]: one for one in done.values()}.values()
    total, sound = sum(one.get("elements", 0) for one in different), sum(one["ok"] for one in done.values())
    lines += [
        "",
        f"{sound} of {len(wanted)} without a difference, {len(different)} different ones, {total:,} elements.",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="designs whose name has it, such as l2-backward")
    parser.add_argument("-o", dest="output", type=Path, metavar="FILE", help="write a table of all that was found")
    options = parser.parse_args()
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    known = {one["digest"]: one for one in map(json.loads, lines) if one["ok"]}
    done: dict[str, dict[str, Any]] = {}
    failed, started = 0, time.monotonic()
    for case in cases():
        if options.only not in str(case):
            continue
        files = case.emitted()
        key = digest(files)
        if key not in known:
            known[key] = {"case": str(case), "digest": key, **case.run(files)}
            with KEPT.open("a", encoding="utf-8") as log:
                log.write(json.dumps(known[key]) + "\n")
        done[str(case)] = known[key]
        failed += not known[key]["ok"]
        told = "" if known[key]["ok"] else f": {known[key]['told']}"
        print(f"{time.monotonic() - started:6.0f} s  {case}{told}", flush=True)
    if options.output:
        options.output.write_text(report(done), encoding="utf-8")
    print(f"{len(done)} designs, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
