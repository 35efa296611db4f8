"""Where in the hierarchy the cells of a flattened netlist belong.

Flattening leaves a name behind on every net that the source named, and none on most cells. So a cell belongs to the
instance that drives the net it drives, as the hierarchy said before it was flattened (a register that only feeds an
instance keeps that instance's port as its only name). Logic between such nets has no name: it belongs where its result
goes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from hwnorm.synth.netlist import Bit, Netlist

Json = dict[str, Any]
Scope = tuple[str, ...]  # instance names from the top; () is the top itself
Names = dict[str, list[Scope]]  # a net's flattened name -> the instance that drives it, bit by bit

TOP_KEY = "(top)"


def source_names(design: Json, top: str) -> Names:
    """Every net that the source names, as flattening names it. From a design whose hierarchy still stands."""
    found: Names = {}
    modules = design["modules"]

    def visit(kind: str, scope: Scope, received: dict[str, list[Scope]]) -> None:
        module = modules[kind]
        instances = {name: cell for name, cell in module["cells"].items() if cell["type"] in modules}
        owner: dict[Bit, Scope] = {}
        for name, cell in instances.items():
            for port, bits in cell["connections"].items():
                if modules[cell["type"]]["ports"][port]["direction"] == "output":
                    owner |= dict.fromkeys(bits, (*scope, name))
        for port, owners in received.items():
            owner |= dict(zip(module["ports"][port]["bits"], owners, strict=False))
        for name, net in module["netnames"].items():
            if not net["hide_name"]:
                found[".".join((*scope, name))] = [owner.get(bit, scope) for bit in net["bits"]]
        for name, cell in instances.items():
            ports = modules[cell["type"]]["ports"]
            fed = {port: bits for port, bits in cell["connections"].items() if ports[port]["direction"] == "input"}
            given = {port: [owner.get(bit, scope) for bit in bits] for port, bits in fed.items()}
            visit(cell["type"], (*scope, name), given)

    visit(top, (), {})
    return found


def names_of_nets(module: Json, names: Names) -> dict[Bit, tuple[Scope, str]]:
    """The driving instance and the name of every net that has one of the source's names; the deepest one, the shortest
    of its names."""
    found: dict[Bit, tuple[Scope, str]] = {}
    for name, net in module["netnames"].items():
        for i, (bit, scope) in enumerate(zip(net["bits"], names.get(name, []), strict=False)):
            before = found.get(bit)
            if isinstance(bit, str) or (before and (len(before[0]), -len(before[1])) >= (len(scope), -len(name))):
                continue
            found[bit] = (scope, f"{name}[{i}]" if len(net["bits"]) > 1 else name)
    return found


def scopes(module: Json, names: Names) -> dict[str, Scope]:
    """The instance of every cell."""
    nets = Netlist(module)
    named = names_of_nets(module, names)
    found: dict[str, Scope] = {}
    drives = {name: _outputs(cell) for name, cell in nets.cells.items()}
    for name, bits in drives.items():
        own = Counter(named[bit][0] for bit in bits if bit in named)
        if own:
            found[name] = max(own, key=lambda scope: (own[scope], len(scope)))
    waiting = [name for name in nets.cells if name not in found]
    while waiting:  # from the named ends of the unnamed logic towards its beginnings
        reached = {}
        for name in waiting:
            users = Counter(found[user] for bit in drives[name] for user, _ in nets.users[bit] if user in found)
            if users:
                reached[name] = max(users, key=lambda scope: (users[scope], scope))
        if not reached:
            break
        found |= reached
        waiting = [name for name in waiting if name not in reached]
    return found | dict.fromkeys(waiting, ())


def _outputs(cell: Json) -> list[Bit]:
    directions = cell["port_directions"]
    return [b for p, bits in cell["connections"].items() if directions.get(p) == "output" for b in bits]


def by_instance(
    module: Json, names: Names, beside: Mapping[str, Counter[str]] | None = None
) -> dict[str, Counter[str]]:
    """Cell types by instance, at the first level of the hierarchy that has several instances or logic of its own.
    ``beside``: what a placer puts beside a cell."""
    tallies: dict[Scope, Counter[str]] = defaultdict(Counter)
    for name, scope in scopes(module, names).items():
        kind = module["cells"][name]["type"]
        if not kind.startswith("$"):
            tallies[scope][kind] += 1
            tallies[scope].update((beside or {}).get(name, {}))
    depth = 0
    while len({scope[: depth + 1] for scope in tallies}) == 1 and all(len(scope) > depth for scope in tallies):
        depth += 1
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for scope, tally in tallies.items():
        found[scope[depth] if len(scope) > depth else TOP_KEY].update(tally)
    return dict(found)
