"""What is sent over the wires and what must come back: groups as transfers of either top.

A channel is one valid/ready stream of the chosen top. ``Plain`` makes the channels of the engine itself, ``Axis`` those
of its AXI4-Stream wrapper; whoever drives or checks a channel need not know which.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .vectors import Group


class Slot(NamedTuple):
    """Where a value stands in a signal."""

    name: str
    offset: int
    width: int
    signed: bool
    lane: int = 0

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.offset

    def put(self, value: int) -> int:
        return (value & ((1 << self.width) - 1)) << self.offset

    def get(self, word: int) -> int:
        value = word >> self.offset & ((1 << self.width) - 1)
        return value - (1 << self.width) if self.signed and value >> (self.width - 1) else value


class Transfer(NamedTuple):
    """One handshake: a value for each of the channel's signals, and which bits of it count."""

    values: tuple[int, ...]
    masks: tuple[int, ...]
    slots: tuple[tuple[Slot, ...], ...]
    group: str
    element: int | None  # the first of a beat
    after: int = 0  # transfers that the channel in front must have done


@dataclass
class Channel:
    name: str
    valid: str
    ready: str
    signals: tuple[str, ...]
    transfers: list[Transfer] = field(default_factory=list)
    behind: str | None = None  # the channel that Transfer.after counts

    def difference(self, transfer: Transfer, got: Sequence[int]) -> str:
        """The first value that differs, in the words of the manifest."""
        for word, expected, mask, slots in zip(got, transfer.values, transfer.masks, transfer.slots, strict=True):
            for slot in slots:
                if mask & slot.mask and (word ^ expected) & slot.mask:
                    told = f"{slot.name} is {slot.get(word)}, expected {slot.get(expected)}"
                    return f"{self.where(transfer, slot.lane)}: {told}"
        raise AssertionError("no difference")

    def where(self, transfer: Transfer, lane: int = 0) -> str:
        at = "" if transfer.element is None else f", element {transfer.element + lane}"
        return f"stream {self.name}, {transfer.group}{at}"


@dataclass(frozen=True)
class Wiring:
    """A stream of beats on the pins: its signals, each with the places of its fields; then last and keep, if any."""

    stream: dict[str, Any]
    signals: tuple[str, ...]
    slots: tuple[tuple[Slot, ...], ...]
    last: str | None
    keep: str | None
    keep_bits: int  # of one lane
    lanes: int

    def channel(self, valid: str, ready: str) -> Channel:
        ends = tuple(name for name in (self.last, self.keep) if name)
        return Channel(self.stream["prefix"], valid, ready, self.signals + ends)

    def beats(self, group: Group, rows: dict[str, list[int]], count: int, exact: bool = True) -> Iterable[Transfer]:
        """So many beats of a group, the last of them marked; lanes behind its last element do not count."""
        lanes = self.lanes
        cut = count * lanes < group.elements or not exact  # the end is not the group's own
        for number in range(count):
            first = number * lanes
            filled = lanes if cut else min(lanes, max(group.elements - first, 0)) or lanes
            values, masks = [], []
            for slots in self.slots:
                word = mask = 0
                for slot in slots:
                    if slot.lane < filled:
                        word |= slot.put(rows[slot.name][first + slot.lane])
                        mask |= slot.mask
                values.append(word)
                masks.append(mask if exact else 0)
            places = list(self.slots)
            if self.last:
                values.append(int(number == count - 1))
                masks.append(1)
                places.append((Slot("last", 0, 1, False),))
            if self.keep:
                width = filled * self.keep_bits
                values.append((1 << width) - 1)
                masks.append((1 << lanes * self.keep_bits) - 1 if exact else 0)
                places.append((Slot("keep", 0, lanes * self.keep_bits, False),))
            yield Transfer(tuple(values), tuple(masks), tuple(places), group.name, first)


