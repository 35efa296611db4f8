"""Operators build the nodes they say; a graph is checked; each view handles each op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest

from hwnorm import Engine, ir
from hwnorm.ir import Graph, Node, Op, Rate, Setting, elem, is_constant, is_flag, mask_symbol, stat
from hwnorm.precision import Precision, assign_types
from hwnorm.views.count import formula, operation
from hwnorm.views.float_ref import evaluate
from hwnorm.views.int_ref import Program, Value

x, s = elem("x"), stat("s", "x")
SETTING = Setting(m=4, s=4, v=0, eps=0.5, one=1.0)


@pytest.mark.parametrize(
    ("built", "op", "rate"),
    [
        (x + s, Op.ADD, Rate.ELEM),
        (s + 1, Op.ADD, Rate.STAT),
        (x - s, Op.SUB, Rate.ELEM),
        (1 - s, Op.SUB, Rate.STAT),
        (x * x, Op.MUL, Rate.ELEM),
        (2 * s, Op.MUL, Rate.STAT),
        (x / s, Op.DIV, Rate.ELEM),
        (x > 0, Op.GT, Rate.ELEM),
        (ir.square(s), Op.SQUARE, Rate.STAT),
        (ir.absolute(x), Op.ABS, Rate.ELEM),
        (ir.sign(x), Op.SIGN, Rate.ELEM),
        (ir.maximum(x, 0), Op.MAX, Rate.ELEM),
        (ir.root(s), Op.SQRT, Rate.STAT),
        (ir.reciprocal(s), Op.RECIP, Rate.STAT),
        (ir.divide(s, s, "mean"), Op.DIV, Rate.STAT),
        (ir.log(s), Op.LOG, Rate.STAT),
        (ir.exp(x), Op.EXP, Rate.ELEM),
        (ir.equal(x, s), Op.EQ, Rate.ELEM),
        (ir.select(x > s, x, 0), Op.SELECT, Rate.ELEM),
        (ir.first(x > s), Op.FIRST, Rate.ELEM),
        (ir.total(x), Op.SUM, Rate.STAT),
        (ir.largest(x), Op.RMAX, Rate.STAT),
        (ir.smallest(x), Op.RMIN, Rate.STAT),
        (ir.cast(x, "y"), Op.CAST, Rate.ELEM),
        (ir.align(s, s), Op.ALIGN, Rate.STAT),
        (x, Op.INPUT, Rate.ELEM),
        (ir.layer("m", lambda g: g.m), Op.LAYER, Rate.STAT),
        (ir.const(3), Op.CONST, Rate.STAT),
    ],
    ids=repr,
)
def test_operators_build_nodes(built: Node, op: Op, rate: Rate) -> None:
    assert built.op is op and built.rate is rate and len(built.args) == ir.ARITY[op]


def test_operands_keep_their_order() -> None:
    assert (x - s).args == (x, s)
    assert (1 - s).args[0].value == 1 and (1 - s).args[1] is s
    assert (2 * s).args[1] is s and (s * 2).args[0] is s
    assert (x / s).args == (x, s) and (x > s).args == (x, s)


def test_leaves_of_one_name_are_one_node() -> None:
    assert elem("x") is x and elem("x", "saved") is not x and stat("x") is not x
    assert x != elem("dy") and ir.const(1) != ir.const(1)


def test_there_are_at_most_25_ops_and_the_docstring_names_all() -> None:
    assert len(Op) <= 25
    assert set(ir.ARITY) == set(Op)
    for op in Op:
        assert op.name in (ir.__doc__ or ""), op


def test_names_roles_and_bounds() -> None:
    node = ir.named("k", ir.cast(x, "gain"), lambda b, m: (0, m))
    assert (node.name, node.role) == ("k", "gain") and node.bound is not None and node.bound(8, 3) == (0, 3)
    assert ir.named("again", node).bound is node.bound
    assert repr(node) == "<cast k>" and repr(x + 1) == "<add>"


def test_what_is_a_flag_a_mask_a_constant() -> None:
    flag, mask = x > 0, ir.mask("sampled", "s")
    assert is_flag(flag) and is_flag(mask) and is_flag(ir.first(flag)) and is_flag(ir.equal(x, s))
    assert is_flag(ir.select(mask, flag, 0)) and not is_flag(ir.select(mask, x, 0)) and not is_flag(ir.sign(x))
    assert mask_symbol(mask) == "s" and mask_symbol(x) is None
    register = ir.layer("m", lambda g: g.m)
    assert is_constant(register) and is_constant(ir.const(3)) and is_constant(ir.cast(register, "gain"))
    assert not is_constant(s) and not is_constant(ir.cast(s, "gain"))


# Graphs


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"y": Node(Op.ADD, (x,))}, r"graph bad: <add> takes 2 values, not 1"),
        ({"y": ir.total(s)}, r"graph bad: <sum> reduces a value that is already one per group"),
        ({"y": ir.largest(s)}, r"graph bad: <rmax> reduces a value that is already one per group"),
        ({"y": ir.select(x, x, 0)}, r"graph bad: <select> selects by a value that is not a flag"),
        ({"y": ir.cast(x, "")}, r"graph bad: <cast> has no role to be rounded to"),
        ({"y": ir.named("k", x + 1), "z": ir.named("k", x + 2)}, r"graph bad: <add k>: a second node has this name"),
    ],
)
def test_a_graph_is_checked(outputs: dict[str, Node], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph("bad", outputs)


def test_nodes_are_in_topological_order_and_no_others() -> None:
    a = x + 1
    b = ir.total(a)
    graph = Graph("two", {"y": a * b, "s": b})
    place = {n: i for i, n in enumerate(graph.nodes)}
    assert all(place[arg] < place[n] for n in graph for arg in n.args)
    assert set(graph.nodes) == {x, a.args[1], a, b, graph.outputs["y"]}
    assert graph.users()[a] == [b, graph.outputs["y"]]
    assert graph.inputs == {"x": x} and graph.named == {"x": x}


def test_a_deep_graph_does_not_recurse() -> None:
    node = x
    for _ in range(20_000):
        node = node + 1
    assert len(Graph("deep", {"y": node}).nodes) == 40_001


GOLDEN = """\
graph l1 forward, positive_part
  gamma: stat = input [gamma]
  kappa: stat = layer [kappa]
  %2: stat = mul gamma kappa
  %3: stat = const 2
  m: stat = layer [integer]
  x: elem = input [x]
  S: stat = sum x
  mu: stat = div S m [mean]
  c: stat = cast mu [pivot]
  %9: elem = gt x c
  %10: stat = const 0
  %11: elem = select %9 x %10
  P: stat = sum %11
  %13: stat = mul m P
  n: stat = sum %9
  %15: stat = mul n S
  %16: stat = sub %13 %15
  D0: stat = mul %3 %16
  %18: stat = const 0
  %19: stat = gt D0 %18
  E: stat = layer [integer]
  D: stat = add D0 E
  %22: stat = recip D [inv]
  %23: stat = const 0
  R: stat = select %19 %22 %23
  %25: stat = mul %2 R
  K: stat = cast %25 [gain]
  %27: elem = mul K x
  beta: stat = input [beta]
  %29: stat = align beta K
  %30: stat = mul K mu
  %31: stat = align %30 K
  B: stat = sub %29 %31
  %33: elem = add %27 B
  %34: elem = cast %33 [y]
  -> y = %34
  -> K = K
  -> R = R
  -> S = S
  -> c = c
  -> n = n"""


def test_a_graph_prints_one_node_a_line() -> None:
    """Read beside NUMERICS' forward pass: S, mu, c; P, n, D0 = 2*(m*P - n*S); R; K; B; y = (K*x + B) rounded."""
    assert repr(Engine("l1", 8, elements=32).graph("forward")) == GOLDEN


