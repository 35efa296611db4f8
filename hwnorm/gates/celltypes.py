"""What a cell does: yosys' generic gates and registers, in the notation in which Liberty describes its own.

A register's state is called ``IQ`` in its functions. ``next_state`` is what a clock edge stores; ``asynchronous`` is
what the register shows of its state (and keeps), given its asynchronous pins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from hwnorm.gates.logic import Function, function

STATE = "IQ"


@dataclass(frozen=True, slots=True)
class State:
    clock: str
    rising: bool
    next_state: Function
    asynchronous: Function | None


@dataclass(frozen=True, slots=True)
class CellType:
    """A function for each output pin; of the input pins and, with a state, of IQ."""

    outputs: Mapping[str, Function]
    state: State | None = None
    latch: bool = False


GATES = {
    **{"$_BUF_": "A", "$_NOT_": "!A"},
    **{"$_AND_": "A&B", "$_NAND_": "!(A&B)", "$_OR_": "A|B", "$_NOR_": "!(A|B)", "$_XOR_": "A^B", "$_XNOR_": "!(A^B)"},
    **{"$_ANDNOT_": "A&!B", "$_ORNOT_": "A|!B"},
    **{"$_MUX_": "A^(S&(A^B))", "$_NMUX_": "!(A^(S&(A^B)))"},
    **{"$_AOI3_": "!((A&B)|C)", "$_OAI3_": "!((A|B)&C)"},
    **{"$_AOI4_": "!((A&B)|(C&D))", "$_OAI4_": "!((A|B)&(C|D))"},
}
LATCH = re.compile(r"\$_(DLATCH|DLATCHSR|SR)_[NP01]+_")
REGISTER = re.compile(r"\$_(DFF|DFFE|SDFF|SDFFE|SDFFCE|ALDFF|ALDFFE|DFFSR|DFFSRE)_([NP01]+)_")
LETTERS = {  # what the letters of a register's type say, by its kind and how many they are; v is the value of a reset
    **{("DFF", 1): "C", ("DFF", 3): "CRv", ("DFFE", 2): "CE", ("DFFE", 4): "CRvE"},
    **{("SDFF", 3): "CRv", ("SDFFE", 4): "CRvE", ("SDFFCE", 4): "CRvE"},
    **{("ALDFF", 2): "CL", ("ALDFFE", 3): "CLE", ("DFFSR", 3): "CSR", ("DFFSRE", 4): "CSRE"},
}


@cache
def generic(name: str) -> CellType | None:
    """yosys' own cell of this type name; None where it has none, or none that is combinational or clocked."""
    if name in GATES:
        return CellType({"Y": function(GATES[name])})
    if name in ("$_MUX4_", "$_MUX8_", "$_MUX16_"):
        return CellType({"Y": function(_multiplexer("ABCDEFGHIJKLMNOP"[: int(name[5:-1])], "STUV"))})
    if LATCH.fullmatch(name):
        return CellType({}, latch=True)
    found = REGISTER.fullmatch(name)
    if found is None or (found[1], len(found[2])) not in LETTERS:
        return None
    return CellType({"Q": function(STATE)}, _register(found[1], found[2]))


def _multiplexer(data: str, select: str) -> str:
    """The first select bit chooses within pairs of data."""
    if len(data) == 1:
        return data
    s = select[(len(data) - 1).bit_length() - 1]
    low, high = (_multiplexer(half, select) for half in (data[: len(data) // 2], data[len(data) // 2 :]))
    return f"(({low})&!{s}|({high})&{s})"


def _register(kind: str, letters: str) -> State:
    meaning = dict(zip(LETTERS[kind, len(letters)], letters, strict=True))
    pin = {name: name if level == "P" else f"!{name}" for name, level in meaning.items()}
    after = "D" if "E" not in pin else f"(({pin['E']})&D|!({pin['E']})&{STATE})"
    shown = None
    if kind.startswith("S"):
        reset = _reset(after if kind != "SDFFCE" else "D", pin["R"], meaning["v"])
        after = f"(({pin['E']})&{reset}|!({pin['E']})&{STATE})" if kind == "SDFFCE" else reset
    elif kind.startswith("AL"):
        shown = f"{STATE}^({pin['L']}&({STATE}^AD))"
    elif kind.startswith("DFFSR"):
        shown = f"({STATE}|{pin['S']})&!({pin['R']})"
    elif "R" in pin:
        shown = _reset(STATE, pin["R"], meaning["v"])
    return State("C", meaning["C"] == "P", function(after), function(shown) if shown else None)


def _reset(value: str, active: str, to: str) -> str:
    return f"({value}|{active})" if to == "1" else f"({value}&!({active}))"
