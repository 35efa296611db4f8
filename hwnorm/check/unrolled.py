"""Which faults change nothing, proven by unrolling the one block that they are in.

A block starts from any state, sound and faulty the same but for registers that are *apart*: where the fault ever made a
difference that is not proven to be none, both are unknown, each for itself. Which these are is found by going round
until there are no more, so that the claim holds for any number of groups. What a block shows to others while they look
at it must be equal; that is the whole proof, as nothing else of it is seen.

A stage (`StageProof`) runs from ``start`` for as long as its schedule says. What its neighbours promise: no start
before the token (and a cycle more, which ``free`` takes), a layer that stays, sums and fields in the range that the
generator derived for them, and so together that what is computed of them is in its (no deviation is negative); and they
look at its values while ``token`` or ``result_valid`` is high. A reset may come at
any time. In a run all control is constant, so of most of the circuit nothing is left.

Anything else (`WindowProof`) runs for some cycles under whatever inputs: equal so long, equal for ever. A pipeline
without feedback needs as many cycles as it is deep. Data are looked at while their ``valid`` is high.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwnorm.check.folder import Folder
from hwnorm.gates import Mutant, Netlist
from hwnorm.gates.clauses import DRAWS, TRUE, Literals
from hwnorm.gates.unrolling import Unrolling, Values, moved, part_of
from hwnorm.rtl.cells import Kind
from hwnorm.rtl.design import Design
from hwnorm.rtl.engine import EngineBlock
from hwnorm.rtl.stage import StageBlock
from hwnorm.rtl.sweep import SweepBlock

PROVEN = "proven"
QUICK, THOROUGH = 500, 20_000  # conflicts: on the way, and where it decides
TIMEOUT_S = 120  # of the processor, for one fault


@dataclass(frozen=True)
class Range:
    """Of a value at a port."""

    lo: int
    hi: int


@dataclass(frozen=True)
class Known:
    """In which range a value is in a run: one that stands in a cycle, or comes bit by bit from there on, the lowest
    first, through one register."""

    label: str  # of its nets
    cycle: int
    width: int
    values: Range

    @property
    def signed(self) -> bool:
        return self.values.lo < 0

    def bits(self, frames: Sequence[Values], labels: Mapping[str, Sequence[int]]) -> list[int]:
        """None where the netlist has no such nets."""
        nets = labels.get(self.label, ())
        if len(nets) == self.width:
            return [frames[self.cycle][net] if net > 1 else TRUE if net else -TRUE for net in nets]
        return [frame[nets[0]] for frame in frames[self.cycle :][: self.width]] if len(nets) == 1 else []


@dataclass(frozen=True)
class Layers:
    """The ports of registers by their names, and what they may hold together; a name in no word: anything, if it
    stays."""

    ports: Mapping[str, str]
    words: Sequence[Mapping[str, int]] = ()


class _Proof(ABC):
    """What both have in common: a block, its faults, and whether two literals are the same."""

    def __init__(self, netlist: Netlist, instance: str, faults: Sequence[Mutant]) -> None:
        self.block = part_of(netlist, instance)
        self.unrolling = Unrolling(self.block, [moved(fault, netlist, self.block) for fault in faults])
        self.literals = f = Literals()
        self.unknown = {state: f.fresh() for state in self.unrolling.states}
        self.other = {state: f.fresh() for state in self.unrolling.states}
        self.assumed: list[int] = []
        init = self.unrolling.netlist.init
        self.initial = {s: TRUE if init[s] else -TRUE for s in self.unrolling.states if s in init}
        self._known: dict[int, tuple[bool, int]] = {}  # that it is false, or how hard that was tried
        self._end, self.guess, self.doubt = 0.0, False, False

    def nets(self, names: Iterable[str]) -> list[int]:
        """Of outputs; one whose name is a word of Verilog has an underscore behind it there."""
        outputs = self.block.outputs
        return [n for name in names for n in outputs.get(name) or outputs.get(f"{name}_", ()) if n > 1]

    def inputs(self, given: Mapping[int, int]) -> Values:
        return {net: given[net] if net in given else self.literals.fresh() for net in self.unrolling.inputs}

    def drawn(self, nets: Sequence[int], values: Range) -> tuple[Values, list[int]]:
        """Literals for a port, drawn in its range, and what says that they are in it."""
        f, lo, hi = self.literals, values.lo, values.hi
        few = [lo, hi, min(max(0, lo), hi)]
        drawn = [f.draws.choice(few) if f.draws.random() < 0.2 else f.draws.randint(lo, hi) for _ in range(DRAWS)]
        found: Values = {}
        for place, net in enumerate(nets):
            if net > 1 and net not in found:
                found[net] = f.fresh(sum((value >> place & 1) << n for n, value in enumerate(drawn)))
        bits = [found.get(net, TRUE if net else -TRUE) for net in nets]
        return found, self.within(bits, values, signed=lo < 0)

    def within(self, bits: Sequence[int], values: Range, signed: bool) -> list[int]:
        """What says that a number is in a range."""
        offset = 1 << (len(bits) - 1) if signed else 0
        bits = [*bits[:-1], -bits[-1]] if signed else bits
        below = at_most(self.literals, bits, values.hi + offset)
        return [below, at_most(self.literals, [-bit for bit in bits], ~(values.lo + offset))]

    def layers(self, layer: Layers) -> Values:
        """Registers that hold one of the layers there are."""
        f, found = self.literals, dict[int, int]()
        ports = {name: self.block.inputs[port] for name, port in layer.ports.items() if port in self.block.inputs}
        known_together = set(layer.words[0]) if layer.words else set()
        found |= {net: f.fresh() for name in ports.keys() - known_together for net in ports[name] if net > 1}
        if not known_together:
            return found
        count = len(layer.words)
        which, known = self.drawn(range(2, 2 + (count - 1).bit_length()), Range(0, count - 1))
        self.assumed += known
        for name in ports.keys() & known_together:
            for place, net in enumerate(ports[name]):
                bits = [TRUE if words[name] >> place & 1 else -TRUE for words in layer.words]
                found[net] = looked_up(f, list(which.values()), bits)
        return found

    def same(self, a: int, b: int, conflicts: int, when: int = TRUE) -> bool:
        """Proven to be, where ``when`` is true; or in a first guess not seen to differ."""
        differ = self.literals.both(when, self.literals.differs(a, b))
        known, tried = self._known.get(differ, (False, 0))
        if differ == -TRUE or known:
            return True
        if self.guess:
            return not self.literals.seen([differ, *self.assumed])
        if time.process_time() > self._end:
            raise TimeoutError
        if tried < conflicts:
            found = self.literals.can_be([differ, *self.assumed], conflicts)
            known = found is False
            self.doubt = found is None
            self._known[differ] = known, conflicts if found is None else THOROUGH
        return known

    def verdict(self, number: int, seconds: float = TIMEOUT_S) -> str:
        """Of a fault: "proven", or "open" and where it may be seen. What is seen already when nothing is a difference
        that was not drawn, need not be tried in earnest."""
        self._end = time.process_time() + seconds
        try:
            for self.guess in (True, False):
                self.doubt = False
                seen = self.shows(number)
                if seen is not None:
                    return f"{'open' if self.doubt else 'refuted'}: {seen}"
        except TimeoutError:
            return "open: no proof in time"
        return PROVEN

    @abstractmethod
    def shows(self, number: int) -> str | None:
        """Where a fault may be seen; None where nobody can see it."""

    def becomes(self, of: Values, found: Values, conflicts: int) -> Values:
        """The states that will differ, as far as it is not proven that they do not."""
        after = self.unrolling.apart_after(found).items()
        return {s: v for s, v in after if not self.same(self.unrolling.becomes(of, s), v, conflicts)}

    def seen(self, of: Values, found: Values, when: Mapping[int, int], conflicts: int) -> str | None:
        """The first net by which it shows."""
        for net, valid in when.items():
            if net in found:
                matters = TRUE if valid == 1 else of[valid]
                if not self.same(of[net], found[net], conflicts, matters):
                    return self.block.net_name(net)
        return None


@dataclass
class _Phase:
    """States from which a stage may start: what is known of them, and what it does then."""

    known: Values
    frames: list[Values] = field(default_factory=list)  # a run
    end: Values = field(default_factory=dict)
    before: Values = field(default_factory=dict)  # a cycle without a start, before it
    behind: Values = field(default_factory=dict)  # and behind it


class StageProof(_Proof):
    def __init__(
        self,
        netlist: Netlist,
        instance: str,
        faults: Sequence[Mutant],
        latency: int,
        captured: Mapping[str, Range],
        layer: Layers,
        known: Sequence[Known] = (),
    ) -> None:
        """``captured``: ports. ``known``: of what is computed."""
        super().__init__(netlist, instance, faults)
        f, ports = self.literals, self.block.inputs
        self.length = latency + 2
        self._token = latency + 1  # the cycle in which it is there
        self._layer = self.layers(layer)
        self._group: Values = {}
        for name, values in captured.items():
            if name in ports:
                found, limits = self.drawn(ports[name], values)
                self._group |= found
                self.assumed += limits
        (self._reset,), (self._start,) = ports["rst"], ports["start"]
        self._always = dict.fromkeys(self.nets(["free", "token", "result_valid"]), 1)
        self._data = {net: 1 for nets in self.block.outputs.values() for net in nets if net > 1}
        everything = {**self.unknown, **self.inputs({self._reset: TRUE})}
        self._broken_off = self.unrolling.settle(f, everything)
        after = self.unrolling.after(self._broken_off)
        fresh = {s: v for s, v in after.items() if abs(v) == TRUE and self.initial.get(s) == v}
        self.phases = [_Phase(fresh)]
        end = self._run(self.phases[0])
        self.phases.append(_Phase({s: v for s, v in end.items() if abs(v) == TRUE}))
        done = self.phases[1]
        while True:
            end = self._run(done)
            kept = {s: v for s, v in done.known.items() if end[s] == v}
            if len(kept) == len(done.known):
                break
            done.known = kept
        for phase in self.phases:
            for value in known:
                bits = value.bits(phase.frames, self.block.labels)
                if len(bits) == value.width:  # or it is not all there when the stage is done
                    self.assumed += self.within(bits, value.values, value.signed)
        self._end = time.process_time() + TIMEOUT_S
        for phase in self.phases:
            phase.behind, _ = self._resting(phase.end, QUICK)

    def _resting(self, known: Values, conflicts: int = 0) -> tuple[Values, Values]:
        """A cycle without a start, and what of the known stays so in any number of them: it is seen, or proven."""
        while True:
            given = self.inputs({self._reset: -TRUE, self._start: -TRUE, **self._layer})
            frame = self.unrolling.settle(self.literals, {**self.unknown, **known, **given})
            after = self.unrolling.after(frame)
            kept = {
                s: v for s, v in known.items() if after[s] == v or (conflicts and self.same(after[s], v, conflicts))
            }
            if len(kept) == len(known):
                return frame, known
            known = kept

    def _run(self, phase: _Phase) -> Values:
        """Most of what a run leaves stands behind it; for the next one's beginning only what is constant is taken from
        there, as it is of another group."""
        phase.before, phase.known = self._resting(phase.known)
        states, phase.frames = {**self.unknown, **phase.known}, []
        for cycle in range(self.length):
            given = {**self._layer, self._reset: -TRUE, **({} if cycle else self._group)}
            given[self._start] = -TRUE if cycle else TRUE
            phase.frames.append(self.unrolling.settle(self.literals, {**states, **self.inputs(given)}))
            states = self.unrolling.after(phase.frames[-1])
        phase.end = states
        return states

    def shows(self, number: int) -> str | None:
        unset = {state for state in self.unrolling.states if state not in self.initial}
        self._apart: list[set[int]] = [set(unset), set()]
        before = -1
        while (now := sum(map(len, self._apart))) != before:
            before = now
            seen = next(filter(None, self._round(number)), None)
            if seen is not None:
                return seen
        return None

    def _round(self, number: int) -> Iterator[str | None]:
        ever = set[int]()
        for which, phase in enumerate(self.phases):
            if which == 0:
                yield self._rests(number, phase.before, 0, ever)
            states = self._states(self._apart[which])
            for cycle, of in enumerate(phase.frames):
                found = self.unrolling.beside(self.literals, of, number, states)
                deciding = cycle >= self._token
                yield self.seen(of, found, self._always, THOROUGH)
                if deciding:
                    yield self.seen(of, found, self._data, THOROUGH)
                states = self.becomes(of, found, THOROUGH if cycle >= self._token - 1 else QUICK)
                ever |= states.keys()
            self._apart[1] |= states.keys()
            yield self._rests(number, phase.behind, 1, ever)
        of = self._broken_off
        found = self.unrolling.beside(self.literals, of, number, self._states(ever))
        self._apart[0] |= self.becomes(of, found, QUICK).keys()

    def _rests(self, number: int, of: Values, which: int, ever: set[int]) -> str | None:
        apart = self._apart[which]
        while True:
            found = self.unrolling.beside(self.literals, of, number, self._states(apart))
            seen = self.seen(of, found, self._data if which else self._always, THOROUGH)
            more = self.becomes(of, found, QUICK).keys() - apart
            apart |= more
            ever |= apart
            if seen or not more:
                return seen

    def _states(self, apart: Iterable[int]) -> Values:
        return {state: self.other[state] for state in apart}


NO_LAYERS = Layers({})
NO_OPERANDS: Mapping[str, tuple[Range, Sequence[str]]] = {}


class WindowProof(_Proof):
    def __init__(
        self,
        netlist: Netlist,
        instance: str,
        faults: Sequence[Mutant],
        cycles: int,
        shown: Mapping[str, str],
        layer: Layers = NO_LAYERS,
        operands: Mapping[str, tuple[Range, Sequence[str]]] = NO_OPERANDS,
    ) -> None:
        """``shown``: outputs, and of each the one-bit output that says when it matters, or "". ``operands``: of a port
        its range while ``valid`` and ``first`` are high, and the registers that it is copied to then."""
        super().__init__(netlist, instance, faults)
        self._operands = operands
        self._layer = self.layers(layer)
        outputs = self.block.outputs
        self._shown = dict(self.unrolling.told)
        for name, when in shown.items():
            for net in self.nets([name]):
                self._shown[net] = outputs[when][0] if when in outputs and self._shown.get(net) != 1 else 1
        named = set(self.nets(shown))
        self._shown |= {net: 1 for net in self.nets(outputs) if net not in named and not shown}
        copies: Values = {}
        for values, names in operands.values():
            for name in names:
                nets = self.block.labels.get(name, ())
                if set(self.unrolling.states).issuperset(nets):
                    found, known = self.drawn(nets, Range(min(values.lo, 0), max(values.hi, 0)))
                    copies |= found
                    self.assumed += known
        self._window = self._frames({**self.unknown, **copies}, cycles)
        self._beginning = self._frames({**self.unknown, **self.initial}, cycles)

    def _frames(self, states: Values, cycles: int) -> list[Values]:
        f, ports, frames = self.literals, self.block.inputs, list[Values]()
        for _ in range(cycles):
            given = dict(self._layer)
            begins = f.fresh()
            if self._operands:
                given |= {ports[name][0]: f.fresh() for name in ("valid", "first")}
                begins = f.both(*(given[ports[name][0]] for name in ("valid", "first")))
            for name, (values, _) in self._operands.items():
                found, known = self.drawn(ports.get(name, ()), values)
                given |= found
                self.assumed += [f.either(-begins, limit) for limit in known]
            frames.append(self.unrolling.settle(f, {**states, **self.inputs(given)}))
            states = self.unrolling.after(frames[-1])
        return frames

    def shows(self, number: int) -> str | None:
        apart = {state for state in self.unrolling.states if state not in self.initial}
        before = -1
        while len(apart) != before:
            before = len(apart)
            seen = self._begin(number, apart) or self._go_on(number, apart)
            if seen is not None:
                return seen
        return None

    def _begin(self, number: int, apart: set[int]) -> str | None:
        """From power-on as many cycles as the other takes to be equal."""
        states = {state: self.other[state] for state in apart if state not in self.initial}
        for of in self._beginning:
            found = self.unrolling.beside(self.literals, of, number, states)
            seen = self.seen(of, found, self._shown, THOROUGH)
            if seen:
                return seen
            states = self.becomes(of, found, QUICK)
            apart |= states.keys()
        return None

    def _go_on(self, number: int, apart: set[int]) -> str | None:
        """What is not apart was equal so long, and is."""
        states = {state: self.other[state] for state in apart}
        for of in self._window[:-1]:
            found = self.unrolling.beside(self.literals, of, number, states)
            states = {s: v for s, v in self.unrolling.apart_after(found).items() if s in apart}
        of = self._window[-1]
        found = self.unrolling.beside(self.literals, of, number, states)
        apart |= self.becomes(of, found, QUICK).keys()
        return self.seen(of, found, self._shown, THOROUGH)


WINDOW = 24  # cycles of what is no pipeline
MOST_LAYERS = 64


def verdicts(folder: Folder, faults: Sequence[Mutant], seconds: float = TIMEOUT_S) -> list[str]:
    """Of each fault: "proven", or what is not: "refuted" where it shows if a block's inputs may be anything that its
    neighbours promised, else "open"."""
    found = [""] * len(faults)
    engine, netlist = EngineBlock(folder.design.plan, folder.name), folder.optimised
    words = layers_of(folder.design)
    blocks = defaultdict[str, list[int]](list)
    for k, fault in enumerate(faults):
        blocks[fault.instance.split(".")[0]].append(k)
    for instance, numbers in blocks.items():
        proof = _proof(engine, netlist, instance, [faults[k] for k in numbers], words)
        for place, k in enumerate(numbers):
            found[k] = proof.verdict(place, seconds)
    return found


def layers_of(design: Design) -> list[dict[str, int]]:
    """All that a host may load together, but for epsilon; none where that is too many to be looked at one by one."""
    engine = design.engine
    if engine.elements is not None or engine.norm.sampling or engine.max_elements > MOST_LAYERS:
        return []
    words = [design.layer_words(engine.setting(m)) for m in range(1, engine.max_elements + 1)]
    return [{name: value for name, value in one.items() if name != "E"} for one in words]


def known_of(instance: str, stage: StageBlock) -> list[Known]:
    """Ranges of what a stage computes that its operands' do not tell: of sums that run those that any group keeps, of
    what a serial unit found those of its contract."""
    plan, found = stage.plan, list[Known]()
    for cell in plan.cells:
        base, shift = plan.unshifted(cell)
        values = Range(-(-cell.lo >> shift), cell.hi >> shift)
        if base is not cell and base in plan.serial and base.kind in (Kind.ADD, Kind.SUB):
            if (values.lo, values.hi) != (base.lo, base.hi):
                label = f"{instance}.{stage.names.of(base)}_bit"
                found.append(Known(label, plan.ready[base] + 1, base.format.width, values))
        elif cell.kind is Kind.PORT and cell not in plan.serial:
            label = f"{instance}.{stage.names.of(cell)}"
            found.append(Known(label, plan.ready[cell] + 1, cell.format.width, Range(cell.lo, cell.hi)))
    return found


def _proof(
    engine: EngineBlock, netlist: Netlist, instance: str, faults: Sequence[Mutant], words: Sequence[Mapping[str, int]]
) -> _Proof:
    kind, _, number = instance.partition("_")
    if kind == "stage":
        stage = engine.stages[int(number)]
        captured = {port.name: Range(cell.lo, cell.hi) for cell, port in stage.captured.items()}
        layer = Layers({cell.name: port.name for cell, port in stage.layer.items()}, words)
        return StageProof(netlist, instance, faults, stage.plan.latency, captured, layer, known_of(instance, stage))
    if kind == "sweep":
        sweep, plan = engine.sweeps[int(number) - 1], engine.plan.sweeps[int(number) - 1]
        if isinstance(sweep, SweepBlock):
            shown = dict.fromkeys(sweep.outputs, "")
            shown |= dict.fromkeys([*_names(sweep.sums), *_names(sweep.carried)], "start")
            shown |= dict.fromkeys(_names(sweep.passed), "pass_valid")
            shown |= dict.fromkeys([*_names(sweep.written), "write_last", "write_tail"], "write_valid")
            deepest = max(plan.sums_at, plan.released_at, plan.passes_at, plan.writes_at)
            layer = Layers({cell.name: port.name for cell, port in sweep.layer.items()}, words)
            copies = {
                port.name: [
                    f"{instance}.{port.name.removesuffix('_in')}_at_{depth}" for c, depth in plan.operands if c is cell
                ]
                for cell, port in sweep.operands.items()
            }
            operands = {
                port.name: (Range(cell.lo, cell.hi), copies[port.name]) for cell, port in sweep.operands.items()
            }
            return WindowProof(netlist, instance, faults, deepest + 3, shown, layer, operands)
    return WindowProof(netlist, instance, faults, WINDOW, {})


def _names(ports: Mapping[Any, Any]) -> list[str]:
    return [port.name for port in ports.values()]


def at_most(literals: Literals, bits: Sequence[int], bound: int) -> int:
    """Whether unsigned bits, the lowest first, are no more than a bound; of the bound so many bits count."""
    found = TRUE
    for place, bit in enumerate(bits):
        found = literals.either(-bit, found) if bound >> place & 1 else literals.both(-bit, found)
    return found


def looked_up(literals: Literals, select: Sequence[int], values: Sequence[int]) -> int:
    """The value of the number that ``select`` is, the lowest bit first; past the end the last one's."""
    if not select:
        return values[0]
    half = 1 << (len(select) - 1)
    low, high = values[:half], values[half:] or values[-1:]
    return literals.choose(select[-1], looked_up(literals, select[:-1], high), looked_up(literals, select[:-1], low))
