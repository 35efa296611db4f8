"""The dataflow graph in which every normalization is written down once.

A graph is made of nodes at two rates: ELEM, one value per element, and STAT, one value per group of elements that
share a statistic (a channel, a token). A node is one operation:

    INPUT    x, dy, gamma, saved values        ADD SUB MUL      arithmetic
    LAYER    a register of the layer: m, 1/m   DIV              a / b, rounded down to its role
    CONST    a literal                         SQUARE ABS SIGN  x*x, |x|, -1 0 1
    SUM      over the group: ELEM to STAT      MAX              the larger of two
    RMAX     the largest of the group          SQRT RECIP       root, 1 / x (1 / 0 is 0)
    RMIN     the smallest of the group         LOG EXP          natural logarithm, exponential
    GT EQ    comparisons: 1 or 0               SELECT           a if the flag else b
    FIRST    1 at the group's first flag       CAST             round to a role
                                               ALIGN            round to another value's fraction bits

The mathematics says *where* a value is rounded (a role on CAST, ALIGN, DIV, SQRT, RECIP), ``Precision`` says *to what*.
Read as real numbers, CAST and ALIGN are the identity: the same graph is the float64 reference, the bit-true one, the
operation count and the hardware. There are no shapes, no loops, no control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from functools import cache


class Rate(Enum):
    STAT = "stat"
    ELEM = "elem"


class Op(Enum):
    INPUT = "input"
    LAYER = "layer"
    CONST = "const"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    SQUARE = "square"
    ABS = "abs"
    SIGN = "sign"
    MAX = "max"
    SQRT = "sqrt"
    RECIP = "recip"
    LOG = "log"
    EXP = "exp"
    GT = "gt"
    EQ = "eq"
    SELECT = "select"
    FIRST = "first"
    SUM = "sum"
    RMAX = "rmax"
    RMIN = "rmin"
    CAST = "cast"
    ALIGN = "align"


REDUCTIONS = frozenset({Op.SUM, Op.RMAX, Op.RMIN})
FLAGS = frozenset({Op.GT, Op.EQ, Op.FIRST})
LEAVES = frozenset({Op.INPUT, Op.LAYER, Op.CONST})


@dataclass(frozen=True, slots=True)
class Setting:
    """What a layer's registers are computed from. ``s`` and ``v`` are the elements that sampled statistics look at."""

    m: int  # elements in a group
    s: int  # of them in the sample
    v: int  # of them virtual
    eps: float  # in units of x's LSB, squared where it stands under a root
    one: float  # x's integer for 1.0
    rail: float = float("inf")  # no x is below -rail or above rail - 1
    l1_scale: float = 1.0  # by which an l1 deviation is multiplied: sqrt(pi/2) where it shall match a Gaussian's
    share: float = 0.5  # of the virtual samples in a mixed statistic, Sampling Eq. 4
    weight: float = 1.0  # of the standardization loss
    temperature: float = 50.0  # of the constant scale, sReLU Eq. 6
    delta: float = 0.5  # of a ternary activation
    window: int = 0  # how far a pivot may lie from the mean

    @property
    def m_squared(self) -> int:
        return self.s * self.s


Real = int | float | Fraction
Bound = Callable[[int, int], tuple[int, int]]
"""(bits, m) -> the least and the largest value that a node can take, where interval arithmetic is too wide."""


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Node:
    """One operation. Two nodes are the same only if they are one object."""

    op: Op
    args: tuple[Node, ...] = ()
    rate: Rate = Rate.STAT
    name: str = ""  # the register that holds it, in reports and in hardware
    value: Real | Callable[[Setting], Real] | None = None  # of CONST; of LAYER as a function of the layer
    role: str = ""  # what it is rounded to; of an INPUT, what it is
    bound: Bound | None = None

    def __add__(self, other: Node | int) -> Node:
        return _node(Op.ADD, self, other)

    def __sub__(self, other: Node | int) -> Node:
        return _node(Op.SUB, self, other)

    def __rsub__(self, other: int) -> Node:
        return _node(Op.SUB, other, self)

    def __mul__(self, other: Node | int) -> Node:
        return _node(Op.MUL, self, other)

    def __rmul__(self, other: int) -> Node:
        return _node(Op.MUL, other, self)

    def __truediv__(self, other: Node) -> Node:
        return _node(Op.DIV, self, other)

    def __gt__(self, other: Node | int) -> Node:
        return _node(Op.GT, self, other)

    def __repr__(self) -> str:
        return f"<{self.op.value} {self.name}>" if self.name else f"<{self.op.value}>"


