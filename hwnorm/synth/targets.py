"""The devices that can be synthesised for: constants, one a line of the catalogue.

What counts as a LUT differs by family; ``luts`` says it, a weight for every cell type:

- ECP5, MachXO2, Nexus: a LUT4 is one, a carry cell (CCU2C, CCU2D) two; 16x4 bits of distributed RAM take four, and two
  more for its write port. The muxes between LUTs (PFUMX, L6MUX21) are free, they stand beside them.
- iCE40: an SB_LUT4 is one; a carry shares the logic cell of a LUT, and is counted only where nextpnr counts it.
- Xilinx: LUT1 to LUT6 are one each (two small ones may share a site; that is the placer's business), a 64-bit RAM or a
  shift register is one, RAM32M four, RAM64M four. CARRY4 and the muxes F7, F8, F9 are free.
- Cyclone V: an ALUT of up to six inputs is one, a seven-input one two, an adder cell one: ALUTs, half an ALM each.
- Gowin: LUT1 to LUT4 are one, an ALU (carry) cell one, 16x4 bits of distributed RAM four. Gatemate: every CPE-half
  (CC_LUT2, CC_L2T4 trees, CC_ADDF) is one, an eight-input CC_L2T5 tree one.

Where a placer ran, its own count stands in the result instead (it knows what feeds a carry chain and what packs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwnorm.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Target:
    """A device, how it is synthesised for, and how its cells are counted (cell type -> weight)."""

    name: str
    family: str
    device: str
    grade: str
    summary: str
    synth: str  # the yosys command; ``-top NAME`` is added
    luts: Mapping[str, float]
    ffs: Mapping[str, float]
    dsps: Mapping[str, float]
    brams: Mapping[str, float]
    lutrams: Mapping[str, float] = field(default_factory=dict)
    placer: str | None = None  # nextpnr's family, where placement is offered
    place_options: tuple[str, ...] = ()
    placed: Mapping[str, str] = field(default_factory=dict)  # lut, ff, dsp, bram -> what nextpnr calls it
    packs: bool = False  # flip-flops move into block RAMs and DSP blocks (hwnorm.synth.packing)


def _each(names: str, weight: float = 1) -> dict[str, float]:
    return dict.fromkeys(names.split(), weight)


_LATTICE = {
    "luts": {**_each("LUT4"), **_each("CCU2C CCU2D", 2), "TRELLIS_DPR16X4": 6.0, "DPR16X4C": 6.0},
    "ffs": _each("TRELLIS_FF"),
    "lutrams": _each("TRELLIS_DPR16X4 DPR16X4C"),
}

_ALL = (
    Target(
        "ecp5",
        "ecp5",
        "LFE5U-85F",
        "6",
        "Lattice ECP5, 84k LUT4: yosys and nextpnr",
        "synth_ecp5",
        **_LATTICE,
        dsps=_each("MULT18X18D"),
        brams=_each("DP16KD PDPW16KD"),
        placer="ecp5",
        place_options=(
            *("--85k", "--package", "CABGA756", "--speed", "6"),
            *("--out-of-context", "--timing-allow-fail", "--quiet"),
        ),
        placed={"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"},
        packs=True,
    ),
)
TARGETS: Mapping[str, Target] = {target.name: target for target in _ALL}


def find_target(name: str) -> Target:
    try:
        return TARGETS[name]
    except KeyError:
        raise InputError(f"unknown target {name!r}: {did_you_mean(name, TARGETS)}") from None
