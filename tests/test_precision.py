"""The registers of NUMERICS, width by width; and that data exist which need them.

First the formulas in b (bits), g (guard bits) and m, written down from NUMERICS and not taken from the code. Then a
search: directed inputs drive every register of every datapath toward its bound, and the widest value met must need
all but two of the bits that the register has. A register that is wider than that is hardware nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from thinned import one_in

from hwnorm import Engine
from hwnorm.fixed import Format
from hwnorm.ir import Op, Rate
from hwnorm.precision import Fixed, Precision, Scaled, Type, quantise
from hwnorm.views.int_ref import Program, Value

GRID = [(b, g, m) for b in (4, 5, 8, 12, 16, 24) for g in (2, 4, 6, 8) for m in (1, 2, 7, 32, 1000, 4096, 401408)]


def log2_up(m: int) -> int:
    return (m - 1).bit_length()


def forward_widths(b: int, g: int, m: int) -> dict[str, tuple[int, int]]:
    """name: (width, 1 if signed). NUMERICS, "Forward, per group"; L = ceil(log2 m), f = b + g + 1."""
    L, f = log2_up(m), b + g + 1
    return {
        "x": (b, 1),
        "y": (b, 1),
        "S": (b + L, 1),
        "c": (b, 1),
        "mu": (b + f, 1),
        "R": (b + g, 0),
        "K": (b + g + 1, 1),  # a mantissa of b + g bits, and gamma's sign
        "kappa": (b + g + 2, 0),
        "gamma": (b + 5, 1),
        "beta": (b + g + 1, 1),
        "B": (2 * b + g + 2, 1),
        "Dn": (b + g, 0),
    }


def deviation_width(b: int, m: int) -> int:
    """m * sum|x - mu| is most with half of the elements at either rail: m*m * (2**b - 1) / 2, one bit under b + 2L."""
    return max((m * m * (2**b - 1) // 2).bit_length(), 1)


def variance_width(b: int, m: int) -> int:
    """m*Q - S*S, likewise: (m * (2**b - 1))**2 / 4; 2b - 2 + 2L bits."""
    return max(((m * (2**b - 1)) ** 2 // 4).bit_length(), 1)


def widths(engine: Engine) -> dict[str, tuple[int, int]]:
    return {name: (fmt.width, int(fmt.signed)) for name, fmt in engine.formats.items()}


def holds(found: dict[str, tuple[int, int]], expected: dict[str, tuple[int, int]]) -> None:
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("b", "g", "m"), GRID)
def test_registers_of_l1(b: int, g: int, m: int) -> None:
    L, n = log2_up(m), max((m - 1).bit_length(), 1)
    engine = Engine("l1", b, max_elements=m, guard=g, form="positive-part")
    found = widths(engine)
    holds(found, forward_widths(b, g, m))
    holds(
        found,
        {
            "P": (b + L, 1),
            "n": (n, 0),  # one less than ceil(log2(m + 1)) at powers of two: not all elements exceed their mean
            "D0": (deviation_width(b, m), 0),
            "E": (deviation_width(b, m), 0),
            "D": ((2 * (m * m * (2**b - 1) // 2)).bit_length() or 1, 0),
        },
    )
    assert deviation_width(b, m) <= b + 2 * L
    holds(found, backward_widths(b, g, m))
    holds(found, {"nbar": (b + g + 2, 1), "Bp": (2 * b + 2 * g + 2, 1), "Bn": (2 * b + 2 * g + 2, 1)})


def backward_widths(b: int, g: int, m: int) -> dict[str, tuple[int, int]]:
    """NUMERICS, "Backward, per group", with what the code documents as tighter.

    U: a product of two b-bit integers is at most 2**(2b-2), so 2b + L falls to the width of m of those. HM is
    m * sum dy * (x - mu), not two products: m*m * 2**(b-1) * 2**(b-1) at the very most. |q| and |a| stay below the
    largest |dy| (Cauchy-Schwarz), which takes a bit more than b + fq only for +2**(b-1) itself.
    """
    L, fq = log2_up(m), b + g
    return {
        "dy": (b, 1),
        "dx": (b, 1),
        "W": (b + L, 1),
        "U": ((m << (2 * b - 2)).bit_length() + 1, 1),
        "HM": ((m * m << (2 * b - 2)).bit_length() + 1, 1),
        "q": (b + fq + 1, 1),
        "a": (b + fq + 1, 1),
        "inv_m": (2 * b + g + 2, 0),
        "Kd": (b + g + 1 + g, 1),  # K with up to g bits more, where dx's scale is fine
    }


@pytest.mark.parametrize(("b", "g", "m"), GRID)
def test_registers_of_l2(b: int, g: int, m: int) -> None:
    found = widths(Engine("l2", b, max_elements=m, guard=g, form="one-pass"))
    holds(found, {k: v for k, v in forward_widths(b, g, m).items() if k != "c"})
    holds(
        found,
        {
            "Q": ((m << (2 * b - 2)).bit_length(), 0),  # 2b - 1 + L at powers of two: m times (-2**(b-1))**2
            "V0": (variance_width(b, m), 0),
            "E": (variance_width(b, m), 0),
            "V": ((2 * ((m * (2**b - 1)) ** 2 // 4)).bit_length() or 1, 0),
            "D": (b + g, 0),
            "J": (2 * b + 2 * g + 2, 1),  # proved in l2.slope; NUMERICS saturates at two bits less
        },
    )
    assert variance_width(b, m) <= max(2 * b - 2 + 2 * log2_up(m), 2 * b - 1)
    holds(found, backward_widths(b, g, m))


@pytest.mark.parametrize(("b", "g", "m"), GRID)
def test_registers_of_rms_and_layer(b: int, g: int, m: int) -> None:
    rms, layer = (widths(Engine(name, b, max_elements=m, guard=g)) for name in ("rms", "layer"))
    holds(rms, {"Q": ((m << (2 * b - 2)).bit_length(), 0), "V0": ((m * m << (2 * b - 2)).bit_length(), 0)})
    holds(layer, {"mu": (2 * b + g + 3, 1), "K": (b + g + 5, 0), "S": (b + log2_up(m), 1)})  # two and five bits for z
    holds(layer, {"J": (2 * b + 2 * g + 4, 1), "q": (2 * b + g + 3, 1)})  # gamma * dy has two bits more than dy


@pytest.mark.parametrize(("b", "g", "m"), GRID)
def test_apply_accumulates_in_2b_plus_g_plus_3_bits(b: int, g: int, m: int) -> None:
    """b = 8, g = 4: one 8x13 multiplier and one 23-bit adder a lane."""
    program = Engine("l1", b, max_elements=m, guard=g).program("forward")
    (last,) = (n for n in program.graph if n.op is Op.ADD and n.rate is Rate.ELEM)
    assert program.types[last].format.width <= 2 * b + g + 3
    assert program.types[last.args[0]].format.width == 2 * b + g  # K*x: |K| < 2**(b + g)


@pytest.mark.parametrize(("b", "g"), sorted({(b, g) for b, g, _ in GRID}))
def test_derived_constants(b: int, g: int) -> None:
    """fy, f, wd = wr = wk = fq, shmin and shmax of NUMERICS."""
    precision, integer = Precision(b, g), 3 if b >= 12 else 2
    role = precision.role
    assert precision.y_frac == b - 1 - integer
    assert role("y") == Fixed(b - 1 - integer, b)
    assert role("gain") == Scaled(b + g, precision.y_frac, (max(2, g - 1), b + g))
    assert role("inv") == role("root") == Scaled(b + g)
    assert role("gamma") == Fixed(b + 2, b + 5) and role("beta") == Fixed(precision.y_frac + g, b + g + 1)
    assert getattr(role("mean"), "frac", None) == b + g + 1 and getattr(role("q"), "frac", None) == b + g
    assert role("kappa") == Scaled(b + g + 2) and role("inv_m") == Scaled(2 * b + g + 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 3}, "bits must be an integer from 4 to 24, not 3"),
        ({"bits": 25}, "bits must be an integer from 4 to 24, not 25"),
        ({"bits": 8, "guard": 1}, "guard must be an integer from 2 to 8, not 1"),
        ({"bits": 8, "guard": 9}, "guard must be an integer from 2 to 8, not 9"),
        ({"bits": 8, "reciprocal": "fast"}, "reciprocal must be restoring, pwl or newton, not 'fast'"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Precision(**arguments)


# The search


@dataclass
class Reach:
    """The widest values that a register held."""

    kind: Type
    lo: int = 0
    hi: int = 0

    @property
    def width(self) -> int:
        return self.kind.format.width

    @property
    def used(self) -> int:
        """Bits that its values need, in a register of its signedness."""
        return Format.holding(self.lo, self.hi).width + (self.kind.format.signed and self.lo >= 0)


def streams(bits: int, m: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Groups x: rails, parts at two values (rails, neighbours), one outlier, one up and one down, a narrow start."""
    lo, hi = -1 << (bits - 1), (1 << (bits - 1)) - 1
    rows = [[lo if i % 2 else hi for i in range(m)], [0] * m]
    pairs = (
        (lo, hi),
        (hi, lo),
        (lo, lo + 1),
        (hi, hi - 1),
        (lo + 1, lo),
        (hi - 1, hi),
        (0, 1),
        (-1, 0),
        (0, hi),
        (0, lo),
    )
    for a, b in pairs:
        for k in {0, 1, 2, m // 4, m // 2, (m + 1) // 2, m - 2, m - 1, m}:
            if 0 <= k <= m:
                rows.append([a] * k + [b] * (m - k))
    if m >= 3:
        for base in (lo + 2, 0, hi - 1):
            rows += [
                [base + 1, base - 2] + [base] * (m - 2),
                [base - 2, base + 1] + [base] * (m - 2),
            ]  # all but one above
            rows += [[base + 1, base - 1] + [base] * (m - 2), [base - 1, base + 1] + [base] * (m - 2)]
        for a in (lo, 0, hi - 1):
            rows += [[a, a + 1] + [end] * (m - 2) for end in (lo, hi)] + [
                [a + 1, a] + [end] * (m - 2) for end in (lo, hi)
            ]
    rows += [[int(v) for v in rng.integers(lo, hi + 1, m)] for _ in range(5)]
    return np.array(rows)


def gradients(x: np.ndarray[Any, Any], bits: int, rng: np.random.Generator) -> Iterator[np.ndarray[Any, Any]]:
    """dy for those x: rails, of one sign or of the sign of x - mu, ties on either side; alone at one end; random."""
    lo, hi = -1 << (bits - 1), (1 << (bits - 1)) - 1
    mu = x.mean(axis=1, keepdims=True)
    for up, down in ((hi, lo), (lo, hi), (hi, hi), (lo, lo), (lo, 0), (0, lo)):
        for above in (x > mu, x >= mu):
            yield np.where(above, up, down)
    for end in (0, -1):
        alone = np.zeros_like(x)
        alone[:, end] = lo
        yield alone
    yield rng.choice([lo, hi], x.shape)


def largest_eps(name: str, form: str, bits: int, longest: int, m: int) -> float:
    """The most that register E takes, found by halving."""
    least, most = 0.0, float(1 << (2 * bits + 2))
    for _ in range(50):
        middle = (least + most) / 2
        try:
            Engine(name, bits, max_elements=longest, form=form, eps=middle).registers(m)
            least = middle
        except ValueError:
            most = middle
    return least


def drive(name: str, form: str, bits: int, longest: int) -> dict[str, Reach]:
    """Every named register of both passes, over directed inputs; ``checked`` compares each with its bound."""
    rng = np.random.default_rng([bits, longest])
    reach: dict[str, Reach] = {}

    def note(program: Program, found: dict[str, Value]) -> None:
        for node in program.graph:
            if node.name and node.rate is Rate.STAT:
                seen = reach.setdefault(node.name, Reach(program.types[node]))
                v = found[node.name].v
                seen.lo, seen.hi = min(seen.lo, int(v.min())), max(seen.hi, int(v.max()))

    plain = Engine(name, bits, max_elements=longest, form=form)
    inputs = plain.program("forward").graph.inputs
    gammas, betas = ends(plain, "gamma", inputs), ends(plain, "beta", inputs)
    has_eps = "E" in plain.program("forward").graph.layer_registers
    for m in sorted({1, 2, 3, longest // 2, longest - 1, longest}):
        x = streams(bits, m, rng)
        dys = list(gradients(x, bits, rng))
        xs, dy = np.concatenate([x] * len(dys)), np.concatenate(dys)
        for eps in {0.0, largest_eps(name, form, bits, longest, m) if has_eps else 0.0}:
            window = (1 << bits) - 1 if eps else 0
            engine = Engine(
                name,
                bits,
                max_elements=longest,
                form=form,
                eps=eps,
                pivot_window=window,
                gaussian=bool(eps),
                checked=True,
            )
            for gamma, beta, mask in choices(gammas, betas, m, bool(plain.norm.sampling)):
                options: dict[str, Any] = {} if mask is None else {"sampled": mask}
                if "c0" in inputs:
                    options["pivot"] = Value(rng.choice([-1 << (bits - 1), 0, (1 << (bits - 1)) - 1], (len(xs), 1)))
                saved = engine.forward(xs, gamma, beta, **options).saved
                note(engine.program("forward"), saved.values)
                for dx_frac in (0, engine.precision.dx_frac_range[1]):  # Kd is widest where dx's scale is finest
                    program = engine._backward(dx_frac)
                    note(program, program.run(saved.values | {"dy": Value(dy)}, saved.setting))
    return reach


def ends(engine: Engine, name: str, inputs: dict[str, Any]) -> list[float]:
    """The least and the largest value of a parameter's register, one LSB, 0 and 1."""
    if name not in inputs:
        return [1.0]
    role = engine.precision.role(inputs[name].role)
    assert isinstance(role, Fixed) and role.width is not None
    lo, hi, lsb = -(1 << (role.width - 1)), (1 << (role.width - 1)) - 1, 2.0**-role.frac
    return [lo * lsb, hi * lsb] if name == "beta" else [lo * lsb, hi * lsb, lsb, 0.0, 1.0]


def choices(gammas: list[float], betas: list[float], m: int, sampled: bool) -> Iterator[tuple[float, float, Any]]:
    masks = [np.arange(m) < k for k in sorted({1, min(2, m), m})] if sampled else [None]
    for mask in masks:
        for gamma in gammas:
            for beta in betas:
                yield gamma, beta, mask


DRIVEN = [
    *(("l1", form) for form in ("positive-part", "abs", "pivot")),
    *(("l2", form) for form in ("one-pass", "two-pass")),
    *(("range", "two-sweep"), ("mean-only", "two-sweep"), ("rms", "one-pass")),
    *(("layer", "one-pass"), ("layer", "two-pass"), ("layer-l1", "positive-part")),
    *(("l1-fs", "positive-part"), ("l2-fs", "one-pass"), ("range-fs", "two-sweep")),
]
SPARE_BITS = 2
EXCEPTIONS = {  # (norm, register): spare bits, and why no input fills them
    ("layer-l1", "Bn"): (3, "a and q cannot both be at their bounds: dy would have to be constant and to follow x"),
}


def too_wide(name: str, form: str, bits: int, longest: int) -> dict[str, tuple[int, int]]:
    """Registers that the search leaves more than two bits empty: name to (width, used)."""
    found = drive(name, form, bits, longest)
    return {
        register: (r.width, r.used)
        for register, r in found.items()
        if r.width - r.used > EXCEPTIONS.get((name, register), (SPARE_BITS, ""))[0]
    }


@pytest.mark.parametrize(("name", "form"), one_in(3, DRIVEN))
def test_every_width_is_reachable_to_within_two_bits(name: str, form: str) -> None:
    assert too_wide(name, form, 6, 16) == {}


@pytest.mark.long
@pytest.mark.parametrize(("bits", "longest"), [(4, 8), (5, 7), (7, 32), (8, 33), (8, 100)])
@pytest.mark.parametrize(("name", "form"), DRIVEN)
def test_every_width_is_reachable_at_other_sizes(name: str, form: str, bits: int, longest: int) -> None:
    assert too_wide(name, form, bits, longest) == {}


def test_quantise_rounds_half_up_and_keeps_the_top_bit() -> None:
    assert quantise(Fraction(1, 3), Fixed(4, 8)) == (5, 4)
    assert quantise(Fraction(-1, 2), Fixed(0, 8)) == (0, 0) and quantise(Fraction(1, 2), Fixed(0, 8)) == (1, 0)
    assert quantise(Fraction(1000), Fixed(0, 8)) == (127, 0) and quantise(Fraction(-1000), Fixed(0, 8)) == (-128, 0)
    for value in (Fraction(1, 7), Fraction(1), Fraction(255), Fraction(511, 2), Fraction(12345), Fraction(1, 4095)):
        mantissa, frac = quantise(value, Scaled(8))
        assert mantissa >> 7 == 1 and abs(Fraction(mantissa) / Fraction(2) ** frac / value - 1) <= Fraction(1, 256)
    assert quantise(Fraction(0), Scaled(8)) == (0, 0)
