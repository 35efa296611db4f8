"""Which memories become block RAM and which distributed RAM, and which products multipliers: yosys' own rules, exactly.

``memory_libmap`` weighs every RAM that a family has by the cost that its library states: so much a block, half a point
a bit of multiplexer where a memory is deeper than a block, two points for a read port of its own; the cheapest wins,
registers at a point a bit among them where a memory is read in the same cycle. A block's word is filled up to a whole
number of bytes; what lies at other addresses may share a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from hwnorm.rtl.cells import Cell, parts

MUX, PORT_OF_ITS_OWN = 0.5, 2.0
REGISTERS, MACRO = "registers", "macro"
LEAST_FACTOR = 2


@dataclass(frozen=True, slots=True)
class Ram:
    """One kind of RAM cell as a family's library has it. ``widths`` by the address bits that they take."""

    kind: str  # block, distributed
    address_bits: int  # at the least width
    widths: tuple[int, ...]
    cost: float
    byte: int = 0
    scaled: float = 0.0  # the part of its cost that goes with the bits in use
    counts: int = 1  # for as many of the smaller kind


@dataclass(frozen=True, slots=True)
class Family:
    """What yosys knows of a family's memories and multipliers."""

    rams: tuple[Ram, ...]
    factors: tuple[int, int] | None = None  # of a multiplier: bits of the wider and of the narrower one
    least_product: int = 0  # bits of a product that is worth one
    slice_bits: int = 18  # of a factor that needs several
    signed: bool = False  # its multipliers know signed numbers alone
    adds: bool = False  # they add what comes behind them, and keep the sum
    bare_carries: bool = False  # a bit of a sum of which one operand is known takes no LUT
    shifts: bool = False  # three registers in a row that nobody reads between become a LUT
    packed: bool = False  # registers behind and in front of a block RAM are its own
    luts_of_ram: int = 0  # of a cell of distributed RAM
    in_registers: int = 0  # words of the largest memory that becomes flip-flops; larger ones stay what they are: macros


@dataclass(frozen=True, slots=True)
class Mapped:
    """``cells`` RAM cells of a kind, in ``ways`` that ``selected`` bits of multiplexers choose from; of what is no RAM
    its ``bits``."""

    kind: str  # block, distributed, macro, registers
    cells: int
    selected: int = 0
    ways: int = 1
    bits: int = 0


ECP5 = Family(
    (
        Ram("distributed", 4, (4,), 4),
        Ram("block", 14, (1, 2, 4, 9, 18), 128, byte=9),
        Ram("block", 14, (1, 2, 4, 9, 18, 36), 128, byte=9),
    ),
    factors=(18, 18),
    packed=True,
    luts_of_ram=6,
)
ICE40_UP = Family((Ram("block", 11, (2, 4, 8, 16), 64, byte=1),), factors=(16, 16), least_product=11, slice_bits=16)
_NARROW = (1, 2, 4, 9, 18)
XILINX_7 = Family(
    (
        Ram("distributed", 5, (4,), 8, scaled=8),
        Ram("distributed", 6, (2,), 8, scaled=8),
        Ram("distributed", 5, (6,), 8, scaled=7),
        Ram("distributed", 6, (3,), 8, scaled=7),
        Ram("block", 14, _NARROW, 129, byte=9),
        Ram("block", 15, (*_NARROW, 36), 257, byte=9, counts=2),
        Ram("block", 14, (*_NARROW, 36), 129, byte=9),
        Ram("block", 15, (*_NARROW, 36, 72), 257, byte=9, counts=2),
    ),
    factors=(25, 18),
    least_product=9,
    signed=True,
    adds=True,
    bare_carries=True,
    shifts=True,
    luts_of_ram=4,
)
STANDARD_CELLS = Family((), in_registers=64)
FAMILIES: Mapping[str, Family] = {
    **{"ecp5": ECP5, "ice40-up5k": ICE40_UP, "xilinx": XILINX_7},
    **dict.fromkeys(("osu018", "osu035", "osu050"), STANDARD_CELLS),
}


