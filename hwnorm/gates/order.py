"""In which order parts are worked out that feed each other. Each reads and drives nets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def in_order(reads: Sequence[Iterable[int]], drives: Sequence[Iterable[int]]) -> list[int]:
    """Indexes, each behind those that drive what it reads. Those that wait for each other are left out, and so are
    those that wait for them."""
    readers, waiting = readers_of(reads, drives)
    ready = [index for index, count in enumerate(waiting) if not count]
    for index in ready:
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return ready


def readers_of(reads: Sequence[Iterable[int]], drives: Sequence[Iterable[int]]) -> tuple[list[list[int]], list[int]]:
    """Of each part which ones read what it drives, and how many it waits for itself; by each net once."""
    driver = driver_of(drives)
    waiting = [0] * len(reads)
    readers: list[list[int]] = [[] for _ in reads]
    for index, nets in enumerate(reads):
        for net in nets:
            source = driver.get(net)
            if source is not None:
                readers[source].append(index)
                waiting[index] += 1
    return readers, waiting


def driver_of(drives: Sequence[Iterable[int]]) -> dict[int, int]:
    """By net the index of what drives it."""
    return {net: index for index, nets in enumerate(drives) for net in nets}


def as_needed(reads: Sequence[Iterable[int]], drives: Sequence[Iterable[int]]) -> list[int]:
    """Another such order: in front of each only what it needs and was not there yet, so that what belongs together
    stands together. None may wait for itself."""
    driver, done = driver_of(drives), dict[int, None]()
    for start in range(len(reads)):
        todo = [start]
        while todo:
            index = todo[-1]
            waiting = [driver[net] for net in reads[index] if net in driver and driver[net] not in done]
            if waiting:
                todo += waiting
            else:
                done[todo.pop()] = None
    return list(done)
