"""What the reciprocals and the reciprocal root cost on ECP5, beside FloPoCo's through the same flow.

    python benchmarks/units_on_fpga.py [--seeds 5] [-o reports/units-ecp5.md]

Each unit is first run on every operand, as a netlist in NumPy: right, and in the cycles that are stated. Results of
synthesis are kept by content, so that a second run only prints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from fpga_page import main

from hwnorm.fixed import Format, Ints
from hwnorm.gates import netlist_of
from hwnorm.rtl import verilog
from hwnorm.synth.flow import synthesise
from hwnorm.units import RestoringReciprocal, Root, reciprocal_unit
from hwnorm.units.hdl import Block, shape_of
from hwnorm.units.serial import steps

WIDTHS = (8, 12, 16)
FLOPOCO = {  # LUT and MHz; a result a cycle
    ("1/x", 8): ((63, 222), (109, 185)),
    ("1/x", 12): ((286, 209),),
    ("1/x", 16): ((544, 186),),
    ("1/sqrt(x)", 8): ((127, 211),),
    ("1/sqrt(x)", 16): ((618, 160),),
}
NOISE_LUT, NOISE_MHZ = 0.02, 0.1  # within these shares nothing is told apart
HEAD = (
    *("function", "bits", "unit", "LUT", "FF", "DSP", "BRAM", "MHz (worst-best)", "cycles a result"),
    *("FloPoCo's: LUT, MHz", "ours is"),
)
ABOUT = """Each netlist was run on every operand first: right, and in the cycles stated.

Operand and result have so many bits. Ours take any operand, normalise it and give a mantissa with an exponent.
FloPoCo's figures are those that it reached in the same flow, asked for 800 MHz; at 8 bits there are two.

The trade: FloPoCo's give a result every cycle, ours one in the cycles stated, since a group asks for one reciprocal.
Where a group has at least so many beats as its engine states (`min beats` in rtl-ecp5.md), nothing waits for it. In
results a second FloPoCo's are ahead by an order of magnitude: what needs a result every cycle should take those.

- *restoring, bit by bit* is the engines' own (`--reciprocal restoring`, the default), here with all that a stage does
  for it: a register that shifts the operand out, a count, strobes. An engine shares the last two among its units.
- *restoring* takes the operand at once. *pwl* and, from 12 bits on, *newton* take fewer cycles; their multipliers and
  tables stand between plain registers and set the clock, and a DSP is in no LUT count. Where it says SLOWER or LARGER
  they are no match for FloPoCo's.
- 1/sqrt(x) is a root, then the reciprocal of its mantissa, as in the engines."""


@dataclass(frozen=True)
class Case:
    function: str
    bits: int
    unit: str
    block: Block
    cycles: int  # from one operand to its result, and to the next operand

    def expected(self, values: Ints) -> Ints:
        """The result's mantissa."""
        if self.function == "1/sqrt(x)":
            values, _ = Root(self.bits).compute(values)
        kind = self.unit if self.unit in ("pwl", "newton") else "restoring"
        return reciprocal_unit(kind, self.bits, self.bits).compute(values)[0]


def cases() -> Iterator[Case]:
    for bits in WIDTHS:
        fmt = Format(bits, 0, False)
        yield Case("1/x", bits, "restoring, bit by bit", *by_bits(bits))
        for kind in ("restoring", "pwl", "newton"):
            unit = reciprocal_unit(kind, bits, bits)
            yield Case("1/x", bits, kind, unit.hardware(fmt), unit.latency(fmt))
    for bits in WIDTHS:
        yield Case("1/sqrt(x)", bits, "restoring, bit by bit", *by_bits(bits, Root(bits)))
        for kind in ("restoring", "pwl"):
            yield Case("1/sqrt(x)", bits, kind, *after_root(bits, kind))


def after_root(bits: int, kind: str) -> tuple[Block, int]:
    """A root, and when it is there a reciprocal of its mantissa."""
    fmt, block = Format(bits, 0, False), Block("rsqrt")
    start, value = block.input("start"), block.input("d", shape_of(fmt))
    root, reciprocal = Root(bits), reciprocal_unit(kind, bits, bits)
    first, second = block.place("root", root.hardware(fmt)), block.place("reciprocal", reciprocal.hardware(fmt))
    _, there = steps(block, start, root.latency(fmt))
    block.m.d.comb += [first.inputs["start"].eq(start), first.inputs["v"].eq(value)]
    block.m.d.comb += [second.inputs["start"].eq(there), second.inputs["d"].eq(first.outputs["mantissa"])]
    block.outputs |= {f"root_{name}": port for name, port in first.outputs.items()}
    block.outputs |= second.outputs
    return block, root.latency(fmt) + reciprocal.latency(fmt)


