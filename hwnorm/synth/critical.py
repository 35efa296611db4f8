"""A critical path in words: from which register to which, in the source's own names, and where the time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwnorm.synth.hierarchy import Names, names_of_nets
from hwnorm.synth.nextpnr import Step

LOGIC, WIRE = "logic", "routing"


def describe(path: Sequence[Step], module: dict[str, Any], names: Names) -> str | None:
    """``fifo.q[3] -> m.p[0], 5.6 ns: 2 levels of logic, 41 % wires, through m.sum[4]``; None for no path."""
    if not path:
        return None
    named = {bit: name for bit, (_, name) in names_of_nets(module, names).items()}
    label = _Labels(module, named)
    total = sum(step.delay_ns for step in path)
    wires = sum(step.delay_ns for step in path if step.kind == WIRE)
    inner = [step for step in path if step.kind == LOGIC]
    through = dict.fromkeys(label.of(step.to_cell, step.to_port) for step in inner)
    start, end = label.of(path[0].cell, path[0].port), label.of(path[-1].to_cell, path[-1].to_port)
    text = f"{start} -> {end}, {total:.2f} ns: {len(inner)} levels of logic, {wires / total:.0%} wires"
    known = [name for name in through if name and name not in (start, end)]
    return text + (f", through {', '.join(known)}" if known else "")


class _Labels:
    def __init__(self, module: dict[str, Any], named: Mapping[int | str, str]) -> None:
        self.cells, self.named = module["cells"], named

    def of(self, cell: str, port: str) -> str:
        """The net that the cell drives, by its source name; else the cell's own name, as far as it tells anything."""
        found = self.cells.get(cell) or self.cells.get(cell.split("$")[0].removesuffix("_LC").removesuffix("_DFFLC"))
        if found is not None:
            directions = found["port_directions"]
            driven = [b for b in found["connections"].get(port, []) if directions.get(port) == "output"]
            driven += [b for p, bits in found["connections"].items() if directions.get(p) == "output" for b in bits]
            for bit in driven:
                if bit in self.named:
                    return self.named[bit]
            for kind in ("_TRELLIS", "_LUT", "_PFUMX", "_L6MUX", "_CCU2", "_SB_", "_MULT", "_DP16"):
                cell = cell.split(kind)[0]
        return cell.split("$")[0]
