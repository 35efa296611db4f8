"""Results that take long to make, kept by the content they were made from.

Under ``$HWNORM_CACHE``, else in the user's folder for caches; an empty ``HWNORM_CACHE`` keeps nothing. A cache that
cannot be read or written is as good as none.
"""

from __future__ import annotations

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
    key = hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in made_from).encode()).hexdigest()
    home = folder()
    path = None if home is None else home / kind / f"{key}.z"
    if path is not None:
        try:
            return zlib.decompress(path.read_bytes())
        except (OSError, zlib.error):
            pass  # not there, or spoilt: it is made again
    data = make()
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, zlib.compress(data, 1))
        except (OSError, HwnormError) as fault:
            LOG.info("%s: not cached: %s", path, fault)
    return data
