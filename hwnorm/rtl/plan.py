"""Where everything stands and when it happens: sweeps, scalar stages, what passes between them, and the cycle formula.

    stage 0 -> sweep 1 -> stage 1 -> sweep 2 -> ... -> sweep K (-> stage K)

Sweep k streams the elements of a group; stage k then computes what is known per group once the sweep has ended. All run
at the same time, on successive groups. A stage is a static schedule: a counter starts its serial units, everything else
is a register behind combinational logic whose inputs hold still. What a later stage or sweep needs is handed on with
the group. Stage 0 is there only if sweep 1 needs a value per group, or registers are loaded at run time (then a group
waits for its fields before it starts, so that a layer can change between groups).

The plan is read off cells alone; hardware is built from it, and so is the time that the cost model reckons with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from hwnorm.ir import Node, Op, Rate, Setting, is_constant
from hwnorm.rtl.alignment import in_lanes, in_order
from hwnorm.rtl.cells import LOOP_BITS, MULTIPLY_LATENCY, REDUCTIONS, WIRING, Cell, Kind, topological
from hwnorm.rtl.depth import LATE_SPACE, banks, rounded_depth
from hwnorm.rtl.lower import Lowering, Range
from hwnorm.rtl.lower_elements import Elements
from hwnorm.rtl.timetable import StagePlan
from hwnorm.schedule import Sweep
from hwnorm.views.int_ref import Program

FROM_PORT, FROM_REPLAY = 1, 2  # cycles from the decision to issue a beat to its data at depth 0
FAR = 1  # more of them where a beat goes on from a memory into logic: the memory's own register, and one near the logic
TABLE_BITS = 9  # of the widest element that is looked up
TABLES = 4  # of a sweep that looks up: one is read, one is filled, and neither waits for the other
LOOKUP_LATENCY = 2  # registers from a beat's elements to what its tables say
NEAR_TABLES = 8  # of a sweep that stand near each other: with more of them, what goes to or from one goes FAR
QUEUE_LATENCY = 3  # cycles from a beat's results to the port
HANDOVER = 2  # cycles from a stage's token, or a complete table, to a sweep that is ready to issue
FILLING = 1  # cycles from a stage's token to the first value of a table


@dataclass(frozen=True)
class Shape:
    """What a design is asked to be, besides its program."""

    lanes: int
    max_elements: int
    baked: Setting | None = None  # the layer that is built in; None: registers are loaded
    external: bool = False  # every sweep reads from outside
    results: bool = True  # what is known per group is put out
    table: bool = False  # the last sweep looks its results up, if it can

    @property
    def max_beats(self) -> int:
        return -(-self.max_elements // self.lanes)

    @property
    def beat_bits(self) -> int:
        """Of the number of a group's last beat."""
        return max((self.max_beats - 1).bit_length(), 1)

    @property
    def lane_bits(self) -> int:
        """Of the number of the last lane that carries an element."""
        return max((self.lanes - 1).bit_length(), 1)

    @property
    def fixed(self) -> bool:
        """Whether every group has the same length."""
        return self.baked is not None

    @property
    def spread(self) -> int:
        """So many more places with tables there are than one."""
        return (self.lanes - 1) // NEAR_TABLES if self.table else 0

    @property
    def lookup_latency(self) -> int:
        """Registers from a beat's elements to what their tables say."""
        return LOOKUP_LATENCY + FAR * bool(self.spread)

    @property
    def partial(self) -> bool:
        """Whether a last beat may carry fewer elements than there are lanes."""
        return self.lanes > 1 and not (self.fixed and self.max_elements % self.lanes == 0)


