"""The time of a streaming engine, from its schedule: beats, latency, and the memory traffic of its sweeps.

A beat carries ``lanes`` elements. All sweeps run at the same time on successive groups, so a direction takes

    cycles = groups * max(ceil(m / lanes), interval) + (sweeps - 1) * ceil(m / lanes) + latency

where interval is the longest scalar stage (the values per group between two sweeps, computed one after the other by
serial units: a divider, a root, a reciprocal), and latency all scalar stages and pipeline registers on the way once.
Where a group and what is kept beside it fit on chip, memory sees the first sweep's reads and the outputs; where they do
not, every sweep reads from memory, and the time is at least the bytes over the bandwidth: there L1's third read shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hwnorm.ir import Node, Op
from hwnorm.precision import Fixed, Precision, Scaled, Types
from hwnorm.schedule import Schedule
from hwnorm.units import Divider, Gain, Root, reciprocal_unit
from hwnorm.views.count import Program, Traffic

APPLY_LATENCY = 4  # multiply, add, round, saturate: a register each


@dataclass(frozen=True, slots=True)
class Machine:
    """The engine's surroundings."""

    lanes: int = 16
    clock_mhz: float = 200.0
    onchip_kib: float = 512.0
    dram_gbps: float = 12.8  # gigabytes a second: one channel of 64-bit DDR3-1600

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= 64:
            raise ValueError(f"lanes must be an integer from 1 to 64, not {self.lanes}")
        for name in ("clock_mhz", "onchip_kib", "dram_gbps"):
            if not 1e-6 <= getattr(self, name) <= 1e12:
                raise ValueError(f"{name} must be from 1e-6 to 1e12, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Pass:
    """One direction of one layer."""

    cycles: int
    sram_bytes: int
    dram_bytes: int
    seconds: float
    memory_bound: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """What a direction's time depends on; the same for every layer that the engine serves."""

    traffic: Traffic
    interval: int
    latency: int

    @classmethod
    def of(cls, program: Program, traffic: Traffic, precision: Precision, lanes: int) -> Stream:
        stages = [_critical_path(stage, program.types, precision) for stage in _scalar_stages(program.schedule)]
        tree = (lanes - 1).bit_length() + 1  # adder tree and accumulator, in every sweep that reduces
        return cls(traffic, max(stages, default=0), sum(stages) + tree * (traffic.sweeps - 1) + APPLY_LATENCY)

    def time(self, groups: int, elements: int, machine: Machine) -> Pass:
        beats = ceil(elements / machine.lanes)
        cycles = groups * max(beats, self.interval) + max(self.traffic.sweeps - 1, 0) * beats + self.latency
        on_chip = elements * self.traffic.replayed <= machine.onchip_kib * 8192
        total = groups * elements
        again = self.traffic.read - self.traffic.first
        sram_bits = 2 * again if on_chip else 0  # written once and read once
        outputs = self.traffic.written - self.traffic.kept
        dram_bits = self.traffic.first + outputs + (0 if on_chip else again + self.traffic.kept)
        sram, dram = ceil(total * sram_bits / 8), ceil(total * dram_bits / 8)
        computing, moving = cycles / (machine.clock_mhz * 1e6), dram / (machine.dram_gbps * 1e9)
        return Pass(cycles, sram, dram, max(computing, moving), moving > computing)


def _scalar_stages(schedule: Schedule) -> list[tuple[Node, ...]]:
    return [schedule.before, *(sweep.then for sweep in schedule.unconditional)]


def _critical_path(stage: tuple[Node, ...], types: Types, precision: Precision) -> int:
    """Cycles from the sums to the last value of a stage."""
    ready: dict[Node, int] = {}
    for node in stage:
        ready[node] = max((ready.get(a, 0) for a in node.args), default=0) + _latency(node, types, precision)
    return max(ready.values(), default=0)


def _latency(node: Node, types: Types, precision: Precision) -> int:
    """Cycles of one value per group: serial units as long as they are wide, the rest one register."""
    formats = [types[a].format for a in node.args]
    match node.op:
        case Op.INPUT | Op.LAYER | Op.CONST:
            return 0
        case Op.DIV:
            role = precision.role(node.role)
            assert isinstance(role, Fixed)
            return Divider(types[node].format.width, role.frac).latency(*formats)
        case Op.SQRT | Op.RECIP:
            role = precision.role(node.role)
            assert isinstance(role, Scaled)
            if node.op is Op.SQRT:
                return Root(role.width).latency(*formats)
            return reciprocal_unit(precision.reciprocal, role.width, role.width).latency(*formats)
        case Op.CAST if isinstance(role := precision.role(node.role), Scaled) and role.shift:
            return Gain(role.width, role.base, *role.shift).latency(formats[0], formats[0])
        case _:
            return 1
