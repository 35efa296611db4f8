"""What the ports of a generated engine carry, as bytes: groups with all that the reference knows of them become queues.

A beat, a group's fields, a layer's registers, a group's results: each is one row of bytes, every signal in bytes of its
own, the lowest first. `Groups` are integers by name, whoever made them; `Batch` is them as rows; `queues_of` gives each
stream of the simulation its own sequence of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnorm.fixed import Ints
from hwnorm.rtl.design import Design
from hwnorm.views.int_ref import Call, Value

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
QUEUED = 64  # beats that an engine holds at most
ERROR = "error"  # the signal that is recorded with the last output


@dataclass(frozen=True)
class Signal:
    name: str  # of the value
    signal: str
    width: int
    lanes: int
    signed: bool
    first: int  # its first byte in a row

    @property
    def bits(self) -> int:
        return self.width * self.lanes

    @property
    def bytes(self) -> slice:
        return slice(self.first, self.first + -(-self.bits // 8))

    @property
    def rows(self) -> slice:
        """Its bits among those of a row."""
        return slice(8 * self.first, 8 * self.first + self.bits)

    def decode(self, row: Bytes) -> list[int]:
        """The integers of all lanes."""
        raw, span = int.from_bytes(row[self.bytes].tobytes(), "little"), 1 << self.width
        values = [(raw >> (lane * self.width)) % span for lane in range(self.lanes)]
        return [v - span if self.signed and 2 * v >= span else v for v in values]


@dataclass(frozen=True)
class Layout:
    """One valid/ready stream of the engine, as the manifest describes it."""

    prefix: str
    driven: bool  # into the engine
    beats: bool
    fields: tuple[Signal, ...]
    last: Signal | None
    keep: Signal | None
    error: Signal | None
    size: int  # bytes of a row

    @property
    def signals(self) -> tuple[Signal, ...]:
        return (*self.fields, *(s for s in (self.last, self.keep, self.error) if s is not None))

    @property
    def lanes(self) -> int:
        return self.fields[0].lanes if self.beats else 1


def layouts_of(streams: Sequence[Mapping[str, Any]]) -> list[Layout]:
    """Of the manifest's ``streams``. With the last beats out, ``error`` is looked at."""
    found = []
    outs = [s["prefix"] for s in streams if s["direction"] == "out" and s["beats"]]
    for stream in streams:
        at, prefix = 0, stream["prefix"]
        fields = []

        def signal(name: str, port: str, width: int, lanes: int = 1, signed: bool = False) -> Signal:
            nonlocal at
            made = Signal(name, port, width, lanes, signed, at)
            at = made.bytes.stop
            return made

        for f in stream["fields"]:
            fields.append(signal(f["name"], f["signal"], f["width"], f["lanes"], f["signed"]))
        lanes = fields[0].lanes if fields else 1
        last = signal("last", f"{prefix}_last", 1) if stream["beats"] and stream["last"] else None
        keep = signal("keep", f"{prefix}_keep", lanes) if stream["keep"] else None
        error = signal(ERROR, ERROR, 1) if outs and prefix == outs[-1] else None
        driven = stream["direction"] == "in"
        found.append(Layout(prefix, driven, stream["beats"], tuple(fields), last, keep, error, max(at, 1)))
    return found


# Integers


@dataclass(frozen=True)
class Groups:
    """Groups of one length in one layer: what an engine is handed, and what it has to answer."""

    source: str  # vectors, random
    first: int  # the number of the first one among those of its source
    m: int
    count: int
    layer: Mapping[str, int]
    given: Mapping[str, Ints]  # per group: (count,)
    streams: Mapping[str, Ints]  # per element: (count, m)
    wanted: Mapping[str, Ints]  # outputs per element: (count, m)
    result: Mapping[str, Ints]  # (count,)
    wrong: int = 0  # beats that were added in front of ``last``, or, below 0, left out


