"""Files appear whole or not at all."""

from __future__ import annotations

import json
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
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_beside(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _beside(path: Path) -> str:
    """How a neighbour's name begins. File systems limit the bytes of a name, and a character has up to four."""
    return f".{path.name[:50]}."


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A folder with these files, in the place of one that hwnorm made and nobody added to; any other is left alone."""
    try:
        path = path.resolve()
        if path.exists():
            _check_ours(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=_beside(path)))
        new, old = made / "new", made / "old"
        try:
            _fill(new, files)
            if path.exists():
                path.rename(old)  # aside first: at no moment is there half a folder
            new.rename(path)
        finally:
            if old.exists() and not path.exists():  # the new one did not get there
                old.rename(path)
            shutil.rmtree(made, ignore_errors=True)
    except OSError as fault:
        raise InputError(f"{path}: cannot be written: {fault.strerror or fault}") from None


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _check_ours(path: Path) -> None:
    """Ours is a folder whose manifest says so and lists every file in it."""
    try:
        manifest = json.loads((path / MARK).read_text(encoding="utf-8"))
        listed = set(manifest["files"]) if str(manifest["schema"]).startswith("hwnorm.") else None
    except (OSError, ValueError, KeyError, TypeError):
        listed = None
    if listed is None:
        raise InputError(f"{path}: exists and was not made by hwnorm; name another folder with -o")
    found = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_symlink() or not file.is_dir()}
    added = sorted(found - listed)
    if added:
        raise InputError(f"{path}: holds {added[0]}, which hwnorm did not write; name another folder with -o")
