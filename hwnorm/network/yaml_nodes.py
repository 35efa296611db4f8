"""From the text of a YAML file to nodes that know their line.

Of YAML the network format takes mappings, lists and one-line scalars. Anchors, aliases, tags and several documents are
refused, and so is a key that stands twice: each of them hides from a reader what a network is, and the first two can
blow up a small file. A scalar stays the text that was typed: what it means is for its key to say, so that none of
YAML's own readings (``no``, ``1e3``, ``010``) comes between.

The tree is built from the parser's events, in one pass and without recursion, so that every limit below is met before
memory or the stack is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hwnorm.errors import InputError

MAX_BYTES = 4 << 20  # ten thousand layers written out one by one are a tenth of it
MAX_NODES = 400_000
MAX_DEPTH = 60
_TOO_DEEP = f"nested more than {MAX_DEPTH} deep; name an inner part in 'blocks'"
MAX_SCALAR = 1000  # characters; the longest that makes sense is an `about`

# libyaml where PyYAML was built with it: ten times as fast, and the same events
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def shown(text: str) -> str:
    """A piece of a file as a message quotes it: on one line, and never longer than a glance."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


@dataclass(slots=True)
class Scalar:
    file: str
    line: int  # of the key, where the node is the value of one
    text: str

    @property
    def empty(self) -> bool:
        return self.text in ("", "~", "null")

    @property
    def kind(self) -> str:
        return "nothing" if self.empty else "a single value"


@dataclass(slots=True)
class Sequence:
    file: str
    line: int
    items: list[Node] = field(default_factory=list)

    kind = "a list"


@dataclass(slots=True)
class Mapping:
    file: str
    line: int
    entries: dict[str, Node] = field(default_factory=dict)

    kind = "a mapping"


Node = Scalar | Sequence | Mapping


def fault(node: Node, message: str) -> InputError:
    """The error to raise for a node: its file and line, then the message."""
    return _fault_at(node.file, node.line, message)


def _fault_at(file: str, line: int, message: str) -> InputError:
    return InputError(f"{file}:{line}: {message}")


def read_nodes(path: Path, file: str) -> Mapping:
    """The mapping that a network file is. ``file`` is what messages call it."""
    if not path.is_file():
        raise InputError(f"{file}: {'is a folder' if path.is_dir() else 'no such file'}, not a network file")
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    if size > MAX_BYTES:
        raise InputError(f"{file}: {size} bytes are more than a network file may have ({MAX_BYTES})")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a text file: byte {error.start} is not UTF-8") from None
    return parse_nodes(text, file)


def parse_nodes(text: str, file: str) -> Mapping:
    """The same from text that is already in memory."""
    try:
        root = _build(yaml.parse(text, Loader=_LOADER), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = error.problem or error.context or ""
        if "nesting depth" in problem:  # newer readers have a limit of their own, and look ahead
            raise InputError(f"{file}{line}: {_TOO_DEEP}") from None
        raise InputError(f"{file}{line}: not valid YAML: {problem}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow; its message has several lines
        raise InputError(f"{file}: not valid YAML: {str(error).splitlines()[0]}") from None
    if root is None:
        raise InputError(f"{file}: the file is empty; a network has at least 'input', 'batch' and 'layers'")
    if not isinstance(root, Mapping):
        raise fault(root, f"a network file is a mapping with the keys 'input', 'batch', 'layers', not {root.kind}")
    return root


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _build(events: Iterator[yaml.Event], file: str) -> Node | None:
    """The root of the one document in ``events``, or None where there is none."""
    root: Node | None = None
    open_nodes: list[Sequence | Mapping] = []
    key: Scalar | None = None  # of the innermost mapping, read and waiting for its value
    waiting: list[Scalar | None] = []  # the keys of the mappings around it
    count = 0
    for event in events:
        node: Node
        match event:
            case yaml.ScalarEvent():
                node = Scalar(file, _line(event), event.value)
                if len(event.value) > MAX_SCALAR:
                    raise fault(node, f"a value of {len(event.value)} characters; {MAX_SCALAR} are allowed")
            case yaml.MappingStartEvent():
                node = Mapping(file, _line(event))
            case yaml.SequenceStartEvent():
                node = Sequence(file, _line(event))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                open_nodes.pop()
                key = waiting.pop()
                continue
            case yaml.AliasEvent():
                raise _fault_at(
                    file, _line(event), "aliases (*) are no part of the format; write a block and use it twice"
                )
            case yaml.DocumentStartEvent() if root is not None:
                raise _fault_at(file, _line(event), "a second document (---) begins; a file is one network")
            case _:
                continue
        if event.anchor is not None:
            raise fault(node, "anchors (&) are no part of the format; write a block instead")
        if event.tag not in (None, "!"):  # a lone ! is what quotes amount to
            raise fault(node, f"tags ({shown(event.tag)}) are no part of the format")
        count += 1
        if count > MAX_NODES:
            raise fault(node, f"more than {MAX_NODES} values; repeat steps with 'times' or put them in a block")

        parent = open_nodes[-1] if open_nodes else None
        if parent is None:
            root = node
        elif isinstance(parent, Sequence):
            parent.items.append(node)
        elif key is None:
            if not isinstance(node, Scalar):
                raise fault(node, f"a key must be a word, not {node.kind}")
            if node.text in parent.entries:
                raise fault(node, f"key {shown(node.text)} stands twice")
            key = node
            continue
        else:
            node.line = key.line
            parent.entries[key.text] = node
            key = None
        if not isinstance(node, Scalar):
            open_nodes.append(node)
            waiting.append(None)
            if len(open_nodes) > MAX_DEPTH:
                raise fault(node, _TOO_DEEP)
    return root
