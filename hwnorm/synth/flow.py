"""The whole way: Verilog text through yosys, the packing pass and nextpnr over several seeds, to a Synthesis.

Every finished step is kept by its content (hwnorm.cache): a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any

from hwnorm import cache
from hwnorm.errors import InputError, ToolFailed
from hwnorm.synth import harness, packing, process
from hwnorm.synth.critical import describe
from hwnorm.synth.feeds import CONSTANT, CONSTANTS, FEED, carry_feeds
from hwnorm.synth.hierarchy import TOP_KEY, by_instance, source_names
from hwnorm.synth.nextpnr import NETLIST, Nextpnr, find_nextpnr, place
from hwnorm.synth.result import KINDS, Fmax, Resources, Synthesis
from hwnorm.synth.targets import Target, find_target
from hwnorm.synth.yosys import Yosys, find_yosys, wrong_design

Json = dict[str, Any]
Told = Callable[[int, int, str], None]  # steps done, of how many, what was done
HIERARCHY = "hierarchy.json"
NETLISTS, PLACEMENTS = "synthesised", "placed"  # what is kept: what became of a netlist, and of a seed
PLACEMENT = "(placement)"  # what the placer counts beyond the netlist
OWN_CODE = (  # what is kept depends on; of a target, on its values below
    *("synth/flow.py", "synth/netlist.py", "synth/hierarchy.py"),
    *("synth/packing.py", "synth/carries.py", "synth/feeds.py", "synth/harness.py"),
    *("synth/nextpnr.py", "synth/critical.py"),
)


def synthesise(
    verilog: str,
    top: str,
    target: str | Target = "ecp5",
    seeds: int = 5,
    *,
    jobs: int | None = None,
    pack: bool = True,
    file_name: str = "design.v",
    told: Told | None = None,
) -> Synthesis:
    """The module ``top`` of a Verilog text, on a device, placed with seeds 1 to ``seeds`` (0: synthesis alone).

    ``pack`` moves flip-flops into block RAMs and multipliers where the device has a pass for it. InputError where the
    text is wrong or the design does not fit; ToolFailed, with the folder of its logs, where a tool fails.
    """
    wanted = find_target(target) if isinstance(target, str) else target
    if not verilog.strip():
        raise InputError(f"{file_name}: is empty")
    if not top.replace("_", "a").isalnum():
        raise ValueError(f"top must be a module's name, not {top!r}")
    if seeds < 0 or (jobs is not None and jobs < 1):
        raise ValueError(f"seeds must be 0 or more and jobs at least 1, not {seeds} and {jobs}")
    if file_name in wanted.files:  # one of the target's own has that name
        file_name = f"design_{file_name}"
    job = _Job(verilog, top, wanted, pack and wanted.packs, file_name, find_yosys())
    placer = find_nextpnr(wanted.placer) if wanted.placer and seeds else None
    try:
        found = _run(job, placer, seeds if placer else 0, jobs or os.cpu_count() or 1, told or (lambda *_: None))
    except ToolFailed as fault:
        raise ToolFailed(f"{fault} (its logs: {job.keep()})") from None
    finally:
        job.close()
    return found


@dataclass(slots=True)
class _Job:
    verilog: str
    top: str
    target: Target
    pack: bool
    file_name: str
    yosys: Yosys
    scratch: Path | None = None
    kept: bool = False

    @property
    def made_from(self) -> tuple[str, ...]:
        """All that the netlist depends on."""
        target = self.target
        wanted = (self.pack, target.commands(self.top), target.files, target.feeds, target.harness, target.pins)
        return (self.verilog, self.top, repr(wanted), self.yosys.version, cache.code_of(*OWN_CODE))

    def folder(self) -> Path:
        """With the netlist in it; made once, when first needed."""
        if self.scratch is None:
            self.scratch = Path(tempfile.mkdtemp(prefix="hwnorm_synth_"))
        return self.scratch

    def keep(self) -> Path:
        self.kept = True
        return self.folder()

    def close(self) -> None:
        if self.scratch is not None and not self.kept:
            shutil.rmtree(self.scratch, ignore_errors=True)


def _run(job: _Job, placer: Nextpnr | None, seeds: int, jobs: int, told: Told) -> Synthesis:
    numbers = range(1, seeds + 1)
    made_from = job.made_from
    placing = (placer.version, repr(job.target.place_options)) if placer else ()
    keys = {seed: (*made_from, *placing, str(seed)) for seed in numbers}
    netlist = _load(NETLISTS, made_from)
    placed = {seed: found for seed in numbers if (found := _load(PLACEMENTS, keys[seed])) is not None}
    if netlist is None or len(placed) < seeds:
        netlist, describer = _synthesise(job)
        _store(NETLISTS, made_from, netlist)
    told(1, 1 + seeds, "synthesis")
    done = 1 + len(placed)
    if len(placed) < seeds:
        assert placer is not None
        folder = job.folder()

        def one(seed: int) -> tuple[int, Json]:
            found = place(placer, job.target, folder, seed)
            kept = {"fmax": found.fmax_mhz, "used": found.used, "path": describer(found.path)}
            _store(PLACEMENTS, keys[seed], kept)
            return seed, kept

        with ThreadPoolExecutor(jobs) as pool:
            waiting = [pool.submit(one, seed) for seed in numbers if seed not in placed]
            try:
                for future in as_completed(waiting):
                    seed, outcome = future.result()
                    placed[seed] = outcome
                    done += 1
                    told(done, 1 + seeds, f"seed {seed}")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                process.stop(folder)
                raise
    return _result(job, placer, netlist, {seed: placed[seed] for seed in numbers})


def _load(kind: str, made_from: tuple[str, ...]) -> Json | None:
    data = cache.load(kind, made_from)
    found: Json | None = json.loads(data) if data else None
    return found


def _store(kind: str, made_from: tuple[str, ...], found: Json) -> None:
    cache.store(kind, made_from, json.dumps(found).encode())


def _synthesise(job: _Job) -> tuple[Json, Callable[..., str | None]]:
    """The counts, to be kept, and what puts a path of this netlist into words. The netlist lies in the job's folder."""
    folder, top, name = job.folder(), job.top, job.file_name
    for file, text in {name: job.verilog, **job.target.files}.items():
        (folder / file).write_text(text, encoding="utf-8")
    look = [f"read_verilog {name}", f"hierarchy -top {top}", "proc", f"write_json {HIERARCHY}"]
    script = [*look, "design -reset", f"read_verilog {name}", *job.target.commands(top), f"write_json {NETLIST}"]
    try:
        job.yosys.run("\n".join(script) + "\n", folder)
    except ToolFailed as fault:
        if told := wrong_design(fault, name):
            raise InputError(told) from None
        raise
    names = source_names(_read(folder / HIERARCHY), top)
    design = _read(folder / NETLIST)
    module = design["modules"].get(top)
    if module is None:
        raise ToolFailed(f"yosys wrote no module {top}")
    packed = packing.pack(module) if job.pack else Counter[str]()
    feeds = carry_feeds(module) if job.target.feeds else Counter[str]()
    parts = by_instance(module, names, {name: Counter({FEED: number}) for name, number in feeds.items()})
    if not sum(parts.values(), Counter[str]()):
        raise InputError(f"{top} synthesises to nothing: are its clock and its outputs among its ports?")
    if job.target.feeds:
        parts.setdefault(TOP_KEY, Counter())[CONSTANT] += CONSTANTS
    total = sum(parts.values(), Counter[str]())
    added = harness.close_ports(module, job.target.harness) if job.target.harness else 0
    if job.target.pins:
        file, text = job.target.pins
        clock = next((name for name in module["ports"] if name != harness.FEED), "")
        (folder / file).write_text(text.format(clock=clock, feed=harness.FEED), encoding="utf-8")
    design["modules"] = {top: module}  # a placer needs no library
    (folder / NETLIST).write_text(json.dumps(design), encoding="utf-8")
    found = {
        "cells": dict(sorted(total.items())),
        "packed": {kind: count for kind, count in packed.items() if count},
        "parts": {name: dict(tally) for name, tally in parts.items()},
        "harness": added,
    }
    return found, lambda path: describe(path, module, names)


