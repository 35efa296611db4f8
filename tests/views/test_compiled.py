"""Compiled sweeps give the bits of the NumPy ones: every entry, form and direction, and every layout of a stream."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import streams
from thinned import one_in

from hwnorm import Engine
from hwnorm.errors import MissingTool
from hwnorm.fixed import Ints
from hwnorm.ir import Node
from hwnorm.norms.catalog import CATALOG
from hwnorm.views import compiled
from hwnorm.views.int_ref import Run

pytest.importorskip("numba", reason="numba is not installed: pip install 'hwnorm[fast]'")

GROUPS, M = 5, 300
BUILT = [(norm.name, form) for norm in CATALOG.values() for form in norm.forms]


class Sweeps:
    """How many sweeps were compiled, how many were left to NumPy."""

    def __init__(self) -> None:
        self.served = self.left = 0


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    found, sweep = Sweeps(), compiled.sweep

    def counted(run: Run, nodes: tuple[Node, ...], results: dict[Node, Ints]) -> bool:
        served = sweep(run, nodes, results)
        found.served, found.left = found.served + served, found.left + (not served)
        return served

    monkeypatch.setattr(compiled, "sweep", counted)
    return found


def arguments(engine: Engine, rng: np.random.Generator) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if engine.norm.affine != "none":
        size = M if engine.norm.affine == "element" else GROUPS
        frac = 0 if engine.norm.name == "mean-only" else engine.precision.y_frac
        given["gamma"], given["beta"] = streams.parameters(rng, size, engine.precision.bits, 4, frac)
    return given


def results(
    norm: str, form: str, bits: int, as_laid: Callable[[Ints], Ints] = lambda v: v, **options: Any
) -> Iterator[Any]:
    """All that comes out of an engine, direction by direction."""
    engine = Engine(norm, bits, M, form=form, **options)
    for distribution in streams.DISTRIBUTIONS:
        rng = np.random.default_rng([bits, M])
        x = as_laid(streams.activations(distribution, rng, GROUPS, M, bits))
        dy = as_laid(streams.gradients("gaussian", rng, x.reshape(GROUPS, M), bits))
        given = arguments(engine, rng)
        if "forward" in engine.directions:
            masks = {"sampled": rng.random(M) < 0.4} if engine.norm.sampling else {}
            out = engine.forward(x, **given, **masks)
            yield "y", out.y
            yield from ((name, value.v) for name, value in out.saved.values.items())
            if "backward" in engine.directions:
                back = engine.backward(dy, out.saved)
                yield from (("dx", back.dx), ("dgamma", back.dgamma), ("dbeta", back.dbeta))
        statistics = {"mean": rng.normal(0, 3, GROUPS), "deviation": rng.uniform(1, 9, GROUPS)}
        yield "inference", engine.inference(x, **given, **statistics)


def same(a: Iterator[Any], b: Iterator[Any]) -> None:
    for (name, found), (_, expected) in zip(a, b, strict=True):
        assert (found is None) == (expected is None)
        if expected is not None:
            np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize(("norm", "form"), one_in(3, BUILT))
def test_every_entry_form_and_direction(norm: str, form: str, sweeps: Sweeps) -> None:
    same(results(norm, form, 8, compiled=True), results(norm, form, 8))
    assert sweeps.served > 0 and sweeps.left == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "form"), [("l1", "positive-part"), ("l2", "one-pass"), ("range", "two-sweep"), ("layer", "two-pass")]
)
@pytest.mark.parametrize("bits", [4, 12, 24])
def test_other_widths(norm: str, form: str, bits: int, sweeps: Sweeps) -> None:
    """At 24 bits the last sweep of a backward pass is left to NumPy where J * x or a term of range has 63 bits."""
    same(results(norm, form, bits, compiled=True), results(norm, form, bits))
    assert sweeps.served > 0
    assert (sweeps.left > 0) == (bits == 24 and norm != "l1")


@pytest.mark.parametrize(("norm", "m"), [("layer", 64), ("layer-l1", 6)])
def test_a_group_that_is_shorter_than_a_step(norm: str, m: int) -> None:
    """What a whole step of the widest products would sum up to has more than 64 bits."""
    x = np.random.default_rng(0).integers(-(1 << 23), 1 << 23, (2, m))
    slow, fast = (Engine(norm, 24, m, compiled=compiled) for compiled in (False, True))
    found = [engine.backward(x, engine.forward(x).saved) for engine in (slow, fast)]
    np.testing.assert_array_equal(found[0].dx, found[1].dx)
    np.testing.assert_array_equal(found[0].dgamma, found[1].dgamma)


def reversed_axes(v: Ints) -> Ints:
    return np.ascontiguousarray(v.T).T


def channels_in_the_middle(v: Ints) -> Ints:
    """(groups, samples, pixels) as (samples, groups, pixels) lies in memory; long enough to be read in place."""
    return np.ascontiguousarray(v.reshape(len(v), 2, -1).swapaxes(0, 1)).swapaxes(0, 1)


def every_second(v: Ints) -> Ints:
    return np.repeat(v, 2, axis=1)[:, ::2]


def narrow(v: Ints) -> Ints:
    return v.astype(np.int8)


def read_only(v: Ints) -> Ints:
    v.flags.writeable = False
    return v


@pytest.mark.parametrize("short", [1, 256])
@pytest.mark.parametrize("as_laid", [reversed_axes, channels_in_the_middle, every_second, narrow, read_only])
@pytest.mark.parametrize("norm", ["l1", "layer", "range-fs"])
def test_every_layout(norm: str, as_laid: Callable[[Ints], Ints], short: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "SHORT", short)
    form = next(iter(CATALOG[norm].forms))

    def flat(found: Iterator[Any]) -> Iterator[Any]:
        return ((name, v if v is None else np.reshape(v, -1)) for name, v in found)

    same(flat(results(norm, form, 8, as_laid, compiled=True)), flat(results(norm, form, 8)))


@pytest.mark.parametrize("elements", [1, 2, 8191, 8192, 8193, 20000])
def test_sums_over_more_than_a_step(elements: int) -> None:
    x = np.full((3, elements), -128, np.int8)
    x[:, ::2] = 127
    for norm in ("l1", "l2"):
        plain, fast = (Engine(norm, 8, elements, compiled=c).forward(x) for c in (False, True))
        same(
            iter([("y", fast.y), ("S", fast.saved.values["S"].v)]),
            iter([("y", plain.y), ("S", plain.saved.values["S"].v)]),
        )


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_it_allocates_hardly_more_than_the_output(norm: str) -> None:
    x = np.random.default_rng(0).integers(-128, 128, (16, 64, 56, 56), dtype=np.int8).transpose(1, 0, 2, 3)
    engine = Engine(norm, 8, x[0].size, compiled=True)
    engine.forward(x[:2])  # graphs, formats and machine code are made once
    tracemalloc.start()
    engine.forward(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 1.1 * x.nbytes


def test_without_numba_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled._compiled.cache_clear()
    with pytest.raises(MissingTool, match=r"compiled=True needs numba: pip install 'hwnorm\[fast\]'"):
        Engine("l1", 8, 4, compiled=True).forward(np.array([[1, 2, 3, 4]]))


def test_checked_sweeps_are_not_compiled() -> None:
    with pytest.raises(ValueError, match="give one"):
        Engine("l1", 8, 4, checked=True, compiled=True)
