"""A shift that is known when it runs, done once a group so that nothing has to be shifted an element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnorm.fixed import Format, Ints
from hwnorm.units.bits import Timing

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Aligner:
    """``v * 2**(span - shift)``, exactly, for any shift from 0 to ``span``: what is so aligned for every shift alike,
    v 2**-shift lies above the lowest ``span`` bits.

    Bit by bit alone: the value is shifted into a register from its top, for one cycle more the larger the shift is.
    Where it stops, so many bits of v lie there, sign bits among them, and zeros below. Latency: the bits of the result.
    """

    span: int

    def latency(self, v: Format, *_: Format) -> int:
        return v.width + self.span

    def format(self, v: Format) -> Format:
        return Format(v.width + self.span, v.frac, v.signed)

    def compute(self, v: Ints, shift: int | Ints) -> Ints:
        """The caller chooses a dtype that holds it."""
        return v << (self.span - shift)

    def timing(self, v: Format, shift: Format) -> Timing:
        bits = v.width + self.span
        return Timing(ready=bits, bits=bits, events={"load": -1}, least=1)

    def stream(self, v: Format, shift: Format) -> Block:
        """Inputs ``clear``, ``bit``, ``load``, ``shift``, which stands still when it is loaded; output ``aligned``."""
        from amaranth.hdl import Cat

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import countdown

        block = Block("aligner")
        m = block.m
        clear, bit, load = block.input("clear"), block.input("bit"), block.input("load")
        amount = block.input("shift", shape_of(shift))
        aligned = block.output("aligned", shape_of(self.format(v)))
        left = block.register("left", shape_of(Format.holding(-1, v.width + self.span - 1)), init=-1)
        with m.If(~left[-1]):
            m.d.sync += aligned.eq(Cat(aligned[1:], bit))
        with m.If(~left[-1] | load):
            m.d.sync += left.eq(countdown(left, load, amount, v.width - 1))
        with m.If(clear):
            m.d.sync += [aligned.eq(0), left.eq(-1)]
        return block
