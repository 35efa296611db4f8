"""Memories (``$mem_v2``) that were left unmapped: integers, addressed by each stream for itself.

The contents have a word past the end, which is what addresses outside read, and is zero.

At a clock edge all ports look at what was before it: reads see the old contents, but for the bits that a port
writes to which they are transparent; among writes to one address the later port wins. A collision that yosys leaves
undefined reads the old contents.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from hwnorm.errors import InputError
from hwnorm.gates.lanes import WORD, Bytes, Ints, Words, bytes_to_slices, slices_to_bytes

if TYPE_CHECKING:
    from hwnorm.gates.netlist import Cell

Nets = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    clock: int
    rising: bool


@dataclass(frozen=True, slots=True)
class ReadPort:
    edge: Edge | None  # None: combinational
    address: Nets
    data: Nets
    enable: int
    reset: int
    reset_value: tuple[int, ...]
    enable_over_reset: bool
    clear: int  # asynchronous
    clear_value: tuple[int, ...]
    init: tuple[int | None, ...]
    transparent: tuple[bool, ...]  # by write port


@dataclass(frozen=True, slots=True)
class WritePort:
    edge: Edge
    address: Nets
    data: Nets
    enable: Nets


@dataclass(frozen=True, slots=True)
class Memory:
    width: int
    size: int
    offset: int
    init: str  # the last word first, most significant bit first
    reads: tuple[ReadPort, ...]
    writes: tuple[WritePort, ...]

    @property
    def edges(self) -> tuple[Edge, ...]:
        clocked = (port.edge for port in self.reads if port.edge is not None)
        return tuple(dict.fromkeys((*clocked, *(port.edge for port in self.writes))))


def memory_of(cell: Cell) -> Memory:
    """What a ``$mem_v2`` says; InputError where it asks for what has no clock."""
    p = cell.parameters
    width, size = _number(p, "WIDTH"), _number(p, "SIZE")
    address_bits, reads, writes = (_number(p, key) for key in ("ABITS", "RD_PORTS", "WR_PORTS"))

    def part(pin: str, port: int, bits: int) -> Nets:
        return cell.pins.get(pin, ())[port * bits : (port + 1) * bits]

    def flag(key: str, index: int) -> bool:
        return p[key][::-1][index : index + 1] == "1"

    def values(key: str, port: int) -> tuple[int, ...]:
        return tuple(int(bit == "1") for bit in p[key][::-1][port * width : (port + 1) * width])

    def read(port: int) -> ReadPort:
        clocked = flag("RD_CLK_ENABLE", port)
        return ReadPort(
            edge=Edge(part("RD_CLK", port, 1)[0], flag("RD_CLK_POLARITY", port)) if clocked else None,
            address=part("RD_ADDR", port, address_bits),
            data=part("RD_DATA", port, width),
            enable=part("RD_EN", port, 1)[0],
            reset=part("RD_SRST", port, 1)[0],
            reset_value=values("RD_SRST_VALUE", port),
            enable_over_reset=flag("RD_CE_OVER_SRST", port),
            clear=part("RD_ARST", port, 1)[0],
            clear_value=values("RD_ARST_VALUE", port),
            init=tuple({"0": 0, "1": 1}.get(bit) for bit in p["RD_INIT_VALUE"][::-1][port * width :][:width]),
            transparent=tuple(flag("RD_TRANSPARENCY_MASK", port * writes + k) for k in range(writes)),
        )

    def write(port: int) -> WritePort:
        if not flag("WR_CLK_ENABLE", port):
            raise InputError(f"memory {cell.name}: write port {port} has no clock, which makes it a latch")
        return WritePort(
            edge=Edge(part("WR_CLK", port, 1)[0], flag("WR_CLK_POLARITY", port)),
            address=part("WR_ADDR", port, address_bits),
            data=part("WR_DATA", port, width),
            enable=part("WR_EN", port, width),
        )

    return Memory(
        width,
        size,
        _number(p, "OFFSET"),
        p["INIT"],
        tuple(read(port) for port in range(reads)),
        tuple(write(port) for port in range(writes)),
    )


def _number(parameters: Mapping[str, str], key: str) -> int:
    return int(parameters[key], 2)


CAUGHT_UP = 64  # words at once
Bits = TypeVar("Bits", Words, Bytes)
Address = int | Ints
"""The same word in all streams, or one for each of them; within the contents, the word past the end included."""


@dataclass(frozen=True, slots=True)
class Write:
    """What a port writes: its data, and the bits of them that count, as slices: one for all bits, or one each."""

    at: Address
    data: Words
    enable: Words


class Contents:
    """A memory's words during a simulation. Rows are the places of its nets among the values.

    A word is kept as bytes, from which each stream can take its own, and as slices, of which whole words are read and
    written while all streams are at the same one; what the one way writes, the other takes over when it is needed.
    """

    def __init__(self, memory: Memory, rows: Ints, values: Words, live: Words) -> None:
        self.memory, self._values, self._live = memory, values, live
        self._streams = 64 * live.size
        self._lanes = np.arange(self._streams)
        self._size = -(-memory.width // 8)
        self._words: Bytes = np.zeros((memory.size + 1, self._streams, self._size), np.uint8)
        self._flat = self._words.reshape(-1, self._size)
        self._slices: Words = np.empty((memory.size + 1, memory.width, live.size), live.dtype)
        self._sliced = np.zeros(memory.size + 1, bool)  # words whose slices are what their bytes are, or newer
        self._newer: set[int] = set()  # words whose slices are newer
        addresses = [*(port.address for port in memory.reads), *(port.address for port in memory.writes)]
        self._whole = not memory.offset and all(1 << len(nets) <= memory.size for nets in addresses)  # none is outside
        self._reads = [(rows[list(port.address)], port) for port in memory.reads]
        self._writes = [
            ((rows[list(port.address)], rows[list(port.data)], rows[_all_or_each(port.enable)]), port)
            for port in memory.writes
        ]

    def fill(self, random: np.random.Generator | None) -> None:
        """The contents at power-on: bits without an initial value are 0, or random in each stream."""
        memory, padded = self.memory, 8 * self._size
        bits = self.memory.init[::-1].ljust(memory.size * memory.width, "x")
        symbols = np.frombuffer(bits.encode(), np.uint8).reshape(memory.size, memory.width)
        initial = np.zeros((memory.size, padded), np.uint8)
        initial[:, : memory.width] = symbols == ord("1")
        self._words[:-1] = np.packbits(initial, axis=1, bitorder="little")[:, None]
        if random is not None:
            initial[:, : memory.width] = ~np.isin(symbols, (ord("0"), ord("1")))
            unknown = np.packbits(initial, axis=1, bitorder="little")
            for word in np.flatnonzero(unknown.any(axis=1)):
                drawn = random.integers(0, 256, (self._size, self._streams), np.uint8)
                self._words[word] |= drawn.T & unknown[word]
        self._sliced[:] = False
        self._newer.clear()

    def read(self, port: int) -> Words:
        """What a port finds at its address now, as slices; perhaps the memory's own, which the next edge may change."""
        return self._at(self._address(self._reads[port][0]))

    def clock(self, edges: Container[Edge | None]) -> dict[int, Words]:
        """Writes what edges at one time write. Returns what each port that they clock finds, as slices."""
        writes = [self._write(*rows) if port.edge in edges else None for rows, port in self._writes]
        shown = {}
        for index, (rows, port) in enumerate(self._reads):
            if port.edge is not None and port.edge in edges:
                address = self._address(rows)
                found = self._at(address).copy()  # what is stored now must not show through
                for transparent, write in zip(port.transparent, writes, strict=True):
                    if transparent and write is not None:
                        found = _merged(found, write.data, write.enable & _where_same(address, write.at))
                shown[index] = found
        for write in writes:
            if write is not None:
                self._store(write)
        return shown

    def _address(self, rows: Ints) -> Address:
        planes = self._values.take(rows, axis=0)
        first = planes[:, 0] & np.uint64(1)
        same = (np.uint64(0) - first)[:, None]
        lowest = (planes[:1] ^ same[:1]) & self._live  # is enough to tell, most of the time
        if not lowest.any() and not ((planes ^ same) & self._live).any():
            at = sum(int(bit) << place for place, bit in enumerate(first)) - self.memory.offset
            return at if 0 <= at < self.memory.size else self.memory.size
        parts = slices_to_bytes(planes)
        each = parts[0].astype(np.intp)
        for place in range(1, len(parts)):
            each |= parts[place].astype(np.intp) << (8 * place)
        if not self._whole:
            each -= self.memory.offset
            each[(each < 0) | (each >= self.memory.size)] = self.memory.size
        return np.asarray(each)

    def _at(self, address: Address) -> Words:
        if isinstance(address, int):
            if not self._sliced[address]:
                self._slices[address] = bytes_to_slices(self._words[address].T, self.memory.width)
                self._sliced[address] = True
            return np.asarray(self._slices[address])
        return bytes_to_slices(self._flat.take(self._places(address), axis=0).T, self.memory.width)

    def _places(self, address: Ints) -> Ints:
        """Where each stream's own word is."""
        self._catch_up()
        return np.asarray(address * self._streams + self._lanes)

    def _catch_up(self) -> None:
        """Bytes of what was written as slices."""
        newer = sorted(self._newer)
        for start in range(0, len(newer), CAUGHT_UP):
            words = newer[start : start + CAUGHT_UP]
            self._words[words] = slices_to_bytes(self._slices[words]).swapaxes(1, 2)
        self._newer.clear()

    def _write(self, address: Ints, data: Ints, enable: Ints) -> Write | None:
        """What a port writes; None where it writes nothing."""
        written = self._values.take(enable, axis=0) & self._live
        if not written.any():
            return None
        at = self._address(address)
        if not self._whole:
            written &= ~_where_same(at, self.memory.size)
        return Write(at, self._values.take(data, axis=0), written)

    def _store(self, write: Write) -> None:
        if isinstance(write.at, int):
            self._slices[write.at] = _merged(self._at(write.at), write.data, write.enable)
            self._newer.add(write.at)
            return
        places, data = self._places(write.at), slices_to_bytes(write.data).T
        if len(write.enable) == 1:
            there = np.flatnonzero(np.unpackbits(write.enable.view(np.uint8), bitorder="little"))
            self._flat[places[there]] = data[there]
        else:
            self._flat[places] = _merged(self._flat.take(places, axis=0), data, slices_to_bytes(write.enable).T)
        self._sliced[:] = False


def _all_or_each(enable: Nets) -> list[int]:
    """One net where all bits have the same."""
    return list(enable if len(set(enable)) > 1 else enable[:1])


def _merged(old: Bits, new: Bits, mask: Bits) -> Bits:
    return old ^ ((old ^ new) & mask)


def _where_same(a: Address, b: Address) -> Words:
    """One slice: ones in the streams in which two addresses are equal; of one word where that is so in all or none."""
    same = np.atleast_1d(np.equal(a, b))
    if same.size == 1:
        return np.where(same, ~np.uint64(0), np.uint64(0))
    return np.packbits(same, bitorder="little").view(WORD)
