"""Moves flip-flops into the registers that ECP5's block RAMs and multipliers carry inside; yosys leaves them outside.

Three rules; every one keeps the function of every output in every cycle, from power-up on, where all these registers
hold 0. A flip-flop qualifies where it is rising-edge, has its power-up and reset value 0, an enable that is active high
or none, and is not marked ``keep``.

1. *Block RAM.* Every used data output of a port feeds one flip-flop and nothing else, all under the same clock (the
   port's), the same enable and no reset: they become the port's output register (``REGMODE = OUTREG``), their enable
   its ``OCE``, which is independent of the read enable. A port with a reset of its own is left alone.
2. *Multiplier, inputs.* Every bit of A and of B is a constant or comes from such flip-flops, all under the same
   control: the multiplier takes their data inputs, and its own input registers take their place. A flip-flop that has
   other users too stays for them. Constants of 1 may stand in one operand only: until the registers are first
   loaded the other one, being 0, keeps the product 0 as it was.
3. *Multiplier, output.* Every used product bit feeds one such flip-flop and nothing else: the output register. Where
   the same holds once more behind it, the first layer becomes the pipeline register inside the multiplier.

One clock, one enable and one reset serve a whole multiplier (CLK0, CE0, RST0); a reset is taken only where nothing
gates the clock, so that which of the two wins never matters. Where inputs and output differ in control, the inputs go
in.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnorm.errors import InputError
from hwnorm.files import write_whole
from hwnorm.synth import carries
from hwnorm.synth.netlist import Bit, Cell, Netlist, number, parameter

FLIP_FLOP, BLOCK_RAM, MULTIPLIER = "TRELLIS_FF", "DP16KD", "MULT18X18D"
WIDTH = 18
OPERANDS = {side: [f"{side}{i}" for i in range(WIDTH)] for side in "AB"}
PRODUCT = [f"P{i}" for i in range(2 * WIDTH)]
ZERO, ONE = "0", "1"
INPUT_REGISTERS = ("REG_INPUTA_CLK", "REG_INPUTB_CLK")
OUTPUT_REGISTERS = {"REG_OUTPUT_CLK": "dsp_output", "REG_PIPELINE_CLK": "dsp_pipeline"}  # in the order of their use


@dataclass(frozen=True, slots=True)
class Control:
    """What a register obeys; ``enable`` is "1" where it has none, ``reset`` is "0"."""

    clock: Bit
    enable: Bit
    reset: Bit

    @property
    def fits_multiplier(self) -> bool:
        return self.reset == ZERO or self.enable == ONE


def pack(module: dict[str, Any]) -> Counter[str]:
    """Changes a module of a netlist in place; what was moved, by kind."""
    nets = Netlist(module)
    done = carries.tidy(nets)
    named = {kind: [n for n, c in nets.cells.items() if c["type"] == kind] for kind in (BLOCK_RAM, MULTIPLIER)}
    for name in named[BLOCK_RAM]:
        for port in _read_ports(nets.cells[name]):
            done.update(_pack_block_ram(nets, name, port))
    taken: dict[str, Control] = {}
    free = [name for name in named[MULTIPLIER] if _has_no_registers(nets.cells[name])]
    for name in free:
        done.update(_pack_inputs(nets, name, taken))
    for name in free:
        done.update(_pack_output(nets, name, taken))
    return +done


# Flip-flops


def _control(cell: Cell) -> Control | None:
    """Of a flip-flop that may move, else None."""
    if cell["type"] != FLIP_FLOP or "keep" in cell.get("attributes", {}):
        return None
    pins = {port: bits[0] for port, bits in cell["connections"].items() if bits}
    enables = {"1": ONE, "CE": pins.get("CE", ONE)}
    enable = enables.get(parameter(cell, "CEMUX", "1"))
    plain = {"CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET", "LSRMODE": "LSR"}
    if enable in (None, ZERO, "x", "z") or any(parameter(cell, key, value) != value for key, value in plain.items()):
        return None
    reset = pins.get("LSR", ZERO)
    if reset != ZERO and parameter(cell, "SRMODE", "LSR_OVER_CE") != "LSR_OVER_CE":
        return None  # asynchronous
    clock = pins.get("CLK")
    return Control(clock, enable, reset) if isinstance(clock, int) else None


def _layer_behind(nets: Netlist, outputs: list[Bit]) -> tuple[dict[Bit, str], Control] | None:
    """The flip-flops that are the only users of these nets, by net, where they all obey the same control."""
    found: dict[Bit, str] = {}
    controls = set()
    for bit in outputs:
        users = nets.users[bit]
        name, port = next(iter(users))
        control = _control(nets.cells[name]) if len(users) == 1 and name and port == "DI" else None
        if control is None:
            return None
        found[bit] = name
        controls.add(control)
    return (found, controls.pop()) if len(controls) == 1 else None


def _used(nets: Netlist, cell: str, ports: list[str]) -> dict[str, Bit]:
    bits = {port: nets.bit(cell, port) for port in ports}
    return {port: bit for port, bit in bits.items() if isinstance(bit, int) and nets.users[bit]}


# Block RAM


@dataclass(frozen=True, slots=True)
class _ReadPort:
    letter: str  # whose clock, reset and enable govern it
    halves: str  # whose outputs and modes belong to it

    @property
    def outputs(self) -> list[str]:
        return [f"DO{half}{i}" for half in self.halves for i in range(WIDTH)]


def _read_ports(cell: Cell) -> list[_ReadPort]:
    """36 bits wide, both halves are read by port B; else each port reads its own."""
    wide = 36 in (number(cell, "DATA_WIDTH_A", 18), number(cell, "DATA_WIDTH_B", 18))
    return [_ReadPort("B", "AB")] if wide else [_ReadPort("A", "A"), _ReadPort("B", "B")]


def _pack_block_ram(nets: Netlist, name: str, port: _ReadPort) -> Counter[str]:
    cell, letter = nets.cells[name], port.letter
    plain = {f"CLK{letter}MUX": f"CLK{letter}", **{f"REGMODE_{half}": "NOREG" for half in port.halves}}
    outputs = _used(nets, name, port.outputs)
    if not outputs or any(parameter(cell, key, value) != value for key, value in plain.items()):
        return Counter()
    layer = _layer_behind(nets, list(outputs.values()))
    if layer is None or nets.bit(name, f"RST{letter}") not in (None, ZERO):
        return Counter()
    flip_flops, control = layer
    if control.clock != nets.bit(name, f"CLK{letter}") or control.reset != ZERO:
        return Counter()
    for half in port.halves:
        cell["parameters"][f"REGMODE_{half}"] = "OUTREG"
        nets.connect(name, f"OCE{half}", control.enable)
    return _take_over(nets, name, outputs, flip_flops, "bram_output")


def _take_over(
    nets: Netlist, name: str, outputs: dict[str, Bit], flip_flops: dict[Bit, str], kind: str
) -> Counter[str]:
    """The cell drives what the flip-flops behind it drove, and they are gone."""
    for port, bit in outputs.items():
        behind = nets.bit(flip_flops[bit], "Q")
        nets.remove(flip_flops[bit])
        if behind is not None:
            nets.connect(name, port, behind, "output")
    return Counter({kind: 1, "flip_flops_removed": len(outputs)})


# Multiplier


def _has_no_registers(cell: Cell) -> bool:
    shifted = any(cell["connections"].get(port, [ZERO]) != [ZERO] for port in ("SOURCEA", "SOURCEB"))
    return not shifted and all(parameter(cell, key, "NONE") == "NONE" for key in (*INPUT_REGISTERS, *OUTPUT_REGISTERS))


def _pack_inputs(nets: Netlist, name: str, taken: dict[str, Control]) -> Counter[str]:
    sources: dict[str, str] = {}  # input port -> the flip-flop that feeds it
    controls, ones = set(), set()
    for side, ports in OPERANDS.items():
        for port in ports:
            bit = nets.bit(name, port)
            if isinstance(bit, int):
                driver, output = nets.driver.get(bit, ("", ""))
                control = _control(nets.cells[driver]) if driver and output == "Q" else None
                if control is None:
                    return Counter()
                sources[port] = driver
                controls.add(control)
            elif bit == ONE:
                ones.add(side)
    if len(controls) != 1 or len(ones) > 1 or not controls.copy().pop().fits_multiplier:
        return Counter()
    mine = {(name, port) for port in sources}
    shared = {ff for ff in sources.values() if nets.users[nets.cells[ff]["connections"]["Q"][0]] - mine}
    if any(_comes_from_a_register_inside(nets, flip_flop) for flip_flop in shared):
        return Counter()
    (control,) = controls
    for port, flip_flop in sources.items():
        nets.connect(name, port, nets.cells[flip_flop]["connections"]["DI"][0])
    for flip_flop in set(sources.values()) - shared:
        nets.remove(flip_flop)
    _use(nets, name, control, INPUT_REGISTERS)
    taken[name] = control
    gone = len(set(sources.values())) - len(shared)
    return Counter({"dsp_input": 1, "flip_flops_removed": gone, "flip_flops_shared": len(shared)})  # shared: they stay


def _comes_from_a_register_inside(nets: Netlist, flip_flop: str) -> bool:
    """A second user of such an output would keep the flip-flop from moving there."""
    driver, _ = nets.driver.get(nets.cells[flip_flop]["connections"]["DI"][0], ("", ""))
    return bool(driver) and nets.cells[driver]["type"] in (BLOCK_RAM, MULTIPLIER)


def _pack_output(nets: Netlist, name: str, taken: dict[str, Control]) -> Counter[str]:
    done = Counter[str]()
    for register, kind in OUTPUT_REGISTERS.items():  # a second layer pushes the first into the pipeline
        outputs = _used(nets, name, PRODUCT)
        layer = _layer_behind(nets, list(outputs.values())) if outputs else None
        if layer is None or not layer[1].fits_multiplier or taken.get(name, layer[1]) != layer[1]:
            break
        taken[name] = layer[1]
        _use(nets, name, layer[1], (register,))
        done.update(_take_over(nets, name, outputs, layer[0], kind))
    return done


def _use(nets: Netlist, name: str, control: Control, registers: tuple[str, ...]) -> None:
    """Enable and reset are connected even where they are constant: an open RST0 would be 1 in the silicon."""
    nets.connect(name, "CLK0", control.clock)
    nets.connect(name, "CE0", control.enable)
    nets.connect(name, "RST0", control.reset)
    parameters = nets.cells[name]["parameters"]
    for register in registers:
        parameters[register] = "CLK0"
        parameters[register.removesuffix("CLK") + "CE"] = "CE0"
        parameters[register.removesuffix("CLK") + "RST"] = "RST0"


def main(file: str, top: str) -> None:
    """``python -m hwnorm.synth.packing NETLIST TOP``: for the scripts of a generated folder."""
    try:
        design = json.loads(Path(file).read_text(encoding="utf-8"))
        pack(design["modules"][top])
    except (OSError, ValueError, LookupError, TypeError) as fault:
        raise InputError(f"{file}: not a netlist of yosys with a module {top}: {fault!r}") from None
    write_whole(Path(file), json.dumps(design).encode())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m hwnorm.synth.packing NETLIST TOP")
    try:
        main(*sys.argv[1:])
    except InputError as fault:
        sys.exit(f"hwnorm: error: {fault}")