def groups_of(call: Call, design: Design, layouts: Sequence[Layout], source: str, first: int) -> Groups:
    """A call, with what the reference makes of it."""
    found, m = call.run(), call.setting.m
    count = max((len(v.v) for v in call.inputs.values() if v.v.ndim > 1), default=1)
    given: dict[str, Ints] = {}
    streams: dict[str, Ints] = {}
    wanted: dict[str, Ints] = {}
    result: dict[str, Ints] = {}
    for layout in layouts:
        for f in layout.fields:
            match layout.prefix:
                case "group":
                    exact = f.name == "dx_frac"
                    given[f.name] = (
                        np.full(count, call.program.precision.dx_frac) if exact else column(call.inputs, f.name, count)
                    )
                case "result":
                    result[f.name] = (
                        np.zeros(count, np.int64) if f.name == "length_error" else column(found, f.name, count)
                    )
                case "layer":
                    pass
                case _:
                    source_of = call.inputs if layout.driven else found
                    rows = source_of[f.name].v
                    (streams if layout.driven else wanted)[f.name] = np.broadcast_to(
                        rows.reshape(len(rows), -1), (count, m)
                    )
    return Groups(source, first, m, count, design.layer_words(call.setting), given, streams, wanted, result)


def column(values: Mapping[str, Value], name: str, count: int) -> Ints:
    """A word of every group; ``K_frac`` is the exponent of K."""
    if name not in values and name.endswith("_frac"):
        frac = np.asarray(values[name.removesuffix("_frac")].frac)
        return np.broadcast_to(frac.reshape(-1), (count,))
    v = values[name].v
    return np.broadcast_to(v.reshape(len(v), -1)[:, 0], (count,))


# Rows


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
    for layout in layouts:
        match layout.prefix:
            case "layer":
                rows["layer"] = _one(layout, {name: np.array([v]) for name, v in groups.layer.items()}, 1)
            case "group":
                rows["group"] = _one(layout, groups.given, groups.count)
            case "result":
                told = {"length_error": np.full(groups.count, int(groups.wrong != 0))}
                rows["result"] = _one(layout, {**groups.result, **told}, groups.count)
                unknown = [f for f in layout.fields if groups.wrong < 0 and f.name != "length_error"]
                care["result"] = _without(layout, rows["result"].shape[1], unknown)
            case _:
                rows[layout.prefix] = _beats(layout, groups)
                if not layout.driven:
                    care[layout.prefix] = _kept(layout, groups, rows[layout.prefix].shape[1])
    return Batch(groups, rows, care)


def _one(layout: Layout, values: Mapping[str, Ints], count: int) -> Bytes:
    row = np.zeros((count, 1, layout.size), np.uint8)
    for f in layout.fields:
        row[:, 0, f.bytes] = encode(values[f.name][:, None], f.width)
    return row