# Op by view


@dataclass
class Case:
    """One op on x = (-3, 0, 2, 2) or on s = 3, and what comes out, as real numbers."""

    build: Callable[[], Node]
    expected: list[Any]
    counted: str | None
    integer: bool = True


DATA = [-3, 0, 2, 2]
CASES = {
    Op.INPUT: Case(lambda: x, DATA, None),
    Op.LAYER: Case(lambda: x * ir.layer("m", lambda g: g.m, bound=lambda b, m: (1, m)), [-12, 0, 8, 8], "cmul"),
    Op.CONST: Case(lambda: x * ir.const(5), [-15, 0, 10, 10], "cmul"),
    Op.ADD: Case(lambda: x + s, [0, 3, 5, 5], "add"),
    Op.SUB: Case(lambda: x - s, [-6, -3, -1, -1], "add"),
    Op.MUL: Case(lambda: x * s, [-9, 0, 6, 6], "mul"),
    Op.DIV: Case(
        lambda: ir.named("q", ir.divide(s, stat("t", "x"), "mean"), lambda b, m: (-128, 127)), [Fraction(3, 4)], "div"
    ),
    Op.SQUARE: Case(lambda: ir.square(x), [9, 0, 4, 4], "square"),
    Op.ABS: Case(lambda: ir.absolute(x), [3, 0, 2, 2], "abs"),
    Op.SIGN: Case(lambda: ir.sign(x), [-1, 0, 1, 1], "sign"),
    Op.MAX: Case(lambda: ir.maximum(x, 1), [1, 1, 2, 2], "cmp"),
    Op.SQRT: Case(lambda: ir.root(ir.square(s)), [3], "sqrt"),
    Op.RECIP: Case(lambda: ir.reciprocal(ir.square(stat("t", "x"))), [Fraction(1, 16)], "recip"),
    Op.LOG: Case(lambda: ir.log(s), [log(3)], "log", integer=False),
    Op.EXP: Case(lambda: ir.exp(x), [exp(-3), 1.0, exp(2), exp(2)], "exp", integer=False),
    Op.GT: Case(lambda: x > ir.const(1), [0, 0, 1, 1], "cmp"),
    Op.EQ: Case(lambda: ir.equal(x, ir.const(2)), [0, 0, 1, 1], "cmp"),
    Op.SELECT: Case(lambda: ir.select(x > 0, x, s), [3, 3, 2, 2], "sel"),
    Op.FIRST: Case(lambda: ir.first(x > 0), [0, 0, 1, 0], None),
    Op.SUM: Case(lambda: ir.total(x), [1], "radd"),
    Op.RMAX: Case(lambda: ir.largest(x), [2], "cmp"),
    Op.RMIN: Case(lambda: ir.smallest(x), [-3], "cmp"),
    Op.CAST: Case(lambda: ir.cast(x * ir.const(100), "trit"), [-2, 0, 1, 1], None),
    Op.ALIGN: Case(lambda: ir.align(stat("beta"), s), [1], None),
}
UNROUNDED = {Op.CAST: [-300, 0, 200, 200], Op.ALIGN: [0.5]}  # the identity, read as real numbers
INPUTS = {"x": np.array([DATA]), "s": np.array([[3]]), "t": np.array([[4]]), "beta": np.array([[0.5]])}


