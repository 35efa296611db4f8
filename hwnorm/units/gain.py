"""The group's gain K = gamma / sigma as a mantissa and a shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnorm.fixed import Format, Ints, bit_length, shift_right
from hwnorm.units.bits import Timing

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


@dataclass(frozen=True, slots=True)
class Gain:
    """``product * 2**-frac`` as K * 2**-(base + sh): |K| a mantissa of ``width`` bits, sh in [shift_lo, shift_hi].

    The magnitude is rounded half up to ``width`` bits with the top bit set, the sign put back behind it, so that a
    gain and its negative are mirror images.

    - too large (sh would be below shift_lo): |K| = 2**width - 1, sh = shift_lo. The gain clamps.
    - too small (sh would be above shift_hi): K loses its low bits instead, sh = shift_hi.
    - zero: K = 0, sh = shift_hi.

    ``base`` is the fraction bits of the output: the shift that apply does is sh itself.

    A negative product is not negated. |p| = ~p + 1 is the bits of ~p, then ones without end: the leading bits are the
    same, and it rounds up where the bit below them is set, or all that follow are. The bits come from the top, one a
    cycle, until K and the bit to round by are there or sh has reached shift_hi. Latency: the product's bits but
    its sign, ``width`` and 7 cycles, interval the same.
    """

    width: int
    base: int
    shift_lo: int
    shift_hi: int

    def latency(self, product: Format, frac: Format) -> int:
        return _bits(product) + self.width + 7

    def compute(self, product: Ints, frac: Ints) -> tuple[Ints, Ints]:
        """(K, fraction bits of K)."""
        magnitude = np.abs(product)
        drop = bit_length(magnitude) - self.width
        carried = (shift_right(magnitude, drop) >> self.width) != 0
        sh = frac - drop - carried - self.base
        sh = np.where(magnitude == 0, self.shift_hi, sh)
        clamped = sh < self.shift_lo
        sh = np.minimum(sh, self.shift_hi)
        mantissa = shift_right(magnitude, np.where(clamped, drop, frac - self.base - sh)).astype(np.int64)
        mantissa = np.where(clamped, (1 << self.width) - 1, mantissa)
        sh = np.where(clamped, self.shift_lo, sh)
        return np.where(product < 0, -mantissa, mantissa), (sh + self.base).astype(np.int64)

    def hardware(self, product: Format, frac: Format) -> Block:
        """Inputs ``start``, ``product``, ``frac``; outputs ``mantissa``, ``exponent``. No reset."""
        from amaranth.hdl import Cat, Const, Mux, signed

        from hwnorm.units.hdl import Block, shape_of

        block = Block("gain")
        m = block.m
        start, value = block.input("start"), block.input("product", shape_of(product))
        point = block.input("frac", shape_of(frac))
        mantissa = block.output("mantissa", signed(self.width + 1))
        span = Format.holding(self.base + self.shift_lo, self.base + self.shift_hi)
        exponent = block.output("exponent", shape_of(span))

        size = _bits(product)
        sign = value[-1] if product.signed else Const(0, 1)
        flip = block.register("flip") if product.signed else sign
        rest, window = block.register("rest", size), block.register("window", self.width + 1)
        # ``beyond`` is sh - shift_hi for the bits taken so far: it counts up, to 0 at most.
        before = self.base + self.shift_hi + size + 1
        reach = Format.holding(min(frac.lo - before, self.shift_lo - self.shift_hi - 2), max(frac.hi - before, 0))
        beyond = block.register("beyond", shape_of(reach))
        seen, tail = block.register("seen"), block.register("tail", init=1)  # a one; only ones below the window
        m.d.sync += rest.eq(Cat(flip, rest))
        with m.If(beyond[-1] & ~window[-1]):
            m.d.sync += [beyond.eq(beyond + 1), window.eq(Cat(rest[-1], window)), seen.eq(seen | rest[-1])]
        with m.Elif(~rest[-1]):
            m.d.sync += tail.eq(0)
        with m.If(start):
            m.d.sync += [rest.eq(value[:size] ^ sign.replicate(size)), window.eq(0), beyond.eq(point - before)]
            m.d.sync += [seen.eq(0), tail.eq(1)]
            if product.signed:
                m.d.sync += flip.eq(sign)
        below = flip & tail & (beyond[-1] | ~beyond.any())  # from beyond > 0 zeros lie between window and product

        # |K| is the window's, rounded; 2**(width - 1) where that is 2**width, 2**width - 1 where it clamps.
        ones, half, over = block.register("ones"), block.register("half"), block.register("over")
        carry, shift = ones & half, block.register("shift", shape_of(reach))
        m.d.sync += [ones.eq(window[1:].all()), half.eq(window[0] | below), over.eq(carry)]
        m.d.sync += shift.eq(Mux(seen, beyond - carry, 0))
        low, clamp = block.register("low"), block.register("clamp")
        halve, up = block.register("halve"), block.register("up")
        m.d.sync += [low.eq(shift < self.shift_lo - self.shift_hi), clamp.eq(low)]
        m.d.sync += [halve.eq(over & ~low), up.eq((half & ~over & ~low) ^ flip)]
        magnitude = Cat(window[1:-1] & ~halve.replicate(self.width - 1), window[-1]) | clamp.replicate(self.width)
        m.d.sync += mantissa.eq(Cat(magnitude ^ flip.replicate(self.width), flip).as_signed() + up)
        m.d.sync += exponent.eq(self.base + Mux(clamp, self.shift_lo, self.shift_hi + shift))
        return block

    # Bit by bit

    def timing(self, product: Format, frac: Format) -> Timing:
        bits = max(product.width, self._above(frac.hi) + 1)
        return Timing(bits + 4, bits, {"load": -1, "whole": bits - 1}, least=1)

    def _above(self, frac: int) -> int:
        """sh - shift_hi of a K that ends with the product's lowest bit."""
        return frac - self.base + self.width - 1 - self.shift_hi

    def stream(self, product: Format, frac: Format) -> Block:
        """Of a product that is not negative. Inputs ``clear``, ``bit``, ``load``, ``whole``, ``frac``, which stands
        still; outputs ``mantissa`` (no sign), ``exponent``.

        ``above`` is sh - shift_hi of a K whose top bit is the one on the wire. K is taken there as long as that is not
        negative, so as to be no smaller than shift_hi allows; afterwards each one that comes by is a leading one.
        """
        from amaranth.hdl import Cat, unsigned

        from hwnorm.units.hdl import Block, shape_of
        from hwnorm.units.serial import countdown

        assert not product.signed, "a gain's magnitude and sign are apart"
        block = Block("gain")
        m, w = block.m, self.width
        clear, bit = block.input("clear"), block.input("bit")
        load, whole = block.input("load"), block.input("whole")
        point = block.input("frac", shape_of(frac))
        mantissa = block.output("mantissa", unsigned(w), init=(1 << w) - 1)
        span = Format.holding(self.base + self.shift_lo, self.base + self.shift_hi)
        exponent = block.output("exponent", shape_of(span), init=self.base + self.shift_lo)

        reach = Format.holding(
            min(self._above(frac.lo) - self.timing(product, frac).bits, -2), max(self._above(frac.hi), 0)
        )
        above, taken = block.register("above", shape_of(reach)), block.register("taken", shape_of(reach))
        recent, window = block.register("recent", w), block.register("window", w + 1)
        closed = block.register("closed", init=1)
        m.d.sync += [recent.eq(Cat(recent[1:], bit)), above.eq(countdown(above, load, point, self._above(0)))]
        with m.If(~closed & (bit | ~above[-1])):
            m.d.sync += [window.eq(Cat(recent, bit)), taken.eq(above)]
        with m.If(whole):
            m.d.sync += closed.eq(1)
        with m.If(load):
            m.d.sync += [closed.eq(0), taken.eq(0), window.eq(0)]
        with m.If(clear):
            m.d.sync += [recent.eq(0), closed.eq(1)]

        # Rounded; 2**(width - 1) where that is 2**width, 2**width - 1 where it clamps.
        rounded, shift = block.register("rounded", w + 1), block.register("shift", shape_of(reach))
        m.d.sync += [rounded.eq(window[1:] + window[0]), shift.eq(taken - rounded[-1])]
        clamp = block.register("clamp")
        held, near = block.register("held", w), block.register("near", exponent.shape())
        m.d.sync += [
            held.eq(Cat(rounded[: w - 1], rounded[w - 1 :].any())),
            clamp.eq(shift < self.shift_lo - self.shift_hi),
        ]
        m.d.sync += [near.eq(self.base + self.shift_hi + shift), mantissa.eq(held), exponent.eq(near)]
        with m.If(clamp):
            m.d.sync += [mantissa.eq((1 << w) - 1), exponent.eq(self.base + self.shift_lo)]
        return block


def _bits(product: Format) -> int:
    """But its sign; at least one."""
    return max(product.width - product.signed, 1)
