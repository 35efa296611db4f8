"""Standard cells in the model: energy by hand, memories that stay what they are, a fit of engines made up."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hwnorm.cache import HOME, code_of
from hwnorm.cost.blocks import FAMILIES, mapped
from hwnorm.cost.cells import LIBRARIES, OWN_CODE, Energy
from hwnorm.cost.experiments import IN_CELLS, Experiment, checked_on, fitted_to, table_engines
from hwnorm.cost.fitting import Sample, fit_coefficients, predicted
from hwnorm.cost.quantities import energy


def test_energy_by_hand() -> None:
    one = Energy(cycle_pj=2.0, beat_pj=5.0, group_pj=100.0)
    assert one.pj(1000, 800, 10) == 2 * 1000 + 5 * 800 + 100 * 10
    plan = Experiment("l1", "positive-part", "forward", 8, 4, 4096).design().plan
    assert plan.min_beats < 1024  # so that a group of 4096 is followed by the next at once
    assert one.per_element(plan, 4096) == (2 * 1024 + 5 * 1024 + 100) / 4096
    short = plan.shape.lanes * 3  # 3 beats, and the next group waits for the stage
    assert one.per_element(plan, short) == (2 * plan.min_beats + 5 * 3 + 100) / short


@pytest.mark.parametrize("file", ["gates/power.py", "gates/tables.py", "gates/timing.py", "synth/mapping.py"])
def test_what_is_measured_anew_when_our_own_code_changes(file: str) -> None:
    assert (HOME / file).read_text() in code_of(*OWN_CODE)
    assert (HOME / "engine.py").read_text() not in code_of(*OWN_CODE)


@pytest.mark.parametrize(("words", "kind"), [(16, "registers"), (64, "registers"), (65, "macro"), (4096, "macro")])
def test_what_becomes_flip_flops(words: int, kind: str) -> None:
    assert mapped(FAMILIES["osu018"], words, 10).kind == kind
    assert mapped(FAMILIES["osu018"], words, 10).bits == 10 * words


def test_libraries_have_a_family() -> None:
    assert set(LIBRARIES) <= set(FAMILIES)


def test_what_is_checked_is_not_what_is_fitted() -> None:
    fitted, checked = fitted_to(IN_CELLS), checked_on(IN_CELLS)
    assert len(fitted) == 80 and len(checked) == 100
    assert not set(fitted) & set(checked)
    assert set(table_engines(IN_CELLS)) <= set(fitted)
    drawn = {*fitted, *checked} - set(table_engines(IN_CELLS))
    assert max(one.elements for one in drawn if one.fixed) <= 256  # whole groups of them are simulated


def test_a_fit_finds_what_engines_were_made_of() -> None:
    """Engines whose parts are exact sums: the coefficients come back, and with them energies of a stage, which are a
    group's and grow with its length."""
    rng, samples = np.random.default_rng(5), []
    for _ in range(40):
        adder, result, divider, latency = (int(n) for n in rng.integers(10, 200, 4))
        found = {
            "sweep_1": Counter(adder_bits=adder, result_bits=result),
            "stage_1": Counter(divider_bits=divider, latency=latency),
            "frame": Counter[str](),
        }
        measured = {
            "sweep_1": {
                "area": 100.0 * adder + 80 * result,
                "ff": result,
                "clock": 0.1 * result,
                "active": 0.2 * adder,
            },
            "stage_1": {
                "area": 300.0 * divider,
                "ff": divider,
                "clock": 0.1 * divider,
                "active": 0.01 * divider * latency,
            },
            "frame": {},
        }
        samples.append(Sample(found, measured))
    coefficients = fit_coefficients(samples)
    engine = {
        "sweep_1": Counter(adder_bits=50, result_bits=60),
        "stage_1": Counter(divider_bits=20, latency=30),
        "frame": Counter[str](),
    }
    assert predicted(coefficients, "area", engine) == pytest.approx(50 * 100 + 60 * 80 + 20 * 300, rel=0.02)
    assert predicted(coefficients, "ff", engine) == pytest.approx(80, rel=0.02)
    told = energy(coefficients, engine)
    assert told.cycle_pj == pytest.approx(8.0, rel=0.02)
    assert told.beat_pj == pytest.approx(10.0, rel=0.02)
    assert told.group_pj == pytest.approx(0.01 * 20 * 30, rel=0.02)
