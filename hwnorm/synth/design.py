"""A Verilog file and the module in it that is synthesised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hwnorm.errors import InputError, did_you_mean

MODULE = re.compile(r"(?:^|;|\*\)|\bendmodule\b)\s*(?:macro)?module\s+\\?(\w+)", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
INCLUDE = re.compile(rf'{COMMENT.pattern}|`include\s+"([^"\n]*)"', re.DOTALL)
DATA = re.compile(r"\$readmem[bh]")


@dataclass(frozen=True, slots=True)
class Design:
    verilog: str
    top: str
    file_name: str


def design_of(path: Path, top: str | None = None) -> Design:
    """Of a file with what it includes; InputError where it is no Verilog, or does not say which module."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    text = _with_included(path)
    bare = COMMENT.sub("", text)
    if DATA.search(bare):  # what is kept would not depend on the data
        raise InputError(f"{path}: $readmem reads another file, which is not followed: assign the words instead")
    modules = MODULE.findall(bare)
    if not modules:
        raise InputError(f"{path}: has no module: not Verilog")
    wanted = top or (path.stem if path.stem in modules else modules[0] if len(modules) == 1 else None)
    if wanted is None:
        raise InputError(f"{path}: has several modules, say which with --top: {', '.join(modules)}")
    if wanted not in modules:
        raise InputError(f"{path}: has no module {wanted!r}: {did_you_mean(wanted, modules)}")
    return Design(text, wanted, re.sub(r"[^\w.]", "_", path.name))


def _with_included(path: Path, among: tuple[Path, ...] = ()) -> str:
    """A name is looked for beside the file that includes it. One that is not there, or includes itself, is left as it
    is: yosys says so, unless the condition that it stands under does not hold."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{path}: cannot be read as Verilog: {fault}") from None
    around = (*among, path.resolve())

    def included(found: re.Match[str]) -> str:
        part = path.parent / (found[1] or "")
        follows = found[1] is not None and part.is_file() and part.resolve() not in around
        return _with_included(part, around) if follows else found[0]

    return INCLUDE.sub(included, text)
