"""No test reads what another run has kept, or leaves anything behind."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HWNORM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
