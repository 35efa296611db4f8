"""An engine's direction as hardware: what was asked for, and the plan of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from hwnorm.engine import Engine
from hwnorm.ir import Node, Setting
from hwnorm.rtl.lower import Range
from hwnorm.rtl.plan import Plan, Shape
from hwnorm.views.count import Traffic, traffic
from hwnorm.views.int_ref import Program, constants


@dataclass(frozen=True)
class Design:
    engine: Engine
    direction: str
    lanes: int
    external: bool = False
    results: bool = True
    apply: str = "auto"  # table, multiply

    @cached_property
    def shape(self) -> Shape:
        shape = Shape(self.lanes, self.engine.max_elements, self.baked, self.external, self.results)
        return replace(shape, table=self.apply == "table" or (self.apply == "auto" and self._table_wins(shape)))

    def _table_wins(self, shape: Shape) -> bool:
        """Where every group is long enough that nobody waits for its table."""
        return shape.fixed and shape.max_beats >= 1 << self.engine.precision.bits

    @property
    def baked(self) -> Setting | None:
        """The layer that is built in: of groups of one length, if they are not sampled (how many are is not known)."""
        m = self.engine.elements
        return self.engine.setting(m) if m is not None and not self.engine.norm.sampling else None

    @property
    def settings(self) -> list[Setting]:
        """Layers whose registers span what a loaded register has to hold: every power of two, and the longest."""
        most = self.engine.max_elements
        lengths = [1 << k for k in range(most.bit_length())] + [most]
        return [self.engine.setting(m) for m in lengths]

    @cached_property
    def plan(self) -> Plan:
        return Plan(self.program, self.shape, self.settings, self._saved_ranges())

    @cached_property
    def program(self) -> Program:
        """What is read again from outside is read as it was: nothing is kept between sweeps."""
        return replace(self.engine.program(self.direction), keeps=not self.external)

    @cached_property
    def traffic(self) -> Traffic:
        return traffic(self.program.schedule, self.program.types)

    def _saved_ranges(self) -> dict[Node, Range]:
        """Of what the forward pass saved for this one."""
        if self.direction != "backward" or "forward" not in self.engine.directions:
            return {}
        forward = Plan(self.engine.program("forward"), Shape(1, self.engine.max_elements), self.settings)
        return forward.lowering.ranges()

    def layer_words(self, setting: Setting) -> dict[str, int]:
        """What the registers of a layer are loaded with."""
        found: dict[str, int] = {}
        if self.plan.lowering.registers:
            values = constants(self.program, setting)
            for name, node in self.plan.lowering.register_nodes.items():
                found[name], found[f"{name}_frac"] = values[node]
        return {name: found[name] for name in self.plan.lowering.registers}
