"""How often nets change: what switching power is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from hwnorm.gates.calls import Call, LookUp, bind
from hwnorm.gates.lanes import WORD, Words, ones
from hwnorm.gates.netlist import Netlist
from hwnorm.gates.program import Group, Lookup, Program, Rows

Counts = npt.NDArray[np.int64]


class Delay(StrEnum):
    """When a gate answers, as far as toggles are concerned."""

    ZERO = "zero-delay"  # at once: a net changes at most once when inputs or registers change
    UNIT = "unit-delay"  # one unit later: nets on ways of different length change several times (glitches)


@dataclass(frozen=True)
class Toggles:
    """Counts over all streams and cycles. A clock changes twice a cycle."""

    netlist: Netlist
    counts: Counts  # by net number
    drivers: dict[int, int]  # net -> cell
    cycles: int  # cycles x streams, for an average

    def __sub__(self, other: Toggles) -> Toggles:
        """What came after: of the same netlist, a run and its beginning."""
        return replace(self, counts=self.counts - other.counts, cycles=self.cycles - other.cycles)

    def of(self, net: int) -> int:
        return int(self.counts[net])

    def by_net(self) -> dict[str, int]:
        """Of every net that has a driver or is an input, by its name."""
        nets = [*(net for bits in self.netlist.inputs.values() for net in bits), *sorted(self.drivers)]
        return {self.netlist.net_name(net): self.of(net) for net in nets}

    def by_cell(self) -> dict[str, int]:
        """Of the nets that a cell drives."""
        found = {cell.name: 0 for cell in self.netlist.cells}
        for net, cell in self.drivers.items():
            if cell >= 0:
                found[self.netlist.cells[cell].name] += self.of(net)
        return found

    def by_instance(self) -> dict[str, int]:
        """Of the nets that are driven in an instance, or in one inside it; "" is the whole, without its inputs."""
        found = dict.fromkeys(self.netlist.instances, 0)
        for net, cell in self.drivers.items():
            if cell >= 0:
                names = self.netlist.cells[cell].instance.split(".")
                for above in {"", *(".".join(names[: n + 1]) for n in range(len(names)))}:
                    found[above] += self.of(net)
        return found


class Counter:
    """Counts changes of rows while a simulator settles. Parts of a register or a cell are rows too; nobody reads them.

    With unit delay, inputs and registers change at time 0; a gate shows at time t what its pins were at t - 1. Only
    those gates are looked at that can change at t: their shortest and longest ways from a source bound that.
    """

    def __init__(self, program: Program, values: Words, live: Words, delay: Delay, look_up: LookUp) -> None:
        self.delay = delay
        self.counts: Counts = np.zeros(program.size, np.int64)
        self._values, self._live, self._look_up = values, live, look_up
        self._last = values.copy()
        self._times = [self._bind(steps) for steps in program.times] if delay is Delay.UNIT else []

    def start(self) -> None:
        """From here on changes count."""
        np.copyto(self._last, self._values)

    def add(self, rows: Iterable[int], count: int) -> None:
        self.counts[list(rows)] += count

    def settled(self) -> None:
        """Zero delay: what differs from when it had settled before, has changed once."""
        np.bitwise_xor(self._last, self._values, out=self._last)
        self._last &= self._live
        self.counts += ones(self._last)
        np.copyto(self._last, self._values)

    def settle_in_units(self) -> None:
        self.settled()
        for calls, rows, results in self._times:
            for call in calls:
                call()
            before = self._values[rows]
            self._values[rows] = results
            before ^= results
            before &= self._live
            self.counts[rows] += ones(before)
        np.copyto(self._last, self._values)

    def _bind(self, steps: Sequence[Group | Lookup]) -> tuple[list[Call], Rows, Words]:
        """Calls for one time, the rows that they compute, and where they put them."""
        rows = np.concatenate([step.out for step in steps])
        results = np.empty((rows.size, self._values.shape[1]), WORD)
        return bind(steps, self._values, results, self._look_up), rows, results
