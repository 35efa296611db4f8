"""Where what came out differs from what the reference has: the first difference, in the reader's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwnorm.check.bench import Outcome
from hwnorm.check.folder import Folder
from hwnorm.check.ports import Bools, Bytes, Layout
from hwnorm.check.queues import Queue, Segment, locate
from hwnorm.check.rows import Batch
from hwnorm.errors import ToolFailed

TOGETHER = 64  # items that are compared at a time


def compare(
    folder: Folder,
    sequences: Sequence[Sequence[Segment]],
    queues: Mapping[str, Queue],
    outcome: Outcome,
    whole: bool = True,
) -> None:
    """ToolFailed with the earliest difference of the first stream that has one. ``whole``: nothing may be missing."""
    wrong = differences(queues, outcome)
    failing = np.flatnonzero(np.any([bad.any(axis=0) for bad in wrong.values()], axis=0))
    if failing.size:
        s = int(failing[0])
        raise ToolFailed(f"{folder.name}: {_first(folder, sequences[s], queues, wrong, outcome, s)}")
    for name, queue in queues.items() if whole else ():
        if queue.layout.driven:
            continue
        taken = outcome.taken[name]
        length = np.broadcast_to(queue.length, taken.shape)
        short = np.flatnonzero(taken < length)
        if short.size:
            s = int(short[0])
            batch, g, item = locate(queue.layout, sequences[s], int(taken[s]))
            raise ToolFailed(
                f"{folder.name}: never answers: {name} gave {taken[s]} of {length[s]} items and stopped in "
                f"{_group(batch, g)}, item {item}, after {outcome.cycles} cycles (stream {s}; the manifest's formula "
                "allows no more)"
            )
    for name, queue in queues.items() if whole else ():
        if queue.layout.driven and (outcome.given[name] < queue.length).any():
            s = int(np.flatnonzero(outcome.given[name] < queue.length)[0])
            raise ToolFailed(
                f"{folder.name}: takes no more: {name} stopped at item {outcome.given[name][s]} of "
                f"{np.broadcast_to(queue.length, outcome.given[name].shape)[s]} (stream {s})"
            )
    for where, what in (
        (outcome.broken, "an output changed while it was valid and not yet taken"),
        (outcome.early, "a layer was taken while a group of the one before was inside"),
    ):
        if where.any():
            raise ToolFailed(f"{folder.name}: {what} (stream {int(np.flatnonzero(where)[0])})")


def differences(queues: Mapping[str, Queue], outcome: Outcome) -> dict[str, Bools]:
    """Of every output, (items + 1, streams): which item is wrong; the last says that there were too many."""
    found = {}
    for name, queue in queues.items():
        if queue.layout.driven:
            continue
        assert queue.care is not None
        seen, taken = outcome.seen[name], outcome.taken[name]
        differs = np.zeros((len(seen) + 1, seen.shape[1]), bool)
        for first in range(0, len(seen), TOGETHER):  # what comes between stays small
            items = slice(first, min(first + TOGETHER, len(seen)))
            bits = (seen[items] ^ queue.rows[items]) & queue.care[items]
            if bits.any():
                looked_at = np.arange(first, items.stop)[:, None] < np.minimum(taken, queue.length)
                differs[items] = bits.any(axis=2) & looked_at
        differs[-1] = taken > queue.length
        found[name] = differs
    return found


def _first(
    folder: Folder,
    sequence: Sequence[Segment],
    queues: Mapping[str, Queue],
    wrong: Mapping[str, Bools],
    outcome: Outcome,
    s: int,
) -> str:
    """Of the earliest group that has one; what is known of the group before its elements."""
    places: dict[tuple[int, int, int], str] = {}
    for name, bad in wrong.items():
        if not bad[:, s].any():
            continue
        queue, item = queues[name], int(np.argmax(bad[:, s]))
        if item == len(bad) - 1:
            much = np.broadcast_to(queue.length, outcome.taken[name].shape)[s]
            places[1 << 60, 0, 0] = f"{name} gave more items than the {much} expected (stream {s})"
            continue
        batch, g, place = locate(queue.layout, sequence, item)
        column = s if queue.rows.shape[1] > 1 else 0
        assert queue.care is not None
        row, care = queue.rows[item, column], queue.care[item, s if queue.care.shape[1] > 1 else 0]
        told = _told(queue.layout, batch, g, place, outcome.seen[name][item, s], row, care)
        line = f", line {batch.groups.first + g + 1} of vectors/groups_in.hex" if _golden(batch) else ""
        where = f"{_where(folder, queue.layout)}, stream {s}{line}"
        places[_position(sequence, batch, g), queue.layout.beats, place] = f"{told} ({where})"
    return places[min(places)]


def _told(layout: Layout, batch: Batch, g: int, place: int, seen: Bytes, row: Bytes, care: Bytes) -> str:
    who = "the vectors have" if _golden(batch) else "the reference has"
    for signal in layout.signals:
        if not ((row ^ seen) & care)[signal.bytes].any():
            continue
        for lane, (got, wanted) in enumerate(zip(signal.decode(seen), signal.decode(row), strict=True)):
            if got != wanted:
                at = f", element {place * layout.lanes + lane}" if layout.beats and signal in layout.fields else ""
                return f"{_group(batch, g)}{at}: {signal.name} is {got}, {who} {wanted}"
    raise AssertionError("nothing differs here")


def _position(sequence: Sequence[Segment], batch: Batch, g: int) -> int:
    """The number of a group in its sequence."""
    before = 0
    for one, lo, hi in sequence:
        if one is batch and lo <= g < hi:
            return before + g - lo
        before += hi - lo
    raise AssertionError("not in the sequence")


def _golden(batch: Batch) -> bool:
    return batch.groups.source == "vectors"


def _group(batch: Batch, g: int) -> str:
    groups = batch.groups
    name = "vector group" if _golden(batch) else f"{groups.source} group"
    return f"{name} {groups.first + g} of {groups.m} elements"


def _where(folder: Folder, layout: Layout) -> str:
    sweeps = folder.about["cycles"]["sweeps"]
    if not layout.beats:
        return "what is known of the group, port result"
    number = layout.prefix.removeprefix("out") or sweeps
    return f"sweep {number} of {sweeps}, port {layout.prefix}"