def _beats(layout: Layout, groups: Groups) -> Bytes:
    """The beats of all groups; with a wrong length only the stream that says where a group ends has more, or fewer."""
    lanes, m = layout.lanes, groups.m
    beats = -(-m // lanes)
    extra = groups.wrong if layout.driven and layout.last is not None else 0
    row = np.zeros((groups.count, beats + extra, layout.size), np.uint8)
    sent = min(beats, beats + extra)
    for f in layout.fields:
        source = (groups.streams if layout.driven else groups.wanted)[f.name]
        padded = np.zeros((groups.count, beats * lanes), source.dtype)
        padded[:, :m] = source
        row[:, :sent, f.bytes] = encode(padded.reshape(groups.count, beats, lanes), f.width)[:, :sent]
    if extra > 0:
        row[:, beats:] = row[:, :1] ^ 0x5A  # what is dropped
    if layout.last is not None:
        row[:, :, layout.last.first] = 0
        row[:, -1, layout.last.first] = 1
    if layout.keep is not None:
        full, tail = (1 << lanes) - 1, (1 << (m - (beats - 1) * lanes)) - 1
        row[:, :, layout.keep.bytes] = _bits(full, layout.keep)
        row[:, beats - 1 : beats, layout.keep.bytes] = _bits(tail, layout.keep)
    return row


def _bits(value: int, signal: Signal) -> Bytes:
    size = signal.bytes.stop - signal.first
    return np.frombuffer(value.to_bytes(size, "little"), np.uint8)


def _kept(layout: Layout, groups: Groups, beats: int) -> Bytes:
    """Ones at the bits of an output that are promised: not those of lanes that carry no element."""
    lanes, care = layout.lanes, np.zeros((1, beats, layout.size), np.uint8)
    for b in range(beats):
        live = min(lanes, groups.m - b * lanes)
        for f in layout.fields:
            count = 0 if groups.wrong < 0 else live
            care[0, b, f.bytes] = _bits((1 << (count * f.width)) - 1, f)
    for flag in (layout.last, layout.keep):
        if flag is not None:
            care[0, :, flag.bytes] = _bits((1 << flag.bits) - 1, flag)
    return care


def _without(layout: Layout, items: int, unknown: Sequence[Signal]) -> Bytes:
    care = np.zeros((1, items, layout.size), np.uint8)
    for f in layout.fields:
        if f not in unknown:
            care[..., f.bytes] = _bits((1 << f.bits) - 1, f)
    return care


# Queues

Segment = tuple[Batch, int, int]  # groups from the first number to before the second
Sequence_ = Sequence[Segment]


@dataclass(frozen=True)
class Queue:
    """The rows of one port in all streams, (items, streams or 1, bytes): stream s has ``length[s]`` of them."""

    layout: Layout
    rows: Bytes
    care: Bytes | None
    length: Ints
    after: Ints | None  # (items, streams or 1): how many layers, or groups, come before it


def queues_of(layouts: Sequence[Layout], sequences: Sequence[Sequence_]) -> dict[str, Queue]:
    """One queue a port. One sequence serves all streams."""
    return {layout.prefix: _queue(layout, sequences) for layout in layouts}


def _queue(layout: Layout, sequences: Sequence[Sequence_]) -> Queue:
    columns = [_column(layout, sequence) for sequence in sequences]
    most = max(len(rows) for rows, _, _ in columns)
    rows = np.zeros((most, len(columns), layout.size), np.uint8)
    care = None if layout.driven else np.zeros_like(rows)
    after = np.zeros((most, len(columns)), np.int64) if layout.prefix in ("group", "layer") else None
    for s, (data, mask, before) in enumerate(columns):
        rows[: len(data), s] = data
        if care is not None and mask is not None:
            care[: len(data), s] = mask
        if after is not None:
            after[: len(data), s] = before
    return Queue(layout, rows, care, np.array([len(data) for data, _, _ in columns]), after)


def _column(layout: Layout, sequence: Sequence_) -> tuple[Bytes, Bytes | None, Ints]:
    data: list[Bytes] = []
    masks: list[Bytes] = []
    before: list[list[int]] = []
    groups = 0
    for layer, (batch, lo, hi) in enumerate(sequence, 1):
        rows = batch.rows[layout.prefix]
        if layout.prefix == "layer":
            data.append(rows[0])
            before.append([groups])
        else:
            data.append(rows[lo:hi].reshape(-1, layout.size))
            before.append([layer] * (hi - lo))
        groups += hi - lo
        if not layout.driven:
            mask = batch.care[layout.prefix]
            masks.append(np.broadcast_to(mask, (hi - lo, *mask.shape[1:])).reshape(-1, layout.size))
    found, care = np.concatenate(data), np.concatenate(masks) if masks else None
    if layout.error is not None and care is not None:
        _expect_error(layout, sequence, found, care)
    return found, care, np.concatenate(before)


def _expect_error(layout: Layout, sequence: Sequence_, rows: Bytes, care: Bytes) -> None:
    """``error`` rises with the first group of a wrong length. The sweeps work on several groups at a time, and others
    wait in the queue behind: what is put out shortly before may have it already; that group itself may not yet."""
    assert layout.error is not None
    at, first, after, near = 0, None, 0, 0
    starts: list[int] = []
    for batch, lo, hi in sequence:
        beats = batch.rows[layout.prefix].shape[1]
        for _ in range(lo, hi):
            if batch.groups.wrong and first is None:
                first, after, near = at, at + beats, max(min(at - QUEUED, starts[-4] if len(starts) >= 4 else 0), 0)
            starts.append(at)
            at += beats
    care[:, layout.error.first] = 1
    if first is not None:
        rows[first:, layout.error.first] = 1
        care[near:after, layout.error.first] = 0


def locate(layout: Layout, sequence: Sequence_, item: int) -> tuple[Batch, int, int]:
    """The batch, the group in it, and the item of that group which a queue's item is."""
    for batch, lo, hi in sequence:
        each = 1 if layout.prefix == "layer" else batch.rows[layout.prefix].shape[1]
        size = each if layout.prefix == "layer" else each * (hi - lo)
        if item < size:
            return batch, lo + item // each, item % each
        item -= size
    raise AssertionError("past the end of the queue")
