"""Bit-serial arithmetic: a value is one wire, its lowest bit first, one bit a cycle, then its sign without end.

On such a wire an adder is two LUTs, a constant shift is waiting, a variable one is waiting for as long as it says, and
the leading one is the last that came by: what costs a register with a multiplexer a bit elsewhere costs a register
here, or nothing. No width need be known either: a result has as many bits as somebody takes.

Two rules keep that simple. ``clear`` sets everything to zero before the first bit of anything, and a wire is low from
then until its value's first bit, so that an adder or a multiplier runs all the time and yet begins at the right bit.
Values in registers (factors, shifts, fractions) stand still from a value's first bit on.

``Timing`` says of a unit what a schedule has to know, in cycles from the one in which the first bit is on its wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Timing:
    """``bits`` of the value are looked at. The result is there at ``ready``: all of it, or its first bit."""

    ready: int
    bits: int
    events: dict[str, int] = field(default_factory=dict)  # strobes that the unit asks for: in which cycle each is high
    serial: bool = False  # the result comes bit by bit too
    least: int = 0  # the earliest time of the first bit: no event may come before the first cycle
