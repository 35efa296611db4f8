"""What a generated folder says of itself: every choice, every format, the words of its vectors, how it was made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import hwnorm
from hwnorm.bundle.vectors import Vectors, digests
from hwnorm.engine import Engine
from hwnorm.errors import InputError
from hwnorm.fixed import Format
from hwnorm.precision import Fixed, Relative, Scaled, Widened
from hwnorm.views.count import executed, traffic

SCHEMA = "hwnorm.manifest/1"
DEFAULT_MAX_ELEMENTS = 1024
REQUIRED: dict[str, type] = {
    **dict.fromkeys(("kind", "name", "norm", "form", "direction", "reciprocal"), str),
    **dict.fromkeys(("bits", "lanes", "guard"), int),
    "vectors": dict,
}


def manifest(
    engine: Engine, direction: str, lanes: int, kind: str, name: str, command: str, vectors: Vectors
) -> dict[str, Any]:
    program = engine.program(direction)
    operations = executed(program.schedule, program.types)
    moved = traffic(program.schedule, program.types)
    return {
        "schema": SCHEMA,
        "hwnorm": hwnorm.__version__,
        "kind": kind,
        "name": name,
        "command": command,
        "norm": engine.norm.name,
        "cite": engine.norm.cite,
        "form": engine.form,
        "direction": direction,
        "bits": engine.precision.bits,
        "guard": engine.precision.guard,
        "lanes": lanes,
        "elements": engine.elements,
        "max_elements": engine.max_elements,
        "reciprocal": engine.precision.reciprocal,
        "eps": engine.eps,
        "x_frac": engine.x_frac,
        "gaussian": engine.gaussian,
        "activation": engine.activation,
        "momentum_bits": engine.momentum_bits,
        "error_bound_lsb": engine.error_bound_lsb,
        "formats": {word: _format(engine, direction, word, fmt) for word, fmt in _formats(engine, direction).items()},
        "sweeps": moved.sweeps,
        "conditional_sweeps": moved.conditional,
        "bits_per_element": {"read": moved.read, "written": moved.written, "replayed": moved.replayed},
        "operations_per_group": {word: operations.expression(word) for word in sorted({key[0] for key in operations})},
        "vectors": {
            "groups_in.hex": [*vectors.layer, *vectors.group, "dx_frac", "elements"],
            "stream_in.hex": list(vectors.streams_in),
            "stream_out.hex": list(vectors.streams_out),
            "groups_out.hex": list(vectors.result),
            "groups": len(vectors.files["groups_in.hex"]),
            "elements": len(vectors.files["stream_in.hex"]),
            "sha256": digests(vectors.render()),
        },
    }


def parts(name: str, command: str, folders: tuple[str, ...], files: Iterable[str]) -> dict[str, Any]:
    """Of a folder that holds others."""
    head = {"schema": SCHEMA, "hwnorm": hwnorm.__version__, "kind": "parts"}
    return {**head, "name": name, "command": command, "parts": list(folders), "files": ["manifest.json", *files]}


def read(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The manifest of a generated folder, or those of its parts; InputError where it is none of ours."""
    path = folder / "manifest.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder}: no manifest.json: not a folder that hwnorm generated") from None
    except (OSError, ValueError) as fault:
        raise InputError(f"{path}: cannot be read: {fault}") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise InputError(f"{path}: not a manifest of this hwnorm ({SCHEMA})")
    if data.get("kind") == "parts":
        names = data.get("parts")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n.isidentifier() for n in names):
            raise InputError(f"{path}: 'parts' must name folders in it")
        return [entry for name in names for entry in read(folder / name)]
    for key, kind in REQUIRED.items():
        if not isinstance(data.get(key), kind):
            raise InputError(f"{path}: {key!r} is missing or no {kind.__name__}; make the folder again")
    return [(folder, data)]


def engine_of(choices: Mapping[str, Any]) -> Engine:
    """The engine that options or a manifest describe."""
    longest = choices.get("max_elements") if choices.get("elements") is None else None
    return Engine(
        choices["norm"],
        choices["bits"],
        choices.get("elements"),
        max_elements=None if choices.get("elements") is not None else longest or DEFAULT_MAX_ELEMENTS,
        form=choices.get("form") or None,
        guard=choices["guard"],
        reciprocal=choices["reciprocal"],
        eps=choices.get("eps", 1e-5),
        x_frac=choices.get("x_frac", 0),
        gaussian=choices.get("gaussian", True),
        activation=choices.get("activation", "none"),
        momentum_bits=choices.get("momentum_bits"),
    )


def render(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()


def _formats(engine: Engine, direction: str) -> dict[str, Format]:
    program = engine.program(direction)
    found = {node.name: kind.format for node, kind in program.types.items() if node.name}
    for name, node in program.graph.outputs.items():
        found[name] = program.types[node].format
    return found


def _format(engine: Engine, direction: str, word: str, fmt: Format) -> dict[str, Any]:
    """Width, fraction bits, sign; a scaled value has its exponent beside it, and where it is rounded it says how."""
    program = engine.program(direction)
    node = program.graph.outputs.get(word) or program.graph.named[word]
    found: dict[str, Any] = {"width": fmt.width, "frac": fmt.frac, "signed": fmt.signed}
    if program.types[node].scale:
        found["scaled"] = True
    if node.role and node.args:
        match program.precision.role(node.role):
            case Fixed(_, _, rounding):
                found["rounding"] = rounding.value
            case Scaled() | Widened() | Relative():
                found["rounding"] = "half-up"
    return found
