"""What the serial units share: an operand that stands still is read through a multiplexer, not copied.

A digit counter is all the control there is. It has no reset, nor has anything else in a serial unit: ``start`` begins
anew whatever the registers hold, and without one nothing but an unread result moves.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Value

from hwnorm.units.hdl import Block


def select(items: list[Any], index: Any) -> Any:
    """``items[index]``, a tree of two-way multiplexers: half a LUT4 a bit where the family has wide multiplexers."""
    if len(items) == 1:
        return items[0]
    level = (len(items) - 1).bit_length() - 1
    return Mux(index[level], select(items[1 << level :], index), select(items[: 1 << level], index))


def read(block: Block, start: Any, digits: list[Any]) -> tuple[Any, Any, Any]:
    """(digit, step, last): one digit a cycle, the last of the list first.

    ``digit`` is a register: the first is there two cycles after ``start``. ``step`` is high while there is one, with
    the last one ``last`` is high too.
    """
    m = block.m
    left = block.register("left", len(digits).bit_length() + 1)  # one bit more than the index: it borrows at the end
    step = block.register("step")
    digit = block.register("digit", len(digits[0]))
    running = ~left[-1]
    m.d.sync += [digit.eq(select(digits, left)), step.eq(running)]
    with m.If(running):
        m.d.sync += left.eq(left - 1)
    with m.If(start):
        m.d.sync += [left.eq(len(digits) - 1), step.eq(0)]
    return digit, step, ~running


def leading(
    block: Block, start: Any, value: Any, *, stop: Any, flip: Any = 0, single: Any = 0, ones: Any = 0
) -> tuple[Any, Any, Any, Any]:
    """(bit, fed, skipped, seen): the bits of an unsigned value from the first nibble that is not zero on.

    In a cycle with ``fed`` comes a bit; with ``skipped`` four zeros passed at once, which ``single`` forbids, or with
    ``ones`` four ones. After the last bit come zeros without end. ``flip`` inverts all, those zeros too. ``stop`` holds
    everything. ``seen``: there was a one. A value that is all zeros stops by itself.
    """
    flip, single, ones = Value.cast(flip), Value.cast(single), Value.cast(ones)
    m = block.m
    count = -(-len(value) // 4)
    padded = Cat(value, flip.replicate(4 * count - len(value)))
    left = block.register("left", count.bit_length())
    nibble, bits = block.register("nibble", 4), block.register("bits", 2)
    full, seen = block.register("full"), block.register("seen")
    end = left.all()  # an index beyond the value: count is below 2**len(left)
    fresh = bits == 3
    idle = fresh & Mux(ones, nibble.all(), ~seen & ~single & ~nibble.any())
    fed, skipped = full & ~stop & ~idle, full & ~stop & idle & ~(end & ~flip)
    words = [*(padded[4 * i :][:4] for i in range(count)), *([Const(0, 4)] * ((1 << len(left)) - count))]
    with m.If(fed):
        m.d.sync += [nibble.eq(nibble << 1), bits.eq(bits - 1)]
    with m.If(~full | skipped | (fed & (bits == 0))):
        m.d.sync += [nibble.eq(select(words, left) ^ flip.replicate(4)), bits.eq(3), full.eq(1)]
        with m.If(~end):
            m.d.sync += left.eq(left - 1)
    with m.If(fed & nibble[-1]):
        m.d.sync += seen.eq(1)
    with m.If(start):
        m.d.sync += [left.eq(count - 1), full.eq(0), seen.eq(0)]
    return nibble[-1], fed, skipped, seen
