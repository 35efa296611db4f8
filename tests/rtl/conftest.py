"""Simulators in tests: one that is missing skips what needs it, with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwnorm.errors import MissingTool
from hwnorm.rtl import simulate


@pytest.fixture
def simulator() -> Callable[[str], simulate.Simulator]:
    def found(name: str) -> simulate.Simulator:
        try:
            return simulate.find(name)
        except MissingTool as missing:
            pytest.skip(str(missing))

    return found
