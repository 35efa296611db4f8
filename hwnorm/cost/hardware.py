"""What the engines of a network's norms take on a measured device: one a norm and direction, all of them built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hwnorm.cost.cells import Energy
from hwnorm.cost.fabric import Fabric
from hwnorm.cost.figure import Figure, least_sure
from hwnorm.cost.quantities import CLOCK, ENERGY
from hwnorm.rtl.design import Design

MACRO_BITS = "macro_bits"
EXTERNAL = (
    "{} has no replay memory, as a group of {} elements does not fit on chip (--onchip-kib); "
    "the memory that shorter groups are read again from is in no figure"
)
MACROS = "area and energy of {} bits of memory are in no figure: {} are standard cells alone"


@dataclass(frozen=True)
class Hardware:
    """``figures`` of all engines together, the slowest one's clock; ``warnings``: what is extrapolated, what does not
    fit. ``energies`` by norm and direction, and how sure they are: of standard cells."""

    figures: dict[str, Figure]
    warnings: tuple[str, ...]
    energies: Mapping[tuple[str, str], tuple[Energy, Figure]] = field(default_factory=dict)


def hardware(fabric: Fabric, designs: Iterable[Design]) -> Hardware:
    figures: dict[str, Figure] = {}
    energies: dict[tuple[str, str], tuple[Energy, Figure]] = {}
    warnings: list[str] = []
    for design in designs:
        built, name = fabric.built(design), f"{design.engine.norm.name} {design.direction}"
        warnings += [f"{name} on {fabric.name} is extrapolated: {what}" for what in built.outside]
        if design.external:
            warnings.append(EXTERNAL.format(name, f"{design.engine.max_elements:,}"))
        found = dict(built.figures)
        energy = fabric.energy(design.plan)
        if energy is not None:
            energies[design.engine.norm.name, design.direction] = energy, found.pop(ENERGY)
        for quantity, figure in found.items():
            known = figures.get(quantity)
            figures[quantity] = figure if known is None else _joined(quantity, known, figure)
    for quantity, most in fabric.capacity.items():
        if quantity in figures and figures[quantity].value > most:
            value = figures[quantity].value
            warnings.append(f"{value:,.0f} {quantity.upper()} do not fit {fabric.name}, which has {most:,}")
    if MACRO_BITS in figures and figures[MACRO_BITS].value:
        warnings.append(MACROS.format(f"{figures[MACRO_BITS].value:,.0f}", fabric.name))
    return Hardware(figures, tuple(dict.fromkeys(warnings)), energies)


def _joined(quantity: str, a: Figure, b: Figure) -> Figure:
    """A sum, or the slower clock; as sure as the less sure one."""
    value = min(a.value, b.value) if quantity == CLOCK else a.value + b.value
    return Figure(value, *least_sure(a, b))
