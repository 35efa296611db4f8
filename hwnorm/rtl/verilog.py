"""A block as Verilog text that is meant to be read: Verilog-2005, one module a kind of block.

Modules are named for their place, ``<top>_<instances>``, without the numbers of lanes; those that are equal but for
their name are printed once. The text depends on the block alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from textwrap import wrap

from amaranth.hdl import Fragment

from hwnorm.rtl.verilog_module import NAME, ModuleText
from hwnorm.rtl.verilog_names import legal
from hwnorm.rtl.verilog_wiring import Wiring, driven_anywhere
from hwnorm.units.hdl import Block

LINE = 120
LINT = {  # what Verilator warns of, and why it is meant
    "WIDTHEXPAND": "operands are extended to the width of what they are assigned to, by their sign",
    "UNUSEDSIGNAL": "of some values only the upper or the lower bits are used",
    "PROCASSINIT": "registers have a value at power-up",
    "DECLFILENAME": "all modules are in one file",
}


@dataclass(frozen=True)
class Printed:
    """A module: its text but for its name, and those inside it."""

    text: str
    inside: tuple[str, ...]


class Printer:
    def __init__(self, top: str, driven: set[int]) -> None:
        self.top, self._driven = top, driven
        self.modules: dict[str, Printed] = {}
        self._names: dict[str, str] = {}  # of a text

    def print(self, wiring: Wiring, path: tuple[str, ...]) -> tuple[str, ModuleText]:
        """Prints a module, those inside it first, and gives its name."""
        for child in wiring.children:
            step = "lane" if child.name.startswith("lane_") else child.name
            inside = Wiring(child.fragment, child.block, wiring.live, self._driven)
            child.module, printed = self.print(inside, (*path, step))
            child.clock, child.reset = printed.clock, printed.reset
        module = ModuleText(wiring)
        text = "\n".join([*comment(wiring.block), *module.lines()])
        if text not in self._names:
            self._names[text] = self._named("_".join([self.top, *path]))
            self.modules[self._names[text]] = Printed(text, tuple(child.module for child in wiring.children))
        return self._names[text], module

    def _named(self, name: str) -> str:
        found, count = legal(name), 1
        while found in self.modules:
            count += 1
            found = f"{name}_{count}"
        return found

    def ordered(self, name: str, seen: dict[str, str]) -> dict[str, str]:
        """Texts by name, each before what it holds."""
        if name not in seen:
            seen[name] = self.modules[name].text.replace(NAME, name)
            for inner in self.modules[name].inside:
                self.ordered(inner, seen)
        return seen


def comment(block: Block) -> list[str]:
    """What the block's class, or else its file, says first."""
    kind = type(block)
    if kind is Block:
        return [f"// {block.name}"]
    said = kind.__dict__.get("__doc__") or sys.modules[kind.__module__].__doc__ or block.name
    paragraph = " ".join(said.split("\n\n")[0].split()).replace("``", "")
    return [f"// {line}" for line in wrap(paragraph, LINE - 3)]


def folded(line: str) -> list[str]:
    """A line too long, broken at spaces."""
    if len(line) <= LINE:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    return wrap(
        line.strip(),
        LINE,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def text(block: Block, header: str) -> str:
    """The Verilog of a block and of all that it holds; ``header`` becomes its first comment."""
    fragment = Fragment.get(block, None)
    driven = driven_anywhere(fragment)
    printer = Printer(legal(block.name), driven)
    outputs = {id(signal) for signal in block.outputs.values()}
    name, _ = printer.print(Wiring(fragment, block, outputs, driven), ())
    lint = [f"/* verilator lint_off {rule} */ // {reason}" for rule, reason in LINT.items()]
    lines = [*(f"// {line}".rstrip() for line in header.splitlines()), "", *lint]
    for module in printer.ordered(name, {}).values():
        lines += ["", *(piece for line in module.splitlines() for piece in folded(line))]
    return "\n".join(lines) + "\n"
