"""Every register runs through all states but 0."""

from __future__ import annotations

import numpy as np
import pytest
from simulator import Simulator

from hwnorm.units import Lfsr
from hwnorm.units.lfsr import TAPS


def columns(width: int) -> list[int]:
    """What a step makes of each bit of the state alone: a step is linear."""
    return [Lfsr(width).compute(1 << i) for i in range(width)]


def apply(matrix: list[int], state: int) -> int:
    found = 0
    for i, column in enumerate(matrix):
        if state >> i & 1:
            found ^= column
    return found


def power(matrix: list[int], exponent: int) -> list[int]:
    found = [1 << i for i in range(len(matrix))]
    while exponent:
        if exponent & 1:
            found = [apply(matrix, column) for column in found]
        matrix, exponent = [apply(matrix, column) for column in matrix], exponent >> 1
    return found


def prime_factors(n: int) -> set[int]:
    found, p = set(), 2
    while p * p <= n:
        while n % p == 0:
            found.add(p)
            n //= p
        p += 1
    return found | ({n} if n > 1 else set())


@pytest.mark.parametrize("width", TAPS)
def test_maximal_length(width: int) -> None:
    """The step's order is 2**width - 1: that power of it is the identity, and no power by a proper divisor is."""
    period, identity = (1 << width) - 1, [1 << i for i in range(width)]
    assert power(columns(width), period) == identity
    assert all(power(columns(width), period // p) != identity for p in prime_factors(period))


@pytest.mark.parametrize("width", [4, 8, 12])
def test_every_state_but_zero(width: int) -> None:
    states, state = set(), 1
    while state not in states:
        states.add(state)
        state = Lfsr(width).compute(state)
    assert states == set(range(1, 1 << width)) and state == 1


@pytest.mark.parametrize("width", TAPS)
def test_hardware(width: int) -> None:
    enable = np.random.default_rng(width).integers(0, 2, 500)
    seed = (1 << width) - 3
    found = Simulator(Lfsr(width).hardware(seed)).stream(rst=np.arange(500) == 250, enable=enable)["state"]
    state = seed
    for cycle in range(500):
        assert found[cycle] == state
        state = seed if cycle == 250 else Lfsr(width).compute(state, int(enable[cycle]))


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="width must be an integer from 4 to 32, not 3"):
        Lfsr(3)
    with pytest.raises(ValueError, match="seed must be an integer from 1 to 15, not 0"):
        Lfsr(4).hardware(0)
