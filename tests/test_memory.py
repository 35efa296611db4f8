"""What one forward pass allocates at its peak, beside its input: the output, and blocks that stay in cache."""

import tracemalloc

import numpy as np
import pytest

from hwnorm.engine import Engine


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_forward_pass_allocates_at_most_one_and_a_half_times_its_input(norm: str) -> None:
    x = np.random.default_rng(0).integers(-128, 128, (64, 64, 56, 56), dtype=np.int8)
    engine = Engine(norm, 8, x[0].size)
    engine.forward(x[:1])  # graphs and formats are built once
    tracemalloc.start()
    engine.forward(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 1.5 * x.nbytes
