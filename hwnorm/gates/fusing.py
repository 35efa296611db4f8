"""Gates taken into the one gate that reads them: fewer nets to write and to gather again, for runs that look at ports
alone.

An OR takes in its ANDs, which are most of what can be taken in: a carry is one. More kinds make more and smaller steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from hwnorm.gates.logic import Expression
from hwnorm.gates.parts import Parts

AND, OR = ("&", 0, 1), ("|", 0, 1)
OR_OF_ANDS, OR_OF_AND = ("|", ("&", 0, 1), ("&", 2, 3)), ("|", ("&", 0, 1), 2)


def fused(parts: Parts, outputs: Collection[int]) -> tuple[Parts, list[int]]:
    """The same parts with fewer gates, and the nets that are gone. ``outputs``: nets that somebody looks at."""
    readers = Counter(net for gate in parts.gates for net in gate.pins)
    kept = {*outputs, *_looked_at(parts)}
    single = {
        gate.output: gate
        for gate in parts.gates
        if gate.expression == AND and readers[gate.output] == 1 and gate.output not in kept
    }
    gates, gone = [], []
    for gate in parts.gates:
        inner = [net for net in gate.pins if net in single] if gate.expression == OR else []
        if inner:
            others = tuple(net for net in gate.pins if net not in single)
            pins = (*(pin for net in inner for pin in single[net].pins), *others)
            whole: Expression = OR_OF_ANDS if len(inner) == 2 else OR_OF_AND
            gate = replace(gate, expression=whole, pins=pins)
            gone += inner
        gates.append(gate)
    left = set(gone)
    return replace(parts, gates=[gate for gate in gates if gate.output not in left]), gone


def _looked_at(parts: Parts) -> Iterator[int]:
    """Nets that are read, or written, by other parts than gates."""
    yield from (register.d for register in parts.registers)
    for _, memory in parts.memories:
        for read in memory.reads:
            yield from (*read.address, read.enable, read.reset, read.clear)
        for write in memory.writes:
            yield from (*write.address, *write.data, *write.enable)
    yield from (net for pair in parts.follows for net in pair)
