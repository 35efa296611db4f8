"""Liberty files: by path, or by the name of one that a system package installs. None comes with hwnorm."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hwnorm.errors import InputError, MissingTool, did_you_mean

if TYPE_CHECKING:  # an estimate asks for names alone, and within half a second
    from hwnorm.gates import Library

QFLOW = Path("/usr/share/qflow/tech")
INSTALLED = {  # name -> where Debian's packages put it
    "osu018": QFLOW / "osu018" / "osu018_stdcells.lib",
    "osu035": QFLOW / "osu035" / "osu035_stdcells.lib",
    "osu050": QFLOW / "osu050" / "osu05_stdcells.lib",
}


def find_liberty(wanted: str) -> Path:
    """MissingTool for a name whose package is not installed; InputError for neither a file nor a name."""
    path = Path(wanted)
    if path.is_file():
        return path
    if wanted in INSTALLED:
        if INSTALLED[wanted].is_file():
            return INSTALLED[wanted]
        raise MissingTool(f"{wanted}: {INSTALLED[wanted]} is not there; apt-get install qflow-tech-{wanted}")
    raise InputError(f"{wanted}: no such Liberty file, nor the name of one: {did_you_mean(wanted, INSTALLED)}")


def library(wanted: str) -> tuple[Library, str]:
    """Read, and its text; InputError where it is no Liberty file."""
    path = find_liberty(wanted)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> tuple[Library, str]:
    from hwnorm.gates.liberty import Library, text_of

    text = text_of(path)
    return Library.from_text(text, str(path)), text
