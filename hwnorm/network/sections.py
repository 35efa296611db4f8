"""The sections of a network file, with those of the file that it extends.

A file has the keys of ``SECTIONS``. With ``extends`` it is another file with changes: its ``let`` and ``blocks`` are
merged into the other's, name by name, and its other keys take the place of the other's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hwnorm.network.arguments import suggest
from hwnorm.network.steps import Signature, check_name, parse_signature
from hwnorm.network.yaml_nodes import Mapping, Node, Scalar, fault, read_nodes, shown

SINGLE = ("about", "input", "batch", "layers")
SECTIONS = (*SINGLE, "extends", "let", "blocks")

MAX_EXTENDS = 5  # files, one extending the other

Finder = Callable[[str], Path | None]
"""Where a file that is extended by its bare name stands, if it is not beside the one that extends it."""


@dataclass(slots=True)
class Sections:
    """A file and those that it extends, as one. ``own`` are the names that the file itself defines."""

    root: Mapping
    single: dict[str, Node] = field(default_factory=dict)
    let: dict[str, Node] = field(default_factory=dict)
    blocks: dict[str, tuple[Signature, Node]] = field(default_factory=dict)
    own: dict[str, Node] = field(default_factory=dict)


def read_sections(path: Path, file: str, find: Finder, chain: tuple[Path, ...] = ()) -> Sections:
    """The sections of the file at ``path``, which messages call ``file``; ``chain`` are the files that extend it."""
    root = read_nodes(path, file)
    for key, node in root.entries.items():
        if key not in SECTIONS:
            raise fault(node, f"unknown key {shown(key)}; {suggest(key, SECTIONS)}")
        if key == "about" and not isinstance(node, Scalar):
            raise fault(node, f"'about' must be one line of text, not {node.kind}")
    sections = Sections(root)
    if "extends" in root.entries:
        base = _base(root.entries["extends"], path, find, chain)
        sections = read_sections(base, base.name, find, (*chain, path))
        sections.root, sections.own = root, {}
    for name, node in _entries(root, "let"):
        sections.let[check_name(node, name)] = node
        sections.own[name] = node
    for text, node in _entries(root, "blocks"):
        signature = parse_signature(node, text)
        if signature.name in sections.own:
            raise fault(node, f"the name {signature.name!r} stands twice")
        sections.blocks[signature.name] = (signature, node)
        sections.own[signature.name] = node
    sections.single.update({key: root.entries[key] for key in SINGLE if key in root.entries})
    return sections


def _base(extends: Node, path: Path, find: Finder, chain: tuple[Path, ...]) -> Path:
    """The file that the one at ``path`` extends: one beside it, or a network that is shipped."""
    name = extends.text if isinstance(extends, Scalar) else ""
    if not name or Path(name).name != name or "\0" in name:
        raise fault(extends, "'extends' must be the name of a file beside this one, or of a network that is shipped")
    base = path.parent / name
    if not base.is_file():
        base = find(name) or base
    if not base.is_file():
        raise fault(extends, f"'extends': no file {shown(name)} beside this one, and no network of that name")
    if base.resolve() in [other.resolve() for other in (*chain, path)]:
        raise fault(extends, f"'extends': {shown(name)} extends this file in turn")
    if len(chain) >= MAX_EXTENDS:
        raise fault(extends, f"'extends': more than {MAX_EXTENDS} files extend each other")
    return base


def _entries(root: Mapping, key: str) -> list[tuple[str, Node]]:
    """The entries of a section that is a mapping, if the file has it."""
    node = root.entries.get(key)
    if node is None or (isinstance(node, Scalar) and node.empty):
        return []
    if not isinstance(node, Mapping):
        raise fault(node, f"'{key}' must be a mapping of names, not {node.kind}")
    return list(node.entries.items())
