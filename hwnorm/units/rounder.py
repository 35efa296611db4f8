"""A value per group rounded to another format, by a shift that is known when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnorm.fixed import Format, Ints, Rounding, saturate, shift_right
from hwnorm.units.bits import Timing

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block

FAR = 16  # places, from which on steps of four are worth a second multiplexer


@dataclass(frozen=True, slots=True)
class Rounder:
    """``v * 2**-shift`` rounded, then saturated to ``result``, for any shift from ``shift_lo`` to ``shift_hi``.

    A negative shift multiplies, exactly. The places that every shift drops are wiring; the others are dropped one a
    cycle, or four a cycle first where there are more than FAR of them. Latency with n = shift_hi - shift_lo: one cycle
    to load and the steps, n or n // 4 + 3, unless n = 0; then 2 cycles: what saturates, and the sum. A value at the
    upper rail is not rounded up. Interval the same as latency.
    """

    shift_lo: int
    shift_hi: int
    result: Format
    rounding: Rounding = Rounding.HALF_UP

    def __post_init__(self) -> None:
        if self.shift_lo > self.shift_hi:
            raise ValueError(f"shift_lo must be at most shift_hi, not {self.shift_lo} with {self.shift_hi}")

    @property
    def _rounds(self) -> bool:
        return self.rounding is Rounding.HALF_UP and self.shift_hi > 0

    def latency(self, v: Format, *_: Format) -> int:
        n = self.shift_hi - self.shift_lo
        steps = n if n <= FAR else n // 4 + 3
        return (1 + steps if n else 0) + 2

    def compute(self, v: Ints, shift: int | Ints) -> Ints:
        return saturate(shift_right(v, shift, self.rounding), self.result)

    def hardware(self, v: Format, *_: Format) -> Block:
        """Inputs ``start``, ``v``, ``shift`` (its format is the unit's own); output ``result``. No reset."""
        from amaranth.hdl import Cat, Const, Mux, unsigned

        from hwnorm.units.hdl import Block, shape_of

        block = Block("rounder")
        m = block.m
        start, value = block.input("start"), block.input("v", shape_of(v))
        shift = block.input("shift", shape_of(Format.holding(self.shift_lo, self.shift_hi)))
        result = block.output("result", shape_of(self.result))

        # The last bit of ``moved`` is the one to round by, if there is one.
        drop = self.shift_lo - self._rounds
        moved = value >> min(drop, v.width - 1) if drop > 0 and v.signed else value >> max(drop, 0)
        moved = moved << max(-drop, 0)
        if self.shift_hi > self.shift_lo:
            left = block.register("left", unsigned((self.shift_hi - self.shift_lo).bit_length()))
            held = block.register("held", moved.shape())
            far = left >= 4 if self.shift_hi - self.shift_lo > FAR else Const(0, 1)
            with m.If(left.any()):
                m.d.sync += [left.eq(left - Mux(far, 4, 1)), held.eq(Mux(far, held >> 4, held >> 1))]
            with m.If(start):
                m.d.sync += [left.eq(shift - self.shift_lo), held.eq(moved)]
            moved = held

        body = moved >> self._rounds
        room = self.result.width - self.result.signed  # bits of the result, and a sign
        sign = moved[-1] if v.signed else Const(0, 1)
        upper = body[room:] if len(body) > room else Const(0, 0)
        inside = Cat(body, sign.replicate(self.result.width))[:room]
        high, low, up = block.register("high"), block.register("low"), block.register("up")
        most = ~sign & (upper.any() | inside.all())  # the upper rail, or beyond
        least = sign & ~upper.all() if self.result.signed else sign
        m.d.sync += [high.eq(most), low.eq(least), up.eq(moved[0] & ~most & ~least & self._rounds)]
        clipped = Cat((inside | high.replicate(room)) & ~low.replicate(room), sign & self.result.signed)
        if self.shift_hi > self.shift_lo:
            m.d.sync += result.eq((clipped.as_signed() if self.result.signed else clipped[:room]) + up)
        else:
            settled = block.register("settled")
            m.d.sync += settled.eq(start)
            with m.If(settled):
                m.d.sync += result.eq((clipped.as_signed() if self.result.signed else clipped[:room]) + up)
        return block

    # Bit by bit

    @property
    def _room(self) -> int:
        """Bits of a result below its sign."""
        return self.result.width - self.result.signed

    def clips(self, v: Format) -> bool:
        """Whether any value leaves the result's format."""
        lo, hi = (int(shift_right(np.array(end, dtype=object), self.shift_lo)) for end in (v.lo, v.hi))
        return lo < self.result.lo or hi + 1 > self.result.hi

    def timing(self, v: Format, shift: Format | None = None) -> Timing:
        """Out it goes when all of v has come by and the longest shift is over."""
        emit = max(v.width, self.shift_hi + self._room + 1)
        load = self.shift_lo + self._room - 1
        events = {"load": load, "emit": emit}
        if self.clips(v):
            events["past"] = emit + self._room
        return Timing(emit + 2, emit + 2, events, least=max(-load, 0), serial=True)

    def stream(self, v: Format, shift: Format | None = None) -> Block:
        """Inputs ``clear``, ``bit``, ``load``, ``emit``, ``past`` where it may saturate, ``shift``, which stands still;
        output ``result``, bit by bit.

        A window stops behind the sign of the result: ``left`` says how long it still has to wait. What comes by later
        must be like the sign. Then the window moves on and out, through an adder for the bit that it rounds by.
        """
        from amaranth.hdl import Cat, Const, Mux

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import countdown

        block = Block("rounder")
        m, room, clips = block.m, self._room, self.clips(v)
        clear, bit = block.input("clear"), block.input("bit")
        load, emit = block.input("load"), block.input("emit")
        past = block.input("past") if clips else None
        amount = block.input("shift", shape_of(Format.holding(self.shift_lo, self.shift_hi)))
        result = block.output("result")

        left = block.register("left", shape_of(Format.holding(-1, self.shift_hi - self.shift_lo)))
        loaded, emitting = block.register("loaded"), block.register("emitting")
        window, carry = (
            block.register("window", room + 2),
            block.register("carry"),
        )  # the lowest bit is the one to round by
        stopped = left[-1]
        with m.If(load | (loaded & ~stopped)):
            m.d.sync += left.eq(countdown(left, load, amount, -self.shift_lo))
        with m.If(load):
            m.d.sync += loaded.eq(1)
        with m.If(~stopped | emitting):
            m.d.sync += window.eq(Cat(window[1:], bit))
        m.d.sync += carry.eq(carry & window[1])
        rounds = window[0] if self.rounding is Rounding.HALF_UP else Const(0, 1)
        with m.If(emit):
            m.d.sync += [carry.eq(rounds), emitting.eq(1)]
        out = window[1] ^ carry
        if clips:
            sign = block.register("sign") if v.signed else Const(0, 1)
            differs, over, after = block.register("differs"), block.register("over"), block.register("after")
            with m.If(stopped & (bit != window[-1])):
                m.d.sync += differs.eq(1)
            most = ~window[-1] & window[1:-1].all()
            with m.If(emit):
                m.d.sync += over.eq(differs | most | (window[-1] & (not (v.signed and self.result.signed))))
                if v.signed:
                    m.d.sync += sign.eq(bit)
            with m.If(past):
                m.d.sync += after.eq(1)
            rail = (after ^ ~sign) if self.result.signed else ~after & ~sign
            out = Mux(over, rail, out)
            with m.If(clear):
                m.d.sync += [differs.eq(0), after.eq(0)]
        m.d.sync += result.eq(emitting & out)
        with m.If(clear):
            m.d.sync += [window.eq(0), left.eq(0), loaded.eq(0), emitting.eq(0), result.eq(0), carry.eq(0)]
        return block
