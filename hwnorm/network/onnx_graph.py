"""Nodes of an ONNX graph: sorted, renamed and with typed access to their attributes.

Functions and the branches of an ``If`` are written into the graph that calls them, under names of their own.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from hwnorm.errors import InputError

Key = TypeVar("Key")
_OWN_DOMAIN = ("", "ai.onnx")
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS = 1, 2, 3, 4, 5, 6, 7  # AttributeProto.AttributeType


@dataclass(slots=True, eq=False)
class Node:
    """One operator. Names of values are unique in the whole program; "" is an input or output left out."""

    name: str
    op: str
    domain: str  # "" for the standard operators
    version: int  # of the operator set of its domain
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    names: Mapping[str, str] = field(repr=False)  # what the names around it are called: its subgraphs read them
    overload: str = ""  # which of the functions of one name a call means

    @property
    def label(self) -> str:
        return f"node {self.name!r} ({self.op})"

    @property
    def standard(self) -> bool:
        return self.domain == ""

    def input(self, position: int) -> str:
        return self.inputs[position] if position < len(self.inputs) else ""

    def _attribute(self, key: str, kind: int, word: str) -> Any | None:
        attribute = self.attributes.get(key)
        if attribute is not None and attribute.type not in (kind, 0):
            raise InputError(f"{self.label}: its attribute {key!r} must be {word}")
        return attribute

    def integer(self, key: str, default: int) -> int:
        attribute = self._attribute(key, _INT, "an integer")
        return default if attribute is None else int(attribute.i)

    def number(self, key: str, default: float) -> float:
        attribute = self._attribute(key, _FLOAT, "a number")
        return default if attribute is None else float(attribute.f)

    def integers(self, key: str) -> list[int] | None:
        attribute = self._attribute(key, _INTS, "a list of integers")
        return None if attribute is None else list(attribute.ints)

    def numbers(self, key: str) -> list[float] | None:
        attribute = self._attribute(key, _FLOATS, "a list of numbers")
        return None if attribute is None else list(attribute.floats)

    def text(self, key: str, default: str) -> str:
        attribute = self._attribute(key, _STRING, "a text")
        return default if attribute is None else bytes(attribute.s).decode("utf-8", "replace")

    def tensor(self, key: str) -> Any | None:
        attribute = self._attribute(key, _TENSOR, "a tensor")
        return None if attribute is None else attribute.t

    def graph(self, key: str) -> Any | None:
        attribute = self._attribute(key, _GRAPH, "a graph")
        return None if attribute is None else attribute.g


def subgraphs_of(attribute: Any) -> list[Any]:
    found = [attribute.g] if attribute.HasField("g") else []
    return found + list(attribute.graphs)


def operator_sets(imports: Iterable[Any]) -> dict[str, int]:
    """Domain -> version, the standard domain under ""."""
    return {"" if one.domain in _OWN_DOMAIN else one.domain: int(one.version) for one in imports}


def expanded(
    protos: Iterable[Any],
    names: MutableMapping[str, str],
    prefix: str,
    versions: Mapping[str, int],
    arguments: Mapping[str, Any] | None = None,
) -> list[Node]:
    """The nodes of a graph or function in an order in which every value is made before it is read.

    ``names`` says what inputs and values around are called, and receives what the nodes make, under their own names
    behind ``prefix``. ``arguments`` are the attributes of a function's call.
    """
    made: set[str] = set()
    ordered = _sorted(list(protos), prefix)
    for proto in ordered:
        for output in filter(None, proto.output):
            if output in made or prefix + output == names.get(output):
                raise InputError(f"the graph makes the value {prefix + output!r} twice")
            made.add(output)
            names[output] = prefix + output
    return [_node(proto, names, prefix, versions, arguments) for proto in ordered]


def scope(names: MutableMapping[str, str]) -> MutableMapping[str, str]:
    """Names for a subgraph: those around it are seen, its own do not leak."""
    return ChainMap({}, names)


def _node(
    proto: Any,
    names: MutableMapping[str, str],
    prefix: str,
    versions: Mapping[str, int],
    arguments: Mapping[str, Any] | None,
) -> Node:
    domain = "" if proto.domain in _OWN_DOMAIN else proto.domain
    attributes = {}
    for attribute in proto.attribute:
        if not attribute.ref_attr_name:
            attributes[attribute.name] = attribute
        elif arguments is not None and attribute.ref_attr_name in arguments:
            attributes[attribute.name] = arguments[attribute.ref_attr_name]
    own = proto.name or next(filter(None, proto.output), "") or proto.op_type
    return Node(
        name=prefix + own,
        op=proto.op_type,
        domain=domain,
        version=versions.get(domain, 1),
        inputs=tuple(names.get(value, prefix + value) if value else "" for value in proto.input),
        outputs=tuple(names[value] if value else "" for value in proto.output),
        attributes=attributes,
        names=names,
        overload=getattr(proto, "overload", ""),
    )


def _sorted(protos: list[Any], prefix: str) -> list[Any]:
    """The nodes as they stand where their order is right; else put in order. A cycle is an error."""
    makers = {output: at for at, proto in enumerate(protos) for output in proto.output if output}
    if all(makers.get(value, -1) < at for at, proto in enumerate(protos) for value in proto.input if value):
        return protos
    order = topological(
        {at: [makers[value] for value in proto.input if value in makers] for at, proto in enumerate(protos)}
    )
    if len(order) < len(protos):
        stuck = protos[min(set(range(len(protos))) - set(order))]
        name = prefix + (stuck.name or next(iter(stuck.output), "") or stuck.op_type)
        raise InputError(f"the graph has a cycle: node {name!r} ({stuck.op_type}) needs its own result")
    return [protos[at] for at in order]


def topological(needs: Mapping[Key, Iterable[Key]]) -> list[Key]:
    """Each key behind those that it needs, all of which are keys; without those that are in a cycle or need one."""
    sorter = TopologicalSorter[Key](dict.fromkeys(needs, ()))  # all keys first: among those that may come, their order
    for key, needed in needs.items():
        sorter.add(key, *needed)
    with suppress(CycleError):
        sorter.prepare()
    order: list[Key] = []
    while ready := sorter.get_ready():
        order += ready
        sorter.done(*ready)
    return order
