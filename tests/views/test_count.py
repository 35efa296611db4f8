"""Closed formulas against a tally by force: every graph is run, one element at a time, on numbers that keep count.

The interpreter below knows nothing of rates, symbols and closed forms. It walks a graph with scalars, one loop turn an
element, on a number type whose operators write down what was done. What is free (powers of two, rounding, the mask of
a sample) it decides by the values, as a person with a pencil would.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any

import pytest

from hwnorm import Engine
from hwnorm.ir import Graph, Node, Op, Rate, Setting
from hwnorm.norms.catalog import CATALOG
from hwnorm.schedule import Schedule
from hwnorm.views.count import OPERATIONS, PHASES, Tally, formula

SIZES = [1, 2, 5, 8]


# Numbers that keep count


@dataclass
class Tape:
    done: Counter[str]

    def note(self, operation: str) -> None:
        self.done[operation] += 1


@dataclass
class Number:
    """A value, what may be known of it before the data come, and the tape that its operations are written on."""

    value: float
    tape: Tape
    constant: bool = False  # a literal or a register of the layer
    literal: bool = False
    flag: bool = False
    sign: bool = False

    def new(self, value: float, **kind: bool) -> Number:
        return Number(value, self.tape, **kind)

    def __add__(self, other: Number) -> Number:
        self.tape.note("add")
        return self.new(self.value + other.value)

    def __sub__(self, other: Number) -> Number:
        self.tape.note("add")
        return self.new(self.value - other.value)

    def __mul__(self, other: Number) -> Number:
        literals = [n.value for n in (self, other) if n.literal]
        if not any(v in (1, 2, 4, 8, 16) for v in literals):  # a shift is free
            self.tape.note("cmul" if self.constant or other.constant else "mul")
        return self.new(self.value * other.value)

    def __truediv__(self, other: Number) -> Number:
        self.tape.note("div")
        return self.new(self.value / other.value if other.value else 0.0)

    def __abs__(self) -> Number:
        self.tape.note("abs")
        return self.new(abs(self.value))

    def __gt__(self, other: Number) -> Number:
        self.tape.note("sign" if other.literal and other.value == 0 else "cmp")
        return self.new(float(self.value > other.value), flag=True)

    def equals(self, other: Number) -> Number:
        self.tape.note("cmp")
        return self.new(float(self.value == other.value), flag=True)

    def unary(self, operation: str, value: float, **kind: bool) -> Number:
        self.tape.note(operation)
        return self.new(value, **kind)

    def larger(self, other: Number) -> Number:
        self.tape.note("cmp")
        return self.new(max(self.value, other.value))


def one_value(node: Node, args: list[Number], tape: Tape) -> Number:
    """One operation on scalars."""
    match node.op:
        case Op.CONST:
            return Number(float(node.value), tape, constant=True, literal=True)  # type: ignore[arg-type]
        case Op.ADD:
            return args[0] + args[1]
        case Op.SUB:
            return args[0] - args[1]
        case Op.MUL:
            return args[0] * args[1]
        case Op.DIV:
            return args[0] / args[1]
        case Op.SQUARE:
            return args[0].unary("square", args[0].value ** 2)
        case Op.ABS:
            return abs(args[0])
        case Op.SIGN:
            return args[0].unary("sign", (args[0].value > 0) - (args[0].value < 0), sign=True)
        case Op.MAX:
            return args[0].larger(args[1])
        case Op.SQRT:
            return args[0].unary("sqrt", sqrt(abs(args[0].value)))
        case Op.RECIP:
            return args[0].unary("recip", 1 / args[0].value if args[0].value else 0.0)
        case Op.LOG:
            return args[0].unary("log", log(abs(args[0].value) or 1.0))
        case Op.EXP:
            return args[0].unary("exp", exp(min(args[0].value, 50.0)))
        case Op.GT:
            return args[0] > args[1]
        case Op.EQ:
            return args[0].equals(args[1])
        case Op.SELECT:
            flag, a, b = args
            chosen = a if flag.value else b
            flags = all(n.flag or (n.literal and n.value in (0, 1)) for n in (a, b))
            if not flags:
                tape.note("sel")
            return chosen.new(chosen.value, flag=flags, sign=a.sign)
        case Op.CAST | Op.ALIGN:
            return args[0]
        case other:
            raise AssertionError(f"{other} is not one value at a time")


class Interpreter:
    """A graph on scalars. ``per_element`` holds one number an element; None where an element is not looked at."""

    def __init__(self, graph: Graph, inputs: dict[str, Any], setting: Setting) -> None:
        self.graph, self.setting, self.inputs = graph, setting, inputs
        self.tape = Tape(Counter())
        self.per_group: dict[Node, Number] = {}

    def group(self, node: Node) -> Number:
        """A value per group; a reduction must have been found."""
        if node in self.per_group:
            return self.per_group[node]
        if node.op is Op.INPUT:
            found = Number(self.inputs[node.name], self.tape)
        elif node.op is Op.LAYER:
            assert callable(node.value)
            found = Number(float(node.value(self.setting)), self.tape, constant=True)
        else:
            found = one_value(node, [self.group(a) for a in node.args], self.tape)
        self.per_group[node] = found
        return found

    def elements(
        self, wanted: tuple[Node, ...], given: dict[Node, list[Number | None]], asked: dict[Node, list[bool]]
    ) -> dict[Node, list[Number | None]]:
        """Every wanted value of every element, each evaluated once; a value under a sample's mask where it is picked,
        one for a later sweep where that asks for it."""
        m = self.setting.m
        found: dict[Node, list[Number | None]] = {n: [None] * m for n in wanted}
        seen: dict[Node, bool] = {}
        for i in range(m):
            memo = {n: number for n, values in given.items() if (number := values[i]) is not None}
            for node in wanted:
                reduced_only = node not in self.graph.outputs.values() and node not in asked
                if reduced_only and _under_mask(node) and not self.inputs[node.args[0].name][i]:
                    continue  # an address is not even read
                if node in asked and not asked[node][i]:
                    continue
                found[node][i] = self.element(node, i, memo, seen)
        return found

    def element(self, node: Node, i: int, memo: dict[Node, Number], seen: dict[Node, bool]) -> Number:
        if node in memo:
            return memo[node]
        if node.rate is Rate.STAT:
            return self.group(node)
        if node.op is Op.INPUT:
            found = Number(float(self.inputs[node.name][i]), self.tape)
        elif _under_mask(node):
            picked = self.inputs[node.args[0].name][i]
            chosen = self.element(node.args[1] if picked else node.args[2], i, memo, seen)
            found = chosen.new(chosen.value, flag=chosen.flag, sign=chosen.sign)
        elif node.op is Op.FIRST:
            flag = self.element(node.args[0], i, memo, seen)
            found = flag.new(float(flag.value and not seen.get(node, False)), flag=True)
            seen[node] = seen.get(node, False) or bool(flag.value)
        else:
            args = [self.element(a, i, memo, seen) for a in node.args]
            found = one_value(node, args, self.tape)
        memo[node] = found
        return found

    def reduce(self, node: Node, values: list[Number | None]) -> None:
        """One accumulation an element that was looked at: the first is added to nothing, as in hardware."""
        total: float | None = None
        for number in values:
            if number is None:
                continue
            if node.op is Op.SUM:
                self.tape.note("cadd" if number.flag or number.sign else "radd")
                total = (total or 0.0) + number.value
            else:
                self.tape.note("cmp")
                better = max if node.op is Op.RMAX else min
                total = number.value if total is None else better(total, number.value)
        self.per_group[node] = Number(total or 0.0, self.tape)


def _under_mask(node: Node) -> bool:
    return node.op is Op.SELECT and node.args[0].role.startswith("mask:")


def by_force_printed(graph: Graph, inputs: dict[str, Any], setting: Setting) -> Counter[str]:
    """Every value of the printed graph once an element, as on paper: what is known is not computed again."""
    run = Interpreter(graph, inputs, setting)
    streams: dict[int, dict[Node, Number]] = {i: {} for i in range(setting.m)}
    seen: dict[Node, bool] = {}
    for node in (n for n in graph.nodes if n.op in (Op.SUM, Op.RMAX, Op.RMIN)):
        values: list[Number | None] = []
        for i in range(setting.m):
            skipped = _under_mask(node.args[0]) and not inputs[node.args[0].args[0].name][i]
            values.append(None if skipped else run.element(node.args[0], i, streams[i], seen))
        run.reduce(node, values)
    for output in graph.outputs.values():
        for i in range(setting.m) if output.rate is Rate.ELEM else ():
            run.element(output, i, streams[i], seen)
        if output.rate is Rate.STAT:
            run.group(output)
    return run.tape.done


def asked_for(schedule: Schedule, inputs: dict[str, Any], k: int, i: int) -> set[Node]:
    """The values of element i that sweep k and those after it look at; nothing is kept of one outside a sample."""
    found: set[Node] = set()
    for sweep in schedule.sweeps[k:]:
        todo = [*(n.args[0] for n in sweep.reduces), *sweep.writes]
        while todo:
            node = todo.pop()
            found.add(node)
            if node not in sweep.reads and node.rate is Rate.ELEM:
                picked = not _under_mask(node) or inputs[node.args[0].name][i]
                todo += node.args if picked else node.args[2:]
    return found


def by_force_executed(schedule: Schedule, inputs: dict[str, Any], setting: Setting) -> Counter[str]:
    """Sweep after sweep. Nothing per element outlives its sweep but what the sweep keeps."""
    run = Interpreter(schedule.graph, inputs, setting)
    for node in schedule.before:
        run.group(node)
    kept: dict[Node, list[Number | None]] = {}
    for k, sweep in enumerate(schedule.sweeps):
        before = Counter(run.tape.done)
        given = {n: kept[n] for n in sweep.reads if n.op is not Op.INPUT}
        asked = [asked_for(schedule, inputs, k + 1, i) for i in range(setting.m)]
        goals = tuple(dict.fromkeys((*(n.args[0] for n in sweep.reduces), *sweep.writes, *sweep.keeps)))
        values = run.elements(goals, given, {n: [n in a for a in asked] for n in sweep.keeps})
        for node in sweep.reduces:
            run.reduce(node, values[node.args[0]])
        kept |= {n: values[n] for n in sweep.keeps}
        if sweep.when is None:
            for node in sweep.then:
                run.group(node)
        else:
            run.tape.done = before  # a sweep that only some groups need is not counted
            for node in sweep.then:
                run.group(node)
    return run.tape.done


# The data do not matter, but for the masks


def inputs_of(m: int, sampled: list[int], virtual: list[int]) -> dict[str, Any]:
    names = ("mu", "sigma", "S", "c", "n", "R", "K", "B", "divisor", "top", "bottom", "mu_v", "mu_s", "var", "c0")
    streams = {name: [((7 * i + k) % 5 - 1.5) for i in range(m)] for k, name in enumerate(("x", "dy", "y", "xhat"))}
    parameters = {"gamma": 1.5, "beta": 0.25, "scale": 1.5, "shift": 0.5, "up": 1.0, "down": -1.0}
    thresholds = {"T": 0.5, "T0": 0.5, "T1": 1.5, "low": -1.0, "middle": 0.0, "high": 1.0}
    saved = {name: 1.0 + k / 8 for k, name in enumerate(names)}
    return saved | streams | parameters | thresholds | {"sampled": sampled, "virtual": virtual}


def case(norm_name: str, graph: Graph, m: int) -> tuple[dict[str, Any], Setting]:
    sampling = CATALOG[norm_name].sampling
    sampled = [int(i % 3 != 1) for i in range(m)] if sampling else [1] * m
    virtual = [int(i < (m + 1) // 2) for i in range(m)]
    inputs = inputs_of(m, sampled, virtual)
    for node in graph.inputs.values():
        if node.rate is Rate.ELEM and node.name in ("gamma", "beta"):
            inputs[node.name] = [1.5] * m
    v = sum(virtual) if sampling == "fs-vdn" else 0
    return inputs, Setting(m=m, s=sum(sampled), v=v, eps=0.5, one=1.0, rail=128.0)


def sizes(setting: Setting) -> dict[str, int]:
    return {"m": setting.m, "s": setting.s, "v": setting.v}


def expected(tallies: list[Counter[str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for tally in tallies:
        total.update(tally)
    assert set(total) <= set(OPERATIONS)
    return {op: total[op] for op in OPERATIONS}


ENTRIES = [(name, form) for name, norm in CATALOG.items() for form in (norm.forms or {"": None})]


@pytest.mark.parametrize("m", SIZES)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("name", "form"), ENTRIES)
def test_formula_and_executed_equal_a_tally_by_force(name: str, form: str, phase: Any, m: int) -> None:
    engine = Engine(name, 8, elements=m, form=form or None)
    found = engine.count(phase)
    printed, scheduled, where = [], [], None
    for direction in PHASES[phase]:
        builder = getattr(engine.norm.printed, direction)
        if builder is not None:
            graph = builder()
            inputs, where = case(name, graph, m)
            printed.append(by_force_printed(graph, inputs, where))
        if direction in engine.directions:
            program = engine.program(direction)
            inputs, where = case(name, program.graph, m)
            scheduled.append(by_force_executed(program.schedule, inputs, where))
    if where is None:  # the standardization loss at inference; folds in training
        assert not found.formula and found.executed is None
        return
    assert found.formula.totals(1, sizes(where)) == expected(printed)
    if scheduled:
        assert found.executed is not None
        assert found.executed.totals(1, sizes(where)) == expected(scheduled)
    else:
        assert found.executed is None


# The numbers that everything else is quoted from, literally


def test_l1_and_l2_as_their_papers_print_them() -> None:
    """L1BN section III: a sign and an absolute value an element where L2 has a square, and no root."""
    l1, l2 = (Engine(name, 8, elements=32).count("training").formula for name in ("l1", "l2"))
    assert (l1.expression("sign"), l1.expression("abs"), l1.expression("square"), l1.expression("sqrt")) == (
        *("m", "m", "0", "0"),
    )
    assert (l2.expression("sign"), l2.expression("abs"), l2.expression("square"), l2.expression("sqrt")) == (
        *("0", "0", "m", "1"),
    )


def expressions(tally: Tally) -> dict[str, str]:
    return {op: tally.expression(op) for op in OPERATIONS if tally.expression(op) != "0"}


def test_every_operation_of_the_printed_l2() -> None:
    """Counted by hand. Eq. 3-6: S; d = x - mu twice as printed (once in var, once in xhat); d*d; a division."""
    assert expressions(formula(CATALOG["l2"].printed.forward())) == {  # type: ignore[misc]
        "radd": "2 m",  # sum x, sum d*d
        "add": "3 m + 1",  # x - mu, x - mu, + beta; var + eps
        "cmul": "2",  # the two means
        "square": "m",
        "sqrt": "1",
        "div": "m",
        "mul": "m",  # gamma * xhat
    }
    assert expressions(formula(CATALOG["l2"].printed.backward())) == {  # type: ignore[misc]
        "mul": "4 m",  # gamma * dy, g * xhat, xhat * q, dy * xhat
        "radd": "4 m",  # sum g, sum g * xhat, sum dy * xhat, sum dy
        "cmul": "2",
        "add": "2 m",  # a + xhat * q, g - that
        "div": "m",
    }


def test_every_operation_of_the_printed_l1() -> None:
    assert expressions(formula(CATALOG["l1"].printed.forward())) == {  # type: ignore[misc]
        "radd": "2 m",
        "add": "3 m + 1",
        "cmul": "2",
        "abs": "m",
        "div": "m",
        "mul": "m",
    }
    assert expressions(formula(CATALOG["l1"].printed.backward())) == {  # type: ignore[misc]
        "mul": "4 m",
        "radd": "4 m",
        "cadd": "m",  # mean(sgn): a counter
        "cmul": "3",
        "add": "3 m",  # sgn - mean(sgn), a + q * that, g - that
        "sign": "m",
        "div": "m",
    }


def test_the_positive_part_needs_one_multiplier_an_element() -> None:
    """NUMERICS lesson 1: forward a comparison, a mask and two counters; K*x the only product of two variables."""
    forward = Engine("l1", 8, elements=32).count("forward").executed
    assert forward is not None
    assert (forward.per_group("mul").get("m"), forward.per_group("cmp")) == (1, {"m": 1})
    assert (forward.expression("abs"), forward.expression("square"), forward.expression("sqrt")) == ("0", "0", "0")
    assert (forward.expression("radd"), forward.expression("cadd"), forward.expression("sel")) == (
        "2 m",
        "m",
        "m + 1",
    )  # the 1: a dead group
    backward = Engine("l1", 8, elements=32).count("backward").executed
    assert backward is not None
    assert backward.per_group("mul")["m"] == 2  # dy * x for U, K * dy


def test_l2_executed() -> None:
    """NUMERICS: L2 five multipliers an element, forward and backward together, a square among them; L1 three."""
    l2, l1 = (Engine(name, 8, elements=32, form=form).count().executed for name, form in FIVE_AND_THREE)
    assert l2 is not None and l1 is not None
    assert l2.per_group("mul")["m"] + l2.per_group("square")["m"] == 5
    assert l1.per_group("mul")["m"] == 3


FIVE_AND_THREE = (("l2", "one-pass"), ("l1", "positive-part"))


def test_expressions_and_totals_of_a_tally() -> None:
    tally = Tally({("add", (), "m"): 3, ("add", (8, 8), "1"): 2, ("mul", (), "s"): 1, ("mul", (), "m"): 1})
    assert (tally.expression("add"), tally.expression("mul"), tally.expression("sqrt")) == ("3 m + 2", "m + s", "0")
    assert tally.per_group("add") == {"m": 3, "1": 2}
    totals = tally.totals(10, {"m": 100, "s": 25})
    assert totals["add"] == 10 * 302 and totals["mul"] == 10 * 125 and totals["exp"] == 0
    assert set(totals) == set(OPERATIONS)


def test_a_sampled_norm_counts_what_it_looks_at() -> None:
    """Sampling Eq. 3: s elements behind mean and variance, all m normalized. Eq. 6: the backward sums run over m."""
    l2 = Engine("l2-fs", 8, elements=32)
    forward, backward = l2.count("forward").formula, l2.count("backward").formula
    assert (forward.expression("square"), forward.expression("radd"), forward.expression("div")) == ("s", "2 s", "m")
    assert forward.expression("add") == "2 m + s + 1"
    assert (backward.expression("radd"), backward.expression("mul")) == ("4 m", "3 m + s")


def test_unknown_phase() -> None:
    with pytest.raises(ValueError, match="phase must be forward, backward, training, inference, not 'test'"):
        Engine("l2", 8, elements=4).count("test")  # type: ignore[arg-type]


def test_traffic_of_l1_and_l2() -> None:
    """Bytes, or bits an element: forward L1 reads x three times and L2 in one pass twice; backward keeps one flag."""
    l1, l2 = (
        Engine(name, 8, elements=32, form=form).count() for name, form in (("l1", "positive-part"), ("l2", "one-pass"))
    )
    assert (l1.traffic["forward"].read, l1.traffic["forward"].written, l1.traffic["forward"].sweeps) == (24, 8, 3)
    assert (l2.traffic["forward"].read, l2.traffic["forward"].written, l2.traffic["forward"].sweeps) == (16, 8, 2)
    assert (l1.traffic["backward"].read, l1.traffic["backward"].written) == (16 + 9, 1 + 8)  # x, dy; dy, flag
    assert (l2.traffic["backward"].read, l2.traffic["backward"].written) == (16 + 16, 8)
    assert (l1.traffic["backward"].replayed, l2.traffic["backward"].replayed) == (9, 16)
    pivot = Engine("l1", 8, elements=32, form="pivot").count().traffic["forward"]
    assert (pivot.sweeps, pivot.conditional, pivot.read) == (2, 1, 16)
