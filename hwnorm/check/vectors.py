"""The golden vectors of a folder, read back as groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwnorm.check.groups import Groups
from hwnorm.check.ports import Layout
from hwnorm.errors import InputError
from hwnorm.fixed import Ints

AGAIN = "make the folder again with hwnorm gen-rtl"
FILES = ("groups_in.hex", "groups_out.hex", "stream_in.hex", "stream_out.hex")


def golden(folder: Path, about: Mapping[str, Any], layouts: Sequence[Layout]) -> list[Groups]:
    """Groups of one layer and length in a row are one entry. The files are those that the manifest was written with."""
    columns = about["vectors"]
    words = {file: _read(folder / "vectors" / file, columns.get(file)) for file in FILES if columns.get(file) != []}
    names: dict[str, list[str]] = {file: list(columns[file]) for file in words}
    groups_in = words["groups_in.hex"]
    lengths = [row[-1] for row in groups_in]
    fields = {f.prefix: [s.name for s in f.fields] for f in layouts}
    of_layer, of_group = fields.get("layer", []), fields.get("group", [])
    ends, found, at = np.cumsum(lengths), [], 0
    key = [(tuple(row[: len(of_layer)]), row[-1]) for row in groups_in]
    while at < len(key):
        end = next((k for k in range(at, len(key)) if key[k] != key[at]), len(key))
        m, start = lengths[at], int(ends[at]) - lengths[at]
        span = slice(start, int(ends[end - 1]))

        def columns_of(file: str, wanted: Sequence[str], rows: slice, shape: tuple[int, ...]) -> dict[str, Ints]:
            return {
                name: _array([row[names[file].index(name)] for row in words[file][rows]]).reshape(shape)
                for name in wanted
            }

        shape, here = (end - at, m), slice(at, end)
        found.append(
            Groups(
                "vectors",
                at,
                m,
                end - at,
                dict(zip(of_layer, key[at][0], strict=True)),
                columns_of("groups_in.hex", of_group, here, (end - at,)),
                columns_of("stream_in.hex", names.get("stream_in.hex", []), span, shape),
                columns_of("stream_out.hex", names.get("stream_out.hex", []), span, shape),
                columns_of("groups_out.hex", names.get("groups_out.hex", []), here, (end - at,)),
            )
        )
        at = end
    return found


def _read(path: Path, names: object) -> list[list[int]]:
    rows = [[int(word, 16) for word in line.split()] for line in path.read_text(encoding="ascii").splitlines()]
    if not isinstance(names, list) or any(len(row) != len(names) for row in rows):
        raise InputError(f"{path}: the manifest's 'vectors' does not say what its words are; {AGAIN}")
    return rows


def _array(values: list[int]) -> Ints:
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.array(values, object)
