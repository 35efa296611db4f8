"""How wide every value of a graph is: roles to formats, and formats to every node.

A norm says *where* a value is rounded, by a role. ``Precision.role`` says *to what*: the whole of the numerics
(docs/numerics.md) in one table. ``assign_types`` then walks a graph once and bounds every node by interval arithmetic
on exact integers, so that nothing can wrap and no register is wider than its worst case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import floor
from typing import assert_never

from hwnorm.fixed import Format, Rounding
from hwnorm.ir import Graph, Node, Op

BITS = range(4, 25)
GUARD_BITS = range(2, 9)
HAT_BITS = 5  # of z below y's last bit, and above its point
# Half of y's last bit, three halves of B's, which is 2**-max(2, g - 1) of it, and K's and R's rounding: 2**-g. From
# five guard bits on a little more, for what was found.
ERROR_BOUND_LSB = {2: 1.15, 3: 1.0, 4: 0.75, 5: 0.65, 6: 0.62, 7: 0.61, 8: 0.6}


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed number of fraction bits. With a width the value saturates to it, without one it takes what it needs."""

    frac: int
    width: int | None = None
    rounding: Rounding = Rounding.HALF_UP


@dataclass(frozen=True, slots=True)
class Scaled:
    """A normalised mantissa of ``width`` bits with its exponent beside it, another for every group.

    ``shift`` is the range of fraction bits below ``base``, where the exponent is limited: the gain.
    """

    width: int
    base: int = 0
    shift: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Widened:
    """A scaled value shifted left, exactly, until it has ``frac`` fraction bits at least; by ``extra`` at most."""

    frac: int
    extra: int