def test_every_op_has_a_case() -> None:
    assert set(CASES) == set(Op)


@pytest.mark.parametrize("op", Op)
def test_float_ref_has_it(op: Op) -> None:
    node = CASES[op].build()
    found = evaluate(Graph("one", {"out": node}), INPUTS, SETTING)["out"]
    expected = UNROUNDED.get(op, CASES[op].expected)
    assert np.asarray(found, dtype=float).ravel().tolist() == pytest.approx([float(v) for v in expected], rel=1e-15)


@pytest.mark.parametrize("op", [op for op in Op if CASES[op].integer])
def test_int_ref_has_it(op: Op) -> None:
    """Exactly, as Fractions. The root is of a square, the reciprocal of a power of two: right but for its last unit."""
    graph = Graph("one", {"out": CASES[op].build()})
    precision = Precision(8)
    program = Program(graph, precision, assign_types(graph, precision, 4), checked=True)
    beta = Value(np.array([[1 << 8]]), 9)  # 0.5 with y's 5 fraction bits and 4 of guard
    inputs = {n: Value(v) for n, v in INPUTS.items() if n != "beta"} | {"beta": beta}
    if not any(n.op is Op.INPUT and n.rate is Rate.ELEM for n in graph):
        graph = Graph("one", {"out": CASES[op].build(), "x": x + 0})
        program = Program(graph, precision, assign_types(graph, precision, 4), checked=True)
    found = program.run(inputs, SETTING)["out"]
    values = [Fraction(int(v)) for v in np.asarray(found.v).ravel()]
    fracs = np.broadcast_to(found.frac, np.shape(found.v)).ravel().tolist()
    real = [v / Fraction(2) ** int(f) for v, f in zip(values, fracs, strict=True)]
    expected = [Fraction(v) for v in CASES[op].expected]
    if op is Op.RECIP:
        assert expected[0] * (1 - Fraction(1, 1 << 11)) <= real[0] < expected[0]  # the clamp at 2**12 - 1
    else:
        assert real == expected


@pytest.mark.parametrize("op", [op for op in Op if not CASES[op].integer])
def test_no_datapath_has_logarithms(op: Op) -> None:
    graph = Graph("one", {"out": CASES[op].build()})
    with pytest.raises(AssertionError, match="no datapath has this operation"):
        assign_types(graph, Precision(8), 4)


@pytest.mark.parametrize("op", Op)
def test_count_has_it(op: Op) -> None:
    node = CASES[op].build()
    own = node if node.op is op else next(a for a in node.args if a.op is op)
    assert operation(node) == CASES[op].counted
    assert operation(own) == (None if op in ir.LEAVES else CASES[op].counted)
    assert formula(Graph("one", {"out": node})).totals(1, {"m": 4})[CASES[op].counted or "add"] == (
        0 if CASES[op].counted is None else (4 if node.rate is Rate.ELEM or node.op in ir.REDUCTIONS else 1)
    )


def test_free_are_powers_of_two_and_masks() -> None:
    assert operation(x * 4) is None and operation(x * 3) == "cmul" and operation(2 * s) is None
    assert operation(ir.select(ir.mask("sampled", "s"), x, 0)) is None
    assert operation(ir.total(x > s)) == "cadd" == operation(ir.total(ir.sign(x)))
    assert operation(x > 0) == "sign" and operation(s > 0) == "sign"


def test_zero_has_no_reciprocal_and_no_quotient() -> None:
    zero = np.zeros((1, 1))
    for node in (ir.reciprocal(s), s / s):
        assert evaluate(Graph("one", {"out": node}), {"s": zero}, SETTING)["out"] == 0
    assert sqrt(0.25) == float(
        evaluate(Graph("r", {"out": ir.root(s)}), {"s": np.array([[0.25]])}, SETTING)["out"][0, 0]
    )
