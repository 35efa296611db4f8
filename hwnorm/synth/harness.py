"""Closes a netlist's ports with flip-flops, so that a design with more ports than a package has pins can be placed.

Every input comes from a shift register that one pin feeds, every output goes into a flip-flop; clocks stay pins. What
is added is named, so that its flip-flops can be taken off the counts. Paths from and to ports are timed with it, as in
a larger design, and not left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwnorm.synth.netlist import Bit, Netlist

NAME = "hwnorm_harness_"
FEED = "hwnorm_harness_in"
Pins = tuple[str, str, str]  # a cell with its input and its output
Source = tuple[str, str]  # a cell with its output


@dataclass(frozen=True, slots=True)
class Oscillator:
    cell: str
    output: str
    ties: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Harness:
    """A family's flip-flop, and what its placer asks for around pins and constants."""

    flip_flop: str
    clock: str = "C"
    data: str = "D"
    output: str = "Q"
    ties: Mapping[str, str] = field(default_factory=dict)  # other pins of the flip-flop: "0" or "1"
    parameters: Mapping[str, str] = field(default_factory=dict)
    buffer: Pins | None = None  # between a pin and the design
    oscillator: Oscillator | None = None  # what clocks come from, where that is no pin
    rails: Mapping[str, Source] = field(default_factory=dict)  # what drives a constant, where a net has to
    open: frozenset[tuple[str, str]] = frozenset()  # pins that are left open instead of tied to 0


def close_ports(module: dict[str, Any], harness: Harness) -> int:
    """Changes the module; how many flip-flops came in. A module without a clock is left alone."""
    nets = Netlist(module)
    inputs = [bit for port in module["ports"].values() if port["direction"] == "input" for bit in port["bits"]]
    clocks = [bit for bit in dict.fromkeys(inputs) if _is_clock(nets, bit, harness)]
    if not clocks:
        return 0
    outputs = {bit for bit, users in nets.users.items() if isinstance(bit, int) and any(not cell for cell, _ in users)}
    closed = _Closed(module, nets, harness)
    closed.pins(clocks)
    before: Bit = closed.feed
    for bit in dict.fromkeys(inputs):
        if bit not in clocks:
            closed.flip_flop(clocks[0], before, [bit])
            before = bit
    for bit in sorted(outputs - set(inputs), key=str):
        closed.flip_flop(clocks[0], bit, [])
    closed.leave_open()
    return closed.count


def _is_clock(nets: Netlist, bit: Bit, harness: Harness) -> bool:
    """Flip-flops of one family have their clock at the same pin; no other cell's pin of that name tells anything."""
    family = harness.flip_flop[:4]
    return any(
        cell and pin == harness.clock and nets.cells[cell]["type"][:4] == family for cell, pin in nets.users[bit]
    )


class _Closed:
    """What is added to a module."""

    def __init__(self, module: dict[str, Any], nets: Netlist, harness: Harness) -> None:
        self.module, self.nets, self.harness = module, nets, harness
        self._fresh = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
        self._rails: dict[str, Bit] = {}
        self.count = 0
        self.feed = self._net()

    def _net(self) -> int:
        self._fresh += 1
        return self._fresh - 1

    def _cell(
        self, name: str, kind: str, pins: Mapping[str, list[Bit]], out: str, parameters: Mapping[str, str]
    ) -> None:
        self.nets.add(NAME + name, kind, pins, out, parameters, keep=True)

    def pins(self, clocks: Iterable[int | str]) -> None:
        """The clocks' and the one that feeds all inputs."""
        module, harness = self.module, self.harness
        kept = {
            name: port
            for name, port in module["ports"].items()
            if port["direction"] == "input" and any(bit in clocks for bit in port["bits"])
        }
        for port in kept.values():
            port["bits"] = [bit for bit in port["bits"] if bit in clocks]
        if harness.oscillator:
            made, kept = harness.oscillator, {}
            for bit in clocks:
                pins = {made.output: [bit], **self._ties(made.ties)}
                self._cell(f"clock_{bit}", made.cell, pins, made.output, made.parameters)
        module["ports"] = {**kept, FEED: {"direction": "input", "bits": [self.feed]}}
        for name, port in module["ports"].items():
            if harness.buffer:
                kind, into, out = harness.buffer
                inside, port["bits"] = port["bits"], [self._net() for _ in port["bits"]]
                for pin, bit in zip(port["bits"], inside, strict=True):
                    self._cell(f"pin_{pin}", kind, {into: [pin], out: [bit]}, out, {})
            module["netnames"][f"{name}_pin" if name in module["netnames"] else name] = {
                "hide_name": 0,
                "bits": port["bits"],
                "attributes": {},
            }

    def _ties(self, ties: Mapping[str, str]) -> dict[str, list[Bit]]:
        return {pin: [self._tied(constant)] for pin, constant in ties.items()}

    def _tied(self, constant: str) -> Bit:
        if constant in self.harness.rails and constant not in self._rails:
            kind, out = self.harness.rails[constant]
            self._rails[constant] = self._net()
            self._cell(f"constant_{constant}", kind, {out: [self._rails[constant]]}, out, {})
        return self._rails.get(constant, constant)

    def flip_flop(self, clock: Bit, data: Bit, output: list[Bit]) -> None:
        made = self.harness
        pins: dict[str, list[Bit]] = {made.clock: [clock], made.data: [data], made.output: output}
        pins |= self._ties(made.ties)
        self._cell(str(self.count), made.flip_flop, pins, made.output, made.parameters)
        self.count += 1

    def leave_open(self) -> None:
        """What stands at 0, by a constant or a cell that drives one."""
        zero = self.harness.rails.get("0", ("", ""))
        for kind, pin in self.harness.open:
            for cell in self.module["cells"].values():
                if cell["type"] == kind and (bits := cell["connections"].get(pin)):
                    driver, out = self.nets.driver.get(bits[0], ("", ""))
                    if bits[0] == "0" or (driver and (self.nets.cells[driver]["type"], out) == zero):
                        del cell["connections"][pin], cell["port_directions"][pin]