@dataclass(frozen=True, slots=True)
class Relative:
    """Of ALIGN: ``guard`` more fraction bits than the value it is aligned to, saturated to ``width``; with ``growth``
    to no more than that and the bits of half of a group's length."""

    guard: int
    width: int
    growth: int | None = None

    def within(self, elements: int) -> int:
        """The width for groups of so many elements."""
        return self.width if self.growth is None else min(self.width, self.growth + (elements // 2 + 1).bit_length())


Role = Fixed | Scaled | Widened | Relative


@dataclass(frozen=True)
class Precision:
    """The widths of one engine: ``bits`` of x, y, dy and dx, and ``guard`` bits below the output's last one.

    ``dx_frac`` is the scale of dx, a register that may change between calls: one LSB of dx is 2**-dx_frac of dy's LSB
    over x's LSB.
    """

    bits: int
    guard: int = 4
    reciprocal: str = "restoring"
    dx_frac: int = 0
    momentum_bits: int = 0  # running statistics move by 2**-momentum_bits of the difference

    def __post_init__(self) -> None:
        if type(self.bits) is not int or self.bits not in BITS:
            raise ValueError(f"bits must be an integer from {BITS[0]} to {BITS[-1]}, not {self.bits!r}")
        if type(self.guard) is not int or self.guard not in GUARD_BITS:
            raise ValueError(f"guard must be an integer from {GUARD_BITS[0]} to {GUARD_BITS[-1]}, not {self.guard!r}")
        if self.reciprocal not in ("restoring", "pwl", "newton"):
            raise ValueError(f"reciprocal must be restoring, pwl or newton, not {self.reciprocal!r}")

    def scaled_for(self, dx_frac: int) -> Precision:
        """The same engine with another scale of dx."""
        return replace(self, dx_frac=dx_frac)

    @property
    def y_frac(self) -> int:
        """Fraction bits of y: two integer bits and a sign hold 99.99 % of a Gaussian; three where there is room."""
        return self.bits - 1 - (2 if self.bits < 12 else 3)

    @property
    def hat_frac(self) -> int:
        """Fraction bits of z = xhat where gamma and beta are one an element: it is rounded before they come.

        Five more than y's, so that a gamma of 4 makes of z's rounding no more than 1/16 of y's LSB.
        """
        return self.y_frac + HAT_BITS

    @property
    def dx_frac_range(self) -> tuple[int, int]:
        """Scales of dx that make sense: the largest gain maps dy to full scale; the smallest still fills dx."""
        _, base, shift = self._gain
        return base - self.bits - 1, base + shift[0]

    @property
    def _gain(self) -> tuple[int, int, tuple[int, int]]:
        return self.bits + self.guard, self.y_frac, (max(2, self.guard - 1), self.bits + self.guard)

    @property
    def _running_frac(self) -> int:
        """Five bits below the smallest step, or running statistics stick before they arrive."""
        return max(self.bits + self.guard + 1, self.momentum_bits + 5)

    @cached_property
    def _roles(self) -> dict[str, Role]:
        b, g = self.bits, self.guard
        width, y_frac, shift = self._gain
        data = Fixed(0, b)
        return {
            # streams
            "x": data,
            "dy": data,
            "y": Fixed(y_frac, b),
            "dx": Fixed(self.dx_frac, b),
            "centred": data,  # an output in x's LSB
            "hat": Fixed(self.hat_frac, self.hat_frac + HAT_BITS),
            "grad_hat": Fixed(g, b + g + 3),  # gamma * dy, where gamma is one an element
            "grad": Fixed(g, b + g),  # a gradient before its last rounding
            # parameters
            "gamma": Fixed(b + 2, b + 5),
            "beta": Fixed(y_frac + g, b + g + 1),
            "beta_centred": Fixed(g, b + g + 1),
            "shift": Fixed(y_frac + shift[1], 3 * b + g + 2),  # of inference: exact at any gain
            "offset": Relative(0, 2 * b + g + 2),
            "shift_centred": Fixed(g, b + g + 2),
            "threshold": Fixed(0, b + 1),
            "trit": Fixed(0, 2),  # -1, 0, 1
            # registers of the layer
            "integer": Fixed(0),
            "kappa": Scaled(b + g + 2),
            "inv_m": Scaled(2 * b + g + 2),
            # statistics
            "mean": Fixed(b + g + 1, rounding=Rounding.FLOOR),
            "mean_hat": Fixed(b + g + 3, rounding=Rounding.FLOOR),  # the gain is followed by a gamma of up to 4
            "pivot": Fixed(0, rounding=Rounding.FLOOR),
            "deviation": Fixed(g),
            "root": Scaled(b + g),
            "inv": Scaled(b + g),
            "gain": Scaled(width, y_frac, shift),
            "gain_fine": Scaled(
                width, y_frac, (shift[0], 2 * b + g + 5)
            ),  # even of the least gamma and the largest sigma
            "gain_hat": Scaled(width + HAT_BITS, self.hat_frac, shift),
            "momentum": Fixed(self.momentum_bits),
            "running_mean": Fixed(self._running_frac, b + self._running_frac),
            "running_spread": Fixed(self._running_frac, 2 * b + 3 + self._running_frac),
            # backward
            "q": Fixed(b + g),
            "pull": Fixed(b + g, rounding=Rounding.FLOOR),  # a quotient
            "dx_gain": Widened(self.dx_frac + g, g),
            "slope": Relative(g + 1, 2 * b + 2 * g + 2),
            "slope_hat": Relative(g + 1, 2 * b + 2 * g + 4),
            "through": Relative(0, 3 * b + 2 * g + 3),  # beyond what K * dy brings back into dx, at any scale of it
            "through_few": Relative(0, 3 * b + 2 * g + 3, 2 * b + 2 * g),  # m/2 times dy's full scale at most
        }

    def role(self, name: str) -> Role:
        return self._roles[name]

    @property
    def error_bound_lsb(self) -> float:
        """What |y - exact| stays below, in y's LSB: the last rounding's half, and what guard bits leave of the others.

        For elements whose gamma * xhat is within y's full scale: a beta that brings back a larger one brings back the
        larger one's error too. Measured over bits, lengths and distributions, not derived; the sweep that holds it is
        tests/test_accuracy.py.
        """
        return ERROR_BOUND_LSB[self.guard]


@dataclass(frozen=True, slots=True)
class Type:
    """What a node can be: a mantissa from ``lo`` to ``hi`` with ``frac`` fraction bits, and one more exponent for every
    node in ``scale``, which is known only when the group is. ``exponent`` is the range that those exponents span."""

    lo: int
    hi: int
    frac: int = 0
    scale: tuple[Node, ...] = ()
    exponent: tuple[int, int] | None = (0, 0)

    @property
    def format(self) -> Format:
        """The register that holds the mantissa; of a scaled value frac counts from its own exponent."""
        return Format.holding(self.lo, self.hi, self.frac)


Types = dict[Node, Type]


def assign_types(graph: Graph, precision: Precision, elements: int, saved: dict[str, Type] | None = None) -> Types:
    """The type of every node of a datapath graph, for groups of 1 to ``elements`` elements.

    ``saved`` gives the types of inputs that an earlier graph computed, by name. A node whose ``bound`` is set takes
    that in place of what interval arithmetic finds, which knows nothing of correlated operands.
    """
    types: Types = {}
    for node in graph:
        found = (saved or {}).get(node.name) if node.op is Op.INPUT else None
        found = found or _infer(node, [types[a] for a in node.args], precision, elements)
        if node.bound is not None:
            lo, hi = node.bound(precision.bits, elements)
            lo, hi = (v << found.frac if found.frac >= 0 else v >> -found.frac for v in (lo, hi))
            found = replace(found, lo=lo, hi=hi)
        types[node] = found
    return types


def _infer(node: Node, args: list[Type], precision: Precision, m: int) -> Type:
    match node.op:
        case Op.INPUT | Op.LAYER:
            return _leaf(node, precision, m)
        case Op.CONST:
            assert isinstance(node.value, int), f"{node!r}: a datapath holds whole numbers"
            return Type(node.value, node.value)
        case Op.ADD:
            a, b = meet(args[0], args[1])
            return replace(a, lo=a.lo + b.lo, hi=a.hi + b.hi)
        case Op.SUB:
            a, b = meet(args[0], args[1])
            return replace(a, lo=a.lo - b.hi, hi=a.hi - b.lo)
        case Op.MUL:
            return _product(args[0], args[1])
        case Op.SQUARE:
            a = _product(args[0], args[0])
            return replace(a, lo=0)
        case Op.ABS:
            a = args[0]
            return replace(a, lo=0, hi=max(abs(a.lo), abs(a.hi)))
        case Op.SIGN:
            return Type(-1, 1)
        case Op.GT | Op.EQ | Op.FIRST:
            return Type(0, 1)
        case Op.MAX:
            a, b = meet(args[0], args[1])
            return replace(a, lo=max(a.lo, b.lo), hi=max(a.hi, b.hi))
        case Op.SELECT:
            a, b = meet(args[1], args[2])
            return replace(a, lo=min(a.lo, b.lo), hi=max(a.hi, b.hi))
        case Op.SUM:
            a = args[0]
            return replace(a, lo=min(a.lo, 0) * m, hi=max(a.hi, 0) * m)
        case Op.RMAX | Op.RMIN:
            return args[0]
        case Op.DIV:
            role = precision.role(node.role)
            assert isinstance(role, Fixed) and node.bound is not None, f"{node!r}: a quotient needs a role and a bound"
            return Type(0, 0, role.frac)
        case Op.SQRT | Op.RECIP:
            role = precision.role(node.role)
            assert isinstance(role, Scaled)
            return Type(0, (1 << role.width) - 1, 0, (node,), None)
        case Op.CAST:
            return _cast(node, args[0], precision)
        case Op.ALIGN:
            return _align(node, args[0], args[1], precision, m)
        case Op.LOG | Op.EXP:
            raise AssertionError(f"{node!r}: no datapath has this operation")
        case _:
            assert_never(node.op)


def quotient_shift(node: Node, types: Types, precision: Precision) -> int:
    """How far a DIV's numerator is moved to the left, for the quotient to have its role's fraction bits."""
    role = precision.role(node.role)
    assert isinstance(role, Fixed)
    n, d = (types[a] for a in node.args)
    return role.frac + d.frac - n.frac


def _leaf(node: Node, precision: Precision, m: int) -> Type:
    if node.role.startswith("mask:"):
        return Type(0, 1)
    match precision.role(node.role):
        case Fixed(frac, int(width)):
            fmt = Format(width, frac)
            return Type(fmt.lo, fmt.hi, frac)
        case Fixed(frac, None):
            assert node.bound is not None, f"{node!r}: an input without a width needs a bound"
            return Type(0, 0, frac)
        case Scaled(width, base, shift):
            signed = shift is not None  # a gain
            span = (base + shift[0], base + shift[1]) if shift else None
            return Type(-((1 << width) - 1) if signed else 0, (1 << width) - 1, 0, (node,), span)
        case other:
            raise AssertionError(f"{node!r}: an input cannot have the role {other}")


def quantise(value: Fraction, role: Role) -> tuple[int, int]:
    """A real number as the host hands it over: (integer, fraction bits), rounded half up and saturated."""
    match role:
        case Fixed(frac, width):
            v = floor(value * Fraction(2) ** frac + Fraction(1, 2))
            fmt = Format(width, frac) if width else None
            return (min(max(v, fmt.lo), fmt.hi) if fmt else v), frac
        case Scaled(width, base, shift):
            return _mantissa(value, width) if shift is None else _gain(value, width, base, shift)
        case other:
            raise AssertionError(f"the host cannot round to {other}")


def _mantissa(value: Fraction, width: int) -> tuple[int, int]:
    """A non-negative number as a mantissa with its top bit set; 0 as 0."""
    if value == 0:
        return 0, 0
    frac = width - (value.numerator.bit_length() - value.denominator.bit_length())
    v = floor(value * Fraction(2) ** frac + Fraction(1, 2))
    while v >> width:
        frac -= 1
        v = floor(value * Fraction(2) ** frac + Fraction(1, 2))
    return v, frac


def _gain(value: Fraction, width: int, base: int, shift: tuple[int, int]) -> tuple[int, int]:
    """As units.Gain makes it of a product, but from the exact quotient."""
    v, frac = _mantissa(abs(value), width)
    sh = frac - base if v else shift[1]
    if sh < shift[0]:
        v, sh = (1 << width) - 1, shift[0]
    elif sh > shift[1]:
        v, sh = floor(abs(value) * Fraction(2) ** (base + shift[1]) + Fraction(1, 2)), shift[1]
    return (-v if value < 0 else v), base + sh


def _product(a: Type, b: Type) -> Type:
    corners = [p * q for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
    span = None if a.exponent is None or b.exponent is None else _sum(a.exponent, b.exponent)
    return Type(min(corners), max(corners), a.frac + b.frac, a.scale + b.scale, span)


def _sum(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]


def meet(a: Type, b: Type) -> tuple[Type, Type]:
    """The two with the same fraction bits, exactly: the coarser is shifted left. A literal 0 has any scale."""
    if a.scale != b.scale:
        if (b.lo, b.hi) == (0, 0):
            return a, replace(a, lo=0, hi=0)
        if (a.lo, a.hi) == (0, 0):
            return replace(b, lo=0, hi=0), b
    assert a.scale == b.scale, f"values of unlike scale cannot meet: {a}, {b}"
    return _finer(a, b.frac), _finer(b, a.frac)


def _finer(a: Type, frac: int) -> Type:
    shift = max(frac - a.frac, 0)
    return replace(a, lo=a.lo << shift, hi=a.hi << shift, frac=a.frac + shift)


def _rounded(a: Type, frac: int) -> Type:
    """a with ``frac`` fraction bits: both ends rounded half up, which bounds rounding down too."""
    drop = a.frac - frac
    if drop <= 0:
        return _finer(a, frac)
    half = 1 << (drop - 1)
    return replace(a, lo=a.lo >> drop, hi=(a.hi + half) >> drop, frac=frac)


def _clipped(a: Type, width: int | None) -> Type:
    if width is None:
        return a
    fmt = Format(width, a.frac)
    return replace(a, lo=max(a.lo, fmt.lo), hi=min(a.hi, fmt.hi))


def _cast(node: Node, a: Type, precision: Precision) -> Type:
    match precision.role(node.role):
        case Fixed(frac, None):
            if not a.scale:
                return _rounded(a, frac)
            assert node.bound is not None, f"{node!r}: a scaled value rounded to a fixed one needs a bound"
            return Type(0, 0, frac)
        case Fixed(frac, int(width)):
            fmt = Format(width, frac)
            return _clipped(_rounded(a, frac), width) if not a.scale else Type(fmt.lo, fmt.hi, frac)
        case Scaled(width, base, (lo, hi)):
            top = (1 << width) - 1
            return Type(-top if a.lo < 0 else 0, top, 0, (node,), (base + lo, base + hi))
        case Widened(frac, extra):
            assert a.exponent is not None
            span = (max(a.exponent[0], frac), max(a.exponent[1], frac))
            return Type(a.lo << extra, a.hi << extra, 0, (node,), span)
        case other:
            raise AssertionError(f"{node!r}: cannot round to {other}")


def _align(node: Node, a: Type, like: Type, precision: Precision, m: int) -> Type:
    role = precision.role(node.role) if node.role else Relative(0, 0)
    assert isinstance(role, Relative)
    width = role.within(m)
    frac = like.frac + role.guard
    if a.scale == like.scale:
        found = _rounded(a, frac)
    elif a.exponent is not None and like.exponent is not None:
        # Where the target has the most fraction bits a value moves furthest left.
        found = _rounded(replace(a, frac=a.frac + a.exponent[0]), frac + like.exponent[1])
    else:
        found = Type(-1 << (width - 1), (1 << (width - 1)) - 1)
    found = replace(found, frac=frac, scale=like.scale, exponent=like.exponent)
    return _clipped(found, width or None)
