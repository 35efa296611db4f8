"""A network under one norm: what is counted, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hwnorm.cost.device import Device
from hwnorm.cost.figure import Figure, Origin, least_sure, weakest
from hwnorm.cost.hardware import Hardware
from hwnorm.cost.paper import PaperCost, paper_cost
from hwnorm.cost.placement import Placed
from hwnorm.cost.quantities import CLOCK
from hwnorm.cost.streaming import Machine, Pass, Stream
from hwnorm.rtl.design import Design
from hwnorm.views.count import OPERATIONS, OpCount, Phase


@dataclass(frozen=True)
class Counted:
    """One norm of a result: its closed formulas, and the engine that would run it in every layer that has it."""

    count: OpCount
    streams: dict[str, Stream]  # by direction; none for a norm without a datapath
    designs: tuple[Design, ...] = ()  # the same engines, as hardware


@dataclass(frozen=True)
class Result:
    """A network under one norm."""

    name: str
    phase: Phase
    placed: tuple[Placed, ...]
    counted: dict[str, Counted]  # by the norm that really stands at a layer
    machine: Machine
    device: Device | None
    paper_device: Device
    hardware: Hardware | None = None  # on a measured device

    @cached_property
    def formula_ops(self) -> dict[str, int]:
        return _added(self.counted[norm].count.formula.times(often) for norm, often in self.often.items())

    @cached_property
    def executed_ops(self) -> dict[str, int] | None:
        """None where a layer's norm has no datapath."""
        tallies = {norm: self.counted[norm].count.executed for norm in self.often}
        if any(tally is None for tally in tallies.values()):
            return None
        return _added(tally.times(self.often[norm]) for norm, tally in tallies.items() if tally is not None)

    @cached_property
    def often(self) -> dict[str, dict[str, int]]:
        """Per norm: groups, and their elements, summed over the layers. Formulas are linear, so this is all they
        need."""
        sums: dict[str, dict[str, int]] = {}
        for p in self.placed:
            often = sums.setdefault(p.norm.name, {"1": 0, "m": 0, "s": 0, "v": 0})
            often["1"] += p.groups
            for symbol, size in p.sizes.items():
                often[symbol] += p.groups * size
        return sums

    @cached_property
    def passes(self) -> list[list[Pass]] | None:
        """Per layer, per direction."""
        if self.executed_ops is None:
            return None
        return [
            [stream.time(p.groups, p.elements, self.machine) for stream in self.counted[p.norm.name].streams.values()]
            for p in self.placed
        ]

    @property
    def sweeps(self) -> dict[str, int]:
        """Of the deepest norm, by direction."""
        found: dict[str, int] = {}
        for counted in self.counted.values():
            for direction, traffic in counted.count.traffic.items():
                found[direction] = max(found.get(direction, 0), traffic.sweeps)
        return found

    @property
    def form(self) -> str:
        forms = {counted.count.form for counted in self.counted.values() if counted.count.form}
        return forms.pop() if len(forms) == 1 else "mixed" if forms else "none"

    def traffic_bytes(self, what: str) -> int | None:
        """Bytes that all sweeps read or write, wherever from."""
        if self.executed_ops is None:
            return None
        bits: int = sum(
            getattr(self.counted[norm].count.total_traffic, what) * often["m"] for norm, often in self.often.items()
        )
        return -(-bits // 8)

    @property
    def paper(self) -> PaperCost:
        return paper_cost(self.formula_ops, self.paper_device)

    @cached_property
    def cost(self) -> dict[str, Figure]:
        """Of the executed operations: cycles and seconds of the streaming engine, and energy where a device is
        given."""
        if self.passes is None:
            return {}
        flat = [p for layer in self.passes for p in layer]
        found = {
            "cycles": Figure(sum(p.cycles for p in flat), Origin.FITTED, 0),
            "time_s": self._seconds(sum(p.seconds for p in flat)),
            "dram_bytes": Figure(sum(p.dram_bytes for p in flat), Origin.ASSUMED),
            "sram_bytes": Figure(sum(p.sram_bytes for p in flat), Origin.ASSUMED),
        }
        if self.device is not None:
            found |= self._energy(self.device, flat)
        if self.hardware is not None:
            found |= self.hardware.figures | self._built_energy(self.hardware)
        return found

    def _seconds(self, value: float) -> Figure:
        """As sure as the clock, a measured device's or a given one; as the bytes, where an engine waits for them."""
        clock = self.hardware.figures.get(CLOCK) if self.hardware else None
        waits = any(one.memory_bound for layer in self.passes or () for one in layer)
        if waits or clock is None or clock.value != self.machine.clock_mhz:
            return Figure(value, Origin.ASSUMED)
        return replace(clock, value=value)

    def _built_energy(self, built: Hardware) -> dict[str, Figure]:
        """Of engines whose energies are known; as sure as the least sure of them. The clock runs while one waits for
        memory, too."""
        if not built.energies or self.passes is None:
            return {}
        pj, figures = 0.0, []
        for p, layer in zip(self.placed, self.passes, strict=True):
            beats = p.groups * -(-p.elements // self.machine.lanes)
            for direction, one in zip(self.counted[p.norm.name].streams, layer, strict=True):
                energy, figure = built.energies[p.norm.name, direction]
                pj += energy.pj(one.seconds * self.machine.clock_mhz * 1e6, beats, p.groups)
                figures.append(figure)
        return {"energy_j": Figure(pj * 1e-12, *least_sure(*figures))}

    def _energy(self, device: Device, passes: list[Pass]) -> dict[str, Figure]:
        arithmetic = Figure(0.0, Origin.CITED)
        for norm, often in self.often.items():
            tally = self.counted[norm].count.executed
            assert tally is not None
            for (operation, widths, symbol), times in tally.items():
                arithmetic += device.cost(operation, "energy_pj", widths).times(times * often[symbol] * 1e-12)
        sram = device.per_byte("sram", self.machine.onchip_kib).times(sum(p.sram_bytes for p in passes) * 1e-12)
        dram = device.per_byte("dram").times(sum(p.dram_bytes for p in passes) * 1e-12)
        sram, dram = (replace(f, origin=weakest(f.origin, Origin.ASSUMED)) for f in (sram, dram))  # as the bytes are
        return {
            "energy_j": arithmetic + sram + dram,
            "energy_arithmetic_j": arithmetic,
            "energy_sram_j": sram,
            "energy_dram_j": dram,
        }

    def layers(self) -> list[dict[str, Any]]:
        found = []
        for index, p in enumerate(self.placed):
            count = self.counted[p.norm.name].count
            row: dict[str, Any] = {
                "name": p.layer.name,
                "kind": p.layer.kind,
                "norm": p.norm.name,
                "channels": p.layer.channels,
                "height": p.layer.height,
                "width": p.layer.width,
                "elements_per_group": p.elements,
                "groups": p.groups,
                "formula_ops": count.formula.totals(p.groups, p.sizes),
                "executed_ops": None if count.executed is None else count.executed.totals(p.groups, p.sizes),
            }
            if p.sampled:
                row["sampled_per_group"] = p.sampled
            if self.passes is not None:
                row["cycles"] = sum(one.cycles for one in self.passes[index])
                row["time_s"] = sum(one.seconds for one in self.passes[index])
                row["memory_bound"] = any(one.memory_bound for one in self.passes[index])
            found.append(row)
        return found


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total = dict.fromkeys(OPERATIONS, 0)
    for one in counts:
        for name, times in one.items():
            total[name] += times
    return total
