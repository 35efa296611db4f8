"""What a normalization costs in operations: two counts that are never mixed.

*Formula* operations are those of the equations as a paper prints them, each node of the printed graph once an element
or once a group. *Executed* operations are those of the scheduled datapath: what a sweep computes again is counted
again. Both are closed formulas in the group's length: ``3 m + 2`` operations per group of m elements.

    add    sum or difference           mul    product of two variables      sign   sign, comparison with zero
    radd   add in a reduction          cmul   product with a constant       abs    absolute value
    cadd   the same over signs: a      div    quotient, recip: 1/x          cmp    comparison, maximum, minimum
           small counter               square, sqrt, log, exp               sel    choice between two

Free are: powers of two (a shift), rounding and saturation (they belong to the operation before), and the mask of a
sample (an address, not an operation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol, assert_never

from hwnorm.errors import did_you_mean
from hwnorm.ir import REDUCTIONS, Graph, Node, Op, Rate, is_constant, is_flag, mask_symbol
from hwnorm.norms.form import Norm
from hwnorm.precision import Types
from hwnorm.schedule import Schedule

Phase = Literal["forward", "backward", "training", "inference"]
PHASES: dict[str, tuple[str, ...]] = {
    "forward": ("forward",),
    "backward": ("backward",),
    "training": ("forward", "backward"),
    "inference": ("inference",),
}

OPERATIONS = (
    *("add", "radd", "cadd", "mul", "cmul", "div", "recip", "sqrt", "rsqrt"),
    *("sign", "abs", "square", "cmp", "sel", "log", "exp"),
)

Key = tuple[str, tuple[int, ...], str]
"""(operation, operand widths, how often): ``1`` once a group, ``m`` an element, ``s`` or ``v`` a sampled element."""


class Program(Protocol):
    """A graph with its formats and sweeps."""

    @property
    def graph(self) -> Graph: ...

    @property
    def types(self) -> Types: ...

    @property
    def schedule(self) -> Schedule: ...


class Tally(Counter[Key]):
    """How often each operation is done per group."""

    def per_group(self, operation: str) -> dict[str, int]:
        """{"m": 3, "1": 2} for 3 m + 2."""
        found: Counter[str] = Counter()
        for (op, _, symbol), times in self.items():
            if op == operation:
                found[symbol] += times
        return dict(found)

    def expression(self, operation: str) -> str:
        """The closed formula: ``3 m + 2``."""
        terms = sorted(self.per_group(operation).items(), key=lambda term: "mvs1".index(term[0]))
        parts = [str(n) if symbol == "1" else (symbol if n == 1 else f"{n} {symbol}") for symbol, n in terms if n]
        return " + ".join(parts) or "0"

    def totals(self, groups: int, sizes: dict[str, int]) -> dict[str, int]:
        """Operations of ``groups`` groups, sizes giving m (and s, v): every operation, those that do not occur as 0."""
        return self.times({"1": groups} | {symbol: groups * size for symbol, size in sizes.items()})

    def times(self, often: Mapping[str, int]) -> dict[str, int]:
        """The same with the sum of groups, of their elements (m) and of their sampled elements given directly."""
        totals = dict.fromkeys(OPERATIONS, 0)
        for (op, _, symbol), times in self.items():
            totals[op] += times * often[symbol]
        return totals


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bits per element that the sweeps move, and what is held on chip. A sample's mask is an address, and not moved.
    *Shared* is what is the same in every group: gamma and beta of an element."""

    read: int = 0  # by all sweeps together
    read_shared: int = 0  # of these
    inputs: int = 0  # each once: what comes from outside where the rest is replayed
    inputs_shared: int = 0  # of these
    written: int = 0  # streams out, and what is kept for a later sweep
    kept: int = 0  # of these the latter
    replayed: int = 0  # held per element between sweeps, by a memory in front of each but the first
    sweeps: int = 0
    conditional: int = 0  # sweeps that only some groups need

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Traffic)))


@dataclass(frozen=True, slots=True)
class OpCount:
    """Both counts of one phase. A norm without a datapath has no executed count."""

    norm: str
    form: str
    phase: str
    formula: Tally
    executed: Tally | None
    traffic: dict[str, Traffic]  # by direction: forward, backward, inference
    saved_bits_per_element: int = 0  # kept from the forward to the backward pass
    saved_bits_per_group: int = 0

    @property
    def total_traffic(self) -> Traffic:
        return sum(self.traffic.values(), Traffic())


def count(norm: Norm, form: str, phase: Phase, programs: Mapping[str, Program]) -> OpCount:
    """Both counts of a phase; ``programs`` are the datapaths by direction."""
    if phase not in PHASES:
        raise ValueError(f"phase must be {', '.join(PHASES)}, not {phase!r}: {did_you_mean(phase, PHASES)}")
    directions = PHASES[phase]
    printed = [builder() for d in directions if (builder := getattr(norm.printed, d)) is not None]
    built = {d: programs[d] for d in directions if d in programs}
    backward = built.get("backward")
    kept = [n for n in backward.graph.inputs.values() if n.role == "saved" or n.name == "x"] if backward else []
    bits = (
        {rate: sum(backward.types[n].format.width for n in kept if n.rate is rate) for rate in Rate} if backward else {}
    )
    return OpCount(
        norm=norm.name,
        form=form,
        phase=phase,
        formula=_sum(formula(graph) for graph in printed),
        executed=_sum(executed(p.schedule, p.types) for p in built.values()) if built else None,
        traffic={d: traffic(p.schedule, p.types) for d, p in built.items()},
        saved_bits_per_element=bits.get(Rate.ELEM, 0),
        saved_bits_per_group=bits.get(Rate.STAT, 0),
    )


