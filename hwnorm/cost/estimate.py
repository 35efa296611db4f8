"""A network's normalizations, counted and priced, several norms side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import hwnorm
from hwnorm.cost.device import load_device
from hwnorm.cost.fabric import Fabric, fabric_names, find_fabric
from hwnorm.cost.hardware import Hardware, hardware
from hwnorm.cost.paper import PaperCost, ratio, saving
from hwnorm.cost.placement import AS_IS, Placed, place, replaces
from hwnorm.cost.quantities import CLOCK
from hwnorm.cost.result import Counted, Result
from hwnorm.cost.streaming import Machine, Stream
from hwnorm.engine import Engine
from hwnorm.network.model import Network
from hwnorm.norms.form import Norm
from hwnorm.rtl.design import Design
from hwnorm.views.count import PHASES, Phase, count

PAPER_DEVICE = "de5-net-float32"
DEFAULT_NORMS = ("l2", "l1")
ACCOUNTINGS = ("paper", "executed")


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
    clock_mhz: float | None = None,
    sampling_ratio: float = 1 / 32,
) -> Estimate:
    """Count and price the network's normalizations under each of ``norms``.

    By default l2 and l1 in the place of every batch norm; in a network that has none, layer and layer-l1 in the place
    of its layer and rms norms, or as-is. ``batch`` replaces the network's own. ``device`` prices the executed
    operations, or, if it is a measured one, says what the engines take on it and how fast they are: then they run at
    that clock, unless ``clock_mhz`` gives another. The paper's accounting always has its Table IV. Errors name what is
    unknown or missing.
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
    if clock_mhz is not None:
        machine = replace(machine, clock_mhz=clock_mhz)
    fabric = find_fabric(device) if device else None
    priced = load_device(device, fabric_names()) if device and fabric is None else None
    results = []
    for name in names:
        placed = place(network, name, size, sampling_ratio)
        standing = dict.fromkeys(p.norm.name for p in placed)  # in the network's order: warnings are told in it
        counted = {norm: _counted(norm, placed, phase, bits, machine) for norm in standing}
        built = _hardware(fabric, counted)
        own = machine
        if built and CLOCK in built.figures and clock_mhz is None:
            own = replace(machine, clock_mhz=built.figures[CLOCK].value)
        results.append(Result(name, phase, tuple(placed), counted, own, priced, load_device(PAPER_DEVICE), built))
    accountings = (accounting,) if accounting else ACCOUNTINGS
    there = {p.norm.name: p.norm for result in results for p in result.placed}
    warnings = [*_warnings(network, names, there.values(), phase)]
    warnings += [w for r in results if r.hardware for w in r.hardware.warnings]
    if fabric and clock_mhz is None and any(r.hardware and CLOCK not in r.hardware.figures for r in results):
        warnings.append(f"{fabric.name} has no measured clock: {machine.clock_mhz:g} MHz is assumed (--clock-mhz)")
    return Estimate(network, size, phase, bits, tuple(results), accountings, tuple(dict.fromkeys(warnings)))


def _hardware(fabric: Fabric | None, counted: dict[str, Counted]) -> Hardware | None:
    designs = [design for one in counted.values() for design in one.designs]
    return hardware(fabric, designs) if fabric and designs else None


def default_norms(network: Network) -> tuple[str, ...]:
    kinds = {layer.kind for layer in network.layers}
    if "batch_norm" in kinds or not kinds:
        return DEFAULT_NORMS
    return ("layer", "layer-l1") if kinds & {"layer_norm", "rms_norm"} else (AS_IS,)


def _counted(norm: str, placed: list[Placed], phase: Phase, bits: int, machine: Machine) -> Counted:
    """The count of a norm, with registers wide enough for its longest group: one engine serves all layers."""
    engine = Engine(norm, bits, max_elements=max(p.elements for p in placed if p.norm.name == norm))
    designs = {d: _design(engine, d, machine) for d in PHASES[phase] if d in engine.directions}
    counted = count(engine.norm, engine.form, phase, {d: design.program for d, design in designs.items()})
    return Counted(counted, {d: Stream.of(design) for d, design in designs.items()}, tuple(designs.values()))


def _design(engine: Engine, direction: str, machine: Machine) -> Design:
    """With replay memories, if they hold the longest group on chip."""
    design = Design(engine, direction, machine.lanes)
    fits = engine.max_elements * design.traffic.replayed <= machine.onchip_bits
    return design if fits else replace(design, external=True)


def _paper_comparison(ours: PaperCost, theirs: PaperCost) -> dict[str, float | None]:
    return {
        "speedup": ratio(ours.time_ns, theirs.time_ns),
        "power_saving": saving(ours.power_uw, theirs.power_uw),
        "speedup_with_root": ratio(ours.time_with_root_ns, theirs.time_with_root_ns),
        "power_saving_with_root": saving(ours.power_with_root_uw, theirs.power_with_root_uw),
    }


def _warnings(network: Network, names: tuple[str, ...], norms: Iterable[Norm], phase: Phase) -> tuple[str, ...]:
    """``norms``: all that stand in the network, put there or declared."""
    found = list(network.warnings)
    if not network.layers:
        found.append(f"{network.name} has no normalization layer: there is nothing to count")
    for name in names:
        if network.layers and name != AS_IS and not replaces(network, name):
            kinds = ", ".join(sorted({layer.kind for layer in network.layers}))
            found.append(f"{network.name} has no layer that {name} replaces ({kinds} stay as they are)")
    for norm in norms:
        has = [d for d in ("forward", "backward", "inference") if getattr(norm.printed, d) is not None]
        lacking = [d for d in PHASES[phase] if d not in has]
        if lacking:
            found.append(
                f"{norm.name} has no {' and no '.join(lacking)} to count: it has {' and '.join(has)} (--phase)"
            )
    return tuple(found)
