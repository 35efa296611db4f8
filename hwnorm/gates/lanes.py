"""Bit slices: the same bit of 64 independent streams in one word.

A port of ``width`` bits in ``streams`` streams is an array of words of shape (width, ceil(streams / 64)): row i holds
bit i of the port, bit s % 64 of word s // 64 belongs to stream s. Words are little-endian in memory on every machine,
so that they can be looked at as bytes. Streams past the last, which fill the last word, hold zeros after packing.

Integers become slices by transposing blocks of 8 streams x 8 bits, each of which is one word (Hacker's Delight 7-3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WORD = np.dtype("<u8")
Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[Any]
LIMIT = 64  # bits of the widest integer


def words(streams: int) -> int:
    """How many words hold one bit of each stream."""
    return -(-streams // 64)


def live(streams: int) -> Words:
    """A word for 64 streams each, with ones where there is a stream."""
    mask = np.zeros(words(streams) * 8, np.uint8)
    ones = np.packbits(np.ones(streams, np.uint8), bitorder="little")
    mask[: ones.size] = ones
    return mask.view(WORD)


def mask_of(pattern: int, streams: int) -> Words:
    """The bits of a Python integer, one a stream; those past the last stream are dropped."""
    count = words(streams)
    return np.frombuffer((pattern & ((1 << 64 * count) - 1)).to_bytes(8 * count, "little"), WORD) & live(streams)


SWAPS = tuple(
    (np.array(shift, WORD), np.array(mask, WORD))
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))
)


def _transpose(blocks: Words) -> None:
    """Byte i, bit j of every word becomes byte j, bit i, in place."""
    swapped = np.empty_like(blocks)
    for shift, mask in SWAPS:
        np.right_shift(blocks, shift, swapped)
        np.bitwise_xor(swapped, blocks, swapped)
        np.bitwise_and(swapped, mask, swapped)
        np.bitwise_xor(blocks, swapped, blocks)
        np.left_shift(swapped, shift, swapped)
        np.bitwise_xor(blocks, swapped, blocks)


def slices_to_bytes(slices: Words) -> Bytes:
    """(..., width, words) -> (..., ceil(width / 8), 64 words): each stream's bytes, the lowest first."""
    *outer, width, count = slices.shape
    if width % 8:
        padded = np.zeros((*outer, -(-width // 8) * 8, count), WORD)
        padded[..., :width, :] = slices
        slices = padded
    rows = np.ascontiguousarray(slices).view(np.uint8).reshape(*outer, -1, 8, count * 8)
    blocks = np.ascontiguousarray(np.swapaxes(rows, -1, -2)).view(WORD)
    _transpose(blocks)
    return blocks.view(np.uint8).reshape(*outer, -1, 64 * count)


def bytes_to_slices(data: Bytes, width: int) -> Words:
    """The inverse: (..., bytes, 64 words) -> (..., width, words)."""
    *outer, _, streams = data.shape
    blocks = np.array(data, order="C").reshape(*outer, -1, streams // 8, 8).view(WORD)
    _transpose(blocks)
    rows = blocks.view(np.uint8).reshape(*outer, -1, streams // 8, 8)
    whole = np.ascontiguousarray(np.swapaxes(rows, -1, -2)).reshape(*outer, -1, streams // 8).view(WORD)
    return whole[..., :width, :]


def pack(values: Ints, width: int, streams: int) -> Words:
    """Integers (..., streams) as slices (..., width, words); two's complement, bits past the width are dropped.

    The last axis may be of length 1: the same integer in every stream.
    """
    if width > LIMIT:
        raise ValueError(f"width must be at most {LIMIT}, not {width}: pack it in fields")
    values = np.asarray(values)
    if values.dtype.kind not in "biu":
        raise TypeError(f"values must be integers, not {values.dtype}")
    if values.ndim == 0:
        values = values[None]
    if values.shape[-1] not in (1, streams):
        raise ValueError(f"values must have {streams} streams along their last axis, not {values.shape[-1]}")
    if values.shape[-1] == 1:
        wide = values.astype(np.int64 if values.dtype.kind == "i" else np.uint64).view(np.uint64)
        bits = (wide >> np.arange(width, dtype=np.uint64)) & np.uint64(1)
        return (np.uint64(0) - bits)[..., None] & live(streams)
    if width == 1:
        flags = np.packbits((values & 1).astype(np.uint8), axis=-1, bitorder="little")
        out = np.zeros((*values.shape[:-1], words(streams) * 8), np.uint8)
        out[..., : flags.shape[-1]] = flags
        return out.view(WORD)[..., None, :]
    size = -(-width // 8)
    store = next(s for s in (1, 2, 4, 8) if s >= size)
    data = np.zeros((*values.shape[:-1], size, words(streams) * 64), np.uint8)
    little = np.ascontiguousarray(values.astype(f"<i{store}" if values.dtype.kind == "i" else f"<u{store}"))
    each = little.view(np.uint8).reshape(*values.shape, store)
    data[..., :streams] = np.moveaxis(each, -1, -2)[..., :size, :]
    return bytes_to_slices(data, width)


def unpack(slices: Words, streams: int) -> Ints:
    """Slices (..., width, words) as the narrowest unsigned integers (..., streams) that hold them."""
    width = slices.shape[-2]
    if width > LIMIT:
        raise ValueError(f"width must be at most {LIMIT}, not {width}: unpack it in fields")
    if width == 1:
        flat = np.ascontiguousarray(slices[..., 0, :]).view(np.uint8)
        return np.unpackbits(flat, axis=-1, count=streams, bitorder="little")
    data = slices_to_bytes(slices)[..., :streams]
    size = data.shape[-2]
    store = next(s for s in (1, 2, 4, 8) if s >= size)
    out = np.zeros((*data.shape[:-2], streams, store), np.uint8)
    out[..., :size] = np.moveaxis(data, -2, -1)
    return out.view(f"<u{store}")[..., 0]


def signed(values: Ints, width: int) -> Ints:
    """Unsigned integers of ``width`` bits as two's complement, in a signed dtype of the same size."""
    free = np.uint8(8 * values.dtype.itemsize - width)
    return np.asarray((values << free).view(values.dtype.str.replace("u", "i")) >> free)


def _count_by_table(array: Words) -> Bytes:
    """What np.bitwise_count gives from NumPy 2.0."""
    ones = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
    return np.asarray(ones[array.view(np.uint8)].reshape(*array.shape, 8).sum(axis=-1, dtype=np.uint8))


_count = getattr(np, "bitwise_count", _count_by_table)


def ones(array: Words) -> npt.NDArray[np.int64]:
    """The number of ones along the last axis."""
    return np.asarray(_count(array).sum(axis=-1, dtype=np.int64))
