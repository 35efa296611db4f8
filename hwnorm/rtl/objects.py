"""``python -m hwnorm.rtl.objects CXX ARGUMENT ...``: compiles, but a file of a library only once.

Most of what Verilator has to compile for a design is its own run-time library, which is the same for all of them. Its
makefile calls this in front of the compiler.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hwnorm.cache import cached

LIBRARY = "verilated.h"  # stands beside its sources


class Failed(Exception):
    """The compiler has told why."""


def compile_once(command: Sequence[str]) -> int:
    """The compiler's exit code. What comes out of a source of the library depends on the command, the texts beside it,
    and which compiler it is; any other may include what was made of a design."""
    source, target = Path(command[-1]), Path(_behind("-o", command))
    if not (source.parent / LIBRARY).is_file():
        return subprocess.call(command)

    def made() -> bytes:
        if subprocess.call(command):
            raise Failed
        return target.read_bytes()

    texts = [path.read_text(encoding="utf-8") for path in (source, *sorted(source.parent.glob("*.h")))]
    version = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=False).stdout
    try:
        target.write_bytes(cached("objects", (*command, version, *texts), made))
    except Failed:
        return 1
    return 0


def _behind(flag: str, command: Sequence[str]) -> str:
    return command[command.index(flag) + 1] if flag in command[:-1] else ""


if __name__ == "__main__":
    sys.exit(compile_once(sys.argv[1:]))
