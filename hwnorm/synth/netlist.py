"""One module of a yosys JSON netlist: who drives a net, who uses it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

Bit = int | str  # a net's number, or one of the constants "0", "1", "x", "z"
Cell = dict[str, Any]
Pin = tuple[str, str]  # cell and port; the module's own ports have the cell ""

PORT = ""


class Netlist:
    """``users`` and ``driver`` are kept up to date by ``add``, ``connect`` and ``remove``, and by nothing else."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, Cell] = module["cells"]
        self.users: dict[Bit, set[Pin]] = defaultdict(set)
        self.driver: dict[Bit, Pin] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for bit in bits:
                    self._join(name, port, bit)
        for name, port in module["ports"].items():
            for bit in port["bits"]:
                if port["direction"] != "output":
                    self.driver[bit] = (PORT, name)
                if port["direction"] != "input":
                    self.users[bit].add((PORT, name))
        for net in module["netnames"].values():
            if "keep" in net.get("attributes", {}):
                for bit in net["bits"]:
                    self.users[bit].add((PORT, "keep"))

    def bit(self, cell: str, port: str) -> Bit | None:
        """Of a port of one bit; None where it is not connected."""
        bits: list[Bit] = self.cells[cell]["connections"].get(port, [])
        return bits[0] if bits else None

    def add(
        self,
        name: str,
        kind: str,
        connections: Mapping[str, list[Bit]],
        output: str,
        parameters: Mapping[str, str],
        keep: bool = False,
    ) -> None:
        """A cell with one output, which takes its net over as ``connect`` does."""
        self.cells[name] = {
            "hide_name": 0,
            "type": kind,
            "parameters": dict(parameters),
            "attributes": {"keep": "1"} if keep else {},
            "port_directions": {port: "output" if port == output else "input" for port in connections},
            "connections": dict(connections),
        }
        for port, bits in connections.items():
            for bit in bits:
                self._join(name, port, bit)

    def connect(self, cell: str, port: str, bit: Bit, direction: str = "input") -> None:
        """In the place of what was there. An output takes the net over from its former driver."""
        self._leave(cell, port)
        found = self.cells[cell]
        found["port_directions"].setdefault(port, direction)
        found["connections"][port] = [bit]
        self._join(cell, port, bit)

    def remove(self, cell: str) -> None:
        for port in self.cells[cell]["connections"]:
            self._leave(cell, port)
        del self.cells[cell]

    def _join(self, cell: str, port: str, bit: Bit) -> None:
        if isinstance(bit, str):
            return
        if self.cells[cell]["port_directions"].get(port) == "output":
            self.driver[bit] = (cell, port)
        else:
            self.users[bit].add((cell, port))

    def _leave(self, cell: str, port: str) -> None:
        for bit in self.cells[cell]["connections"].get(port, []):
            self.users[bit].discard((cell, port))
            if self.driver.get(bit) == (cell, port):
                del self.driver[bit]


def parameter(cell: Cell, name: str, default: str) -> str:
    """As text, without the blank that yosys puts behind a text that looks like a number."""
    return str(cell["parameters"].get(name, default)).strip()


def number(cell: Cell, name: str, default: int) -> int:
    """A numeric parameter; yosys writes it in binary."""
    value = cell["parameters"].get(name, default)
    return int(value, 2) if isinstance(value, str) else int(value)
