"""Sweeps, by what the definitions of the norms need: each literal below follows from the equations, not from a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwnorm import Engine
from hwnorm.ir import Graph, Node, Op, Rate, absolute, elem, stat, total
from hwnorm.norms.catalog import CATALOG
from hwnorm.schedule import Schedule, elementwise, schedule

BUILT = [
    (name, form) for name, norm in CATALOG.items() for form in norm.forms if Engine(name, 8, 32, form=form).directions
]


def of(name: str, form: str | None, direction: str, bits: int = 8) -> Schedule:
    return Engine(name, bits, 1000, form=form).program(direction).schedule


def names(nodes: tuple[Node, ...]) -> list[str]:
    return [n.name or n.op.value for n in nodes]


FORWARD = {
    # (unconditional, conditional): a mean, a deviation about it, then the output
    ("l1", "positive-part"): (3, 0),
    ("l1", "abs"): (3, 0),
    ("l1", "pivot"): (2, 1),
    ("l2", "one-pass"): (2, 0),
    ("l2", "two-pass"): (3, 0),
    ("range", "two-sweep"): (2, 0),
    ("mean-only", "two-sweep"): (2, 0),
    ("layer", "one-pass"): (2, 0),
    ("layer", "two-pass"): (3, 0),
    ("layer-l1", "positive-part"): (3, 0),
    ("rms", "one-pass"): (2, 0),
    ("l1-fs", "positive-part"): (3, 0),
    ("l2-vdn", "one-pass"): (2, 0),
    ("range-bs", "two-sweep"): (2, 0),
    ("srelu", "clip"): (1, 0),
    ("scale", "constant"): (1, 0),
}


@pytest.mark.parametrize(("name", "form"), FORWARD)
def test_sweeps_of_the_forward_pass(name: str, form: str) -> None:
    found = of(name, form, "forward")
    assert (len(found.unconditional), len(found.sweeps) - len(found.unconditional)) == FORWARD[name, form]


@pytest.mark.parametrize(("name", "form"), BUILT)
def test_the_backward_pass_takes_two(name: str, form: str) -> None:
    """Sums over dy and dy * x, then dx; one where nothing is summed."""
    if "backward" in Engine(name, 8, 32, form=form).directions:
        found = of(name, form, "backward")
        assert len(found.sweeps) == len(found.unconditional) == (1 if CATALOG[name].final or name == "scale" else 2)


def test_range_takes_two_and_not_three() -> None:
    """max(x) - min(x) needs no mean first (DESIGN: the form decides the cost)."""
    first, second = of("range", None, "forward").sweeps
    assert sorted(names(first.reduces)) == ["S", "bottom", "top"] and not second.reduces


@pytest.mark.parametrize(("name", "form"), BUILT)
def test_inference_takes_one_unless_statistics_are_taken_again(name: str, form: str) -> None:
    found = of(name, form, "inference")
    if name in ("layer", "layer-l1", "group", "instance", "rms"):
        assert found.sweeps == of(name, form, "forward").sweeps or len(found.sweeps) == len(
            of(name, form, "forward").sweeps
        )
    else:
        assert len(found.sweeps) == 1 and not found.sweeps[0].reduces


def test_forward_reads_x_again_in_every_sweep() -> None:
    """Nothing per element is narrower than x that the next sweep could use instead."""
    for form in ("positive-part", "abs"):
        for sweep in of("l1", form, "forward").sweeps:
            assert names(sweep.reads) == ["x"] and not sweep.keeps
    for sweep in of("l2", "one-pass", "forward").sweeps:
        assert names(sweep.reads) == ["x"] and not sweep.keeps


def test_l1_sweep_by_sweep() -> None:
    mean, deviation, output = of("l1", "positive-part", "forward").sweeps
    assert names(mean.reduces) == ["S"] and not mean.evaluates and names(mean.then) == ["mu", "c"]
    assert sorted(names(deviation.reduces)) == ["P", "n"]
    assert [n.op for n in deviation.evaluates] == [Op.GT, Op.SELECT]
    assert {"D0", "D", "R", "K", "B"} <= set(names(deviation.then))
    assert (
        not output.reduces and [n.op for n in output.evaluates] == [Op.MUL, Op.ADD, Op.CAST] and len(output.writes) == 1
    )


def test_l1_backward_reads_one_flag_and_not_x() -> None:
    """NUMERICS: one stored bit an element. The first sweep has x, compares it with c, and leaves the flag."""
    sums, gradient = of("l1", None, "backward").sweeps
    assert sorted(names(sums.reads)) == ["dy", "x"]
    assert [n.op for n in sums.keeps] == [Op.GT]
    assert "x" not in names(gradient.reads) and "dy" in names(gradient.reads)
    (flag,) = (n for n in gradient.reads if n.op is not Op.INPUT)
    assert flag is sums.keeps[0] and flag.op is Op.GT and names(flag.args) == ["x", "c"]
    assert flag not in gradient.evaluates
    assert [n.op for n in gradient.evaluates] == [Op.MUL, Op.SELECT, Op.SUB, Op.CAST]


def test_l2_backward_reads_x_twice() -> None:
    """xhat is x again: eight bits, where no narrower value would do."""
    for sweep in of("l2", None, "backward").sweeps:
        assert sorted(names(sweep.reads)) == ["dy", "x"] and not sweep.keeps


def test_range_backward_keeps_the_flags_of_its_extremes() -> None:
    sums, gradient = of("range", None, "backward").sweeps
    assert {n.op for n in sums.keeps} <= {Op.EQ, Op.FIRST} and len(sums.keeps) == 2
    assert "x" not in names(gradient.reads)


def test_the_pivot_sweeps_again_only_where_it_missed() -> None:
    """P and n are collected with S; the second sweep stands under the flag ``miss``."""
    first, second, output = of("l1", "pivot", "forward").sweeps
    assert len(first.reduces) == 3 and first.when is None and output.when is None
    assert second.when is not None and second.when.name == "miss" and second.when in first.then
    assert len(second.reduces) == 2 and not second.writes


@pytest.mark.parametrize("direction", ["forward", "backward", "inference"])
@pytest.mark.parametrize(("name", "form"), BUILT)
def test_a_schedule_computes_everything_once_known(name: str, form: str, direction: str) -> None:
    """Replayed by hand: whatever a sweep, or what follows it, looks at has been read, kept, or computed before."""
    engine = Engine(name, 8, 32, form=form)
    if direction not in engine.directions:
        return
    found = engine.program(direction).schedule
    graph = found.graph
    known = set(found.before)
    for node in found.before:
        assert all(a in known for a in node.args)
    kept: set[Node] = set()
    reduced, written = [], []
    for sweep in found.sweeps:
        here = set(sweep.reads)
        assert all(n.op is Op.INPUT or n in kept for n in sweep.reads)
        for node in sweep.evaluates:
            assert all((a in here) if a.rate is Rate.ELEM else (a in known) for a in node.args), node
            here.add(node)
        assert all(n.args[0] in here for n in sweep.reduces)
        assert all(n in here for n in (*sweep.writes, *sweep.keeps))
        known |= set(sweep.reduces)
        for node in sweep.then:
            assert all(a in known for a in node.args), node
            known.add(node)
        kept |= set(sweep.keeps)
        reduced += sweep.reduces
        written += sweep.writes
    assert len(reduced) == len(set(reduced)) and set(reduced) == {
        n for n in graph if n.op in (Op.SUM, Op.RMAX, Op.RMIN)
    }
    assert known == {n for n in graph if n.rate is Rate.STAT}
    assert set(written) == {n for n in graph.outputs.values() if n.rate is Rate.ELEM and n.op is not Op.INPUT}


# Graphs of no norm: the rules alone


def widths(by_op: dict[Op, int]) -> Callable[[Node], int]:
    return lambda node: by_op.get(node.op, 8)


def test_a_chain_of_means_takes_a_sweep_each() -> None:
    x = elem("x")
    value = x
    for _ in range(4):
        value = value - total(absolute(value))
    found = schedule(Graph("chain", {"y": value}), widths({}))
    assert len(found.sweeps) == 5
    assert [len(s.evaluates) for s in found.sweeps] == [1, 2, 3, 4, 4]  # each computes again what came before


def test_a_narrow_value_is_kept_and_a_wide_one_is_not() -> None:
    x = elem("x")
    flag = x > 3
    graph = Graph("flag", {"y": total(flag) * (flag * stat("k"))})
    one_bit, wide = schedule(graph, widths({Op.GT: 1})), schedule(graph, widths({Op.GT: 8}))
    assert one_bit.sweeps[0].keeps and [n.op for n in one_bit.sweeps[-1].reads] in ([Op.GT], [Op.MUL])
    assert not wide.sweeps[0].keeps and names(wide.sweeps[1].reads) == ["x"]


def test_elementwise_stops_at_what_is_given() -> None:
    x = elem("x")
    a = x + 1
    b = a * a
    graph = Graph("two", {"y": b})
    assert elementwise(graph, [b]) == (a, b) and elementwise(graph, [b], frozenset({a})) == (b,)
