"""The control that the serial units share: a count of steps.

It has no reset, nor has anything else in a serial unit: ``start`` begins anew whatever the registers hold, and without
one nothing moves but a result that nobody has asked for. A register's ``init`` is what ``start`` sets it to, where that
is a constant: only so an ECP5 flip-flop does it without a LUT.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Mux

from hwnorm.units.hdl import Block
from hwnorm.units.lfsr import TAPS, Lfsr


def steps(block: Block, start: Any, count: int) -> tuple[Any, Any]:
    """(step, last): ``step`` is high for ``count`` cycles after ``start``, and ``last`` too in the last of them.

    Counted by a shift register with feedback: a LUT or two where a binary counter has a carry chain. Both are
    registers: logic that sees a comparison is copied to every bit that it decides about.
    """
    lfsr = Lfsr(max(count.bit_length(), min(TAPS)))
    m, state = block.m, block.register("state", lfsr.width, init=1)
    step, last = block.register("step"), block.register("last")
    with m.If(step):
        m.d.sync += [state.eq(lfsr.following(state)), step.eq(~last)]
        m.d.sync += last.eq(state == lfsr.compute(1, max(count - 2, 0)))
    with m.If(start):
        m.d.sync += [state.eq(1), step.eq(1), last.eq(count == 1)]
    return step, last


def countdown(left: Any, load: Any, value: Any, offset: int = 0) -> Any:
    """What a counter holds next: ``value + offset`` where it is loaded, else one less. One adder, with no more than
    gates in front of it."""
    return Mux(load, value, left) + Mux(load, offset, Const(-1))