def _node(op: Op, *args: Node | int, role: str = "") -> Node:
    nodes = tuple(a if isinstance(a, Node) else const(a) for a in args)
    rate = Rate.ELEM if any(n.rate is Rate.ELEM for n in nodes) else Rate.STAT
    return Node(op, nodes, Rate.STAT if op in REDUCTIONS else rate, role=role)


# Leaves. Streams and parameters of one name are one node, so that two parts of a graph can both ask for x.


@cache
def elem(name: str, role: str = "") -> Node:
    """A stream: one value per element."""
    return Node(Op.INPUT, rate=Rate.ELEM, name=name, role=role or name)


@cache
def stat(name: str, role: str = "") -> Node:
    """One value per group: a parameter, or what the forward pass saved under this name."""
    return Node(Op.INPUT, name=name, role=role or name)


def layer(name: str, value: Callable[[Setting], Real], role: str = "integer", bound: Bound | None = None) -> Node:
    """A register of the layer, computed on the host; ``role`` says in which format it is handed over ("real": none)."""
    return Node(Op.LAYER, name=name, value=value, role=role, bound=bound)


@cache
def mask(name: str, symbol: str) -> Node:
    """A stream of flags that picks ``symbol`` of the m elements: what is read under it is counted that often."""
    return Node(Op.INPUT, rate=Rate.ELEM, name=name, role=f"mask:{symbol}")


def const(value: Real) -> Node:
    return Node(Op.CONST, value=value)


# Operations


def square(a: Node) -> Node:
    return _node(Op.SQUARE, a)


def absolute(a: Node) -> Node:
    return _node(Op.ABS, a)


def sign(a: Node) -> Node:
    return _node(Op.SIGN, a)


def maximum(a: Node, b: Node | int) -> Node:
    return _node(Op.MAX, a, b)


def root(a: Node) -> Node:
    return _node(Op.SQRT, a, role="root")


def reciprocal(a: Node) -> Node:
    return _node(Op.RECIP, a, role="inv")


def divide(a: Node, b: Node, role: str) -> Node:
    """a / b rounded down to the role's fraction bits."""
    return _node(Op.DIV, a, b, role=role)


def log(a: Node) -> Node:
    return _node(Op.LOG, a)


def exp(a: Node) -> Node:
    return _node(Op.EXP, a)


def equal(a: Node, b: Node) -> Node:
    return _node(Op.EQ, a, b)


def select(flag: Node, a: Node | int, b: Node | int) -> Node:
    return _node(Op.SELECT, flag, a, b)


def first(flag: Node) -> Node:
    """1 at the first element of the group whose flag is set, 0 elsewhere."""
    return _node(Op.FIRST, flag)


def total(a: Node) -> Node:
    return _node(Op.SUM, a)


def largest(a: Node) -> Node:
    return _node(Op.RMAX, a)


def smallest(a: Node) -> Node:
    return _node(Op.RMIN, a)


def cast(a: Node, role: str) -> Node:
    return _node(Op.CAST, a, role=role)


def align(a: Node, like: Node, role: str = "") -> Node:
    """a rounded to the fraction bits of ``like``, which may differ from group to group; a role adds guard bits."""
    return _node(Op.ALIGN, a, like, role=role)


def named(name: str, node: Node, bound: Bound | None = None) -> Node:
    """The node under a name, and with a bound that is tighter than interval arithmetic finds."""
    return replace(node, name=name, bound=bound or node.bound)


