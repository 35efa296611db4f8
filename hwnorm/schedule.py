"""Sweeps: in how many passes over the data a graph can be computed, and what each of them reads, evaluates and writes.

A value per group is known after the last sweep that it reduces over; a value per element can be computed in the sweep
after the last per-group value that it needs. That depth is the number of sweeps: three for L1 (mean, deviation,
output), two for L2 in one pass. Elements are not kept between sweeps: each sweep reads its inputs again and computes
again what it needs, unless a value from an earlier sweep is narrower than the inputs it comes from (one flag in the
place of x), which is then written beside the data and read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, combinations

from hwnorm.ir import REDUCTIONS, Graph, Node, Op, Rate


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass over the elements of a group."""

    reads: tuple[Node, ...]  # streams in: inputs, and what an earlier sweep wrote
    evaluates: tuple[Node, ...]  # per element, in order
    reduces: tuple[Node, ...]
    then: tuple[Node, ...]  # per group, once the sweep has ended, in order
    writes: tuple[Node, ...]  # streams out
    keeps: tuple[Node, ...]  # what a later sweep reads back, of the evaluated values
    when: Node | None  # a flag: the sweep is run only where it is 1


@dataclass(frozen=True, slots=True)
class Schedule:
    graph: Graph
    before: tuple[Node, ...]  # per group, before the first sweep
    sweeps: tuple[Sweep, ...]

    @property
    def unconditional(self) -> tuple[Sweep, ...]:
        return tuple(sweep for sweep in self.sweeps if sweep.when is None)


def schedule(graph: Graph, width: Callable[[Node], int]) -> Schedule:
    """The graph's sweeps. ``width`` gives the bits of a value, which decide what is worth keeping."""
    levels = _levels(graph)
    depth = max((levels[n] for n in graph if n.rate is Rate.ELEM), default=0)
    outputs = [n for n in graph.outputs.values() if n.rate is Rate.ELEM and n.op is not Op.INPUT]
    goals = {
        k: [n for n in graph if n.op in REDUCTIONS and levels[n] == k] + [n for n in outputs if levels[n] == k]
        for k in range(1, depth + 1)
    }
    kept: dict[int, list[Node]] = {k: [] for k in goals}
    frontiers: dict[int, frozenset[Node]] = {}
    for k in reversed(goals):  # what a late sweep wants kept, an earlier one has to compute
        frontier = _cheapest_frontier(graph, [*goals[k], *kept[k]], levels, k, width)
        frontiers[k] = frontier
        for node in frontier:
            if node.op is not Op.INPUT and node not in kept[levels[node]]:
                kept[levels[node]].append(node)
    users = graph.users()
    sweeps = []
    for k, goal in goals.items():
        wanted = [*goal, *kept[k]]
        evaluates = elementwise(graph, wanted, frontiers[k])
        sweeps.append(
            Sweep(
                reads=tuple(n for n in graph if n in frontiers[k]),
                evaluates=evaluates,
                reduces=tuple(n for n in goal if n.op in REDUCTIONS),
                then=tuple(n for n in _per_group(graph) if levels[n] == k and n.op not in REDUCTIONS),
                writes=tuple(n for n in goal if n.op not in REDUCTIONS),
                keeps=tuple(kept[k]),
                when=_condition(goal, users),
            )
        )
    return Schedule(graph, tuple(n for n in _per_group(graph) if levels[n] == 0), tuple(sweeps))


def elementwise(graph: Graph, wanted: Iterable[Node], given: frozenset[Node] = frozenset()) -> tuple[Node, ...]:
    """What has to be evaluated per element to have ``wanted``, in order, down to the inputs or to ``given``."""
    needed: set[Node] = set()
    todo = list(wanted)
    while todo:
        node = todo.pop()
        if node.rate is Rate.ELEM:
            if node in given or node in needed or node.op is Op.INPUT:
                continue
            needed.add(node)
        todo.extend(a for a in node.args if a.rate is Rate.ELEM)
    return tuple(n for n in graph if n in needed)


def _per_group(graph: Graph) -> Iterable[Node]:
    return (n for n in graph if n.rate is Rate.STAT)


def _levels(graph: Graph) -> dict[Node, int]:
    """Of a value per element the sweep (from 1) in which it can first be evaluated; of one per group the sweep after
    which it is known."""
    levels: dict[Node, int] = {}
    for node in graph:
        known = max((levels[a] + (node.rate is Rate.ELEM and a.rate is Rate.STAT) for a in node.args), default=0)
        levels[node] = max(known, 1) if node.rate is Rate.ELEM else known
    return levels


def _frontier(graph: Graph, wanted: Iterable[Node], given: frozenset[Node]) -> frozenset[Node]:
    """The streams that a sweep reads to compute ``wanted``, where ``given`` need not be computed again."""
    wanted = list(wanted)
    evaluated = elementwise(graph, wanted, given)
    args = chain.from_iterable(n.args for n in (*evaluated, *wanted) if n not in given)
    leaves = frozenset(a for a in args if a.rate is Rate.ELEM and a not in evaluated)
    return leaves | {n for n in wanted if n in given}


def _cheapest_frontier(
    graph: Graph, wanted: list[Node], levels: dict[Node, int], k: int, width: Callable[[Node], int]
) -> frozenset[Node]:
    """The fewest bits per element from which sweep k can compute ``wanted``: inputs, or values of earlier sweeps.

    Tried over all subsets of the earlier values, which are a handful; between equals the one that keeps the least.
    """
    earlier = [n for n in elementwise(graph, wanted) if levels[n] < k and width(n) < _input_bits(graph, n, width)]
    subsets = chain.from_iterable(combinations(earlier, size) for size in range(len(earlier) + 1))
    choices = (_frontier(graph, wanted, frozenset(subset)) for subset in subsets)
    return min(choices, key=lambda frontier: sum(width(n) for n in frontier))


def _input_bits(graph: Graph, node: Node, width: Callable[[Node], int]) -> int:
    return sum(width(n) for n in _frontier(graph, [node], frozenset()))


def _condition(goal: list[Node], users: dict[Node, list[Node]]) -> Node | None:
    """The flag under which a sweep is needed: all that it finds is chosen by it, against what is known without."""
    flags: set[Node | None] = set()
    for node in goal:
        for user in users[node] if node.op in REDUCTIONS else [node]:
            chosen = user.op is Op.SELECT and user.args[1] is node and user.rate is Rate.STAT
            flags.add(user.args[0] if chosen else None)
    return flags.pop() if len(flags) == 1 else None
