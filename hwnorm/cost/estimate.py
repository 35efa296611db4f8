"""A network's normalizations, counted and priced, several norms side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import hwnorm
from hwnorm.cost.device import Device, load_device
from hwnorm.cost.figure import Figure, Origin, weakest
from hwnorm.cost.paper import PaperCost, paper_cost, ratio, saving
from hwnorm.cost.placement import AS_IS, Placed, place, replaces
from hwnorm.cost.streaming import Machine, Pass, Stream
from hwnorm.engine import Engine
from hwnorm.network.model import Network
from hwnorm.views.count import OPERATIONS, PHASES, OpCount, Phase

PAPER_DEVICE = "de5-net-float32"
DEFAULT_NORMS = ("l2", "l1")
ACCOUNTINGS = ("paper", "executed")


@dataclass(frozen=True)
class Counted:
    """One norm of a result: its closed formulas, and the engine that would run it in every layer that has it."""

    count: OpCount
    streams: dict[str, Stream]  # by direction; none for a norm without a datapath


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
            "time_s": Figure(sum(p.seconds for p in flat), Origin.ASSUMED),
            "dram_bytes": Figure(sum(p.dram_bytes for p in flat), Origin.ASSUMED),
            "sram_bytes": Figure(sum(p.sram_bytes for p in flat), Origin.ASSUMED),
        }
        if self.device is not None:
            found |= self._energy(self.device, flat)
        return found

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


@dataclass(frozen=True)
class Estimate:
    """Several norms on one network; the first is what the others are compared with."""

    network: Network
    batch: int
    phase: Phase
    bits: int
    results: tuple[Result, ...]
    accountings: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def comparison(self) -> list[dict[str, Any]]:
        base, *others = self.results
        rows = []
        for other in others:
            pair = {"norm": other.name, "against": base.name}
            if "paper" in self.accountings:
                rows.append({**pair, "accounting": "paper", **_paper_comparison(other.paper, base.paper)})
            if "executed" in self.accountings and base.cost and other.cost:
                row = {**pair, "accounting": "executed", "speedup": ratio(other.cost["time_s"], base.cost["time_s"])}
                if "energy_j" in base.cost:
                    row["energy_saving"] = saving(other.cost["energy_j"], base.cost["energy_j"])
                rows.append(row)
        return rows

    def to_dict(self, by_layer: bool = True) -> dict[str, Any]:
        """The JSON of ``hwnorm estimate``."""
        return {
            "schema": "hwnorm.estimate/1",
            "hwnorm": hwnorm.__version__,
            "network": {
                "name": self.network.name,
                "source": self.network.source,
                "input": list(self.network.input),
                "batch": self.batch,
                "norm_layers": len(self.network.layers),
                "channels": self.network.channels,
                "elements_per_sample": self.network.elements_per_sample,
                "parameters": self.network.parameters,
                "macs_per_sample": self.network.macs,
            },
            "results": [self._result(result, by_layer) for result in self.results],
            "comparison": self.comparison(),
            "warnings": list(self.warnings),
        }

    def _result(self, result: Result, by_layer: bool) -> dict[str, Any]:
        found: dict[str, Any] = {
            "norm": result.name,
            "form": result.form,
            "phase": result.phase,
            "bits": self.bits,
            "lanes": result.machine.lanes,
            "clock_mhz": result.machine.clock_mhz,
            "sweeps": result.sweeps,
            "formula_ops": result.formula_ops,
        }
        if "executed" in self.accountings:
            found |= {
                "executed_ops": result.executed_ops,
                "bytes_read": result.traffic_bytes("read"),
                "bytes_written": result.traffic_bytes("written"),
                "cost": {name: figure.to_dict() for name, figure in result.cost.items()},
            }
        if "paper" in self.accountings:
            found["paper"] = result.paper.to_dict()
        return found | ({"layers": result.layers()} if by_layer else {})


def estimate(
    network: Network,
    norms: Iterable[str] | None = None,
    batch: int | None = None,
    *,
    phase: Phase = "training",
    accounting: str | None = None,
    device: str | None = None,
    bits: int = 8,
    machine: Machine | None = None,
    sampling_ratio: float = 1 / 32,
) -> Estimate:
    """Count and price the network's normalizations under each of ``norms``.

    By default l2 and l1 in the place of every batch norm; in a network that has none, layer and layer-l1 in the place
    of its layer and rms norms, or as-is. ``batch`` replaces the network's own. ``device`` prices the executed
    operations; the paper's accounting always has its Table IV. Errors name what is unknown or missing.
    """
    names = default_norms(network) if norms is None else tuple(norms)
    if not names or isinstance(norms, str):
        raise ValueError('give a list of norms to count, such as ["l2", "l1"]')
    if len(set(names)) < len(names):
        raise ValueError(f"a norm is named twice: {', '.join(names)}")
    if phase not in PHASES:
        raise ValueError(f"phase must be {', '.join(PHASES)}, not {phase!r}")
    if accounting is not None and accounting not in ACCOUNTINGS:
        raise ValueError(f"accounting must be {' or '.join(ACCOUNTINGS)}, not {accounting!r}")
    size = network.batch if batch is None else batch
    if size < 1:
        raise ValueError(f"batch must be a positive integer, not {size}")
    if not 0 < sampling_ratio <= 1:
        raise ValueError(f"sampling_ratio must be above 0 and at most 1, not {sampling_ratio}")
    machine = machine or Machine()
    priced = load_device(device) if device else None
    results = []
    for name in names:
        placed = place(network, name, size, sampling_ratio)
        counted = {norm: _counted(norm, placed, phase, bits, machine) for norm in {p.norm.name for p in placed}}
        results.append(Result(name, phase, tuple(placed), counted, machine, priced, load_device(PAPER_DEVICE)))
    accountings = (accounting,) if accounting else ACCOUNTINGS
    return Estimate(network, size, phase, bits, tuple(results), accountings, _warnings(network, names))


def default_norms(network: Network) -> tuple[str, ...]:
    kinds = {layer.kind for layer in network.layers}
    if "batch_norm" in kinds or not kinds:
        return DEFAULT_NORMS
    return ("layer", "layer-l1") if kinds & {"layer_norm", "rms_norm"} else (AS_IS,)


def _counted(norm: str, placed: list[Placed], phase: Phase, bits: int, machine: Machine) -> Counted:
    """The count of a norm, with registers wide enough for its longest group: one engine serves all layers."""
    engine = Engine(norm, bits, max_elements=max(p.elements for p in placed if p.norm.name == norm))
    count = engine.count(phase)
    streams = {
        direction: Stream.of(engine, direction, traffic, machine.lanes) for direction, traffic in count.traffic.items()
    }
    return Counted(count, streams)


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total = dict.fromkeys(OPERATIONS, 0)
    for one in counts:
        for name, times in one.items():
            total[name] += times
    return total


def _paper_comparison(ours: PaperCost, theirs: PaperCost) -> dict[str, float | None]:
    return {
        "speedup": ratio(ours.time_ns, theirs.time_ns),
        "power_saving": saving(ours.power_uw, theirs.power_uw),
        "speedup_with_root": ratio(ours.time_with_root_ns, theirs.time_with_root_ns),
        "power_saving_with_root": saving(ours.power_with_root_uw, theirs.power_with_root_uw),
    }


def _warnings(network: Network, names: tuple[str, ...]) -> tuple[str, ...]:
    found = list(network.warnings)
    if not network.layers:
        found.append(f"{network.name} has no normalization layer: there is nothing to count")
    for name in names:
        if network.layers and name != AS_IS and not replaces(network, name):
            kinds = ", ".join(sorted({layer.kind for layer in network.layers}))
            found.append(f"{network.name} has no layer that {name} replaces ({kinds} stay as they are)")
    return tuple(found)
