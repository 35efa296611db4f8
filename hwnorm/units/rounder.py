"""A value per group rounded to another format, by a shift that is known when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnorm.fixed import Format, Ints, Rounding, saturate, shift_right

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

    def latency(self, v: Format, shift: Format | None = None) -> int:
        n = self.shift_hi - self.shift_lo
        steps = n if n <= FAR else n // 4 + 3
        return (1 + steps if n else 0) + 2

    def compute(self, v: Ints, shift: int | Ints) -> Ints:
        return saturate(shift_right(v, shift, self.rounding), self.result)

    def hardware(self, v: Format, shift: Format | None = None) -> Block:
        """Inputs ``start``, ``v``, ``shift``; output ``result``. No reset."""
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