def _sum(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.update(tally)
    return total


def formula(graph: Graph) -> Tally:
    often = multiplicity(graph)
    return Tally(Counter((op, (), often[n]) for n in graph if (op := operation(n)) is not None))


def executed(schedule: Schedule, types: Types) -> Tally:
    """Sweeps that only some groups need are left out (their number stands in the traffic), but not what every group
    computes after them."""
    often = multiplicity(schedule.graph)
    nodes = [*schedule.before]
    for sweep in schedule.sweeps:
        if sweep.when is None:
            nodes += [*sweep.evaluates, *sweep.reduces]
        nodes += sweep.then
    keys = ((operation(n), n) for n in nodes)
    return Tally(
        Counter((op, tuple(types[a].format.width for a in n.args), often[n]) for op, n in keys if op is not None)
    )


def traffic(schedule: Schedule, types: Types) -> Traffic:
    sweeps = schedule.unconditional
    reads = [node for sweep in sweeps for node in sweep.reads if mask_symbol(node) is None]
    inputs = [node for node in dict.fromkeys(reads) if node.op is Op.INPUT]
    return Traffic(
        read=_bits(reads, types),
        read_shared=_bits(filter(_is_shared, reads), types),
        inputs=_bits(inputs, types),
        inputs_shared=_bits(filter(_is_shared, inputs), types),
        written=sum(_bits((*sweep.writes, *sweep.keeps), types) for sweep in sweeps),
        kept=sum(_bits(sweep.keeps, types) for sweep in sweeps),
        replayed=sum(_bits(_held(schedule, number), types) for number in range(1, len(schedule.sweeps))),
        sweeps=len(sweeps),
        conditional=len(schedule.sweeps) - len(sweeps),
    )


def _held(schedule: Schedule, number: int) -> list[Node]:
    """What is known before sweep ``number``, from 0, that it or a later one reads: its replay memory hands it on."""
    wanted = dict.fromkeys(node for sweep in schedule.sweeps[number:] for node in sweep.reads)
    kept = [node for sweep in schedule.sweeps[:number] for node in sweep.keeps]
    return [node for node in wanted if mask_symbol(node) is None and (node.op is Op.INPUT or node in kept)]


def _bits(nodes: Iterable[Node], types: Types) -> int:
    return sum(types[n].format.width for n in nodes)


def _is_shared(node: Node) -> bool:
    return node.op is Op.INPUT and node.name in ("gamma", "beta")


def multiplicity(graph: Graph) -> dict[Node, str]:
    """How often a node is evaluated per group. A value that is looked at only where a mask picks it is evaluated only
    there, and so is the reduction over it."""
    users = graph.users()
    outputs = set(graph.outputs.values())
    often: dict[Node, str] = {}
    for node in reversed(graph.nodes):
        if node.op in REDUCTIONS:
            often[node] = _picked_by(node.args[0]) or "m"
        elif node.rate is Rate.STAT:
            often[node] = "1"
        else:
            symbols = {_asked_by(node, user, often) for user in users[node]}
            often[node] = symbols.pop() if len(symbols) == 1 and node not in outputs else "m"
    return often


def _picked_by(node: Node) -> str | None:
    """The symbol of the mask under which a value is nothing but 0."""
    return mask_symbol(node.args[0]) if node.op is Op.SELECT else None


def _asked_by(node: Node, user: Node, often: dict[Node, str]) -> str:
    symbol = _picked_by(user)
    if symbol is not None and user.args[1] is node:
        return symbol
    return often[user]


def operation(node: Node) -> str | None:
    """The name under which a node is counted; None for what is free."""
    match node.op:
        case Op.INPUT | Op.LAYER | Op.CONST | Op.CAST | Op.ALIGN | Op.FIRST:
            return None
        case Op.ADD | Op.SUB:
            return "add"
        case Op.MUL:
            if any(_is_power_of_two(a) for a in node.args):
                return None
            return "cmul" if any(is_constant(a) for a in node.args) else "mul"
        case Op.DIV:
            return "div"
        case Op.SQUARE:
            return "square"
        case Op.ABS:
            return "abs"
        case Op.SIGN:
            return "sign"
        case Op.SQRT:
            return "sqrt"
        case Op.RECIP:
            return "recip"
        case Op.LOG:
            return "log"
        case Op.EXP:
            return "exp"
        case Op.GT:
            return "sign" if node.args[1].op is Op.CONST and node.args[1].value == 0 else "cmp"
        case Op.EQ | Op.MAX | Op.RMAX | Op.RMIN:
            return "cmp"
        case Op.SELECT:
            return None if mask_symbol(node.args[0]) or is_flag(node) else "sel"
        case Op.SUM:
            return "cadd" if _is_small(node.args[0]) else "radd"
        case _:
            assert_never(node.op)


def _is_power_of_two(node: Node) -> bool:
    return isinstance(node.value, int) and node.value > 0 and node.value & (node.value - 1) == 0


def _is_small(node: Node) -> bool:
    """Signs and flags: their sum is a counter."""
    if node.op is Op.SELECT and _picked_by(node):
        return _is_small(node.args[1])
    return node.op is Op.SIGN or is_flag(node)
