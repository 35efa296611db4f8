"""What nextpnr adds to ECP5's carry chains, counted before it does: it has no way into or out of a chain but a cell more.

A chain begins with a cell that puts its carry in, constant or not, and ends with one that takes the carry out, used or
not; where a carry is read in between, there is one more. Two constants, 0 and 1, are LUTs too. With these the netlist's
count is the placer's, to the LUT (tests/synth/test_carry.py).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hwnorm.synth.netlist import PORT, Netlist

FEED, CONSTANT = "(carry feed)", "(constant)"
CONSTANTS = 2


def carry_feeds(module: dict[str, Any]) -> Counter[str]:
    """How many feeds stand beside each carry cell."""
    nets, found = Netlist(module), Counter[str]()
    for name, cell in nets.cells.items():
        if cell["type"] != "CCU2C":
            continue
        into = nets.bit(name, "CIN")
        if into is not None and (isinstance(into, str) or nets.driver.get(into, ("", ""))[1] != "COUT"):
            found[name] += 1
        out = nets.bit(name, "COUT")
        if out is not None:
            users = {port for user, port in nets.users[out] if user != PORT or port != "keep"}
            found[name] += int(users != {"CIN"} or len(nets.users[out]) > 1)
    return found
