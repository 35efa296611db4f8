"""The tests that every generated design has to pass; what they know of it stands in its manifest and its vectors.

Environment (paths are relative to where the simulator runs):

    HWNORM_MANIFEST   the design's manifest.json; default the one beside this folder
    HWNORM_VECTORS    folders of vectors, separated as in PATH; default the one beside this folder
    COCOTB_TOPLEVEL   the engine, or its AXI4-Stream wrapper
    HWNORM_SEED       of stalls, bursts, resets; default 1
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from .streams import Driver, Gate, Mismatch, Monitor, Pace, always, bursts, describe, stalls
from .tops import Axis, Plain, Top
from .vectors import Group, load

HOME = Path(__file__).resolve().parents[1]
PATIENCE = 500  # cycles without any transfer, besides those that the design itself may take
BLOCKED_BEATS = 80  # more than a design can hold besides its groups
MOST_GROUPS = 12  # of a test that does not need them all


def _top() -> Top:
    manifest = json.loads(Path(os.environ.get("HWNORM_MANIFEST", HOME / "manifest.json")).read_text(encoding="utf-8"))
    axis = os.environ.get("COCOTB_TOPLEVEL", manifest["top"]) != manifest["top"]
    return Axis(manifest) if axis else Plain(manifest)


def _groups() -> list[Group]:
    folders = os.environ.get("HWNORM_VECTORS", str(HOME / "vectors")).split(os.pathsep)
    return load([Path(folder) for folder in folders], TOP.manifest)


TOP = _top()
GROUPS = _groups()
TIME = TOP.manifest["cycles"]
MAX_BEATS = TIME["max_beats"]
SEED = os.environ.get("HWNORM_SEED", "1")
WHOLE = [g for g in GROUPS if g.elements == TOP.manifest["max_elements"]]


def _rng(purpose: str) -> random.Random:
    return random.Random(f"{SEED} {purpose}")


class Bench:
    """A design with its clock, ready to be sent groups."""

    def __init__(self, dut: Any, purpose: str) -> None:
        self.dut, self.rng = dut, _rng(purpose)
        self.clock, self.reset_signal = getattr(dut, TOP.clock), getattr(dut, TOP.reset)
        dut._log.info("HWNORM_SEED=%s, %s, %d groups", SEED, TOP.name, len(GROUPS))

    async def start(self) -> None:
        self.reset_signal.value = TOP.reset_active
        for channel in TOP.inputs([], self.rng):
            getattr(self.dut, channel.valid).value = 0
        for channel in TOP.outputs([]):
            getattr(self.dut, channel.ready).value = 0
        Clock(self.clock, 10, unit="ns", impl="gpi").start(start_high=False)
        await self.reset()

    async def reset(self) -> None:
        self.reset_signal.value = TOP.reset_active
        await ClockCycles(self.clock, self.rng.randint(1, 3))
        self.reset_signal.value = 1 - TOP.reset_active

    async def play(
        self,
        groups: Sequence[Group],
        pace_in: Pace = always,
        pace_out: Pace = always,
        stop_after: int | None = None,
        gates: dict[str, Gate] | None = None,
    ) -> dict[str, Driver | Monitor]:
        """Sends groups and compares what comes out; the ends of all channels. ``stop_after`` so many cycles;
        ``gates``: output streams with a pace of their own."""
        gates = gates or {}
        inputs, outputs = TOP.inputs(groups, self.rng), TOP.outputs(groups)
        ends: dict[str, Driver | Monitor] = {}
        for channel in inputs:
            ends[channel.name] = Driver(self.dut, channel, pace_in, ends)
        for channel in outputs:
            ends[channel.name] = Monitor(self.dut, channel, gates.get(channel.name, pace_out))
        everybody, edge = list(ends.values()), RisingEdge(self.clock)
        quiet = TIME["overhead"] + TIME["sweeps"] * max(MAX_BEATS, TIME["min_beats"])
        patience = PATIENCE + 2 * quiet
        cycle = moved = 0
        waiting = [e for e in everybody if not e.finished]
        while waiting:
            await edge
            cycle += 1
            if [e for e in everybody if e.step(cycle)]:
                moved = cycle
                waiting = [e for e in waiting if not e.finished]
            elif cycle - moved == quiet and gates:
                for gate in set(gates.values()):
                    gate.idle()
            elif cycle - moved > patience:
                raise Mismatch(f"no transfer in {patience} cycles; awaited: {describe(everybody)}")
            if cycle == stop_after:
                return ends
        for _ in range(TIME["overhead"] + 2 * MAX_BEATS):  # nothing more may come
            await edge
            cycle += 1
            for end in everybody:
                end.step(cycle)
        return ends

    def expect_error(self, expected: int) -> None:
        got = int(self.dut.error.value)
        if got != expected:
            raise Mismatch(f"error is {got}, expected {expected}")


def _uniform(groups: Sequence[Group]) -> list[list[Group]]:
    """Runs of groups of one layer and one length."""
    layer = [f["name"] for f in TOP.streams.get("layer", {"fields": []})["fields"]]
    runs = groupby(groups, key=lambda g: (g.elements, *(g.words[name] for name in layer)))
    return [list(run) for _, run in runs]


def _some(groups: Sequence[Group], rng: random.Random) -> list[Group]:
    """Groups of every kind, in their order."""
    picked = sorted(rng.sample(range(len(groups)), min(MOST_GROUPS, len(groups))))
    return [groups[k] for k in picked]


@cocotb.test()
async def golden(dut: Any) -> None:
    """Every group back to back, nobody waits."""
    bench = Bench(dut, "golden")
    await bench.start()
    await bench.play(GROUPS)
    bench.expect_error(0)


@cocotb.test()
async def cycles(dut: Any) -> None:
    """Groups of one length take as long as the manifest says, a beat every cycle where they are long enough. (Behind
    AXI4-Stream short ones may take longer, since their words come and go one by one.)"""
    bench = Bench(dut, "cycles")
    await bench.start()
    runs = sorted(_uniform(GROUPS), key=lambda run: (run[0].elements, len(run)))
    for run in (runs[0], runs[len(runs) // 2], runs[-1]):
        groups, beats = run[: MOST_GROUPS // 2], -(-run[0].elements // TOP.lanes)
        ends = await bench.play(groups)
        first = min(end.first for name, end in ends.items() if name.startswith("in"))
        took, out = ends["out"].last - first + 1, ends["out"]
        apart = max(beats, TIME["min_beats"])
        expected = TIME["sweeps"] * (beats - 1) + (len(groups) - 1) * apart + TIME["overhead"]
        told = f"{len(groups)} groups of {beats} beats"
        if not expected <= took <= expected + TOP.slack * len(groups):
            raise Mismatch(f"{told} took {took} cycles, {expected} by the manifest's formula")
        if beats >= TIME["min_beats"] + TOP.slack and out.last - out.first + 1 != len(groups) * beats:
            raise Mismatch(f"{told} came out in {out.last - out.first + 1} cycles, not a beat every cycle")
        dut._log.info("%s took %d cycles, %d by the formula", told, took, expected)


@cocotb.test()
async def random_stalls(dut: Any) -> None:
    """Both sides wait at random, now and then for long."""
    bench = Bench(dut, "stalls")
    await bench.start()
    half = len(GROUPS) // 2
    await bench.play(GROUPS[:half], stalls(bench.rng, 0.3), stalls(bench.rng, 0.3))
    await bench.play(GROUPS[half:], stalls(bench.rng, 0.1), stalls(bench.rng, 0.6))
    bench.expect_error(0)


@cocotb.test()
async def random_bursts(dut: Any) -> None:
    """Both sides go on for a while and wait for a while."""
    bench = Bench(dut, "bursts")
    await bench.start()
    groups, longest = _some(GROUPS, bench.rng), 2 * MAX_BEATS
    await bench.play(groups, bursts(bench.rng, min(longest, 60)), bursts(bench.rng, min(longest, 60)))
    await bench.play(groups, always, bursts(bench.rng, 200))
    bench.expect_error(0)


@cocotb.test()
async def blocked_outputs(dut: Any) -> None:
    """An output takes nothing until the design is full and stands, then a little, then everything: each, then all."""
    bench = Bench(dut, "blocked")
    await bench.start()
    beats = max(-(-g.elements // TOP.lanes) for g in GROUPS)
    longest = [g for g in GROUPS if -(-g.elements // TOP.lanes) == beats]
    groups = [longest[k % len(longest)] for k in range(max(6, -(-BLOCKED_BEATS // beats)))]
    names = [channel.name for channel in TOP.outputs([])]
    for blocked in (*([name] for name in names), names):
        gate = Gate(bench.rng.randint(1, 20), 0)
        await bench.play(groups, gates=dict.fromkeys(blocked, gate))
    bench.expect_error(0)


@cocotb.test()
async def reset_in_mid_group(dut: Any) -> None:
    """Whatever was inside is forgotten: everything again, from the start, comes out right."""
    bench = Bench(dut, "reset")
    await bench.start()
    groups = _some(GROUPS, bench.rng)[:8]
    beats = sum(-(-g.elements // TOP.lanes) for g in groups)
    for _ in range(4):
        await bench.play(groups, stop_after=bench.rng.randint(2, beats + TIME["overhead"]))
        await bench.reset()
    await bench.play(groups, stalls(bench.rng, 0.2), stalls(bench.rng, 0.2))
    bench.expect_error(0)


async def _wrong_lengths(bench: Bench, wrong: Sequence[Group]) -> None:
    """Each between groups that are right."""
    await bench.start()
    right = _some(GROUPS, bench.rng)
    sent = [right[0]]
    for number, group in enumerate(wrong):
        sent += [group, right[(number + 1) % len(right)]]
    await bench.play(sent, stalls(bench.rng, 0.1), stalls(bench.rng, 0.1))
    bench.expect_error(1)
    await bench.play(right[:4])
    bench.expect_error(1)
    await bench.reset()
    await bench.play(right[:4])
    bench.expect_error(0)


@cocotb.test(skip=not WHOLE)
async def too_long(dut: Any) -> None:
    """A group longer than the maximum is cut there, and told; what comes before and behind it is untouched."""
    bench = Bench(dut, "too long")
    whole = [WHOLE[k % len(WHOLE)] for k in range(5)]
    exact = TOP.manifest["fixed_length"] or TOP.manifest["max_elements"] % TOP.lanes == 0
    more = [1, 2, MAX_BEATS, 3 * MAX_BEATS + 1, bench.rng.randint(1, 2 * MAX_BEATS)]
    await _wrong_lengths(
        bench, [replace(g, beats_sent=MAX_BEATS + k, exact=exact) for g, k in zip(whole, more, strict=True)]
    )


@cocotb.test(skip=not (TOP.manifest["fixed_length"] and MAX_BEATS > 1))
async def too_short(dut: Any) -> None:
    """Where every group has one length, a shorter one is filled up, and told."""
    bench = Bench(dut, "too short")
    whole = [WHOLE[k % len(WHOLE)] for k in range(4)]
    beats = [1, MAX_BEATS - 1, *(bench.rng.randint(1, MAX_BEATS - 1) for _ in range(2))]
    await _wrong_lengths(bench, [replace(g, beats_sent=k, exact=False) for g, k in zip(whole, beats, strict=True)])
