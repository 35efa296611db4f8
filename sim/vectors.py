"""Golden vectors as a host sees them: groups with their registers and elements, and what must come out of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Group:
    """``words``: its layer's registers and its own fields. Streams: the elements by the name of their field."""

    name: str
    elements: int
    words: dict[str, int]
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    result: dict[str, int]
    beats_sent: int | None = None  # of a group whose end comes too early or too late
    exact: bool = True  # False: what comes out of it is nobody's promise, but how many beats is

    @property
    def wrong(self) -> bool:
        return self.beats_sent is not None


def load(folders: Iterable[Path], manifest: dict[str, Any]) -> list[Group]:
    """The groups of all folders, in order; ValueError where a file does not fit the manifest."""
    return [group for folder in folders for group in _folder(folder, manifest["vectors"])]


def _folder(folder: Path, columns: dict[str, Any]) -> Iterable[Group]:
    heads, elements_in, elements_out, results = (
        _lines(folder / file, columns[file])
        for file in ("groups_in.hex", "stream_in.hex", "stream_out.hex", "groups_out.hex")
    )
    names_in, names_out = columns["stream_in.hex"], columns["stream_out.hex"]
    at = 0
    for number, (head, result) in enumerate(zip(heads, results or [[]] * len(heads), strict=True)):
        words = dict(zip(columns["groups_in.hex"], head, strict=True))
        count = words["elements"]
        rows_in, rows_out = elements_in[at : at + count], elements_out[at : at + count]
        at += count
        if len(rows_in) < count or len(rows_out) < count:
            raise ValueError(f"{folder}: group {number} has {count} elements, but its streams end before")
        yield Group(
            f"{folder.name} group {number}",
            count,
            words,
            {name: [row[k] for row in rows_in] for k, name in enumerate(names_in)},
            {name: [row[k] for row in rows_out] for k, name in enumerate(names_out)},
            dict(zip(columns["groups_out.hex"], result, strict=True)),
        )
    if at != len(elements_in):
        raise ValueError(f"{folder}: stream_in.hex goes on after the last group")


def _lines(path: Path, columns: list[str]) -> list[list[int]]:
    if not columns:
        return []
    rows = [[int(word, 16) for word in line.split()] for line in path.read_text(encoding="ascii").splitlines()]
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise ValueError(f"{path}:{number}: {len(row)} words, not the {len(columns)} of {' '.join(columns)}")
    return rows
