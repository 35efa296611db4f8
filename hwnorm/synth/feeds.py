"""What nextpnr adds to ECP5's carry chains, counted before it does: the way in and the way out is a cell more.

A chain begins with a cell that puts its carry in, constant or not, unless that is open (hwnorm.synth.carries), and ends
with one that takes the carry out, used or not, unless that is; where a carry is read in between, there is one more. Two
constants, 0 and 1, are LUTs too, where anything needs them, as something in every engine does. With these the netlist's
count is the placer's, to the LUT (test_feeds.py).
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
        if into in ("0", "1") or (isinstance(into, int) and nets.driver.get(into, ("", ""))[1] != "COUT"):
            found[name] += 1
        out = nets.bit(name, "COUT")
        if isinstance(out, int):
            users = {port for user, port in nets.users[out] if user != PORT or port != "keep"}
            found[name] += int(users != {"CIN"} or len(nets.users[out]) > 1)
    return found
