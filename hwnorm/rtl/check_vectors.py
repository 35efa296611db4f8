"""The golden vectors of a folder, read back as groups. A file that was cut or edited is named with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwnorm.errors import InputError
from hwnorm.fixed import Ints
from hwnorm.rtl.check_streams import Groups, Layout

AGAIN = "make the folder again with hwnorm gen-rtl"
FILES = {
    "groups_in.hex": "groups",
    "groups_out.hex": "groups",
    "stream_in.hex": "elements",
    "stream_out.hex": "elements",
}


def golden(folder: Path, about: Mapping[str, Any], layouts: Sequence[Layout]) -> list[Groups]:
    """Groups of one layer and length in a row are one entry."""
    words = {file: _read(folder / "vectors" / file, file, about["vectors"]) for file in FILES if _has(about, file)}
    names: dict[str, list[str]] = {file: list(about["vectors"][file]) for file in words}
    groups_in = words["groups_in.hex"]
    lengths = [row[-1] for row in groups_in]
    if sum(lengths) != about["vectors"]["elements"] or min(lengths, default=0) < 1:
        raise InputError(f"{folder}/vectors/groups_in.hex: lengths do not add up to the elements; {AGAIN}")
    fields = {f.prefix: [s.name for s in f.fields] for f in layouts}
    of_layer, of_group = fields.get("layer", []), fields.get("group", [])
    ends, found, at = np.cumsum(lengths), [], 0
    key = [(tuple(row[: len(of_layer)]), row[-1]) for row in groups_in]
    while at < len(key):
        end = next((k for k in range(at, len(key)) if key[k] != key[at]), len(key))
        m, start = lengths[at], int(ends[at]) - lengths[at]
        span = slice(start, int(ends[end - 1]))

        def columns(file: str, wanted: Sequence[str], rows: slice, shape: tuple[int, ...]) -> dict[str, Ints]:
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
                columns("groups_in.hex", of_group, here, (end - at,)),
                columns("stream_in.hex", names.get("stream_in.hex", []), span, shape),
                columns("stream_out.hex", names.get("stream_out.hex", []), span, shape),
                columns("groups_out.hex", names.get("groups_out.hex", []), here, (end - at,)),
            )
        )
        at = end
    return found


def _has(about: Mapping[str, Any], file: str) -> bool:
    names = about["vectors"].get(file)
    if not isinstance(names, list):
        raise InputError(f"manifest.json: 'vectors' does not say what is in {file}; {AGAIN}")
    return bool(names)


def _read(path: Path, file: str, about: Mapping[str, Any]) -> list[list[int]]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as fault:
        raise InputError(f"{path}: cannot be read: {fault}") from None
    count = about.get(FILES[file])
    if len(lines) != count:
        raise InputError(f"{path}: has {len(lines)} lines, the manifest says {count}: it was cut or edited; {AGAIN}")
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = [int(word, 16) for word in line.split()]
        except ValueError:
            raise InputError(f"{path}, line {number}: {line!r} are no hexadecimal numbers; {AGAIN}") from None
        if len(row) != len(about[file]):
            raise InputError(f"{path}, line {number}: has {len(row)} words instead of {len(about[file])}; {AGAIN}")
        rows.append(row)
    return rows


def _array(values: list[int]) -> Ints:
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.array(values, object)
