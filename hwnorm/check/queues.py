"""Each stream of a simulation gets its own sequence of groups: the rows of it, port by port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnorm.check.ports import Bytes, Layout
from hwnorm.check.rows import Batch
from hwnorm.fixed import Ints
from hwnorm.rtl.plan import TABLES

INSIDE = 3 + 4 + TABLES  # groups in an engine at most: one in each of three sweeps, four stages and all tables
QUEUED = 64  # beats behind them, in the queue of an output
Segment = tuple[Batch, int, int]  # groups from the first number to before the second


@dataclass(frozen=True)
class Queue:
    """The rows of one port in all streams, (items, streams or 1, bytes): stream s has ``length[s]`` of them. So has
    ``care``, the bits of an output that are promised, with 1 where those are the same in all streams."""

    layout: Layout
    rows: Bytes
    care: Bytes | None
    length: Ints
    after: Ints | None  # (items, streams or 1): how many layers, or groups, come before it


def queues_of(layouts: Sequence[Layout], sequences: Sequence[Sequence[Segment]]) -> dict[str, Queue]:
    """One queue a port. One sequence serves all streams."""
    return {layout.prefix: _queue(layout, sequences) for layout in layouts}


def _queue(layout: Layout, sequences: Sequence[Sequence[Segment]]) -> Queue:
    columns = [_column(layout, sequence) for sequence in sequences]
    most = max(len(rows) for rows, _, _ in columns)
    rows = np.zeros((most, len(columns), layout.size), np.uint8)
    after = np.zeros((most, len(columns)), np.int64) if layout.prefix in ("group", "layer") else None
    for s, (data, _, before) in enumerate(columns):
        rows[: len(data), s] = data
        if after is not None:
            after[: len(data), s] = before
    care = None if layout.driven else _promised([mask for _, mask, _ in columns], most)
    return Queue(layout, rows, care, np.array([len(data) for data, _, _ in columns]), after)


def _promised(masks: Sequence[Bytes | None], most: int) -> Bytes:
    """Each stream's mask beside the others, or one of them, where they are all the same."""
    found = [mask for mask in masks if mask is not None]
    alike = all(np.array_equal(mask, found[0]) for mask in found)
    care = np.zeros((most, 1 if alike else len(found), found[0].shape[1]), np.uint8)
    for s, mask in enumerate(found[: care.shape[1]]):
        care[: len(mask), s] = mask
    return care


def _column(layout: Layout, sequence: Sequence[Segment]) -> tuple[Bytes, Bytes | None, Ints]:
    data: list[Bytes] = []
    masks: list[Bytes] = []
    before: list[list[int]] = []
    groups = layers = 0
    for (batch, lo, hi), loads in zip(sequence, _loads(sequence), strict=True):
        rows = batch.rows[layout.prefix]
        layers += loads
        if layout.prefix != "layer":
            data.append(rows[lo:hi].reshape(-1, layout.size))
            before.append([layers] * (hi - lo))
        elif loads:
            data.append(rows[0])
            before.append([groups])
        groups += hi - lo
        if not layout.driven:
            mask = batch.care[layout.prefix]
            masks.append(np.broadcast_to(mask, (hi - lo, *mask.shape[1:])).reshape(-1, layout.size))
    found, care = np.concatenate(data), np.concatenate(masks) if masks else None
    if layout.error is not None and care is not None:
        _expect_error(layout, sequence, found, care)
    return found, care, np.concatenate(before)


def _loads(sequence: Sequence[Segment]) -> list[bool]:
    """Which batches begin with another layer than the one before; to load it, a design has to be empty."""
    rows = [batch.rows["layer"][0].tobytes() if "layer" in batch.rows else b"" for batch, _, _ in sequence]
    return [before != after for before, after in zip([None, *rows], rows, strict=False)]


def _expect_error(layout: Layout, sequence: Sequence[Segment], rows: Bytes, care: Bytes) -> None:
    """``error`` rises with the first group of a wrong length. The sweeps work on several groups at a time, and others
    wait in the queue behind: what is put out shortly before may have it already; that group itself may not yet."""
    assert layout.error is not None
    first: int | None = None
    at = after = near = 0
    starts: list[int] = []
    for batch, lo, hi in sequence:
        beats = batch.rows[layout.prefix].shape[1]
        for _ in range(lo, hi):
            if batch.groups.wrong and first is None:
                first, after = at, at + beats
                near = max(starts[-INSIDE] - QUEUED, 0) if len(starts) >= INSIDE else 0
            starts.append(at)
            at += beats
    care[:, layout.error.first] = 1
    if first is not None:
        rows[first:, layout.error.first] = 1
        care[near:after, layout.error.first] = 0


def locate(layout: Layout, sequence: Sequence[Segment], item: int) -> tuple[Batch, int, int]:
    """The batch, the group in it, and the item of that group which a queue's item is."""
    layer = layout.prefix == "layer"
    for (batch, lo, hi), loads in zip(sequence, _loads(sequence), strict=True):
        each = 1 if layer else batch.rows[layout.prefix].shape[1]
        size = int(loads) if layer else each * (hi - lo)
        if item < size:
            return batch, lo + item // each, item % each
        item -= size
    raise AssertionError("past the end of the queue")
