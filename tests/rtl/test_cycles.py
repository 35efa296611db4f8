"""The cycle formula, on random designs whose streams never pause: exact, and every result bit for bit the reference."""

from __future__ import annotations

import random

import numpy as np
import pytest
from streaming import run

from hwnorm.bundle.cases import _call, _data
from hwnorm.engine import Engine
from hwnorm.norms.catalog import CATALOG
from hwnorm.rtl.design import Design

LENGTHS = (1, 3, 12, 13, 32, 60, 200)
TABLES = [("l1", "forward", 8, 4, 1024), ("l1", "forward", 8, 1, 256), ("l2", "inference", 6, 3, 250)]


def check(norm: str, form: str, direction: str, bits: int, lanes: int, m: int, fixed: bool, apply: str) -> None:
    engine = Engine(norm, bits, form=form, **{"elements" if fixed else "max_elements": m})
    design = Design(engine, direction, lanes, apply=apply)
    x = _data(np.random.default_rng(m), bits, m)
    call = _call(engine, direction, np.concatenate([x, x])[:7], np.random.default_rng(bits))
    found, beats = run(design, call), -(-m // lanes)
    assert not found.wrong, found.wrong[0]
    assert found.cycles == design.plan.cycles(len(call.inputs["x"].v), beats), design


def drawn(seed: int) -> tuple[str, str, str, int, int, int, bool, str]:
    rng = random.Random(seed)
    norm = rng.choice([name for name, norm in CATALOG.items() if norm.forms])
    form = rng.choice(list(CATALOG[norm].forms))
    direction = rng.choice(list(Engine(norm, 8, 16, form=form).directions))
    shape = rng.choice([4, 6, 8, 10, 12]), rng.choice([1, 2, 3, 4, 5]), rng.choice(LENGTHS)
    return norm, form, direction, *shape, rng.random() < 0.5, rng.choice(["multiply", "multiply", "table"])


@pytest.mark.parametrize("seed", range(12))
def test_random_designs(seed: int) -> None:
    check(*drawn(seed))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12, 212))
def test_two_hundred_random_designs(seed: int) -> None:
    check(*drawn(seed))


@pytest.mark.parametrize(("norm", "direction", "bits", "lanes", "m"), TABLES)
def test_tables_that_follow_each_other_at_once(norm: str, direction: str, bits: int, lanes: int, m: int) -> None:
    """Groups of no more beats than a table has words: the last word of one is worked out as the next begins."""
    check(norm, next(iter(CATALOG[norm].forms)), direction, bits, lanes, m, True, "table")
