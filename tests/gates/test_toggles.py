"""Toggle counts: worked by hand, and as Icarus' VCD of the same netlist has them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from gates.designs import REGISTERS, structural
from gates.icarus import cells_as_they_are, needs_icarus, simcells, simulate

from hwnorm.gates import Delay, Netlist, netlist_of


def cell(kind: str, **pins: int) -> dict:
    out = "Q" if "DFF" in kind else "Y"
    directions = {pin: "output" if pin == out else "input" for pin in pins}
    return {"type": kind, "port_directions": directions, "connections": {pin: [net] for pin, net in pins.items()}}


def module(ports: dict, cells: dict, names: dict) -> dict:
    netnames = {name: {"bits": [net]} for name, net in names.items()}
    return {"modules": {"top": {"ports": ports, "cells": cells, "netnames": netnames}}}


def port(direction: str, *bits: int) -> dict:
    return {"direction": direction, "bits": list(bits)}


HAZARD = module(  # y = a & (not not not a), which is 0 but for a glitch
    {"a": port("input", 2), "y": port("output", 6)},
    {
        "n1": cell("$_NOT_", A=2, Y=3),
        "n2": cell("$_NOT_", A=3, Y=4),
        "n3": cell("$_NOT_", A=4, Y=5),
        "u.and": {**cell("$_AND_", A=2, B=5, Y=6), "attributes": {"hdlname": "u and"}},
    },
    {"a": 2, "n1": 3, "n2": 4, "n3": 5, "y": 6},
)


@pytest.mark.parametrize("streams", [1, 64, 100])
def test_by_hand(streams: int) -> None:
    """a = 0, 1, 1, 0, 1: three changes. Each NOT changes three times. y rises when a rises, and falls three units later
    when n3 has seen it: two glitches (a rises twice), each of two changes; where a falls, the AND is closed at once."""
    for delay, glitches in ((Delay.ZERO, 0), (Delay.UNIT, 4)):
        simulation = Netlist.from_json(HAZARD).simulator(streams, toggles=delay)
        for a in (0, 1, 1, 0, 1):
            simulation.drive({"a": a})
            simulation.evaluate()
        want = {"a": 3, "n1": 3, "n2": 3, "n3": 3, "y": glitches}
        assert simulation.toggles.by_net() == {name: count * streams for name, count in want.items()}
        assert simulation.toggles.by_instance() == {"": (9 + glitches) * streams, "u": glitches * streams}
        assert simulation.toggles.by_cell()["u.and"] == glitches * streams


def test_a_counter_by_hand() -> None:
    """A two-bit counter over 8 cycles: bit 0 changes each cycle, bit 1 every second; the clock twice a cycle. Seen
    before each edge, of 8 values there are 7 changes."""
    netlist = netlist_of(
        "module top(input clk, output reg [1:0] q = 0); always @(posedge clk) q <= q + 1; endmodule", "top"
    )
    for delay in Delay:
        simulation = netlist.simulator(3, toggles=delay)
        for _ in range(8):
            simulation.step({})
        found = simulation.toggles.by_net()
        assert (found["clk"], found["q[0]"], found["q[1]"]) == (3 * 16, 3 * 7, 3 * 3)


def test_sums_along_the_hierarchy() -> None:
    text = """module leaf(input clk, input [3:0] d, output reg [3:0] q = 0); always @(posedge clk) q <= q + d; endmodule
      module mid(input clk, input [3:0] d, output [3:0] q);
        wire [3:0] t; leaf one(clk, d, t); leaf two(clk, t, q); endmodule
      module top(input clk, input [3:0] d, output [3:0] q, output p); mid m(clk, d, q); assign p = ^q; endmodule"""
    netlist = netlist_of(text, "top", by_instance=True)
    assert netlist.instances == ("", "m", "m.one", "m.two")
    simulation = netlist.simulator(64, toggles=Delay.ZERO)
    simulation.run({"d": np.random.default_rng(0).integers(0, 16, (50, 64))})
    found, cells = simulation.toggles.by_instance(), simulation.toggles.by_cell()
    assert found["m"] == found["m.one"] + found["m.two"] and min(found.values()) > 0
    assert found[""] == sum(cells.values()) > found["m"]
    assert simulation.toggles.cycles == 50 * 64


@needs_icarus
@pytest.mark.parametrize("delay", list(Delay))
@pytest.mark.parametrize("seed", range(3))
def test_against_a_vcd(delay: Delay, seed: int, tmp_path: Path) -> None:
    """The same netlist in Icarus, every gate with a delay of one unit or none, and what changes in its VCD counted.

    With unit delay every change counts; with zero delay the differences between the times at which all has settled.
    Registers with asynchronous pins stand aside with unit delay, which they have and their Verilog has not."""
    plain = [
        (name, pins) for name, pins in REGISTERS if not set(pins) & set("LS") and (name[2] == "S" or "R" not in pins)
    ]
    design = structural(seed, plain if delay is Delay.UNIT else REGISTERS)
    stimuli = design.stimuli(seed, 60, 1)
    netlist = cells_as_they_are(design.text)
    simulation = netlist.simulator(1, toggles=delay)
    for cycle in range(60):
        simulation.drive({name: values[cycle] for name, values in stimuli.items()})
        simulation.evaluate()
        simulation.clock()
        simulation.evaluate()
    library = simcells().read_text()
    if delay is Delay.UNIT:
        library = "`timescale 1ns/1ns\n" + library.replace("assign Y =", "assign #1 Y =")
    preset = f"#{STEP} " + re.sub(r"^", "lane[0].dut.", design.preset, flags=re.MULTILINE) + f" #{STEP};"
    dump = '$dumpfile("wave.vcd"); $dumpvars(1, lane[0].dut);'
    sources = [library, design.text]
    outputs, inputs = design.outputs, design.inputs
    simulate(tmp_path, sources, "top", stimuli, outputs, inputs, preset=preset, dump=dump, step=STEP)
    # The first evaluation, at which counting starts, has settled one step after the second.
    want = changes((tmp_path / "wave.vcd").read_text(), 3 * STEP, STEP if delay is Delay.ZERO else 1)
    found = simulation.toggles.by_net()
    assert len(found) > 60
    assert {name: (count, want[name]) for name, count in found.items() if want[name] != count} == {}


STEP = 1000


def changes(vcd: str, start: int, sampled: int) -> Counter[str]:
    """How often each bit of each variable differs between the ends of successive ``sampled`` units, from ``start``."""
    names: dict[str, list[str]] = {}
    for width, code, name, span in re.findall(r"\$var \w+ (\d+) (\S+) (\S+)(?: (\[.*?\]))? \$end", vcd):
        bits = [f"{name}[{k}]" for k in range(int(width))] if span and width != "1" else [name]
        names.setdefault(code, bits[::-1])
    count: Counter[str] = Counter()
    now: dict[str, str] = {}
    before: dict[str, str] | None = None

    def sample() -> None:
        nonlocal before
        if before is not None:
            count.update(name for name, value in now.items() if before.get(name, value) != value)
        before = dict(now)

    time = 0
    for line in vcd[vcd.index("$enddefinitions") :].splitlines()[1:]:
        if line.startswith("#"):
            later = int(line[1:])
            if later >= start and later // sampled != time // sampled:
                sample()
            time = later
        elif line[:1] in "01xz" and line[1:] in names:
            now[names[line[1:]][0]] = line[0]
        elif line.startswith("b"):
            value, code = line[1:].split()
            fill = "0" if value[0] == "1" else value[0]
            now.update(zip(names[code], value.rjust(len(names[code]), fill), strict=True))
    sample()
    return count


def test_toggles_must_be_asked_for() -> None:
    with pytest.raises(ValueError, match="toggles are not counted"):
        Netlist.from_json(HAZARD).simulator(1).toggles  # noqa: B018  # the access is what is tested
    assert np.all(Netlist.from_json(HAZARD).simulator(2).step({"a": [0, 1]})["y"] == 0)
