"""Drives and watches the channels of a top: at a rising edge everybody looks at what stood before it.

A driver offers a transfer and keeps it until it is taken; in between it shows garbage. A monitor takes what is offered
when its pace allows, compares it at once, and insists that an offer stays as it is until it is taken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .tops import Channel

Pace = Callable[[], bool]  # whether to go on in this cycle


def always() -> bool:
    return True


def stalls(rng: random.Random, share: float) -> Pace:
    """Waits in that share of the cycles."""
    return lambda: rng.random() >= share


def bursts(rng: random.Random, longest: int) -> Pace:
    """Goes on for some cycles, then waits for some."""

    def states() -> Iterator[bool]:
        while True:
            yield from [True] * rng.randint(1, longest)
            yield from [False] * rng.randint(1, longest)

    ahead = states()
    return lambda: next(ahead)


class Gate:
    """Shut until nothing moves any more; then open for a while, the last time for good."""

    def __init__(self, *openings: int) -> None:
        self.openings, self.left, self.shut = list(openings), 0, True

    def __call__(self) -> bool:
        self.left -= 1
        return not self.shut or self.left >= 0

    def idle(self) -> None:
        self.left = self.openings.pop(0) if self.openings else 0
        self.shut = self.left > 0


class Mismatch(AssertionError):
    """The design's answer is not the reference's."""


class _End:
    """One end of a channel: how far it has come, and when its first and last transfers were."""

    def __init__(self, dut: Any, channel: Channel) -> None:
        self.channel, self.total = channel, len(channel.transfers)
        self.valid, self.ready = getattr(dut, channel.valid), getattr(dut, channel.ready)
        self.signals = [getattr(dut, name) for name in channel.signals]
        self.done, self.first, self.last = 0, -1, -1

    @property
    def finished(self) -> bool:
        return self.done == self.total

    def moved(self, cycle: int) -> None:
        if self.done == 0:
            self.first = cycle
        self.done, self.last = self.done + 1, cycle

    def seen(self, handle: Any, name: str) -> int:
        value = handle.value
        try:
            return int(value)
        except ValueError:
            raise Mismatch(f"stream {self.channel.name}: {name} is {value}") from None

    def awaited(self) -> str:
        if self.finished:
            return f"stream {self.channel.name}: all {self.total} transfers done"
        return f"{self.channel.where(self.channel.transfers[self.done])} (transfer {self.done} of {self.total})"


class Driver(_End):
    def __init__(self, dut: Any, channel: Channel, pace: Pace, ends: dict[str, _End]) -> None:
        super().__init__(dut, channel)
        self.pace, self.ends, self.offered = pace, ends, False
        self.masks = [(1 << len(signal)) - 1 for signal in self.signals]
        self.signed = [getattr(signal, "is_signed", False) for signal in self.signals]
        self.valid.value = 0

    def step(self, cycle: int) -> bool:
        """Whether a transfer was made."""
        taken = self.offered and self.seen(self.ready, self.channel.ready) == 1
        if taken:
            self.moved(cycle)
        elif self.offered:
            return False
        if self._may_offer() and self.pace():
            transfer = self.channel.transfers[self.done]
            self._show(transfer.values)
            if not self.offered:
                self.valid.value = 1
            self.offered = True
        elif taken:
            self.valid.value = 0
            before = self.channel.transfers[self.done - 1]
            self._show([value ^ mask for value, mask in zip(before.values, self.masks, strict=True)])
            self.offered = False
        return taken

    def _show(self, values: Sequence[int]) -> None:
        for signal, value, mask, signed in zip(self.signals, values, self.masks, self.signed, strict=True):
            signal.value = value - mask - 1 if signed and value > mask >> 1 else value

    def _may_offer(self) -> bool:
        if self.finished:
            return False
        behind = self.channel.behind
        return behind is None or self.ends[behind].done >= self.channel.transfers[self.done].after


class Monitor(_End):
    def __init__(self, dut: Any, channel: Channel, pace: Pace) -> None:
        super().__init__(dut, channel)
        self.pace, self.willing = pace, False
        self.held: tuple[int, ...] | None = None
        self.ready.value = 0

    def step(self, cycle: int) -> bool:
        """Whether a transfer was made; Mismatch where it is not the expected one."""
        taken = False
        if self.seen(self.valid, self.channel.valid):
            taken = self.willing
            self._look(taken)
            if taken:
                self.moved(cycle)
        elif self.held is not None:
            raise Mismatch(f"{self.awaited()}: offered, and withdrawn before it was taken")
        willing = self.pace()
        if willing != self.willing:
            self.ready.value = int(willing)
            self.willing = willing
        return taken

    def _look(self, taken: bool) -> None:
        if self.finished:
            raise Mismatch(f"stream {self.channel.name}: a transfer more than the {self.total} expected")
        transfer = self.channel.transfers[self.done]
        got = tuple(
            self._read(signal, name, mask)
            for signal, name, mask in zip(self.signals, self.channel.signals, transfer.masks, strict=True)
        )
        for word, expected, mask in zip(got, transfer.values, transfer.masks, strict=True):
            if (word ^ expected) & mask:
                raise Mismatch(self.channel.difference(transfer, got))
        if self.held is not None and got != self.held:
            raise Mismatch(f"{self.channel.where(transfer)}: changed while it waited to be taken")
        self.held = None if taken else got

    def _read(self, signal: Any, name: str, mask: int) -> int:
        """Unknown bits count only where a value is expected."""
        value = signal.value
        try:
            return int(value)
        except ValueError:
            bits = str(value)
            known = int("".join(bit if bit in "01" else "0" for bit in bits), 2)
            unknown = int("".join("0" if bit in "01" else "1" for bit in bits), 2)
            if unknown & mask:
                raise Mismatch(f"{self.awaited()}: {name} is {bits}") from None
            return known


def describe(ends: Sequence[_End]) -> str:
    return "; ".join(end.awaited() for end in ends if not end.finished)
