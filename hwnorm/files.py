"""Files appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hwnorm.errors import InputError

MARK = "manifest.json"  # a folder of ours has one that names us


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


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A folder with these files, in the place of one that hwnorm made before; any other is left alone."""
    if path.exists() and not is_ours(path):
        raise InputError(f"{path}: exists and was not made by hwnorm; name another folder with -o")
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        made.chmod(0o755)
        for name, data in files.items():
            target = made / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        if path.exists():
            shutil.rmtree(path)
        made.replace(path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def is_ours(path: Path) -> bool:
    mark = path / MARK
    return mark.is_file() and b'"hwnorm' in mark.read_bytes()[:4096]
