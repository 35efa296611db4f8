"""What ``hwnorm synth PATH`` means: a Verilog file, or a generated folder with the engines in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnorm.errors import InputError, did_you_mean

MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Design:
    verilog: str
    top: str
    file_name: str


def designs(path: Path, top: str | None = None) -> list[Design]:
    """One of a file or a folder, several of a folder with parts; InputError where the path is neither."""
    if path.is_dir():
        return _of_folder(path, top)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    return [_of_file(path, top)]


def _of_file(path: Path, top: str | None) -> Design:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{path}: cannot be read as Verilog: {fault}") from None
    modules = MODULE.findall(COMMENT.sub("", text))
    if not modules:
        raise InputError(f"{path}: has no module: not Verilog")
    wanted = top or (path.stem if path.stem in modules else modules[0] if len(modules) == 1 else None)
    if wanted is None:
        raise InputError(f"{path}: has several modules, say which with --top: {', '.join(modules)}")
    if wanted not in modules:
        raise InputError(f"{path}: has no module {wanted!r}: {did_you_mean(wanted, modules)}")
    return Design(text, wanted, re.sub(r"[^\w.]", "_", path.name))


def _of_folder(folder: Path, top: str | None) -> list[Design]:
    path = folder / "manifest.json"
    try:
        about: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder}: no manifest.json: not a folder that hwnorm generated") from None
    except (OSError, ValueError) as fault:
        raise InputError(f"{path}: cannot be read: {fault}") from None
    if not isinstance(about, dict):
        raise InputError(f"{path}: not a manifest of hwnorm")
    if about.get("kind") == "parts":
        names = about.get("parts")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n.isidentifier() for n in names):
            raise InputError(f"{path}: 'parts' must name folders in it")
        return [design for name in names for design in _of_folder(folder / name, top)]
    if about.get("kind") != "rtl":
        raise InputError(f"{path}: a folder of kind {about.get('kind')!r} has no Verilog; hwnorm gen-rtl makes one")
    name = about.get("name")
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"{path}: 'name' is missing or no name; make the folder again")
    source = folder / "rtl" / f"{name}.v"
    if not source.is_file():
        raise InputError(f"{folder}: rtl/{name}.v is missing; make the folder again")
    return [_of_file(source, top or name)]