@dataclass(eq=False)
class SweepPlan:
    """One sweep: depth d of its pipeline is d registers behind the beat's own."""

    number: int
    sweep: Sweep
    arriving: dict[Node, Cell]  # streams, in the order in which a beat packs them
    reductions: list[Cell] = field(default_factory=list)
    writes: dict[str, Cell] = field(default_factory=dict)
    passes: list[tuple[Node, Cell]] = field(default_factory=list)  # what the next sweep's beat holds
    carries: list[Cell] = field(default_factory=list)  # handed on to the stage behind
    lanes: int = 1
    issue_latency: int = FROM_PORT

    @cached_property
    def cells(self) -> list[Cell]:
        """Everything per element, in order."""
        wanted = [*(r.args[0] for r in self.reductions), *self.writes.values(), *(c for _, c in self.passes)]
        return [c for c in topological(wanted, through=Rate.ELEM) if c.rate is Rate.ELEM]

    @cached_property
    def ready(self) -> dict[Cell, int]:
        """The depth at which a cell's value stands in its register."""
        found: dict[Cell, int] = {}
        for cell in self.cells:
            found[cell] = self._depth(cell, found) + cell.latency
        return found

    def depth(self, cell: Cell) -> int:
        """The depth at which a cell takes its operands."""
        return self._depth(cell, self.ready)

    @staticmethod
    def _depth(cell: Cell, ready: dict[Cell, int]) -> int:
        return max((ready[a] for a in cell.args if a.rate is Rate.ELEM), default=0)

    @cached_property
    def sums_at(self) -> int:
        """The depth of a group's last beat at which all reductions are known."""
        return max((self.beat_at(r) + 1 + halved(r) for r in self.reductions), default=0)

    def beat_at(self, reduction: Cell) -> int:
        """The depth at which what a beat adds to a reduction stands: of a sum a level of the tree is a register, of an
        extreme it is compared first and chosen then."""
        levels = (self.lanes - 1).bit_length()
        return self.ready[reduction.args[0]] + levels * (1 if reduction.kind is Kind.SUM else 2)

    @cached_property
    def writes_at(self) -> int:
        return max((self.ready[c] for c in self.writes.values()), default=0)

    @cached_property
    def passes_at(self) -> int:
        return max((self.ready[c] for _, c in self.passes), default=0)

    @cached_property
    def operands(self) -> list[tuple[Cell, int]]:
        """Values per group, each at the depths where it is used."""
        found: dict[tuple[Cell, int], None] = {}
        for cell in self.cells:
            for arg in cell.args:
                if arg.rate is Rate.STAT and not arg.static:
                    for depth in self.operand_depths(cell):
                        found[arg, depth] = None
        for cell in self.carries:
            found[cell, self.sums_at] = None
        return list(found)

    def operand_depths(self, cell: Cell) -> range:
        """A shift amount is used up step by step; of a long sum the upper half comes later."""
        depth = self.depth(cell)
        if cell.kind is Kind.MUL:
            depth += int(cell.latency > MULTIPLY_LATENCY)
            return range(depth, depth + 1)
        if cell.kind is Kind.CLIP:
            return range(depth, depth + 1)
        return range(depth, depth + max(cell.latency, 1))

    @property
    def maps(self) -> bool:
        """Whether the sweep does no more than map one narrow stream, so that a table can do it."""
        streams = list(self.arriving.values())
        alone = len(streams) == 1 and streams[0].format.width <= TABLE_BITS
        only_writes = bool(self.writes) and not self.reductions and not self.passes and not self.carries
        return alone and only_writes and all(c.kind is not Kind.FIRST for c in topological(self.writes.values()))

    @property
    def released_at(self) -> int:
        """The depth of a group's first beat at which the stage before may change what it handed over."""
        return max((depth for _, depth in self.operands), default=0)