class Top(ABC):
    """What both tops have in common: beats in and out, and in which order a host sends."""

    clock, reset, reset_active = "clk", "rst", 1
    slack = 0  # cycles that a group may take besides the engine's own

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.manifest, self.lanes = manifest, int(manifest["lanes"])
        self.streams = {s["prefix"]: s for s in manifest["streams"]}

    def inputs(self, groups: Sequence[Group], rng: random.Random) -> list[Channel]:
        found = []
        for prefix, stream in self.streams.items():
            if stream["beats"] and stream["direction"] == "in":
                channel = self._beats_channel(prefix)
                for group in groups:
                    channel.transfers += self._sent(prefix, group, rng)
                found.append(channel)
        return found + self._words(groups)

    def outputs(self, groups: Sequence[Group]) -> list[Channel]:
        found = []
        for prefix, stream in self.streams.items():
            if stream["beats"] and stream["direction"] == "out":
                channel = self._beats_channel(prefix)
                for group in groups:
                    count = -(-group.elements // self.lanes)
                    spare = [] if group.exact else [0] * self.lanes
                    rows = {name: data + spare for name, data in group.outputs.items()}
                    channel.transfers += self.wiring(prefix).beats(group, rows, count, group.exact)
                found.append(channel)
        return found + self._results(groups)

    def _sent(self, prefix: str, group: Group, rng: random.Random) -> Iterable[Transfer]:
        """A wrong group's end comes too early or too late in the stream that tells it; what is too much is noise."""
        wiring, own = self.wiring(prefix), -(-group.elements // self.lanes)
        tells = self.streams[prefix]["last"]
        count = group.beats_sent if group.beats_sent is not None and tells else own
        if count == own:
            return wiring.beats(group, group.inputs, own)
        fields = {f["name"]: f for f in self.streams[prefix]["fields"]}
        rows = {}
        for name, data in group.inputs.items():
            noise = max(count, own) * self.lanes - len(data)
            width = fields[name]["width"] if name in fields else 1
            rows[name] = data + [rng.getrandbits(width) for _ in range(noise)]
        return wiring.beats(group, rows, count, exact=False)

    @abstractmethod
    def wiring(self, prefix: str) -> Wiring: ...

    @abstractmethod
    def _beats_channel(self, prefix: str) -> Channel: ...

    @abstractmethod
    def _words(self, groups: Sequence[Group]) -> list[Channel]:
        """Layers and groups' fields: layer, its groups, next layer."""

    @abstractmethod
    def _results(self, groups: Sequence[Group]) -> list[Channel]: ...

    def packets(self, groups: Sequence[Group]) -> Iterable[tuple[str, Group]]:
        """Which of the streams of words (layer, group) is sent when."""
        held: dict[str, int] | None = None
        for group in groups:
            if "layer" in self.streams:
                words = {f["name"]: group.words[f["name"]] for f in self.streams["layer"]["fields"]}
                if words != held:
                    yield "layer", group
                held = words
            if "group" in self.streams:
                yield "group", group

    def result_of(self, group: Group) -> dict[str, int]:
        return group.result | {"length_error": int(group.wrong)}


class Plain(Top):
    """The engine: a port for each field."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        super().__init__(manifest)
        self.name = manifest["top"]
        self._wiring = {p: self._wires(s) for p, s in self.streams.items() if s["beats"]}

    def wiring(self, prefix: str) -> Wiring:
        return self._wiring[prefix]

    def _wires(self, stream: dict[str, Any]) -> Wiring:
        prefix = stream["prefix"]
        slots = []
        for f in stream["fields"]:
            slots.append(tuple(Slot(f["name"], n * f["width"], f["width"], f["signed"], n) for n in range(f["lanes"])))
        last, keep = (f"{prefix}_{end}" if stream[end] else None for end in ("last", "keep"))
        return Wiring(stream, tuple(f["signal"] for f in stream["fields"]), tuple(slots), last, keep, 1, self.lanes)

    def _beats_channel(self, prefix: str) -> Channel:
        return self.wiring(prefix).channel(f"{prefix}_valid", f"{prefix}_ready")

    def _words_channel(self, prefix: str) -> tuple[Channel, tuple[tuple[Slot, ...], ...]]:
        fields = self.streams[prefix]["fields"]
        slots = tuple((Slot(f["name"], 0, f["width"], f["signed"]),) for f in fields)
        signals = tuple(f["signal"] for f in fields)
        return Channel(prefix, f"{prefix}_valid", f"{prefix}_ready", signals), slots

    def _words(self, groups: Sequence[Group]) -> list[Channel]:
        channels = {p: self._words_channel(p) for p in ("layer", "group") if p in self.streams}
        other = {"layer": "group", "group": "layer"} if len(channels) == 2 else {}
        for prefix, group in self.packets(groups):
            channel, slots = channels[prefix]
            channel.behind = other.get(prefix)
            after = len(channels[other[prefix]][0].transfers) if other else 0
            channel.transfers.append(_words_transfer(slots, group.words, group.name, after))
        return [channel for channel, _ in channels.values()]

    def _results(self, groups: Sequence[Group]) -> list[Channel]:
        if "result" not in self.streams:
            return []
        channel, slots = self._words_channel("result")
        for group in groups:
            transfer = _words_transfer(slots, self.result_of(group), group.name)
            channel.transfers.append(transfer if group.exact else _only(transfer, "length_error"))
        return [channel]


class Axis(Top):
    """The wrapper: elements in whole bytes, words of 32 bits one after the other."""

    clock, reset, reset_active = "aclk", "aresetn", 0

    def __init__(self, manifest: dict[str, Any]) -> None:
        super().__init__(manifest)
        self.name = f"{manifest['top']}_axis"
        self.axis = manifest["axis"]
        packets = [*self.axis["parameters"].values(), self.axis["results"]]
        self.slack = sum(word["words"] for packet in packets for word in packet) + 2  # one after the other
        self._beats = {about["stream"]: about for about in self.axis["beats"]}
        self._wiring = {prefix: self._wires(about) for prefix, about in self._beats.items()}

    def wiring(self, prefix: str) -> Wiring:
        return self._wiring[prefix]

    def _wires(self, about: dict[str, Any]) -> Wiring:
        """The top field of an element is extended to its bytes' end."""
        stream, each = self.streams[about["stream"]], 8 * about["bytes_per_element"]
        slots = []
        for lane in range(self.lanes):
            for f in about["fields"]:
                top = f is about["fields"][-1]
                width = each - f["offset"] if top else f["width"]
                slots.append(Slot(f["name"], lane * each + f["offset"], width, f["signed"], lane))
        prefix = about["prefix"]
        ends = f"{prefix}_tlast", f"{prefix}_tkeep"
        return Wiring(stream, (f"{prefix}_tdata",), (tuple(slots),), *ends, each // 8, self.lanes)

    def _beats_channel(self, prefix: str) -> Channel:
        axis = self._beats[prefix]["prefix"]
        return self.wiring(prefix).channel(f"{axis}_tvalid", f"{axis}_tready")

    def _words(self, groups: Sequence[Group]) -> list[Channel]:
        if not self.axis["parameters"]:
            return []
        channel = Channel("param", "s_axis_param_tvalid", "s_axis_param_tready", ("s_axis_param_tdata",))
        for prefix, group in self.packets(groups):
            for word in self.axis["parameters"][prefix]:
                value = word["value"] if "value" in word else group.words.get(word["name"], 0)
                channel.transfers += _split(word, value, group.name, ())
        return [channel]

    def _results(self, groups: Sequence[Group]) -> list[Channel]:
        words = self.axis["results"]
        if not words:
            return []
        ends = ("m_axis_result_tdata", "m_axis_result_tlast")
        channel = Channel("result", "m_axis_result_tvalid", "m_axis_result_tready", ends)
        for group in groups:
            result = self.result_of(group)
            for word in words:
                last = (int(word is words[-1]),)
                for transfer in _split(word, result[word["name"]], group.name, last):
                    exact = group.exact or word["name"] == "length_error"
                    channel.transfers.append(transfer if exact else _only(transfer, "last"))
        return [channel]


def _words_transfer(slots: tuple[tuple[Slot, ...], ...], words: dict[str, int], group: str, after: int = 0) -> Transfer:
    values = tuple(one.put(words[one.name]) for (one,) in slots)
    return Transfer(values, tuple(one.mask for (one,) in slots), slots, group, None, after)


def _only(transfer: Transfer, name: str) -> Transfer:
    """With nothing but one value to be compared."""
    masks = [mask if slots[0].name == name else 0 for mask, slots in zip(transfer.masks, transfer.slots, strict=True)]
    return transfer._replace(masks=tuple(masks))


def _split(word: dict[str, Any], value: int, group: str, last: tuple[int, ...]) -> Iterable[Transfer]:
    """A value in words of 32 bits, the low one first; the end of the packet behind the last of them."""
    for part in range(word["words"]):
        top = part == word["words"] - 1
        slots = (Slot(word["name"], 0, 32, bool(word.get("signed"))),), *((Slot("last", 0, 1, False),) for _ in last)
        end = tuple(bit if top else 0 for bit in last)
        values = ((value >> 32 * part) & 0xFFFFFFFF, *end)
        yield Transfer(values, (0xFFFFFFFF, *(1 for _ in last)), slots, group, None)