def _read(path: Path) -> Json:
    try:
        found: Json = json.loads(path.read_text(encoding="utf-8"))
        if found["modules"]:
            return found
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ToolFailed(f"yosys ended without a fault, but its {path.name} is missing, empty or cut")


def _result(job: _Job, placer: Nextpnr | None, netlist: Json, placed: dict[int, Json]) -> Synthesis:
    target = job.target
    breakdown = {name: count(target, tally) for name, tally in sorted(netlist["parts"].items())}
    total = sum(breakdown.values(), Resources())
    fmax = Fmax({seed: outcome["fmax"] for seed, outcome in placed.items() if outcome["fmax"] is not None})
    used: dict[str, int] = next(iter(placed.values()))["used"] if placed else {}
    if placed and target.placed:
        counts = {
            kind: used.get(target.placed[kind], 0) if kind in target.placed else getattr(total, kind) for kind in KINDS
        }
        difference = Resources(**counts) - total
        if difference != Resources():
            breakdown[PLACEMENT] = difference
        total = Resources(**counts)
    path = None
    if fmax.by_seed:
        middle = median_low(fmax.by_seed.values())
        path = next(placed[seed]["path"] for seed, value in fmax.by_seed.items() if value == middle)
    return Synthesis(
        target=target.name,
        device=target.device,
        grade=target.grade,
        top=job.top,
        tools={"yosys": job.yosys.version} | ({"nextpnr": placer.version} if placer else {}),
        resources=total,
        fmax=fmax,
        critical_path=path,
        breakdown=breakdown,
        parts=netlist["parts"],
        cells=netlist["cells"],
        packed=netlist["packed"],
        utilisation=used,
        notes=target.notes if placed else (),
    )


def count(target: Target, cells: dict[str, int]) -> Resources:
    """Cell types weighed as the target's family counts them."""
    weights = {kind: getattr(target.cells, kind) for kind in KINDS}
    return Resources(**{k: round(sum(n * w.get(kind, 0) for kind, n in cells.items())) for k, w in weights.items()})
