"""The valid/ready streams of a generated engine as its manifest describes them, and where their signals lie in bytes.

A beat, a group's fields, a layer's registers, a group's results: each is one row of bytes, every signal in bytes of its
own, the lowest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
ERROR = "error"  # the signal that is recorded with the last output
LAYER = "layer"
PARTNERS = {"group": LAYER, LAYER: "group"}


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

    @property
    def partner(self) -> str:
        """The stream whose items this one's wait for, in the host's order; "" where there is none."""
        return PARTNERS.get(self.prefix, "")


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
