"""The static schedule of a scalar stage: which values go bit by bit, and the cycle in which each is there.

A value per group either stands in registers from a cycle on, or runs over a wire, lowest bit first (hwnorm.units.bits),
from a cycle on. Products run, and what is added to them; so do what units read that look at one bit a cycle. A value
that stands is fed into a wire by a shift register, loaded when it is needed; one that runs is collected by another.
Both happen at fixed times. Everything begins as early as it can; then what runs is put off until its first reader
needs it, so that nothing has to wait in registers.

A shift by a constant is a matter of time alone: bit i of ``a << k`` is there when bit i - k of a is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from hwnorm.rtl.cells import WIRING, Cell, Kind
from hwnorm.units import Multiplier
from hwnorm.units.bits import Timing

SUMS = frozenset({Kind.ADD, Kind.SUB})
FED = frozenset({Kind.POWER, Kind.ABS})  # made bit by bit from what they are computed from, where that is enough
NEVER = 1 << 30


@dataclass(eq=False)
class StagePlan:
    """The values per group between two sweeps. Time 0 is when what it starts from stands in its registers."""

    number: int
    captured: list[Cell]
    cells: list[Cell]  # in order, static ones among them
    outputs: list[Cell]  # what anything later reads
    takes_fields: bool = False
    puts_results: bool = False

    # What runs

    @cached_property
    def serial(self) -> frozenset[Cell]:
        """The values that run."""
        found: set[Cell] = set()
        for cell in self.cells:
            if cell.kind is Kind.PORT:
                timing = self.timing(cell.args[0])
                runs = timing is not None and timing.serial
            else:
                runs = (cell.kind in SUMS or cell.kind in WIRING) and any(a in found for a in cell.args)
            if runs:
                found.add(cell)
        return frozenset(found)

    def timing(self, unit: Cell) -> Timing | None:
        """Of a unit that reads bit by bit."""
        if not hasattr(unit.param, "stream"):
            return None
        found: Timing = unit.param.timing(*(a.format for a in unit.args))
        return found

    def runs(self, cell: Cell) -> bool:
        """Whether a cell reads its first operand bit by bit: all of them, unless it is a unit."""
        match cell.kind:
            case Kind.UNIT:
                return self.timing(cell) is not None
            case Kind.ADD | Kind.SUB:
                return cell in self.serial
            case Kind.GT:
                return any(a in self.serial for a in cell.args)
            case _:
                return False

    def operands(self, cell: Cell) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """Of a cell that ``runs``: what it reads bit by bit, and what has to stand."""
        if cell.kind is not Kind.UNIT:
            return cell.args, ()
        value, *others = cell.args
        if isinstance(cell.param, Multiplier) and self._better_as_factor(value, others[0]):
            value, others = others[0], [value]
        return (value,), tuple(others)

    def _better_as_factor(self, a: Cell, b: Cell) -> bool:
        """A constant is best; what runs is not collected without need; else the narrower one stands."""
        if a.is_const != b.is_const:
            return a.is_const
        if (a in self.serial) != (b in self.serial):
            return b in self.serial
        return self.unshifted(a)[0].format.width < self.unshifted(b)[0].format.width

    def unshifted(self, cell: Cell) -> tuple[Cell, int]:
        """What a value is but shifted to the left, and how far."""
        shift = 0
        while cell.kind is Kind.LEFT and cell not in self._known:
            shift, cell = shift + cell.param, cell.args[0]
        return cell, shift

    @cached_property
    def _known(self) -> frozenset[Cell]:
        return frozenset(self.captured)

    # When

    @cached_property
    def _times(self) -> tuple[dict[Cell, int], dict[Cell, int], dict[Cell, int]]:
        """(starts, ready, bits): when a cell reads its operands or their first bits, when its value stands or its first
        bit runs by, and how many bits of it are read."""
        ready = dict.fromkeys(self.captured, 0)
        starts: dict[Cell, int] = {}
        for cell in self.cells:
            assert not (cell.static and cell.kind is Kind.UNIT), f"{cell!r} is computed on the host"
            starts[cell], ready[cell] = (0, 0) if cell.static else self._earliest(cell, ready)
        self._end = max((self._stands(c, ready) for c in self.outputs), default=0)
        return starts, ready, self._put_off(starts, ready)

    def _stands(self, cell: Cell, ready: dict[Cell, int]) -> int:
        """When a value stands; one that runs is collected."""
        if cell.is_const or cell.static:
            return 0
        return ready.get(cell, 0) + (cell.format.width if cell in self.serial else 0)

    def _first_bit(self, cell: Cell, ready: dict[Cell, int]) -> int:
        """When its first bit can run by, at the earliest; one that stands is fed in."""
        if cell in self.serial:
            return ready[cell]
        base, shift = self.unshifted(cell)
        return self._stands(base, ready) + 1 - shift

    def _earliest(self, cell: Cell, ready: dict[Cell, int]) -> tuple[int, int]:
        if cell in self.serial and cell.kind in WIRING:
            at = ready[cell.args[0]]
            return at, at + (-cell.param if cell.kind is Kind.LEFT else cell.param)
        if cell.kind is Kind.PORT:
            return ready[cell.args[0]], ready[cell.args[0]]
        if not self.runs(cell):
            at = max((self._stands(a, ready) for a in cell.args), default=0)
            return at, at + cell.latency
        running, standing = self.operands(cell)
        at = max(self._first_bit(a, ready) for a in running)
        if cell.kind is Kind.GT:
            return at, at + self.compared_at(cell) + 1
        if cell.kind is not Kind.UNIT:
            return at, at + 1
        timing = self.timing(cell)
        assert timing is not None
        at = max([at, timing.least, *(self._stands(a, ready) - self.read_at(cell) for a in standing)])
        return at, at + timing.ready

    @staticmethod
    def compared_at(cell: Cell) -> int:
        """The bit of a difference that is its sign."""
        return max(a.format.width for a in cell.args)

    def read_at(self, unit: Cell) -> int:
        """When a unit first looks at the operands that stand, from its start."""
        timing = self.timing(unit)
        assert timing is not None
        return timing.events.get("load", 0)

    def _put_off(self, starts: dict[Cell, int], ready: dict[Cell, int]) -> dict[Cell, int]:
        latest: dict[Cell, int] = {}
        bits: dict[Cell, int] = {}

        def read(cell: Cell, by: int, count: int) -> None:
            latest[cell] = min(latest.get(cell, NEVER), by)
            bits[cell] = max(bits.get(cell, 0), count)

        def stand(cell: Cell, by: int) -> None:
            if cell in self.serial:
                read(cell, by - cell.format.width, cell.format.width)

        for cell in self.outputs:
            stand(cell, self._end)
        for cell in reversed(self.cells):
            if cell.static:
                continue
            timing = self.timing(cell) if cell.kind is Kind.UNIT else None
            movable = cell in self.serial or (timing is not None and timing.serial)
            if movable and cell in latest:
                later = latest[cell] - ready[cell]
                assert later >= 0, f"{cell!r} is late"
                starts[cell] += later
                ready[cell] += later
            at, wanted = starts[cell], bits.get(cell, 0)
            if cell in self.serial and cell.kind in WIRING:
                shift = -cell.param if cell.kind is Kind.LEFT else cell.param
                read(cell.args[0], at, wanted + shift)
            elif cell.kind is Kind.PORT:
                read(cell.args[0], ready[cell], wanted)
            elif not self.runs(cell):
                for arg in cell.args:
                    stand(arg, at)
            else:
                running, standing = self.operands(cell)
                count = wanted
                if cell.kind is Kind.GT:
                    count = self.compared_at(cell) + 1
                elif timing is not None:
                    count = timing.bits + wanted if timing.serial else timing.bits
                for arg in running:
                    read(arg, at, count)
                for arg in standing:
                    stand(arg, at + self.read_at(cell))
                self._count[cell] = count
        for cell in self.cells:  # what is but a shift of another goes with it, whoever else that one was early for
            if cell in self.serial and not cell.static and cell.kind in WIRING:
                starts[cell] = ready[cell.args[0]]
                ready[cell] = starts[cell] + (-cell.param if cell.kind is Kind.LEFT else cell.param)
        return bits

    @cached_property
    def _count(self) -> dict[Cell, int]:
        return {}

    def _read_by(self, cell: Cell) -> tuple[list[Cell], list[Cell]]:
        """Of a cell that ``runs``: what it looks at where it stands, and what is fed to it out of a register."""
        running, standing = self.operands(cell)
        bases = [self.unshifted(a)[0] for a in running if a not in self.serial]
        made = [arg for base in bases if base.kind in FED for arg in base.args]
        return [*standing, *made], [base for base in bases if base.kind not in FED]

    @cached_property
    def standing(self) -> frozenset[Cell]:
        """What has to stand somewhere. What is not in here is only read bit by bit, or by such."""
        found = set(self.outputs)
        for cell in reversed(self.cells):
            if self.runs(cell):
                found.update(*self._read_by(cell))
            elif cell in found or cell.kind not in (*FED, *WIRING):
                found.update(cell.args)
        return frozenset(found)

    @cached_property
    def passing(self) -> frozenset[Cell]:
        """What is captured to be read bit by bit, once: it moves out of the register that it was captured in."""
        read = set(self.outputs)
        for cell in self.cells:
            if self.runs(cell):
                read.update(self._read_by(cell)[0])
            elif cell in self.standing or cell.kind not in (*FED, *WIRING):
                read.update(cell.args)
        for cell in list(read):  # what is but wiring of a captured value may be made in an earlier stage
            while cell.kind in WIRING:
                cell = cell.args[0]
                read.add(cell)
        fed = Counter(base for base, _ in self.feeds)
        return frozenset(cell for cell in self.captured if fed[cell] == 1 and cell not in read)

    @property
    def ready(self) -> dict[Cell, int]:
        return self._times[1]

    @property
    def starts(self) -> dict[Cell, int]:
        return self._times[0]

    @property
    def latency(self) -> int:
        """Cycles from time 0 until the token."""
        self._times  # noqa: B018
        return self._end

    # What is fed in

    def waits(self, cell: Cell, at: int) -> bool:
        """Whether a value that runs is collected and fed in again, as its reader comes too late for it."""
        return cell in self.serial and at - self.ready[cell] > cell.format.width

    @cached_property
    def feeds(self) -> dict[tuple[Cell, int], tuple[int, int]]:
        """Of a standing value and the time of its first bit on a wire: the number of its shift register, and which of
        that register's loads it is. A register is used again when what it held before has been read."""
        wanted: dict[tuple[Cell, int], int] = {}
        for cell in self.cells:
            if cell.static or not self.runs(cell):
                continue
            for arg in self.operands(cell)[0]:
                waits = self.waits(arg, self.starts[cell])
                base, shift = (arg, 0) if waits else self.unshifted(arg)
                if (waits or arg not in self.serial) and not base.is_const:
                    key = base, self.starts[cell] + shift
                    wanted[key] = max(wanted.get(key, 0), self.starts[cell] + self._count[cell])
        found: dict[tuple[Cell, int], tuple[int, int]] = {}
        registers: dict[Cell, list[tuple[int, int]]] = {}  # until when each is read, how often it was loaded
        for (base, at), until in sorted(wanted.items(), key=lambda item: item[0][1]):
            ones = registers.setdefault(base, [])
            number = next((i for i, (end, _) in enumerate(ones) if end <= at), len(ones))
            loads = ones[number][1] if number < len(ones) else 0
            ones[number : number + 1] = [(max(until, at + 1), loads + 1)]
            found[base, at] = number, loads
        return found
