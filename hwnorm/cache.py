"""Results that take long to make, kept by the content they were made from.

Under ``$HWNORM_CACHE``, else in the user's folder for caches; an empty ``HWNORM_CACHE`` keeps nothing. A cache that
cannot be read or written is as good as none.

What a tool answers is made from its version and all that it was given; what our own code works out is made from that
code as well, and names it with `code_of`.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from hwnorm.errors import HwnormError
from hwnorm.files import write_whole

LOG = logging.getLogger("hwnorm")
HOME = Path(__file__).parent
VARIABLE = "HWNORM_CACHE"  # a folder; empty: no cache


def folder() -> Path | None:
    """Where it is: what the variable says, or the user's folder for caches."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE]) if os.environ[VARIABLE] else None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    match sys.platform:
        case "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        case "darwin":
            base = home / "Library" / "Caches"
        case _:
            base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "hwnorm"


def cached(kind: str, made_from: tuple[str, ...], make: Callable[[], bytes]) -> bytes:
    """``make()``, or what it returned when it was asked with the same ``made_from`` before."""
    data = load(kind, made_from)
    if data is None:
        data = make()
        store(kind, made_from, data)
    return data


@functools.cache
def code_of(*places: str) -> str:
    """The source of files of this package, and of rooms with all their files: ``code_of("gates", "synth/flow.py")``."""
    found = [HOME / place for place in places]
    files = [file for path in found for file in (sorted(path.glob("*.py")) if path.is_dir() else [path])]
    return "".join(file.read_text(encoding="utf-8") for file in files)


def load(kind: str, made_from: tuple[str, ...]) -> bytes | None:
    """What was stored with the same ``made_from``; None where nothing is, or what is there is spoilt."""
    path = _path(kind, made_from)
    try:
        return zlib.decompress(path.read_bytes()) if path else None
    except (OSError, zlib.error):
        return None


def store(kind: str, made_from: tuple[str, ...], data: bytes) -> None:
    """Whole or not at all, whoever else does it at the same time."""
    path = _path(kind, made_from)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, zlib.compress(data, 1))
    except (OSError, HwnormError) as fault:
        LOG.info("%s: not cached: %s", path, fault)


def _path(kind: str, made_from: tuple[str, ...]) -> Path | None:
    """No two different lists of texts have the same."""
    home = folder()
    key = hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in made_from).encode()).hexdigest()
    return home and home / kind / f"{key}.z"
