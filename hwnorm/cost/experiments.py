"""Which engines are synthesised: those that the model is fitted to, and others that it is checked on.

Chosen so that every cell, unit and memory occurs at several widths, at the least synthesis time: few lanes tell as much
as many, but for the clock, as wires grow with an engine. So of what is placed some are as wide as they come. The
held-out ones differ in lanes, bits, lengths and norms.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from hwnorm.engine import Engine
from hwnorm.rtl.design import Design

FIT_SEED, CHECK_SEED = 1, 4  # the amounts were chosen with engines of 2 and 3 in sight
FITTED_ENGINES, CHECKED_ENGINES = 80, 100
TABLE_BITS = (4, 6, 8, 12, 16)
NORMS_OF_THE_TABLE = (("l2", "one-pass"), ("l1", "positive-part"))


@dataclass(frozen=True, slots=True)
class Experiment:
    norm: str
    form: str
    direction: str
    bits: int
    lanes: int
    elements: int
    fixed: bool = True  # every group has that length; else it is the longest
    external: bool = False

    def design(self) -> Design:
        elements, longest = (self.elements, None) if self.fixed else (None, self.elements)
        engine = Engine(self.norm, self.bits, elements, max_elements=longest, form=self.form)
        return Design(engine, self.direction, self.lanes, self.external)

    @property
    def name(self) -> str:
        length = f"m{self.elements}" if self.fixed else f"max{self.elements}"
        words = [self.norm, self.form, self.direction, f"b{self.bits}", f"p{self.lanes}", length]
        return "_".join([*words, "external"] if self.external else words)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Space:
    """What a set of engines is drawn from."""

    norms: tuple[tuple[str, str], ...]
    bits: tuple[int, ...]
    lanes: tuple[int, ...]
    elements: tuple[int, ...]
    long: tuple[int, ...] = (65536, 131072)  # from outside: nothing of them is kept
    largest: int = 128  # lanes times bits and guard: what takes yosys five to ten seconds
    longest: int = 1 << 20  # elements, where every group has as many


@dataclass(frozen=True, slots=True)
class Plans:
    """The engines that are measured on a kind of target."""

    measured: Space
    checked: Space
    table_lanes: int
    table_elements: int
    wide: tuple[Experiment, ...] = ()  # always placed, where anything is
    checked_wide: tuple[Experiment, ...] = ()


_MEASURED = Space(
    norms=(
        *(("l1", "positive-part"), ("l1", "abs"), ("l1", "pivot"), ("l2", "one-pass"), ("l2", "two-pass")),
        *(("layer", "one-pass"), ("rms", "one-pass"), ("range", "two-sweep"), ("mean-only", "two-sweep")),
    ),
    bits=(4, 6, 8, 8, 10, 12, 16, 20, 24),
    lanes=(1, 2, 4, 4, 8, 16),
    elements=(64, 100, 256, 1024, 1024, 3136, 16384),
)
_CHECKED = Space(
    norms=(
        *(("l1", "positive-part"), ("l1", "positive-part"), ("l1", "abs"), ("l2", "one-pass"), ("l2", "one-pass")),
        *(("l2", "two-pass"), ("layer-l1", "positive-part"), ("layer-l1", "abs"), ("layer", "two-pass")),
        *(("group", "one-pass"), ("rms", "one-pass"), ("range", "two-sweep"), ("l1-ns", "positive-part")),
    ),
    bits=(4, 5, 7, 8, 8, 9, 10, 12, 14, 16, 18),
    lanes=(1, 2, 3, 4, 6, 8, 10, 12),
    elements=(49, 128, 196, 512, 784, 2048, 4096, 8192),
)


def _trained(bits: int, lanes: int, elements: int, fixed: bool) -> list[Experiment]:
    """What training with either norm builds."""
    return [
        Experiment(norm, form, direction, bits, lanes, elements, fixed)
        for norm, form in NORMS_OF_THE_TABLE
        for direction in ("forward", "backward")
    ]


ON_FPGA = Plans(
    _MEASURED,
    _CHECKED,
    4,
    1024,
    wide=(
        *(*_trained(4, 16, 16384, False), *_trained(8, 8, 4096, True), *_trained(8, 16, 1024, False)),
        # Memories of 17 parts. With two of them, as L1 has, nextpnr does not end in a quarter of an hour.
        Experiment("l2", "one-pass", "forward", 8, 16, 131072, False),
        Experiment("l2", "one-pass", "backward", 8, 16, 131072, False),
    ),
    checked_wide=(*_trained(8, 16, 4096, True), *_trained(10, 12, 512, False)),
)
# Activity is simulated gate by gate: the same with fewer lanes and shorter groups.
_SMALL: dict[str, Any] = {"largest": 32, "longest": 256}
IN_CELLS = Plans(
    replace(
        _MEASURED, bits=(4, 6, 8, 8, 10, 12, 16), lanes=(1, 1, 2, 4), elements=(64, 100, 256, 1024, 4096), **_SMALL
    ),
    replace(_CHECKED, bits=(4, 5, 7, 8, 9, 11, 14), lanes=(1, 2, 3), elements=(49, 128, 200, 2048), **_SMALL),
    2,
    512,
)


def table_engines(of: Plans = ON_FPGA) -> list[Experiment]:
    """Both norms, both directions, at every width: what `hwnorm reproduce table4 --target` compares."""
    return [one for bits in TABLE_BITS for one in _trained(bits, of.table_lanes, of.table_elements, True)]


def fitted_to(of: Plans = ON_FPGA) -> list[Experiment]:
    """The table's first: they are placed, and the clock is fitted to them."""
    return _draw(of.measured, FIT_SEED, FITTED_ENGINES, table_engines(of))


def checked_on(of: Plans = ON_FPGA) -> list[Experiment]:
    return _draw(of.checked, CHECK_SEED, CHECKED_ENGINES, [])


def _draw(space: Space, seed: int, count: int, first: list[Experiment]) -> list[Experiment]:
    found: dict[Experiment, None] = dict.fromkeys(first)
    candidates = _candidates(space, seed)
    while len(found) < count:
        found[next(candidates)] = None
    return list(found)


def _candidates(space: Space, seed: int) -> Iterator[Experiment]:
    """Norms and directions in turn, all else at random. Forward and backward engines are what training builds."""
    source = random.Random(seed)
    while True:
        for norm, form in space.norms:
            for direction in ("forward", "backward", "forward", "backward", "inference"):
                bits, lanes = source.choice(space.bits), source.choice(space.lanes)
                external = bool(space.long) and source.random() < 1 / 8
                elements = source.choice(space.long if external else space.elements)
                fixed = source.random() < 0.5 and elements <= space.longest
                one = Experiment(norm, form, direction, bits, lanes, elements, fixed, external)
                if lanes * (bits + 4) <= space.largest and direction in one.design().engine.directions:
                    yield one
