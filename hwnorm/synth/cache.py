"""Results by content: what went in is the key, so that nothing is ever out of date, and an interrupted run goes on.

Beside what `hwnorm.cache` keeps, as JSON. A cache that cannot be read or written is an empty one.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hwnorm.cache import folder
from hwnorm.errors import HwnormError
from hwnorm.files import write_whole


def key(*parts: str) -> str:
    """Of texts in an order: no two different lists have the same."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def get(name: str) -> dict[str, Any] | None:
    path = _path(name)
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def put(name: str, data: dict[str, Any]) -> None:
    path = _path(name)
    if path is None:
        return
    with suppress(OSError, HwnormError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(data).encode())


def _path(name: str) -> Path | None:
    home = folder()
    return home / "synth" / name[:2] / f"{name}.json" if home else None
