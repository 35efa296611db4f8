"""How hardware is written here: a ``Block`` is an Amaranth module with named ports, filled by whoever makes it.

The ``hardware()`` of a unit imports this file when it is called, so that what only counts and computes never waits for
Amaranth. Everything is in the clock domain ``sync``.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module, Shape, Signal, signed, unsigned

from hwnorm.fixed import Format


def shape_of(fmt: Format) -> Shape:
    """Of a register of this format: bits and sign; the point is the reader's business."""
    return signed(fmt.width) if fmt.signed else unsigned(fmt.width)


class Block(Elaboratable):
    """A module under construction: ports by name, and Amaranth's ``m`` to write statements to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.m = Module()
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}

    def input(self, name: str, shape: Any = 1) -> Any:
        self.inputs[name] = Signal(shape, name=name)
        return self.inputs[name]

    def output(self, name: str, shape: Any = 1, init: int = 0) -> Any:
        """Data needs no reset: what is valid is said by control."""
        self.outputs[name] = Signal(shape, name=name, init=init, reset_less=True)
        return self.outputs[name]

    def register(self, name: str, shape: Any = 1, init: int = 0, reset_less: bool = True) -> Any:
        """A signal of the block's own: data without a reset, or control (``reset_less=False``) with one."""
        return Signal(shape, name=name, init=init, reset_less=reset_less)

    def place(self, name: str, block: Block) -> Block:
        """Another block inside this one, under an instance name."""
        self.m.submodules[name] = block
        return block

    @property
    def ports(self) -> list[Any]:
        return [*self.inputs.values(), *self.outputs.values()]

    def elaborate(self, platform: object) -> Module:
        return self.m
