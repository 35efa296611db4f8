"""The few ways in which hwnorm says no.

Wrong arguments of a Python call are plain ``ValueError`` and ``TypeError``, as everywhere in Python. The classes here
carry what the command line needs on top: the exit code. Every message names the thing, where it stands (file, line or
key) and the way out, in one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class HwnormError(Exception):
    """Base of all faults that are not the program's own; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class InputError(HwnormError, ValueError):
    """A file, a network or a value is wrong."""


class MissingTool(HwnormError):
    """A tool or an optional package is not installed, or too old."""

    exit_code = 3


class ToolFailed(HwnormError):
    """A tool ran and failed, or a check found a mismatch."""

    exit_code = 4


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, in whatever case, or all of them where none is
    near."""
    names = sorted(known)
    folded = {one.casefold(): one for one in names}
    near = get_close_matches(str(name).casefold(), folded, n=1)
    return f"did you mean {folded[near[0]]!r}?" if near else f"known: {', '.join(names)}"
