"""Running a program: the values of all nets in all streams, settled and clocked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from hwnorm.errors import InputError, did_you_mean
from hwnorm.gates.calls import bind
from hwnorm.gates.lanes import LIMIT, WORD, Ints, Words, live, mask_of, pack, unpack, words
from hwnorm.gates.memory import Contents, Edge
from hwnorm.gates.netlist import Netlist
from hwnorm.gates.program import Rows
from hwnorm.gates.toggles import Counter, Delay, Toggles

BLOCK_BITS = 1 << 27  # of stimuli that ``run`` packs at once


class Simulator:
    """A netlist in ``streams`` independent streams, each with its own inputs, registers and memories.

    One cycle is: ``drive`` inputs, ``evaluate`` (all settles), look at ``outputs``, ``clock``. A clock rises and falls
    while the inputs stand still: what is clocked by the falling edge sees what the rising edge did. Clock inputs are
    not driven; they are 0 but for the time between their edges.

    ``fields`` splits ports into that many equal fields, the lowest bits first: the port's integers then have an axis
    of fields before that of streams. A port wider than 64 bits has as many fields as it needs, unless told.
    ``toggles`` counts how often each net changes. Bits without an initial value are 0, or, with a ``seed``, random in
    each stream, so that a design that does not reset itself shows it. ``ports_alone`` is faster by a tenth, and nets
    between gates cannot be looked at.
    """

    def __init__(
        self,
        netlist: Netlist,
        streams: int,
        *,
        fields: Mapping[str, int] | None = None,
        toggles: Delay | None = None,
        seed: int | None = None,
        ports_alone: bool = False,
    ) -> None:
        if streams < 1:
            raise ValueError(f"streams must be a positive integer, not {streams}")
        if ports_alone and toggles is not None:
            raise ValueError("toggles are those of every net: they are not counted with ports_alone")
        self.netlist, self.streams = netlist, streams
        self._fields = {name: _fields(len(nets)) for name, nets in (*netlist.inputs.items(), *netlist.outputs.items())}
        for name, count in (fields or {}).items():
            width = len(netlist.inputs.get(name, netlist.outputs.get(name, ())))
            if name not in self._fields:
                raise ValueError(f"no port {name!r}; {did_you_mean(name, self._fields)}")
            if count < 1 or width % count:
                raise ValueError(f"port {name} has {width} bits, which is not {count} equal fields")
            self._fields[name] = count
        self._program = program = netlist.program_of_ports if ports_alone else netlist.program
        self._live, self._seed = live(streams), seed
        self._values: Words = np.zeros((program.size, words(streams)), WORD)
        self._memories = [Contents(memory, program.row, self._values, self._live) for memory in program.memories]
        self._settle = bind(program.steps, self._values, self._values[program.sources :], self._look_up)
        self._counter = None if toggles is None else Counter(program, self._values, self._live, toggles, self._look_up)
        self._cycles = 0
        self._watchers: list[Callable[[], None]] = []
        clocked = program.clocks
        self._clocks = {name: nets[0] for name, nets in netlist.inputs.items() if len(nets) == 1 and nets[0] in clocked}
        for net in clocked - set(self._clocks.values()):
            raise InputError(f"the clock {netlist.net_name(net)} is not an input of one bit")
        self.reset()

    @property
    def cycles(self) -> int:
        """How often it was clocked."""
        return self._cycles

    @property
    def toggles(self) -> Toggles:
        """How often each net changed, in all streams together, since the first ``evaluate``."""
        if self._counter is None:
            raise ValueError("toggles are not counted: make the simulator with toggles=Delay.ZERO or Delay.UNIT")
        counts = self._counter.counts[self._program.row]
        return Toggles(self.netlist, counts, self._program.drivers, self._cycles * self.streams)

    def reset(self) -> None:
        """Back to power-on. Toggles are counted on, from the first ``evaluate`` after this."""
        random = self._power_on()
        for memory in self._memories:
            memory.fill(random)
        self._fresh = True

    def drive(self, inputs: Mapping[str, Any]) -> None:
        """Integers of shape (streams,), or (fields, streams), or one for all streams; other inputs stay as they are."""
        for name, values in inputs.items():
            width = len(self._input(name))
            self.drive_slices(name, self._pack(name, np.asarray(values), width))

    def drive_slices(self, name: str, slices: Words) -> None:
        """The same for an input that is bit-sliced already: words of shape (width, words)."""
        width = len(self._input(name))
        first = self._program.inputs[name]
        self._values[first : first + width] = slices

    def evaluate(self) -> None:
        """Lets everything settle."""
        if self._counter is None or self._fresh:
            self._evaluate_all()
            if self._counter is not None:
                self._counter.start()
            self._fresh = False
        elif self._counter.delay is Delay.ZERO:
            self._evaluate_all()
            self._counter.settled()
        else:
            self._counter.settle_in_units()
            self._follow(1, 0)
        for look in self._watchers:
            look()

    def watch(self, look: Callable[[], None]) -> None:
        """Calls it whenever all has settled."""
        self._watchers.append(look)

    def values(self, nets: Rows) -> Words:
        """What nets are now: words of shape (*nets, words). IndexError where ``ports_alone`` has left one out."""
        return np.asarray(self._values.take(self._program.row[nets], axis=0))

    def clock(self, name: str | None = None) -> None:
        """A rising and a falling edge of a clock, or of all at once. Call ``evaluate`` before, and after it to look."""
        chosen = set(self._clocks.values()) if name is None else {self._clocks[self._clock_name(name)]}
        falling = {c.edge for c in self._program.commits if c.edge.clock in chosen and not c.edge.rising}
        looked_at = falling or (self._counter is not None and chosen & self._program.gated)
        self._level(chosen, np.uint64(0xFFFFFFFFFFFFFFFF))
        self._commit({Edge(net, True) for net in chosen})
        if looked_at:
            self.evaluate()
        elif self._counter is not None:
            self._counter.add(self._program.row[list(chosen)], 2 * self.streams)
        self._level(chosen, np.uint64(0))
        if falling:
            self._commit(falling)
        self._cycles += 1

    def outputs(self, names: Iterable[str] | None = None) -> dict[str, Ints]:
        """Unsigned integers of shape (streams,) or (fields, streams)."""
        return {name: self._unpack(name, self.slices(name)) for name in names or self.netlist.outputs}

    def slices(self, name: str) -> Words:
        """An output as it is: words of shape (width, words)."""
        if name not in self._program.outputs:
            raise ValueError(f"no output {name!r}; {did_you_mean(name, self._program.outputs)}")
        return np.asarray(self._values.take(self._program.outputs[name], axis=0))

    def step(self, inputs: Mapping[str, Any]) -> dict[str, Ints]:
        """One cycle: the outputs are those that the inputs bring about before the edge."""
        self.drive(inputs)
        self.evaluate()
        found = self.outputs()
        self.clock()
        return found

    def run(self, stimuli: Mapping[str, Ints], outputs: Iterable[str] | None = None) -> dict[str, Ints]:
        """Many cycles: each stimulus has an axis of cycles before those of ``drive``, and so have the outputs."""
        arrays = {name: np.asarray(values) for name, values in stimuli.items()}
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) != 1:
            raise ValueError(f"stimuli must have the same number of cycles, not {sorted(lengths)}")
        cycles, names = lengths.pop(), tuple(outputs or self.netlist.outputs)
        bits = sum(len(self._input(name)) for name in arrays) + sum(len(self.netlist.outputs[name]) for name in names)
        block = max(1, BLOCK_BITS // (bits * self.streams))
        found: dict[str, list[Ints]] = {name: [] for name in names}
        for start in range(0, cycles, block):
            count = min(block, cycles - start)
            packed = {
                name: self._pack(name, array[start : start + count], len(self._input(name)))
                for name, array in arrays.items()
            }
            seen = {n: np.empty((count, *self._program.outputs[n].shape, len(self._live)), WORD) for n in names}
            for cycle in range(count):
                for name, slices in packed.items():
                    self.drive_slices(name, slices[cycle])
                self.evaluate()
                for name in names:
                    seen[name][cycle] = self.slices(name)
                self.clock()
            for name in names:
                found[name].append(self._unpack(name, seen[name]))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _input(self, name: str) -> tuple[int, ...]:
        if name in self._clocks:
            raise ValueError(f"{name} is a clock: it is moved by clock(), not driven")
        if name not in self.netlist.inputs:
            raise ValueError(f"no input {name!r}; {did_you_mean(name, self.netlist.inputs)}")
        return self.netlist.inputs[name]

    def _clock_name(self, name: str) -> str:
        if name not in self._clocks:
            raise ValueError(f"no clock {name!r}; {did_you_mean(name, self._clocks)}")
        return name

    def _pack(self, name: str, values: Ints, width: int) -> Words:
        fields = self._fields[name]
        packed = pack(values, width // fields, self.streams)
        if fields == 1:
            return packed
        if packed.shape[-3:-2] != (fields,):
            raise ValueError(
                f"port {name} has {fields} fields: its integers need an axis of that length before streams"
            )
        return packed.reshape(*packed.shape[:-3], width, packed.shape[-1])

    def _unpack(self, name: str, slices: Words) -> Ints:
        fields = self._fields[name]
        split = slices if fields == 1 else slices.reshape(*slices.shape[:-2], fields, -1, slices.shape[-1])
        return unpack(split, self.streams)

    def _power_on(self) -> np.random.Generator | None:
        random = None if self._seed is None else np.random.default_rng(self._seed)
        self._values[:] = 0
        self._values[1] = self._live
        for row, mask in self._program.constants:
            self._values[row] = mask_of(mask, self.streams)
        for row, value in self._program.init:
            if value is None and random is not None:
                self._values[row] = random.integers(0, 1 << 64, self._live.shape, np.uint64) & self._live
            elif value:
                self._values[row] = self._live
        states, shown = self._program.follows
        self._values[shown] = self._values[states]
        return random

    def _look_up(self, memory: int, port: int) -> Words:
        return self._memories[memory].read(port)

    def _evaluate_all(self) -> None:
        for call in self._settle:
            call()
        self._follow(1, 0)

    def _follow(self, source: int, target: int) -> None:
        """States with an asynchronous pin keep what they show; at an edge, they show what they keep."""
        rows = self._program.follows
        if rows[0].size:
            self._values[rows[target]] = self._values[rows[source]]

    def _level(self, clocks: Iterable[int], level: np.uint64) -> None:
        self._values[self._program.row[list(clocks)]] = self._live & level

    def _commit(self, edges: set[Edge]) -> None:
        """All that is clocked at one time looks at what was before it."""
        commits = [commit for commit in self._program.commits if commit.edge in edges]
        found = [memory.clock(edges) for memory in self._memories]
        stored = [self._values.take(commit.d, axis=0) for commit in commits]
        ports = [(memory, port) for commit in commits for memory, port in commit.reads]
        shown = [self._port(memory, port, found[memory][port]) for memory, port in ports]
        for commit, words_ in zip(commits, stored, strict=True):
            self._values[commit.first : commit.first + len(words_)] = words_
        for rows, slices in shown:
            self._values[rows] = slices
        self._follow(0, 1)

    def _port(self, memory: int, index: int, found: Words) -> tuple[Rows, Words]:
        """What a clocked read port shows: what it found, where it is enabled; its reset value, where it is reset."""
        port, row = self._program.memories[memory].reads[index], self._program.row
        rows = row[list(port.data)]
        enable, reset, clear = (self._values[row[net]] for net in (port.enable, port.reset, port.clear))
        if port.enable_over_reset:
            reset = reset & enable
        new = found
        if (enable != self._live).any():
            old = self._values.take(rows, axis=0)
            new = old ^ ((old ^ found) & enable)
        for lanes, value in ((reset, port.reset_value), (clear, port.clear_value)):
            if lanes.any():
                new = np.where(np.array(value, bool)[:, None], new | lanes, new & ~lanes)
        return rows, new


def _fields(width: int) -> int:
    """The fewest equal fields of which each is an integer."""
    return next((count for count in range(1, width + 1) if width % count == 0 and width // count <= LIMIT), 1)
