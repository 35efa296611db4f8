"""1 / D as a mantissa and an exponent: three units, one contract.

    e  = bitlength(D)
    Dn = D rounded to ``operand_width`` bits, so 2**(w-1) <= Dn < 2**w         (Normaliser)
    R  ~ 2**(w + width - 1) / Dn, at most 2**width - 1                         (the unit)
    1/D ~ R * 2**-(width - 1 + e)

R has its top bit set for every D > 0, so its relative error is at most half a unit of 2**-(width-1) for the restoring
unit (which rounds), and the stated number of units for the others. D = 0 gives R = 0: a group without variance.

All three are exact integer functions: a table is part of the definition, not an approximation of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hwnorm.fixed import Format, Ints, shift_right
from hwnorm.units.bits import Timing
from hwnorm.units.normaliser import Normaliser

if TYPE_CHECKING:
    from hwnorm.units.hdl import Block


class Reciprocal(Protocol):
    """What the three have in common."""

    @property
    def width(self) -> int: ...

    def latency(self, d: Format) -> int: ...

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        """(R, fraction bits of R) for every D >= 0."""
        ...

    def hardware(self, d: Format) -> Block:
        """Inputs ``start``, ``d``; outputs ``mantissa``, ``exponent``. No reset. Interval the same as latency."""
        ...


def _scaled(r: Ints, e: Ints, live: Ints, width: int) -> tuple[Ints, Ints]:
    """The clamp at 2**width - 1 (D a power of two) and the dead group, the same for every unit."""
    return np.where(live, np.minimum(r, (1 << width) - 1), 0).astype(np.int64), e + (width - 1)


@dataclass(frozen=True, slots=True)
class RestoringReciprocal:
    """R = min(round(2**(w + width - 1) / Dn), 2**width - 1): the mean's divider once more, rounded half up.

    Dn >> 1 is added to the numerator beforehand, in bits where that has only zeros, and so reads as its low bits.
    For Dn = 2**(w - 1) the remainder starts at the divisor and never falls below: all bits are ones, which is the
    clamp. Truncated, R would be too small by half a unit on average, and all outputs with it. Latency: the
    normaliser's, ``width`` and 1 cycles.
    """

    operand_width: int
    width: int

    def latency(self, d: Format) -> int:
        return Normaliser(self.operand_width).latency(d) + self.width + 1

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        dn, e = Normaliser(self.operand_width).compute(d)
        live = dn > 0
        numerator = 1 << (self.operand_width + self.width - 1)
        divisor = np.where(live, dn, 1)
        if numerator >= 1 << 62:
            divisor = divisor.astype(object)
        return _scaled((numerator + (divisor >> 1)) // divisor, e, live, self.width)

    def hardware(self, d: Format) -> Block:
        from amaranth.hdl import Cat, Const

        from hwnorm.units.serial import steps

        block, divisor, ready = _normalised(self.operand_width, self.width, d)
        m, mantissa = block.m, block.outputs["mantissa"]
        numerator = Cat(divisor[1:], Const(0, self.width), Const(1, 1))
        step, _ = steps(block, ~ready, self.width + 1)  # the last one is R's
        r = block.register("r", self.operand_width + 1, init=1 << (self.operand_width - 1))
        subtract = ~r[-1]
        addend = Cat(divisor, 0) ^ subtract.replicate(self.operand_width + 1)
        total = (Cat(1, mantissa[-1], r[:-1]) + Cat(subtract, addend))[1 : self.operand_width + 2]
        with m.If(step):  # the quotient takes the numerator's place
            m.d.sync += [r.eq(total), mantissa.eq(Cat(subtract, mantissa))]
        with m.If(~ready):
            m.d.sync += [r.eq(numerator[self.width :]), mantissa.eq(numerator[: self.width])]
        return block

    # Bit by bit

    def timing(self, d: Format) -> Timing:
        size = d.width - d.signed
        events = {"whole": size - 1, "divide": size + 1, "divided": size + 1 + self.width + 1}
        return Timing(size + self.width + 3, size, events)

    def stream(self, d: Format, start: int) -> Block:
        """Inputs ``clear``, ``bit``, ``whole``, ``divide``, ``divided`` and ``time``, which counts and is ``start``
        with D's first bit; outputs ``mantissa``, ``exponent``.

        The leading one is the last that comes by: each takes what came before it along, and the time.
        """
        from amaranth.hdl import Cat, Const, unsigned

        from hwnorm.units.hdl import Block, shape_of

        block = Block("reciprocal")
        m, w = block.m, self.operand_width
        clear, bit, whole = block.input("clear"), block.input("bit"), block.input("whole")
        divide, divided = block.input("divide"), block.input("divided")
        mantissa = block.output("mantissa", unsigned(self.width))
        least = self.width - 1
        exponent = block.output("exponent", shape_of(Format.holding(least, least + d.width - d.signed + 1)))
        time = block.input("time", unsigned(len(exponent)))

        recent, below, live = block.register("recent", w), block.register("below", w), block.register("live")
        none = (start - 1) % (1 << len(time))  # D = 0 has no bits
        taken = block.register("taken", unsigned(len(time)), init=none)
        closed = block.register("closed")
        m.d.sync += recent.eq(Cat(recent[1:], bit))
        with m.If(bit & ~closed):
            m.d.sync += [below.eq(recent), taken.eq(time), live.eq(1)]
        with m.If(whole):
            m.d.sync += closed.eq(1)
        with m.If(clear):
            m.d.sync += [recent.eq(0), below.eq(0), taken.eq(none), live.eq(0), closed.eq(0)]

        divisor, over = block.register("divisor", w), block.register("over")
        rounded = Cat(below[1:], live) + below[0]
        m.d.sync += [divisor.eq(Cat(rounded[: w - 1], live)), over.eq(rounded[w])]
        m.d.sync += exponent.eq((taken + over + (least + 1 - start) % (1 << len(time)))[: len(time)])

        dividing = block.register("dividing")
        r = block.register("r", w + 1, init=1 << (w - 1))
        subtract = ~r[-1]
        addend = Cat(divisor, 0) ^ subtract.replicate(w + 1)
        total = (Cat(1, mantissa[-1], r[:-1]) + Cat(subtract, addend))[1 : w + 2]
        with m.If(dividing & live):  # the quotient takes the numerator's place
            m.d.sync += [r.eq(total), mantissa.eq(Cat(subtract, mantissa))]
        with m.If(divide):
            numerator = Cat(divisor[1:], Const(0, self.width), Const(1, 1))
            m.d.sync += [dividing.eq(1), r.eq(numerator[self.width :]), mantissa.eq(numerator[: self.width])]
        with m.Elif(divided):
            m.d.sync += dividing.eq(0)
        return block


@dataclass(frozen=True, slots=True)
class TableReciprocal:
    """A piecewise-linear table over 2**index_bits segments of the mantissa, two words a segment.

    Dn = (1, i, t): i the next ``index_bits`` bits after the leading one, t the ``rest_bits`` that remain.
    R = (A[i] - (B[i] * t >> rest_bits)) >> 4: the chord between the segment's ends, lowered by half of the most by
    which it passes above the curve. With h = 2**-index_bits that is h**2 / 8 of full scale at the left end of the
    range, half a unit with index_bits = ceil((width - 2) / 2). Rounding adds a half, the words' last bits two
    sixteenths: R is within 1 1/8 units of the exact value (a test tries every D of 12 bits; the worst met is 1.088).
    Latency: the normaliser's and 3 cycles: Dn is there one before e; words, product, line, clamp.
    """

    operand_width: int
    width: int

    @property
    def index_bits(self) -> int:
        return min(self.operand_width - 1, -(-(self.width - 2) // 2))

    def latency(self, d: Format) -> int:
        return Normaliser(self.operand_width).latency(d) + 3

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        dn, e = Normaliser(self.operand_width).compute(d)
        live = dn > 0
        rest_bits = self.operand_width - 1 - self.index_bits
        fraction = np.where(live, dn, 1 << (self.operand_width - 1)) - (1 << (self.operand_width - 1))
        index, rest = fraction >> rest_bits, fraction & ((1 << rest_bits) - 1)
        offsets, slopes = _table(self.index_bits, self.width)
        line = offsets[index] - (slopes[index] * rest >> rest_bits)
        return _scaled(line >> _GUARD, e, live, self.width)

    def hardware(self, d: Format) -> Block:
        block, divisor, ready = _normalised(self.operand_width, self.width, d)
        line = _line(block, divisor, self.index_bits, self.width)
        _clamp(block, line >> _GUARD, ready)
        return block


_GUARD = 4  # fraction bits of the table's words below the result's last bit


@cache
def _table(index_bits: int, width: int) -> tuple[Ints, Ints]:
    """The words A and B of TableReciprocal, in integers alone: every machine makes the same table."""
    segments = 1 << index_bits
    scale = segments << (width + _GUARD)  # R is 2**width for Dn = 2**(w-1), and falls to half of it
    offsets, slopes = [], []
    for left in range(segments, 2 * segments):
        start, middle, end = scale // left, 2 * scale // (2 * left + 1), scale // (left + 1)
        sag = (start + end) // 2 - middle  # how far the chord runs above the curve
        offsets.append(start - sag // 2 + (1 << (_GUARD - 1)))
        slopes.append(start - end)
    return np.array(offsets, dtype=np.int64), np.array(slopes, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class NewtonReciprocal:
    """A table's seed of 10 bits and two Newton steps: for wide operands, where a table alone would be large.

    r <- r * (2 - d * r) with d in [1/2, 1) and r in (1, 2], each product truncated to width + 2 fraction bits. The
    seed's error 2**-9 becomes 2**-18, then 2**-36, so that truncation is all that is left: R is within two units of the
    exact value for width up to 32. Four multiplications. Latency: the normaliser's and 11 cycles: Dn is there one
    before e; the seed 5, each step 3 (product, gap, product), rounding and the clamp 1.
    """

    operand_width: int
    width: int

    def latency(self, d: Format) -> int:
        return Normaliser(self.operand_width).latency(d) + 11

    def compute(self, d: Ints) -> tuple[Ints, Ints]:
        dn, e = Normaliser(self.operand_width).compute(d)
        live = dn > 0
        mantissa = np.where(live, dn, 1 << (self.operand_width - 1))
        frac = self._frac
        if frac + self.operand_width + 2 >= 62:
            mantissa = mantissa.astype(object)
        top = shift_right(mantissa, self.operand_width - _SEED_WIDTH)
        top = np.minimum(top, (1 << _SEED_WIDTH) - 1).astype(np.int64)
        seed, _ = TableReciprocal(_SEED_WIDTH, _SEED_WIDTH).compute(top)
        r = seed.astype(mantissa.dtype) << (frac - _SEED_WIDTH + 1)
        for _ in range(2):
            gap = (2 << frac) - ((mantissa * r) >> self.operand_width)
            r = (r * gap) >> frac if mantissa.dtype == object else _wide_multiply(r, gap, frac)
        return _scaled(shift_right(r, frac - self.width + 1), e, live, self.width)

    @property
    def _frac(self) -> int:
        return max(self.width + 2, _SEED_WIDTH)  # the seed has to fit

    def hardware(self, d: Format) -> Block:
        from amaranth.hdl import Cat, Mux

        block, divisor, ready = _normalised(self.operand_width, self.width, d)
        m, frac, drop = block.m, self._frac, self.operand_width - _SEED_WIDTH
        top = block.register("top", _SEED_WIDTH)
        rounded = divisor[drop:] + divisor[drop - 1] if drop > 0 else divisor << -drop
        m.d.sync += top.eq(Mux(rounded[_SEED_WIDTH:].any(), (1 << _SEED_WIDTH) - 1, rounded))
        line = _line(block, top, TableReciprocal(_SEED_WIDTH, _SEED_WIDTH).index_bits, _SEED_WIDTH)
        seed = line >> _GUARD
        r = block.register("r_0", frac + 2)
        seed = Mux(seed[_SEED_WIDTH:].any(), (1 << _SEED_WIDTH) - 1, seed[:_SEED_WIDTH])
        m.d.sync += r.eq(seed << (frac - _SEED_WIDTH + 1))
        for i in (1, 2):
            product = block.register(f"product_{i}", self.operand_width + len(r))
            gap, wide = block.register(f"gap_{i}", frac + 2), block.register(f"r_{i}", 2 * frac + 4)
            m.d.sync += [product.eq(divisor * r), gap.eq((2 << frac) - product[self.operand_width :]), wide.eq(r * gap)]
            r = wide[frac:]
        drop = frac - self.width + 1
        _clamp(block, Cat(r[drop:], 0) + r[drop - 1], ready)
        return block


_SEED_WIDTH = 10


def _normalised(operand_width: int, width: int, d: Format) -> tuple[Block, Any, Any]:
    """A reciprocal's block with D normalised in it: (block, Dn, whether it is there; never where D = 0)."""
    from amaranth.hdl import unsigned

    from hwnorm.units.hdl import Block, shape_of

    block = Block("reciprocal")
    start, value = block.input("start"), block.input("d", shape_of(d))
    inner = block.place("normaliser", Normaliser(operand_width).hardware(d, offset=width - 1))
    block.output("mantissa", unsigned(width))
    exponent = block.outputs["exponent"] = inner.outputs["exponent"]
    assert exponent is not None
    block.m.d.comb += [inner.inputs["start"].eq(start), inner.inputs["d"].eq(value)]
    return block, inner.outputs["mantissa"], inner.outputs["ready"]