# Graphs


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A checked graph: ``nodes`` in topological order, everything reachable from the outputs and nothing else."""

    name: str
    outputs: dict[str, Node]
    nodes: tuple[Node, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(_topological(self.outputs.values())))
        _verify(self)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @property
    def inputs(self) -> dict[str, Node]:
        return {n.name: n for n in self.nodes if n.op is Op.INPUT}

    @property
    def layer_registers(self) -> dict[str, Node]:
        return {n.name: n for n in self.nodes if n.op is Op.LAYER}

    @property
    def named(self) -> dict[str, Node]:
        return {n.name: n for n in self.nodes if n.name}

    def users(self) -> dict[Node, list[Node]]:
        users: dict[Node, list[Node]] = {n: [] for n in self.nodes}
        for node in self.nodes:
            for arg in node.args:
                users[arg].append(node)
        return users

    def __repr__(self) -> str:
        """One node a line: ``P: stat = sum %7``."""
        label = {n: n.name or f"%{i}" for i, n in enumerate(self.nodes)}
        lines = [f"graph {self.name}"]
        for n in self.nodes:
            value = f" {n.value}" if n.op is Op.CONST else ""
            args = "".join(f" {label[a]}" for a in n.args)
            lines.append(f"  {label[n]}: {n.rate.value} = {n.op.value}{value}{args}{f' [{n.role}]' if n.role else ''}")
        lines += [f"  -> {name} = {label[n]}" for name, n in self.outputs.items()]
        return "\n".join(lines)


def _topological(outputs: Iterable[Node]) -> Iterator[Node]:
    seen: set[Node] = set()
    todo: list[tuple[Node, bool]] = [(n, False) for n in reversed(list(outputs))]
    while todo:
        node, ready = todo.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            todo.append((node, True))
            todo.extend((a, False) for a in reversed(node.args) if a not in seen)


ARITY = {
    **dict.fromkeys(LEAVES, 0),
    **dict.fromkeys((Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.MAX, Op.GT, Op.EQ, Op.ALIGN), 2),
    **dict.fromkeys((Op.SQUARE, Op.ABS, Op.SIGN, Op.SQRT, Op.RECIP, Op.LOG, Op.EXP, Op.FIRST, Op.CAST), 1),
    **dict.fromkeys(REDUCTIONS, 1),
    Op.SELECT: 3,
}


def _verify(graph: Graph) -> None:
    """What a graph must hold. These are faults of whoever writes a normalization, so they say which node."""
    taken: dict[str, Node] = {}
    for node in graph.nodes:
        where = f"graph {graph.name}: {node!r}"
        if len(node.args) != ARITY[node.op]:
            raise ValueError(f"{where} takes {ARITY[node.op]} values, not {len(node.args)}")
        if node.op in REDUCTIONS and node.args[0].rate is not Rate.ELEM:
            raise ValueError(f"{where} reduces a value that is already one per group")
        if node.op is Op.SELECT and not is_flag(node.args[0]):
            raise ValueError(f"{where} selects by a value that is not a flag")
        if node.op is Op.CAST and not node.role:
            raise ValueError(f"{where} has no role to be rounded to")
        if node.name and taken.setdefault(node.name, node) is not node:
            raise ValueError(f"{where}: a second node has this name")


def is_flag(node: Node) -> bool:
    """True for a value that is 0 or 1."""
    match node.op:
        case Op.SELECT:
            return all(is_flag(branch) for branch in node.args[1:])
        case Op.CONST:
            return node.value in (0, 1)
        case _:
            return node.op in FLAGS or mask_symbol(node) is not None


def mask_symbol(node: Node) -> str | None:
    """``s`` for a mask that picks s of the m elements; None for every other node."""
    return node.role.removeprefix("mask:") if node.role.startswith("mask:") else None


def is_constant(node: Node) -> bool:
    """True for what does not change while a layer runs: a literal, a register of the layer, either of them rounded."""
    return node.op in (Op.CONST, Op.LAYER) or (node.op is Op.CAST and is_constant(node.args[0]))
