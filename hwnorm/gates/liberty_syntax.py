"""The notation of Liberty files: groups of attributes and groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hwnorm.errors import InputError

TOKEN = re.compile(
    r'\s+|/\*.*?\*/|//[^\n]*|\\\r?\n|"((?:[^"\\]|\\.)*)"|([^\s"(){}:;,/\\]+|[/\\])|([(){}:;,])', re.DOTALL
)
PUNCTUATION = 3  # the token's group
BRACE = re.compile(r'"[^"]*"|[{}]')
UNREAD = ("timing", "internal_power", "operating_conditions", "driver_waveform")


@dataclass
class Group:
    """``kind (arguments) { attributes, groups }``; of an attribute that stands twice the last counts."""

    kind: str
    arguments: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)  # what ``fanout_length`` says, each time that it stands there
    start: int = 0  # of what stands in its braces
    end: int = 0

    def of(self, *kinds: str) -> Iterator[Group]:
        return (group for group in self.groups if group.kind in kinds)

    def number(self, key: str, default: float = 0.0) -> float:
        try:
            return float(self.attributes.get(key, default))
        except ValueError:
            raise InputError(f"{self.kind} {self.arguments}: {key} is no number") from None


def parse(text: str, origin: str, unread: Sequence[str] = UNREAD) -> Group:
    """The outermost group, without those of the kinds ``unread``. A statement ends at its semicolon, or at the end of a
    line where that is left out."""
    stack, statement, position, ended = [Group("file", ())], list[str](), 0, False
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise InputError(
                f"{origin}: line {text.count(chr(10), 0, position) + 1}: {text[position]!r} was not expected"
            )
        position = match.end()
        token = match[match.lastindex] if match.lastindex else None
        if token is None:
            ended = ended or "\n" in match[0]
        elif match.lastindex != PUNCTUATION or token not in "{};":
            complete = statement[-1:] == [")"] or (":" in statement[:-1])
            if ended and complete and match.lastindex != PUNCTUATION:
                _attribute(stack[-1], statement)
                statement = []
            statement.append(token)
            ended = False
        elif token == "{":
            words = [word for word in statement if word not in ("(", ")", ",")] or [""]
            if words[0] in unread:
                position = _behind(text, position)
            else:
                stack.append(Group(words[0], tuple(words[1:]), start=position))
                stack[-2].groups.append(stack[-1])
            statement = []
        else:
            _attribute(stack[-1], statement)
            statement = []
            if token == "}":
                if len(stack) == 1:
                    raise InputError(f"{origin}: a closing brace too many")
                stack.pop().end = position - 1
    if len(stack) > 1:
        raise InputError(
            f"{origin}: the group {stack[-1].kind} {' '.join(stack[-1].arguments)} is not closed: a cut file?"
        )
    if not stack[0].groups:
        raise InputError(f"{origin}: is no Liberty file")
    return stack[0].groups[0]


def _behind(text: str, position: int) -> int:
    """Where a group ends that is not read."""
    depth = 1
    for match in BRACE.finditer(text, position):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return len(text)


def _attribute(group: Group, statement: list[str]) -> None:
    if len(statement) > 1:
        words = [word for word in statement[1:] if word not in ("(", ")", ":")]
        group.attributes[statement[0]] = value = " ".join(words).replace(" , ", ",")
        if statement[0] == "fanout_length":
            group.rows.append(value)
