"""An engine in Amaranth's simulator: every stream fed and taken without a pause, and the cycles that it took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from hwnorm.bundle.vectors import word
from hwnorm.rtl.design import Design
from hwnorm.rtl.engine import EngineBlock, Port, Stream
from hwnorm.views.int_ref import Call, Value

Beat = dict[str, tuple[int, int]]  # by signal: its value, and the bits that count

PATIENCE = 3000  # cycles without a beat in or out


@dataclass
class Run:
    cycles: int  # from the first beat's acceptance to the last result's, both included
    wrong: list[str]


def run(design: Design, call: Call) -> Run:
    """All groups of a call, back to back, each output beat compared with the reference's."""
    block = EngineBlock(design.plan, "dut")
    found = call.run()
    queues = {s.prefix: list(_beats(s, design, call, found)) for s in block.streams}
    streams = {s.prefix: s for s in block.streams if queues[s.prefix]}
    place = dict.fromkeys(streams, 0)
    wrong: list[str] = []
    moved: list[int] = []

    async def bench(ctx: Any) -> None:
        cycle = 0
        while any(place[p] < len(queues[p]) for p in streams):
            for prefix, stream in streams.items():
                left = place[prefix] < len(queues[prefix])
                if stream.direction == "in":
                    for name, (value, _) in queues[prefix][place[prefix]].items() if left else ():
                        ctx.set(block.inputs[name], value)
                    ctx.set(block.inputs[f"{prefix}_valid"], _offered(prefix, left, place))
                else:
                    ctx.set(block.inputs[f"{prefix}_ready"], 1)
            for prefix, stream in streams.items():
                other = "ready" if stream.direction == "in" else "valid"
                accepted = ctx.get(block.outputs[f"{prefix}_{other}"])
                if stream.direction == "in":
                    accepted &= ctx.get(block.inputs[f"{prefix}_valid"])
                if not accepted:
                    continue
                if stream.direction == "out":
                    wanted = queues[prefix][place[prefix]]
                    got = {name: (ctx.get(block.outputs[name]) & care, care) for name, (_, care) in wanted.items()}
                    if got != wanted:
                        wrong.append(f"{prefix} {place[prefix]}: {got}, not {wanted}")
                if stream.direction == "out" or stream.beats:
                    moved.append(cycle)
                place[prefix] += 1
            if cycle - (moved[-1] if moved else 0) > PATIENCE:
                wrong.append(f"nothing moves after cycle {cycle}: {place}")
                return
            cycle += 1
            await ctx.tick()

    simulator = Simulator(block)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return Run(moved[-1] - moved[0] + 1, wrong)


def _offered(prefix: str, left: bool, place: dict[str, int]) -> bool:
    """A layer comes before its groups."""
    return left and not (prefix == "group" and "layer" in place and place["layer"] == 0)


def _beats(stream: Stream, design: Design, call: Call, found: dict[str, Value]) -> Iterator[Beat]:
    source = call.inputs if stream.direction == "in" else found
    groups, m = max(len(v.v) for v in call.inputs.values() if v.v.ndim > 1), call.setting.m
    if stream.prefix == "layer":
        words = design.layer_words(call.setting)
        yield {port.signal: _packed(port, [words[port.name]]) for port in stream.fields}
        return
    for g in range(groups):
        if not stream.beats:
            yield {port.signal: _packed(port, [_of_group(port.name, call, source, g)]) for port in stream.fields}
            continue
        rows = {p: np.broadcast_to(v := source[p.name].v, (groups, *v.shape[1:]))[g].ravel() for p in stream.fields}
        elements = {port: np.broadcast_to(row, m).tolist() for port, row in rows.items()}
        for low in range(0, m, design.lanes):
            end = min(low + design.lanes, m)
            beat = {port.signal: _packed(port, row[low:end]) for port, row in elements.items()}
            if stream.last:
                beat[f"{stream.prefix}_last"] = (int(end == m), 1)
            if stream.keep:
                beat[f"{stream.prefix}_keep"] = ((1 << (end - low)) - 1, (1 << design.lanes) - 1)
            yield beat


def _of_group(name: str, call: Call, source: dict[str, Value], g: int) -> int:
    match name:
        case "dx_frac":
            return int(call.program.precision.dx_frac)
        case "length_error":
            return 0
        case _:
            return word(source, name, g)


def _packed(port: Port, values: list[int]) -> tuple[int, int]:
    """Lane 0 lowest; of lanes that carry nothing no bit is looked at."""
    ones = (1 << port.width) - 1
    return (
        sum((value & ones) << (port.width * lane) for lane, value in enumerate(values)),
        (1 << (port.width * len(values))) - 1,
    )