class Plan:
    """One program as sweeps and stages."""

    def __init__(
        self, program: Program, shape: Shape, settings: list[Setting], ranges: dict[Node, Range] | None = None
    ) -> None:
        self.program, self.shape = program, shape
        self.lowering = Lowering(program, shape.baked, settings, ranges or {})
        self.sweeps: list[SweepPlan] = []
        for number, sweep in enumerate(program.schedule.sweeps, 1):
            self.sweeps.append(self._sweep(number, sweep))
        self.results = self._results()
        self.control = self._control()
        self.stages = self._stages()

    # Sweeps

    def _sweep(self, number: int, sweep: Sweep) -> SweepPlan:
        arriving = {}
        for index, node in enumerate(self._beat(number)):
            kind, name = self.program.types[node], node.name or f"kept_{index}"
            arriving[node] = self.lowering.cells.leaf(Kind.STREAM, name, kind.lo, kind.hi, Rate.ELEM)
        elements = Elements(self.lowering, arriving)
        plan = SweepPlan(number, sweep, arriving, lanes=self.shape.lanes)
        plan.reductions = [self.lowering.reduction(n, elements.value(n.args[0])) for n in sweep.reduces]
        names = {node: name for name, node in self.program.graph.outputs.items()}
        plan.writes = {names[n]: elements.value(n) for n in sweep.writes}
        looked_up = number == len(self.program.schedule.sweeps) and self.shape.table and plan.maps
        if looked_up:
            plan.writes = {name: in_order(self.lowering.cells, cell) for name, cell in plan.writes.items()}
        elif number > 1 and not plan.reductions:  # a stage has to be there that aligns, and a sum has its own scale
            plan.writes = {name: in_lanes(self.lowering.cells, cell) for name, cell in plan.writes.items()}
        if number < len(self.program.schedule.sweeps) and not self.shape.external:
            plan.passes = [(n, elements.value(n)) for n in self._beat(number + 1)]
        if number > 1 and not self.shape.external:
            plan.issue_latency = FROM_REPLAY if looked_up and not self.shape.spread else FROM_REPLAY + FAR
        return plan

    def _beat(self, number: int) -> list[Node]:
        """What reaches a sweep: what it reads, and what later ones read but nobody from here on evaluates."""
        sweeps = self.program.schedule.sweeps
        if self.shape.external:
            return list(sweeps[number - 1].reads)
        rest = sweeps[number - 1 :]
        computed = {n for sweep in rest for n in sweep.evaluates}
        wanted = {n for sweep in rest for n in sweep.reads} - computed
        return [n for n in self.program.graph if n in wanted]

    # Values per group

    def _results(self) -> dict[str, Cell]:
        """What a group leaves behind, but for what the host knows anyway."""
        if not self.shape.results:
            return {}
        found = {}
        for name, node in self.program.graph.outputs.items():
            if node.rate is Rate.STAT and node.op is not Op.INPUT and not is_constant(node):
                found[name] = self.lowering.stat(node)
                if self.program.types[node].scale:
                    found[f"{name}_frac"] = self.lowering.frac(self.program.types[node])
        return {name: cell for name, cell in found.items() if not cell.static}

    def _control(self) -> dict[str, Cell]:
        """What the first sweep's control finds out about a group: its last beat's number, that beat's last lane, and
        whether its length was wrong."""
        leaf = self.lowering.cells.leaf
        found = {}
        if len(self.sweeps) > 1 and not self.shape.fixed:
            found["last_beat"] = leaf(Kind.CONTROL, "last_beat", 0, self.shape.max_beats - 1, level=1)
            if self.shape.partial:
                found["last_lane"] = leaf(Kind.CONTROL, "last_lane", 0, self.shape.lanes - 1, level=1)
        if self.results and len(self.sweeps) > 1:
            found["length_error"] = leaf(Kind.CONTROL, "length_error", 0, 1, level=1)
            self.results["length_error"] = found["length_error"]
        return found

    def _stages(self) -> dict[int, StagePlan]:
        last_sweep = len(self.sweeps)
        per_sweep = {s.number: [a for c in s.cells for a in c.args if a.rate is Rate.STAT] for s in self.sweeps}
        wanted = [*(c for cells in per_sweep.values() for c in cells), *self.results.values(), *self.control.values()]
        cells = [c for c in topological(wanted) if c.rate is Rate.STAT]
        moving = [c for c in cells if not c.static]
        fields = [c for c in moving if c.kind is Kind.FIELD]
        users: dict[Cell, list[int]] = {c: [] for c in moving}
        for number, operands in per_sweep.items():
            for cell in operands:
                if cell in users:
                    users[cell].append(number - 1)
        results_at = max((c.level for c in self.results.values()), default=0)
        for cell in self.results.values():
            users[cell].append(results_at)
        at: dict[Cell, int] = {}
        for cell in reversed(moving):
            at[cell] = cell.level or min(users[cell], default=0)
            if cell.kind not in (*REDUCTIONS, Kind.CONTROL):
                for arg in cell.args:
                    if arg in users:
                        users[arg].append(at[cell])
        loaded = bool(self.lowering.registers)
        entry = 0 if loaded else min((at[c] for c in fields), default=0)
        for cell in moving:
            if cell.kind is Kind.PORT:  # where its unit is
                at[cell] = at[cell.args[0]]
        self.entry = entry if fields or loaded else None
        for cell in fields:
            at[cell] = entry
        results_at = max(results_at, entry if fields else 0) if self.results else -1
        highest = max([last_sweep - 1, results_at, *at.values()])
        stages: dict[int, StagePlan] = {}
        later: set[Cell] = set()
        for number in range(highest, -1, -1):
            outputs = set(later)
            outputs |= {c for c in per_sweep.get(number + 1, []) if c in users}
            if number + 1 in range(2, last_sweep + 1):
                outputs |= {c for name, c in self.control.items() if name != "length_error"}
            if number == results_at:
                outputs |= set(self.results.values())
            here = {c for c in topological(outputs) if c in users and at[c] == number}
            leaves = {c for c in here if c.kind in (Kind.FIELD, Kind.CONTROL, *REDUCTIONS)}
            needed = outputs | {a for c in here - leaves for a in c.args}
            coming = _roots({c for c in needed if c in users and at[c] < number})
            local = {*topological([*(here - leaves), *(c for c in needed if c.static)], stop=leaves | coming)}
            stages[number] = StagePlan(
                number,
                [c for c in cells if c in leaves | coming],
                [c for c in cells if c in local - leaves - coming and c.kind not in (Kind.CONST, Kind.LAYER)],
                [c for c in cells if c in outputs],
                takes_fields=self.entry == number,
                puts_results=number == results_at,
            )
            later = coming
            if 1 <= number <= last_sweep:
                self.sweeps[number - 1].carries = [c for c in cells if c in coming]
        if self.entry != 0 and not stages[0].outputs:
            del stages[0]
        return {number: stages[number] for number in sorted(stages)}

    # The last sweep as a table

    @cached_property
    def tabulated(self) -> bool:
        last = self.sweeps[-1]
        return self.shape.table and last.maps and last.number - 1 in self.stages

    @property
    def table_size(self) -> int:
        (stream,) = self.sweeps[-1].arriving.values()
        return 1 << stream.format.width

    def _written_at(self, sweep: SweepPlan) -> int:
        """The depth at which results leave a sweep."""
        return self.shape.lookup_latency if self.tabulated and sweep is self.sweeps[-1] else sweep.writes_at

    @property
    def most_groups(self) -> int:
        """That are inside at a time: one in every stage and table, one that a sweep has begun and no stage has any
        more, and results that are not taken yet (of a group in the last sweep, too). Groups come no nearer to each
        other than a promise of a place for results takes to be seen."""
        waiting = max(self.output_depth(s.number) - LATE_SPACE for s in self.sweeps if s.writes)
        return len(self.stages) + len(self.sweeps) - 1 + TABLES * self.tabulated + waiting

    # Time

    def interval(self, number: int) -> int:
        """Cycles from the last beat of one group to that of the next that stage ``number`` needs."""
        stage = self.stages[number]
        sweep = self.sweeps[number - 1] if number else None
        before = sweep.issue_latency + sweep.sums_at if sweep else 0
        following = self.sweeps[number] if number < len(self.sweeps) else None
        if following is None:
            after = 0
        else:
            filled = self.tabulated and following is self.sweeps[-1]
            begins = FILLING + FROM_PORT + 1 if filled else HANDOVER + following.issue_latency
            after = begins + following.released_at
        return before + 1 + stage.latency + after + 1 + int(number > 0)

    @property
    def min_beats(self) -> int:
        """The shortest group that streams without a gap between groups."""
        table = self.table_size if self.tabulated else 1
        return max([table, *(self.interval(number) for number in self.stages)])

    @property
    def overhead(self) -> int:
        """Cycles that a single group takes besides issuing its beats once a sweep."""
        last = self.sweeps[-1]
        between = sum(self._handed_on(s.number) for s in self.sweeps[:-1])
        return between + last.issue_latency + self._written_at(last) + QUEUE_LATENCY + 1

    def cycles(self, groups: int, beats: int) -> int:
        """From the first beat's acceptance to the last result's, both included, if nobody outside makes it wait."""
        return len(self.sweeps) * (beats - 1) + (groups - 1) * max(beats, self.min_beats) + self.overhead

    def _handed_on(self, number: int) -> int:
        """Cycles from a sweep's last beat to the first one of the next sweep."""
        sweep, stage = self.sweeps[number - 1], self.stages[number]
        filling = 0
        if self.tabulated and number + 1 == len(self.sweeps):
            filling = FILLING + self.table_size + FROM_PORT + self.sweeps[-1].writes_at + self.shape.spread
        return sweep.issue_latency + sweep.sums_at + 1 + stage.latency + HANDOVER + filling

    def replay_depth(self, number: int) -> int:
        """Beats that the memory in front of sweep ``number`` has room for: a group, and what arrives meanwhile; no more
        than may ever wait."""
        streaming = self.shape.max_beats + self._handed_on(number - 1) + LATE_SPACE + 6
        return streaming if self.tabulated else min(streaming, max(self.most_waiting, 2))

    def replay_width(self, number: int) -> int:
        """Bits of a beat in front of sweep ``number``."""
        return sum(cell.format.width for cell in self.sweeps[number - 1].arriving.values()) * self.shape.lanes

    def replay_words(self, number: int) -> int:
        return rounded_depth(self.replay_depth(number), self.replay_width(number))

    def replay_banks(self, number: int) -> list[int]:
        """Words of the parts that it is made of: one where a table near by follows, and no register of its own."""
        words, late = self.replay_words(number), self.sweeps[number - 1].issue_latency - 1
        return banks(words, self.replay_width(number)) if late > 1 else [words]

    @property
    def most_waiting(self) -> int:
        """Beats between two sweeps, whoever stands still: of the group that the later one has begun all but one, the
        next, whose results the stage holds, and another but for its last beat, which waits for that stage. (A table
        lets its stage go before the group has begun.)"""
        return 3 * self.shape.max_beats - 2

    def may_fill(self, number: int) -> bool:
        """Whether the memory in front of a sweep has to be watched."""
        return self.tabulated or self.replay_words(number) - 1 < self.most_waiting

    def output_depth(self, number: int) -> int:
        """Beats that may be under way or waiting behind sweep ``number``: enough for one a cycle."""
        sweep = self.sweeps[number - 1]
        under_way = sweep.issue_latency + self._written_at(sweep) + QUEUE_LATENCY
        return 1 << (under_way + LATE_SPACE).bit_length()


def halved(reduction: Cell) -> bool:
    """Whether a sum is so long that its upper half is accumulated a cycle after its lower one."""
    return reduction.kind is Kind.SUM and reduction.format.width > LOOP_BITS


def _roots(cells: set[Cell]) -> set[Cell]:
    """Without what is but wiring of another of them."""

    def derived(cell: Cell) -> bool:
        while cell.kind in WIRING:
            cell = cell.args[0]
            if cell in cells:
                return True
        return False

    return {c for c in cells if not derived(c)}
