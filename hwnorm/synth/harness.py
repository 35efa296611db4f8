"""Closes a netlist's ports with flip-flops, so that a design with more ports than a package has pins can be placed.

Every input comes from a shift register that one pin feeds, every output goes into a flip-flop; clocks stay pins. What
is added is named, so that its flip-flops can be taken off the counts. Paths from and to ports are timed with it, as in
a larger design, and not left out.
"""

from __future__ import annotations

from typing import Any

from hwnorm.synth.netlist import Bit, Netlist

NAME = "hwnorm_harness_"
FEED = "hwnorm_harness_in"
CLOCK_PINS = frozenset({"C", "CLK", "RCLK", "WCLK", "RCLKN", "WCLKN"})


def close_ports(module: dict[str, Any], flip_flop: str) -> int:
    """Changes the module; how many flip-flops (with ports C, D, Q) came in. A module without a clock is left alone."""
    nets = Netlist(module)
    inputs = [bit for port in module["ports"].values() if port["direction"] == "input" for bit in port["bits"]]
    clocks = [bit for bit in inputs if any(pin in CLOCK_PINS for cell, pin in nets.users[bit] if cell)]
    if not clocks:
        return 0
    fresh = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
    module["ports"] = {
        name: port
        for name, port in module["ports"].items()
        if port["direction"] == "input" and any(bit in clocks for bit in port["bits"])
    }
    for port in module["ports"].values():
        port["bits"] = [bit for bit in port["bits"] if bit in clocks]
    module["ports"][FEED] = {"direction": "input", "bits": [fresh]}
    module["netnames"][FEED] = {"hide_name": 0, "bits": [fresh], "attributes": {}}
    before: Bit = fresh
    count = 0

    def add(data: Bit, output: list[Bit]) -> None:
        nonlocal count
        connections: dict[str, list[Bit]] = {"C": [clocks[0]], "D": [data], "Q": output}
        module["cells"][f"{NAME}{count}"] = {
            "hide_name": 0,
            "type": flip_flop,
            "parameters": {},
            "attributes": {},
            "port_directions": {"C": "input", "D": "input", "Q": "output"},
            "connections": connections,
        }
        count += 1

    for bit in dict.fromkeys(inputs):
        if bit not in clocks:
            add(before, [bit])
            before = bit
    outputs = {bit for bit, users in nets.users.items() if isinstance(bit, int) and any(not cell for cell, _ in users)}
    for bit in sorted(outputs - set(inputs), key=str):
        add(bit, [])
    return count
