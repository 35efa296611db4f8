"""The time of a streaming engine: the cycle formula of its RTL, and the memory traffic of its sweeps.

A beat carries ``lanes`` elements. All sweeps run at the same time on successive groups, so a direction takes

    cycles = sweeps * (beats - 1) + (groups - 1) * max(beats, interval) + overhead

where interval is the shortest group that streams without a gap (the scalar stage's) and overhead what a single group
takes besides its beats: both are the plan's (hwnorm/rtl/plan.py), whose formula equals simulation of the generated RTL.
Where a group and what is kept beside it fit on chip, memory sees every input once, and the outputs; where they do not,
every sweep reads from memory, and the time is at least the bytes over the bandwidth: there L1's third read shows. gamma
and beta of an element are the same in every group, and come from memory on chip.

An engine whose longest group does not fit has no replay memory, and reads again what it needs. Shorter groups that fit
it reads again from memory on chip that stands beside it and is in none of its figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hwnorm.rtl.design import Design
from hwnorm.views.count import Traffic

CLOCK_MHZ = 200.0  # where nobody says otherwise


@dataclass(frozen=True, slots=True)
class Machine:
    """The engine's surroundings."""

    lanes: int = 16
    clock_mhz: float = CLOCK_MHZ
    onchip_kib: float = 512.0
    dram_gbps: float = 12.8  # gigabytes a second: one channel of 64-bit DDR3-1600

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= 64:
            raise ValueError(f"lanes must be an integer from 1 to 64, not {self.lanes}")
        for name in ("clock_mhz", "onchip_kib", "dram_gbps"):
            if not 1e-6 <= getattr(self, name) <= 1e12:
                raise ValueError(f"{name} must be from 1e-6 to 1e12, not {getattr(self, name)}")

    @property
    def onchip_bits(self) -> float:
        return self.onchip_kib * 8192


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
    sweeps: int  # of the datapath: one that is run only at need has its place in it
    interval: int
    overhead: int

    @classmethod
    def of(cls, design: Design) -> Stream:
        plan = design.plan
        return cls(design.traffic, len(plan.sweeps), plan.min_beats, plan.overhead)

    def time(self, groups: int, elements: int, machine: Machine) -> Pass:
        beats = ceil(elements / machine.lanes)
        cycles = self.sweeps * (beats - 1) + (groups - 1) * max(beats, self.interval) + self.overhead
        moved, total = self.traffic, groups * elements
        outputs = moved.written - moved.kept
        if elements * moved.replayed <= machine.onchip_bits:
            sram_bits = moved.inputs_shared + 2 * moved.replayed  # written once and read once
            dram_bits = moved.inputs - moved.inputs_shared + outputs
        else:
            sram_bits = moved.read_shared
            dram_bits = moved.read - moved.read_shared + moved.kept + outputs
        sram, dram = ceil(total * sram_bits / 8), ceil(total * dram_bits / 8)
        computing, moving = cycles / (machine.clock_mhz * 1e6), dram / (machine.dram_gbps * 1e9)
        return Pass(cycles, sram, dram, max(computing, moving), moving > computing)