class Sliced(NamedTuple):
    """How many multiplier blocks a product takes, and how many of its bits are built of logic."""

    blocks: int
    soft: int


@cache
def mapped(family: Family, words: int, width: int, block: bool = False) -> Mapped:
    """The cells of a memory with one port to write and one, clocked, to read; of block RAMs alone where it says so."""
    best, least = Mapped(REGISTERS, 0, bits=words * width), float(words * width)
    if 0 < family.in_registers < words:
        return replace(best, kind=MACRO)
    for ram in family.rams:
        if block and ram.kind != "block":
            continue
        chosen, cost = _geometry(ram, words, width)
        if cost < least or (block and best.kind != "block"):
            best, least = chosen, int(cost)
    return best


def _geometry(ram: Ram, words: int, width: int) -> tuple[Mapped, float]:
    found: tuple[Mapped, float] | None = None
    for step, unit in enumerate(ram.widths):
        byte = ram.byte if 0 < ram.byte <= unit else unit
        filled = -(-width // byte) * byte
        # of a RAM that addresses words alone, the width takes no address bits
        ways = -(-words // (1 << (ram.address_bits - (step if len(ram.widths) > 1 else 0))))
        cells = -(-ways * filled // unit)
        selected = (ways - 1) * width
        cost = (ram.cost - ram.scaled) * cells + ram.scaled * ways * width / unit
        cost += MUX * (selected + (ways if ways > 1 else 0)) + PORT_OF_ITS_OWN
        if found is None or cost < int(found[1]):
            found = Mapped(ram.kind, cells * ram.counts, selected, ways), cost
    assert found is not None
    return found


@cache
def sliced(family: Family, a: int, b: int, product: int = 0) -> Sliced:
    """A product of two widths. What is too wide is cut into slices (yosys' mul2dsp), of which the last may be too
    narrow for a block."""
    a, b, product = max(a, b), min(a, b), product or a + b
    if not family.factors or b < LEAST_FACTOR or product < family.least_product:
        return Sliced(0, a * b)
    for wide, narrow, most in ((a, b, family.factors[0]), (b, a, family.factors[1])):
        if wide > most:
            count = -(-(wide - most) // (family.slice_bits - family.signed))
            last = wide - count * (family.slice_bits - family.signed)
            each = sliced(family, family.slice_bits, narrow, min(product, narrow + family.slice_bits))
            rest = sliced(family, last, narrow, narrow + last)
            return Sliced(count * each.blocks + rest.blocks, count * each.soft + rest.soft)
    return Sliced(1, 0)


def product_slices(cell: Cell, family: Family) -> Iterator[tuple[int, int, Sliced]]:
    """Of each product that a MUL cell is built of the widths of its factors, and what it takes. What an unsigned part
    has more in a signed product are zeros, and a slice of those is none."""
    pieces = parts(max(arg.format.width for arg in cell.args))
    for (narrow, wide), (low, end) in zip(product_parts(cell), pieces, strict=True):
        blocks, soft = sliced(family, wide, narrow, cell.format.width if len(pieces) == 1 else 0)
        cut = blocks > 0 and family.factors is not None and wide > family.factors[wide < narrow]
        zeros = narrow * (wide - (end - low)) if cut else 0
        yield narrow, wide, Sliced(blocks, max(soft - zeros, 0))


def product_parts(cell: Cell) -> list[tuple[int, int]]:
    """The products that a MUL cell is built of: widths of their two factors. In a signed product an unsigned part has a
    bit more."""
    narrow, wide = sorted((arg.format for arg in cell.args), key=lambda fmt: fmt.width)
    signed, pieces = narrow.signed or wide.signed, parts(wide.width)
    return [(narrow.width, end - low + (signed and not (wide.signed and end == wide.width))) for low, end in pieces]
