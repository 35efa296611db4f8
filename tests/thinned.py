"""Long lists of cases of which the default run takes some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def one_in(step: int, cases: Iterable[Sequence[Any]]) -> list[Any]:
    """The first case and each ``step``-th after it; the rest is slow."""
    return [
        pytest.param(*case, marks=() if number % step == 0 else pytest.mark.slow) for number, case in enumerate(cases)
    ]
