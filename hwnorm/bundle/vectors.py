"""Golden vectors as text: one line a group or an element, each word a signed hexadecimal number.

    groups_in.hex    the group's layer registers, its own registers, dx_frac, its length
    stream_in.hex    an element of the input stream
    stream_out.hex   an element of the output stream
    groups_out.hex   what is known of the group at the end

The names of the words, in order, stand in the manifest; so do digests, which tell a file that was changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hwnorm.errors import InputError
from hwnorm.precision import quantise
from hwnorm.views.int_ref import Call, Value


@dataclass
class Vectors:
    """Lines of each file, and the words that they are made of. A word ``K_frac`` is the exponent of K."""

    layer: tuple[str, ...]
    group: tuple[str, ...]
    streams_in: tuple[str, ...]
    streams_out: tuple[str, ...]
    result: tuple[str, ...]
    files: dict[str, list[str]] = field(default_factory=dict)

    def add(self, call: Call, registers: Mapping[str, int]) -> None:
        """The groups of one call, with what the reference makes of them; ``registers`` are those of its layer."""
        found = call.run()
        groups = max(len(v.v) for v in call.inputs.values() if v.v.ndim > 1)
        elements = call.setting.m
        for g in range(groups):
            words = [registers[name] for name in self.layer]
            words += [word(call.inputs, name, g) for name in self.group]
            self._line("groups_in.hex", [*words, call.program.precision.dx_frac, elements])
            self._line("groups_out.hex", [word(found, name, g) for name in self.result])
        for file, names, source in (
            ("stream_in.hex", self.streams_in, call.inputs),
            ("stream_out.hex", self.streams_out, found),
        ):
            rows = [_stream(source[name], groups, elements) for name in names]
            for g in range(groups):
                for element in zip(*(row[g].tolist() for row in rows), strict=True):
                    self._line(file, element)

    def _line(self, file: str, words: Sequence[int]) -> None:
        self.files.setdefault(file, []).append(" ".join(format(int(one), "x") for one in words))

    def render(self) -> dict[str, bytes]:
        return {name: ("\n".join(lines) + "\n").encode() for name, lines in self.files.items()}


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def check_unchanged(folder: Path, about: Mapping[str, Any]) -> None:
    """InputError where a file of vectors is not the one that the folder's manifest was written with."""
    kept = about["vectors"].get("sha256")
    if not isinstance(kept, dict):
        raise InputError(f"{folder / 'manifest.json'}: no digests of the vectors ('sha256'); make the folder again")
    for name, digest in kept.items():
        path = folder / "vectors" / name
        try:
            data = path.read_bytes()
        except OSError as fault:
            raise InputError(f"{path}: cannot be read: {fault.strerror}; make the folder again") from None
        if digests({name: data})[name] != digest:
            raise InputError(f"{path}: was cut or edited: it has not the manifest's digest; make the folder again")


def layer_words(call: Call) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, node in call.program.graph.layer_registers.items():
        assert callable(node.value)
        found[name], found[f"{name}_frac"] = quantise(
            Fraction(node.value(call.setting)), call.program.precision.role(node.role)
        )
    return found


def word(values: dict[str, Value], name: str, g: int) -> int:
    if name not in values and name.endswith("_frac"):
        frac = values[name.removesuffix("_frac")].frac
        return frac if isinstance(frac, int) else int(frac[g if len(frac) > 1 else 0, 0])
    v = values[name].v
    return int(v[g if len(v) > 1 else 0].flat[0])


def _stream(value: Value, groups: int, elements: int) -> np.ndarray:
    rows = value.v.reshape(len(value.v), -1)
    return np.broadcast_to(rows, (groups, elements))
