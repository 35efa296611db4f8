"""The clock's model: engines whose slowest path is known."""

from __future__ import annotations

import random

from hwnorm.cost.speed import fit_path, period_ns


def engines(count: int, seed: int = 1) -> list[tuple[dict[str, float], float]]:
    """Control and wires, or a product, whichever is slower."""
    draws, found = random.Random(seed), []
    for _ in range(count):
        size, chain, bits = draws.uniform(8, 14), draws.randint(6, 30), draws.choice([0, 0, 10, 20, 40])
        period = max(2.0 + 0.1 * size, 0.1 * chain, (1.0 + 0.1 * bits) if bits else 0.0)
        amounts = {"always": 1.0, "log2_size": size, "chain": float(chain), "log2_chain": 0.0, "kept": 0.0}
        amounts |= {"log2_lanes": 0.0, "log2_beats": 0.0, "product": float(bits > 0), "product_bits": float(bits)}
        amounts |= {"root_size": 0.0, "root_memory": 0.0}
        found.append((amounts, 1e3 / period))
    return found


def test_each_engine_has_the_clock_of_its_slowest_path() -> None:
    path = fit_path(engines(60))
    errors = [abs(1e3 / period_ns(path, amounts) / mhz - 1) for amounts, mhz in engines(60, seed=2)]
    assert sum(errors) / len(errors) < 0.02 and max(errors) < 0.1


def test_where_no_engine_has_a_product_none_is_told() -> None:
    few = [(amounts, mhz) for amounts, mhz in engines(60) if not amounts["product"]]
    assert set(fit_path(few)["product"].values()) == {0.0}
