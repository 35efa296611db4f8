"""Integers that must not change unnoticed: y and dx of every norm and form at 8 bits and 33 elements.

They say nothing about right or wrong (tests/test_accuracy.py does), only that the arithmetic is the same as when they
were written. A wanted change: ``pytest tests/test_golden_vectors.py --update-golden``, and a word in the changelog.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streams
import truth

from hwnorm.engine import Engine
from hwnorm.norms.catalog import CATALOG

FILE = Path(__file__).parent / "golden" / "vectors_b8_m33.json"
BITS, M, GROUPS = 8, 33, 2
CASES = [f"{norm.name}/{form}" for norm in CATALOG.values() for form in norm.forms]
SAME = {"group": "layer", "final-only": "srelu"}


def entry(case: str) -> str:
    """Every form of a norm has the same integers, and so has every way to draw the same sample."""
    name = case.split("/")[0]
    return f"{name.split('-')[0]}-sampled" if CATALOG[name].sampling else SAME.get(name, name)


def vectors(case: str) -> dict[str, Any]:
    """Deterministic without a random generator: the file must not depend on a version of NumPy."""
    name, form = case.split("/")
    engine = Engine(name, BITS, M, form=form, checked=True)
    i = np.arange(GROUPS * M).reshape(GROUPS, M)
    x = (i * i * 7 + i * 13) % 251 - 125
    x[1] = np.maximum(x[1] // 4 + 20, 0)  # a narrow group, off centre, one-sided
    dy = (i * 29 + i * i * 3) % 255 - 127
    per_element = name in truth.PER_ELEMENT
    gamma = np.linspace(-2, 2, M) if per_element else np.array([1.0, -1.75])
    beta = np.linspace(1, -1, M) if per_element else np.array([0.5, -0.25])
    masks = {"sampled": i[0] < 11} if CATALOG[name].sampling else {}
    found: dict[str, Any] = {}
    if "forward" in engine.directions:
        out = engine.forward(x, gamma, beta, **masks)
        back = engine.backward(dy, out.saved)
        found |= {"y": out.y, "dx": back.dx, "dx_frac": back.dx_frac}
    if "inference" in engine.directions and not masks:
        running = {"mean": [-0.5, 21.25], "deviation": [70.0, 9.5]}
        if "scale" in engine.graph("inference").inputs or not found or name == "mean-only":
            found["inference"] = engine.inference(x, gamma, beta, **running)
    return {key: np.asarray(value).tolist() for key, value in found.items()}


@pytest.mark.parametrize("case", CASES)
def test_vectors(case: str, update_golden: bool) -> None:
    golden = json.loads(FILE.read_text()) if FILE.exists() else {}
    found = vectors(case)
    if update_golden:
        golden[entry(case)] = found
        lines = (f"{json.dumps(name)}: {json.dumps(golden[name], separators=(',', ':'))}" for name in sorted(golden))
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return
    assert entry(case) in golden, f"{case} has no vectors yet: --update-golden writes them"
    assert found == golden[entry(case)], f"{case}: the arithmetic has changed"


def test_no_vectors_of_what_is_gone() -> None:
    assert set(json.loads(FILE.read_text())) == {entry(case) for case in CASES}


def test_vectors_are_within_their_formats() -> None:
    lo, hi = streams.rails(BITS)
    for case, held in json.loads(FILE.read_text()).items():
        for key in ("y", "dx", "inference"):
            if key in held:
                assert lo <= np.min(held[key]) <= np.max(held[key]) <= hi, (case, key)
