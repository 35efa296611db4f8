"""Every value and every shift, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hwnorm.fixed import Format
from hwnorm.units import Aligner


def streamed(unit: Aligner, v: Format, shift: Format, cases: list[tuple[int, int]]) -> list[int]:
    block, timing, found = unit.stream(v, shift), unit.timing(v, shift), []

    async def bench(ctx) -> None:
        for value, amount in cases:
            for name, signal in block.inputs.items():
                ctx.set(signal, int(name == "clear"))
            await ctx.tick()
            ctx.set(block.inputs["clear"], 0)
            for time in range(-1, timing.ready):
                ctx.set(block.inputs["load"], time == timing.events["load"])
                ctx.set(block.inputs["shift"], amount if time == timing.events["load"] else 0)
                ctx.set(block.inputs["bit"], value >> time & 1 if time >= 0 else 0)
                await ctx.tick()
            found.append(ctx.get(block.outputs["aligned"]))

    simulator = Simulator(block)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize(("width", "signed"), [(1, False), (4, False), (4, True), (6, True)])
@pytest.mark.parametrize("span", [1, 3, 7])
def test_every_value_and_shift(width: int, signed: bool, span: int) -> None:
    v, shift = Format(width, 0, signed), Format.holding(0, span)
    unit = Aligner(span)
    cases = [(value, amount) for value in range(v.lo, v.hi + 1) for amount in range(span + 1)]
    values, amounts = (np.array(column) for column in zip(*cases, strict=True))
    wanted = unit.compute(values, amounts)
    assert streamed(unit, v, shift, cases) == wanted.tolist()
    assert (wanted >> span == values >> amounts).all()
    assert wanted.min() >= unit.format(v).lo and wanted.max() <= unit.format(v).hi