def by_bits(bits: int, root: Root | None = None) -> tuple[Block, int]:
    """The unit of the engines, with all that a stage does for it: operand shifted out, count, strobes."""
    fmt, block = Format(bits, 0, False), Block("serial")
    m, start, value = block.m, block.input("start"), block.input("d", shape_of(fmt))
    begin = root.latency(fmt) if root else 0
    unit = RestoringReciprocal(bits, bits)
    timing, inner = unit.timing(fmt), block.place("reciprocal", unit.stream(fmt, begin))
    end = begin + timing.ready
    time, feed = block.register("time", range(end + 1)), block.register("feed", bits)
    with m.If(time != end):
        m.d.sync += time.eq(time + 1)
    with m.If(start):
        m.d.sync += time.eq(0)
    m.d.sync += feed.eq(feed >> 1)
    if root:
        first = block.place("root", root.hardware(fmt))
        m.d.comb += [first.inputs["start"].eq(start), first.inputs["v"].eq(value)]
        with m.If(time == begin - 1):
            m.d.sync += feed.eq(first.outputs["mantissa"])
        with m.If(start):
            m.d.sync += feed.eq(0)
        block.outputs |= {f"root_{name}": port for name, port in first.outputs.items()}
    else:
        with m.If(start):
            m.d.sync += feed.eq(value)
    m.d.comb += [inner.inputs["clear"].eq(start), inner.inputs["bit"].eq(feed[0]), inner.inputs["time"].eq(time)]
    for name, event in timing.events.items():
        strobe = block.register(f"go_{name}")
        m.d.sync += strobe.eq(time == begin + event - 1)
        m.d.comb += inner.inputs[name].eq(strobe)
    block.outputs |= inner.outputs
    return block, end + 1


def check(case: Case, text: str) -> None:
    """Every operand, each in a stream of its own, twice over."""
    values = np.arange(1 << case.bits)
    simulation = netlist_of(text, case.block.name).simulator(len(values))
    for operands in (values[::-1], values):
        for cycle in range(case.cycles):
            simulation.step({"d": operands, "start": int(cycle == 0)})
    simulation.drive({"start": 0})
    simulation.evaluate()
    assert (simulation.outputs()["mantissa"] == case.expected(values)).all(), case


def verdict(lut: int, mhz: float, peers: tuple[tuple[int, int], ...]) -> str:
    words = []
    for their_lut, their_mhz in peers:
        size = told(lut / their_lut, NOISE_LUT, ("smaller", "no larger", "LARGER"))
        speed = told(mhz / their_mhz, NOISE_MHZ, ("SLOWER", "as fast", "faster"))
        words.append(f"{size} ({lut / their_lut:.0%}), {speed} ({mhz / their_mhz:.0%})")
    return "; ".join(words)


def told(ratio: float, noise: float, words: tuple[str, str, str]) -> str:
    return words[(ratio > 1 - noise) + (ratio > 1 + noise)]


def row(case: Case, seeds: int) -> list[str]:
    text = verilog.text(case.block, "")
    check(case, text)
    found = synthesise(text, case.block.name, "ecp5", seeds, jobs=os.cpu_count())
    r, f = found.resources, found.fmax
    assert f is not None
    peers = FLOPOCO.get((case.function, case.bits), ())
    theirs = ", or ".join(f"{lut}, {mhz}" for lut, mhz in peers) or "-"
    numbers = map(str, (r.lut, r.ff, r.dsp, r.bram))
    speed = f"{f.median:.0f} ({f.worst:.0f}-{f.best:.0f})"
    judged = verdict(r.lut, f.median, peers)
    return [case.function, str(case.bits), case.unit, *numbers, speed, str(case.cycles), theirs, judged]


if __name__ == "__main__":
    main(
        __file__,
        __doc__,
        "Units on ECP5, beside FloPoCo's",
        HEAD,
        lambda seeds: (row(case, seeds) for case in cases()),
        ABOUT,
    )
