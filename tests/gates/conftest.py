"""Nothing of these tests comes from a cache, and none of it stays in the user's."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWNORM_CACHE", "")
