"""Optional packages in tests: a test that needs one is skipped with the reason, except in CI, where it fails."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest


def needed(name: str) -> Any:
    if os.environ.get("CI"):
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"needs the package {name}")
