"""A generated folder of kind rtl, read: its Verilog as a netlist, its ports, and how long it may take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hwnorm.bundle import manifest
from hwnorm.bundle.vectors import check_unchanged
from hwnorm.check.bench import Bench, Stalls
from hwnorm.check.ports import Layout, layouts_of
from hwnorm.check.queues import Segment
from hwnorm.check.rows import Batch
from hwnorm.check.vectors import AGAIN
from hwnorm.errors import InputError, ToolFailed
from hwnorm.gates import Netlist, netlist_of
from hwnorm.rtl.design import Design
from hwnorm.synth.yosys import wrong_design


@dataclass(frozen=True)
class Folder:
    """A generated folder of kind rtl, read."""

    path: Path
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.about["name"])

    @cached_property
    def text(self) -> str:
        try:
            return self._verilog.read_text(encoding="utf-8")
        except (OSError, ValueError) as fault:
            raise InputError(f"{self._verilog}: cannot be read: {fault}; {AGAIN}") from None

    @property
    def _verilog(self) -> Path:
        return self.path / "rtl" / f"{self.name}.v"

    @cached_property
    def design(self) -> Design:
        engine, about = manifest.engine_of(self.about), self.about
        external, apply = about["replay"] == "external", about.get("apply", "auto")
        return Design(engine, about["direction"], about["lanes"], external, apply=apply)

    @cached_property
    def layouts(self) -> list[Layout]:
        return layouts_of(self.about["streams"])

    @cached_property
    def netlist(self) -> Netlist:
        """Made as fast as can be."""
        return self._made(gates=None)

    @cached_property
    def optimised(self) -> Netlist:
        """With little in it that does nothing, and every gate in its instance: to put faults in."""
        return self._made(by_instance=True)

    def _made(self, **how: Any) -> Netlist:
        """InputError where yosys cannot read it, or where a part of it is missing."""
        try:
            return self.checked(netlist_of(self.text, self.name, **how))
        except ToolFailed as fault:
            if found := re.search(r"design(:\d+): (?:ERROR:\s*)?(.*)", str(fault)):
                raise InputError(f"{self._verilog}{found[1]}: {found[2]}; {AGAIN}") from None
            if told := wrong_design(fault, "design"):
                raise InputError(f"{self._verilog}: {told.removeprefix('yosys: ').rstrip('.')}; {AGAIN}") from None
            raise

    def checked(self, found: Netlist) -> Netlist:
        """InputError where its ports are not those that the manifest says."""
        for layout in self.layouts:
            along, against = (found.inputs, found.outputs)[:: 1 if layout.driven else -1]
            wanted = {s.signal: (along, s.bits) for s in layout.signals}
            wanted |= {f"{layout.prefix}_valid": (along, 1), f"{layout.prefix}_ready": (against, 1)}
            for name, (ports, width) in wanted.items():
                if name not in ports or len(ports[name]) != width:
                    side = "input" if ports is found.inputs else "output"
                    has = f"has {len(ports[name])} bits" if name in ports else f"is no {side}"
                    raise InputError(f"{self.name}.v: port {name} {has}, the manifest says {width} bits; {AGAIN}")
        return found

    def port(self, driven: bool) -> str:
        """The prefix of the first stream of beats in, or the last one out."""
        beats = [layout.prefix for layout in self.layouts if layout.beats and layout.driven is driven]
        return beats[0] if driven else beats[-1]

    def bench(self, netlist: Netlist, streams: int, seed: int = 0, **more: Any) -> Bench:
        """Registers start from anything, whatever the Verilog says: a reset has to be enough."""
        options = {"power_on": seed} | more
        return Bench(replace(netlist, init={}), streams, self.port(True), self.port(False), seed, **options)

    def cycles(self, groups: int, beats: int) -> int:
        """The manifest's formula."""
        told = self.about["cycles"]
        return int(told["sweeps"] * (beats - 1) + (groups - 1) * max(beats, told["min_beats"]) + told["overhead"])

    def limits(self, sequences: Sequence[Sequence[Segment]], stalls: Stalls) -> tuple[int, int]:
        """Cycles after which a design has failed, in all and without a transfer: each group as long as if alone."""

        def alone(batch: Batch) -> int:
            groups = batch.groups
            beats = max(-(-groups.m // self.about["lanes"]), groups.taken) + abs(groups.wrong)
            return self.cycles(1, beats) + int(self.about["cycles"]["min_beats"]) + 64

        pause = int(stalls.pauses.max())
        most = max(sum(alone(b) * (hi - lo) for b, lo, hi in sequence) for sequence in sequences)
        longest = max(alone(b) for sequence in sequences for b, _, _ in sequence)
        return int(2 * stalls.slowdown * most) + 1000 + 4 * pause, 2 * longest + 1000 + pause


def check_manifest(folder: Path, about: Mapping[str, Any]) -> Folder:
    """InputError where it lacks what a bench needs or describes no engine, or where the vectors are not those that it
    was written with."""
    for key, kind in (("streams", list), ("cycles", dict), ("replay", str), ("max_elements", int)):
        if not isinstance(about.get(key), kind):
            raise InputError(f"{folder / 'manifest.json'}: {key!r} is missing; {AGAIN}")
    found = Folder(folder, about)
    try:
        check_unchanged(folder, about)
        _ = found.design.plan, found.layouts, found.cycles(1, 1), found.port(True), found.port(False)
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        what = f"{type(fault).__name__}: {fault}"
        raise InputError(f"{folder / 'manifest.json'}: it describes no engine ({what}); {AGAIN}") from None
    return found
