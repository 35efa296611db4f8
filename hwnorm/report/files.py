"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hwnorm.errors import InputError


def write_whole(path: Path, data: bytes) -> None:
    """Through a neighbour that takes the file's place once it is complete: an interrupted run leaves nothing. What is
    no file (a device, a pipe) is written to, a link is followed."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except OSError as fault:
        raise InputError(f"{path}: cannot be written: {fault.strerror or fault}") from None


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
