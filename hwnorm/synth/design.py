"""A Verilog file and the module in it that is synthesised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hwnorm.errors import InputError, did_you_mean

MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Design:
    verilog: str
    top: str
    file_name: str


def design_of(path: Path, top: str | None = None) -> Design:
    """Of a file; InputError where it is no Verilog, or does not say which module."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
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
