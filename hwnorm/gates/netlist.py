"""A yosys netlist as read from ``write_json``: cells, ports and the names of nets. Nothing is checked for sense yet
but what a reader of names would trip over; what the cells do is looked at by ``parts``.

A net is a number: 0 and 1 are the constants (``x`` and ``z`` read as 0), the others are yosys' own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnorm.errors import InputError, did_you_mean
from hwnorm.gates.celltypes import CellType, generic
from hwnorm.gates.liberty import Library

if TYPE_CHECKING:
    from hwnorm.gates.program import Program
    from hwnorm.gates.simulator import Simulator
    from hwnorm.gates.toggles import Delay

SKIPPED = ("$scopeinfo",)  # cells that only carry attributes
FLATTENED = re.compile(r"\$flatten((?:\\[^.]+\.)+)")
CONSTANTS = {"0": 0, "1": 1, "x": 0, "z": 0}


@dataclass(frozen=True, slots=True)
class Cell:
    name: str
    type: str
    pins: Mapping[str, tuple[int, ...]]
    outputs: frozenset[str]
    parameters: Mapping[str, str]
    instance: str  # of the module hierarchy: "" is the top, else names with points between
    src: str

    def __str__(self) -> str:
        return f"{self.name} ({self.type})"


@dataclass(frozen=True, slots=True)
class Edit:
    """A gate that was put into a netlist by a mutation."""

    function: str
    pins: Mapping[str, int]
    output: int


@dataclass(frozen=True)
class Netlist:
    name: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    cells: tuple[Cell, ...]
    names: Mapping[int, str]
    sources: Mapping[int, str]  # the ``src`` attribute of a net
    init: Mapping[int, int]  # of a register's output
    labels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # every name, of a net that has several too
    library: Library | None = None
    edits: tuple[Edit, ...] = ()
    constants: Mapping[int, int] = field(default_factory=dict)  # nets that are constant in each stream: a bit each

    @classmethod
    def from_json(
        cls,
        netlist: Path | str | Mapping[str, Any],
        top: str | None = None,
        liberty: Path | str | Library | None = None,
    ) -> Netlist:
        """From a file (or the parsed content) that yosys' ``write_json`` wrote, of one flattened module.

        ``top`` is needed where the file has several modules and none with the attribute ``top``. ``liberty`` describes
        the cells that are not yosys' own.
        """
        design = netlist if isinstance(netlist, Mapping) else _load(Path(netlist))
        modules = design.get("modules")
        if not isinstance(modules, Mapping) or not modules:
            raise InputError("netlist: it has no modules; write it with yosys' write_json")
        marked = [name for name, module in modules.items() if _true(module.get("attributes", {}).get("top", "0"))]
        chosen = top or (marked[0] if marked else next(iter(modules)) if len(modules) == 1 else None)
        if chosen is None:
            raise InputError(f"netlist: name the top module, one of {', '.join(modules)}")
        if chosen not in modules:
            raise InputError(f"netlist: no module {chosen!r}; {did_you_mean(chosen, modules)}")
        library = Library.from_file(liberty) if isinstance(liberty, Path | str) else liberty
        return _read(cls, chosen, modules[chosen], library)

    def simulator(
        self,
        streams: int,
        *,
        fields: Mapping[str, int] | None = None,
        toggles: Delay | None = None,
        seed: int | None = None,
        ports_alone: bool = False,
    ) -> Simulator:
        """See ``Simulator``."""
        from hwnorm.gates.simulator import Simulator

        return Simulator(self, streams, fields=fields, toggles=toggles, seed=seed, ports_alone=ports_alone)

    @cached_property
    def program(self) -> Program:
        """What a simulator runs, made once; InputError for a netlist that cannot be simulated."""
        from hwnorm.gates.program import compile_netlist

        return compile_netlist(self)

    @cached_property
    def program_of_ports(self) -> Program:
        """The same for who looks at ports alone."""
        from hwnorm.gates.program import compile_netlist

        return compile_netlist(self, ports_alone=True)

    @cached_property
    def instances(self) -> tuple[str, ...]:
        """The module hierarchy: every instance that holds a cell, and those above it."""
        found = {""}
        for cell in self.cells:
            names = cell.instance.split(".") if cell.instance else []
            found |= {".".join(names[: n + 1]) for n in range(len(names))}
        return tuple(sorted(found))

    def behaviour(self, cell: Cell) -> CellType | None:
        """What a cell does: yosys' own, or the library's; None where neither says."""
        known = self.library.cells.get(cell.type) if self.library else None
        return generic(cell.type) or (known.behaviour if known else None)

    def fresh(self) -> int:
        """A net number from which on none is used."""
        used = [bit for cell in self.cells for bits in cell.pins.values() for bit in bits]
        ports = [bit for bits in (*self.inputs.values(), *self.outputs.values()) for bit in bits]
        return max(1, *used, *ports, *self.constants, *(edit.output for edit in self.edits), 1) + 1

    def net_name(self, net: int) -> str:
        return self.names.get(net, f"net {net}")


def _load(path: Path) -> Mapping[str, Any]:
    try:
        design = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise InputError(f"{path}: cannot be read: {fault.strerror or fault}") from None
    except ValueError as fault:
        raise InputError(f"{path}: is no JSON: {fault}") from None
    if not isinstance(design, Mapping):
        raise InputError(f"{path}: is no netlist; write it with yosys' write_json")
    return design


def _read(cls: type[Netlist], name: str, module: Mapping[str, Any], library: Library | None) -> Netlist:
    ports: dict[str, dict[str, tuple[int, ...]]] = {"input": {}, "output": {}}
    for port, what in module.get("ports", {}).items():
        if what["direction"] not in ports:
            raise InputError(f"{name}: port {port} is {what['direction']}; only input and output can be simulated")
        ports[what["direction"]][port] = nets(what["bits"])
    names: dict[int, str] = {}
    sources: dict[int, str] = {}
    scopes: dict[int, str] = {}
    init: dict[int, int] = {}
    shown = sorted(module.get("netnames", {}).items(), key=lambda item: (item[1].get("hide_name", 0), len(item[0])))
    labels = {label: nets(what["bits"]) for label, what in shown if not what.get("hide_name")}
    for label, what in shown:
        attributes = what.get("attributes", {})
        scope = ".".join(attributes.get("hdlname", "").split(" ")[:-1])
        initial = attributes.get("init", "")[::-1]
        for index, net in enumerate(nets(what["bits"])):
            if net > 1:
                names.setdefault(net, label if len(what["bits"]) == 1 else f"{label}[{index}]")
                if attributes.get("src"):
                    sources.setdefault(net, attributes["src"])
                if scope.count(".") >= scopes.get(net, "").count(".") and scope:
                    scopes[net] = scope
                if initial[index : index + 1] in ("0", "1"):
                    init[net] = int(initial[index])
    cells = []
    parts = {label: what for label, what in module.get("cells", {}).items() if what["type"] not in SKIPPED}
    told = any(_instance(label, what.get("attributes", {})) for label, what in parts.items())
    for label, what in parts.items():
        pins = {pin: nets(bits) for pin, bits in what["connections"].items()}
        out = frozenset(pin for pin, way in what.get("port_directions", {}).items() if way == "output")
        attributes = what.get("attributes", {})
        driven = [net for pin in sorted(out) for net in pins.get(pin, ())]
        instance = _instance(label, attributes)
        if not told:  # flattened before it was mapped: the names of nets are all there is
            instance = next((scopes[net] for net in driven if net in scopes), "")
        parameters = {key: str(value) for key, value in what.get("parameters", {}).items()}
        cells.append(Cell(label, what["type"], pins, out, parameters, instance, attributes.get("src", "")))
    return cls(name, ports["input"], ports["output"], tuple(cells), names, sources, init, labels, library)


def nets(bits: Iterable[int | str]) -> tuple[int, ...]:
    return tuple(bit if isinstance(bit, int) else CONSTANTS[bit] for bit in bits)


def _instance(name: str, attributes: Mapping[str, Any]) -> str:
    """Where a flattened cell stood: yosys keeps it in the cell's attribute, or in its name."""
    if attributes.get("hdlname"):
        return ".".join(attributes["hdlname"].split(" ")[:-1])
    flattened = FLATTENED.match(name)
    return flattened[1].replace("\\", "").strip(".") if flattened else ""


def _true(value: object) -> bool:
    return int(str(value), 2) != 0 if isinstance(value, str) else bool(value)
