"""Groups as the rows of bytes that a generated engine's ports take and give, and which bits of them are promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwnorm.check.groups import Groups
from hwnorm.check.ports import Bytes, Layout, Signal
from hwnorm.fixed import Ints


@dataclass(frozen=True)
class Batch:
    """Rows by the prefix of a stream, (count or 1, items of a group, bytes), and of outputs which bits matter."""

    groups: Groups
    rows: Mapping[str, Bytes]
    care: Mapping[str, Bytes]


def encode(values: Ints, width: int) -> Bytes:
    """Integers (..., lanes) side by side in bytes."""
    values = np.asarray(values)
    lanes = values.shape[-1]
    if width in (8, 16, 32) and values.dtype != object:
        little = np.ascontiguousarray(values.astype(f"<i{width // 8}"))
        return little.view(np.uint8).reshape(*values.shape[:-1], lanes * width // 8)
    if values.dtype == object or width > 63:
        size, mask = -(-width * lanes // 8), (1 << width) - 1
        flat = values.reshape(-1, lanes)
        whole = [sum((int(v) & mask) << (width * k) for k, v in enumerate(row)) for row in flat]
        data = b"".join(w.to_bytes(size, "little") for w in whole)
        return np.frombuffer(data, np.uint8).reshape(*values.shape[:-1], size)
    bits = np.zeros((*values.shape, width), np.uint8)
    for place in range(width):
        bits[..., place] = (values >> place) & 1
    return np.packbits(bits.reshape(*values.shape[:-1], lanes * width), axis=-1, bitorder="little")


def batch_of(groups: Groups, layouts: Sequence[Layout]) -> Batch:
    rows: dict[str, Bytes] = {}
    care: dict[str, Bytes] = {}
    exact = _exact(groups, layouts)
    for layout in layouts:
        match layout.prefix:
            case "layer":
                rows["layer"] = _one(layout, {name: np.array([v]) for name, v in groups.layer.items()}, 1)
            case "group":
                rows["group"] = _one(layout, groups.given, groups.count)
            case "result":
                told = {"length_error": np.full(groups.count, int(groups.wrong != 0))}
                rows["result"] = _one(layout, {**groups.result, **told}, groups.count)
                unknown = [f for f in layout.fields if not exact and f.name != "length_error"]
                care["result"] = _without(layout, rows["result"].shape[1], unknown)
            case _:
                rows[layout.prefix] = _beats(layout, groups)
                if not layout.driven:
                    care[layout.prefix] = _kept(layout, groups.m, rows[layout.prefix].shape[1], exact)
    return Batch(groups, rows, care)


def _exact(groups: Groups, layouts: Sequence[Layout]) -> bool:
    """Whether results are promised: of a group that is cut at its own last element, but not in the beat where that
    stands (which is whole, as more follow), nor behind it, nor of one that is filled up."""
    lanes = max(one.lanes for one in layouts)
    whole = groups.m % lanes == 0 or not any(one.driven and one.keep for one in layouts)
    whole &= groups.taken * lanes < groups.m + lanes
    return groups.wrong == 0 or (groups.wrong > 0 and whole)


def _one(layout: Layout, values: Mapping[str, Ints], count: int) -> Bytes:
    row = np.zeros((count, 1, layout.size), np.uint8)
    for f in layout.fields:
        row[:, 0, f.bytes] = encode(values[f.name][:, None], f.width)
    return row


def _beats(layout: Layout, groups: Groups) -> Bytes:
    """The beats of all groups; with a wrong length only the stream that says where a group ends has more than an engine
    takes, or fewer."""
    lanes, m = layout.lanes, groups.m
    beats = -(-m // lanes)
    total = max(beats, groups.taken) + (groups.wrong if layout.driven and layout.last is not None else 0)
    row = np.zeros((groups.count, total, layout.size), np.uint8)
    sent = min(beats, total)
    for f in layout.fields:
        source = (groups.streams if layout.driven else groups.wanted)[f.name]
        padded = np.zeros((groups.count, beats * lanes), source.dtype)
        padded[:, :m] = source
        padded[:, m:] = ~source[:, -1:]  # anything may stand in a lane that carries no element
        row[:, :sent, f.bytes] = encode(padded.reshape(groups.count, beats, lanes), f.width)[:, :sent]
    if total > beats:
        row[:, beats:] = row[:, :1] ^ 0x5A  # what is dropped, or should not have come
    if layout.last is not None:
        row[:, :, layout.last.first] = 0
        row[:, -1, layout.last.first] = 1
    if layout.keep is not None:
        full, tail = (1 << lanes) - 1, (1 << (m - (beats - 1) * lanes)) - 1
        row[:, :, layout.keep.bytes] = _bits(full, layout.keep)
        if total <= beats:
            row[:, beats - 1 : beats, layout.keep.bytes] = _bits(tail, layout.keep)
    return row


def _bits(value: int, signal: Signal) -> Bytes:
    size = signal.bytes.stop - signal.first
    return np.frombuffer(value.to_bytes(size, "little"), np.uint8)


def _kept(layout: Layout, m: int, beats: int, exact: bool) -> Bytes:
    """Ones at the bits of an output that are promised: not those of lanes that carry no element."""
    lanes, care = layout.lanes, np.zeros((1, beats, layout.size), np.uint8)
    for b in range(beats):
        live = min(lanes, m - b * lanes) if exact else 0
        for f in layout.fields:
            care[0, b, f.bytes] = _bits((1 << (live * f.width)) - 1, f)
    for flag in (layout.last, layout.keep if exact else None):
        if flag is not None:
            care[0, :, flag.bytes] = _bits((1 << flag.bits) - 1, flag)
    return care


def _without(layout: Layout, items: int, unknown: Sequence[Signal]) -> Bytes:
    care = np.zeros((1, items, layout.size), np.uint8)
    for f in layout.fields:
        if f not in unknown:
            care[..., f.bytes] = _bits((1 << f.bits) - 1, f)
    return care
