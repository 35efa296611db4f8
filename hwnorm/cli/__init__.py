"""The command line: arguments in, results on stdout, everything else on stderr.

Exit codes: 0 done, 1 the input is wrong, 2 the command line is wrong, 3 a tool is missing, 4 a tool or a check failed,
130 interrupted. An error is one line; a traceback comes only with --debug. An option stands beside the command that
reads it, in the file of its kind; each imports what it needs, so that none waits for another's packages.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - pathlib is slow to load
    try:
        from hwnorm.cli.commands import run  # whoever interrupts while it loads is answered too

        return run(arguments)
    except KeyboardInterrupt:
        print("hwnorm: error: interrupted", file=sys.stderr)
        return 130