def _line(block: Block, mantissa: Any, index_bits: int, width: int) -> Any:
    """A - (B * t >> rest_bits) of TableReciprocal: words, product and line, a register each."""
    from amaranth.hdl import Cat, unsigned
    from amaranth.lib.memory import Memory

    m = block.m
    rest_bits = len(mantissa) - 1 - index_bits
    offsets, slopes = _table(index_bits, width)
    low, high = int(slopes.max()).bit_length(), int(offsets.max()).bit_length()
    rows = [int(b) | int(a) << low for a, b in zip(offsets, slopes, strict=True)]
    table = Memory(shape=unsigned(low + high), depth=len(rows), init=rows)
    block.m.submodules.table = table
    port = table.read_port()
    slope, offset = port.data[:low], port.data[low:]
    product, line = block.register("product", low + rest_bits), block.register("line", high)
    m.d.comb += port.addr.eq(Cat(mantissa[rest_bits:-1]))
    m.d.sync += [product.eq(slope * mantissa[:rest_bits]), line.eq(offset - (product >> rest_bits))]
    return line


def _clamp(block: Block, r: Any, ready: Any) -> None:
    """At most 2**width - 1; 0 where D = 0."""
    from amaranth.hdl import Mux

    mantissa = block.outputs["mantissa"]
    over = r[len(mantissa) :].any()
    block.m.d.sync += mantissa.eq(Mux(ready, r[: len(mantissa)] | over.replicate(len(mantissa)), 0))


def _wide_multiply(a: Ints, b: Ints, shift: int) -> Ints:
    """(a * b) >> shift where the product may pass 63 bits: through Python integers only then."""
    if 2 * shift + 3 < 63:
        return (a * b) >> shift
    return ((a.astype(object) * b) >> shift).astype(np.int64)


def reciprocal_unit(kind: str, operand_width: int, width: int) -> Reciprocal:
    """The unit that ``--reciprocal`` names."""
    match kind:
        case "restoring":
            return RestoringReciprocal(operand_width, width)
        case "pwl":
            return TableReciprocal(operand_width, width)
        case "newton":
            return NewtonReciprocal(operand_width, width)
        case _:
            raise ValueError(f"reciprocal must be restoring, pwl or newton, not {kind!r}")
