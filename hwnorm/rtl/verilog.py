"""A block as Verilog text."""

from __future__ import annotations

from amaranth.back import verilog

from hwnorm.units.hdl import Block


def text(block: Block, header: str) -> str:
    """The Verilog of a block and of all that it holds; ``header`` becomes its first comment."""
    raw = verilog.convert(block, name=block.name, ports=block.ports, emit_src=False, strip_internal_attrs=True)
    return "\n".join([*(f"// {line}".rstrip() for line in header.splitlines()), "", raw])
