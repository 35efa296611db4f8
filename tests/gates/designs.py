"""Random small designs: as Verilog that yosys maps, and as netlists of yosys' own cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from random import Random

import numpy as np

GATES = {
    **{f"$_{n}_": "AB" for n in ("AND", "NAND", "OR", "NOR", "XOR", "XNOR", "ANDNOT", "ORNOT")},
    **{"$_BUF_": "A", "$_NOT_": "A", "$_MUX_": "ABS", "$_NMUX_": "ABS", "$_AOI3_": "ABC", "$_OAI3_": "ABC"},
    **{"$_AOI4_": "ABCD", "$_OAI4_": "ABCD", "$_MUX4_": "ABCDST", "$_MUX8_": "ABCDEFGHSTU"},
    "$_MUX16_": "ABCDEFGHIJKLMNOPSTUV",
}
SHAPES = {"DFF": "C", "DFFE": "CE", "ALDFF": "CL", "ALDFFE": "CLE", "DFFSR": "CSR", "DFFSRE": "CSRE"}
RESETS = {"DFF": "CRv", "DFFE": "CRvE", "SDFF": "CRv", "SDFFE": "CRvE", "SDFFCE": "CRvE"}
REGISTERS = [
    (f"$_{kind}_{''.join(letters)}_", dict(zip(shape, letters, strict=True)))
    for shapes in (SHAPES, RESETS)
    for kind, shape in shapes.items()
    for letters in product(*("01" if letter == "v" else "NP" for letter in shape))
]


@dataclass
class Design:
    text: str
    inputs: dict[str, int] = field(default_factory=dict)  # widths, without the clock
    outputs: dict[str, int] = field(default_factory=dict)
    preset: str = ""  # statements that give a bench's lane s its initial state
    gates: str = "gates"

    def stimuli(self, seed: int, cycles: int, streams: int) -> dict[str, np.ndarray]:
        """Resets are rare and not in the first cycle (a simulator may well see their edge before the initial values),
        a set comes never with or just after a reset, ``still`` never changes: beyond that the
        cells' Verilog, which looks at edges, says something else than the cells, which look at levels."""
        random = np.random.default_rng(seed)
        found = {name: random.integers(0, 1 << width, (cycles, streams)) for name, width in self.inputs.items()}
        for name in ("rst", "arst", "arst_n", "r", "s"):
            if name in found:
                found[name] = (random.random((cycles, streams)) < 0.15).astype(np.int64)
                found[name][0] = 0
        if "arst_n" in found:
            found["arst_n"] ^= 1
        if "s" in found:
            before = np.vstack([np.zeros((1, streams), np.int64), found["r"][:-1]])
            found["s"] &= ~(found["r"] | before) & 1
            after = np.vstack([np.zeros((1, streams), np.int64), found["s"][:-1]])
            found["r"] &= ~after & 1
            found["still"][:] = found["still"][0]
            found["rn"], found["sn"] = found["r"] ^ 1, found["s"] ^ 1
        return found


def structural(seed: int, registers: list[tuple[str, dict[str, str]]] = REGISTERS) -> Design:
    """Cells as they are: every register's type comes up as the seed runs, every gate's in each design."""
    random = Random(seed)
    inputs = {"i": 8, "r": 1, "rn": 1, "s": 1, "sn": 1, "still": 1}
    nets = [f"i[{k}]" for k in range(8)]
    chosen = [registers[(seed * 11 + k) % len(registers)] for k in range(11)]
    nets += [f"q{k}" for k in range(len(chosen))]
    lines, presets = [], []
    for k, (name, pins) in enumerate([(n, p) for n, p in GATES.items() for _ in range(2)]):
        connect = ", ".join(f".{pin}({random.choice(nets)})" for pin in pins)
        lines.append(f"  wire g{k}; \\{name} gate{k} ({connect}, .Y(g{k}));")
        nets.append(f"g{k}")
    for k, (name, pins) in enumerate(chosen):
        value = random.randint(0, 1)
        asynchronous = not name.startswith("$_SDFF")
        connect = [f".D({random.choice(nets)})", ".C(clk)", f".Q(q{k})"]
        for pin, letter in pins.items():
            low = "n" if letter == "N" else ""
            if pin in "SR":
                connect.append(f".{pin}({pin.lower()}{low})" if asynchronous else f".{pin}({random.choice(nets)})")
            elif pin == "L":
                connect += [f".L(r{low})", ".AD(still)"]
            elif pin == "E":
                connect.append(f".E({random.choice(nets)})")
        lines.append(f"  \\{name} register{k} ({', '.join(connect)});")
        lines.insert(0, f"  (* init = 1'b{value} *) wire q{k};")
        presets.append(f"register{k}.Q = 1'b{value};")
    ports = ", ".join(["input clk", *(f"input [{w - 1}:0] {n}" for n, w in inputs.items()), "output [63:0] y"])
    used = ", ".join(nets[8 : 8 + 64][::-1])
    text = f"module top({ports});\n" + "\n".join(lines) + f"\n  assign y = {{{used}}};\nendmodule\n"
    return Design(text, inputs, {"y": 64}, "\n".join(presets))


def behavioural(seed: int) -> Design:
    """Verilog with expressions, registers of all styles, memories and a submodule."""
    random = Random(seed)
    inputs = {"rst": 1, "arst": 1, "arst_n": 1, "en": 1, "a": random.randint(3, 9), "b": random.randint(2, 8), "c": 4}
    signals = {name: width for name, width in inputs.items() if name in "abc" or name == "en"}
    registers = {f"r{k}": random.randint(1, 10) for k in range(random.randint(3, 6))}
    signals |= registers
    lines, outputs = [], {}

    def expression(depth: int) -> str:
        if depth == 0 or random.random() < 0.15:
            return random.choice([*signals, f"{random.randint(1, 6)}'d{random.randint(0, 1)}"])
        x, y = expression(depth - 1), expression(depth - 1)
        match random.randint(0, 6):
            case 0:
                return f"({x} {random.choice(['+', '-', '*'])} {y})"
            case 1:
                return f"({x} {random.choice(['&', '|', '^', '~^'])} {y})"
            case 2:
                return f"({x} {random.choice(['<', '>=', '==', '!='])} {y})"
            case 3:
                return f"({expression(1)} ? {x} : {y})"
            case 4:
                return f"({random.choice(['~', '-', '!', '^', '&', '|'])}({x}))"
            case 5:
                return f"({{{x}, {y}}} >> ({expression(0)} & 3))"
            case _:
                return f"($signed({x}) >>> ({y} & 1))"

    for name, width in registers.items():
        lines.append(f"  reg [{width - 1}:0] {name} = {random.randrange(1 << width)};")
    for k in range(random.randint(2, 4)):
        width = random.randint(1, 8)
        lines.append(f"  wire [{width - 1}:0] w{k} = {expression(3)};")
        signals[f"w{k}"] = outputs[f"w{k}"] = width
    for k in range(random.randint(1, 2)):
        lines += _memory(random, k, expression, outputs)
    lines.append(
        f"  wire [2:0] d = a ^ {expression(1)}; wire [4:0] e = {expression(2)}; part u (clk, arst, d, e, sub);"
    )
    outputs["sub"] = 5  # its inputs have wires: simulators differ on signed expressions at ports
    for name, width in registers.items():
        value = random.randrange(1 << width)
        edge = random.choice(["posedge", "posedge", "negedge"])
        enable = f"if ({random.choice(['en', '!en', 'c[2]', 'a[1] ^ b[0]'])}) " if random.random() < 0.6 else ""
        event, head = {
            0: (f"{edge} clk", ""),
            1: (f"{edge} clk", f"if (rst) {name} <= {value}; else "),
            2: (f"{edge} clk or posedge arst", f"if (arst) {name} <= {value}; else "),
            3: (f"{edge} clk or negedge arst_n", f"if (!arst_n) {name} <= {value}; else "),
            4: (f"{edge} clk", f"if (en) begin if (rst) {name} <= {value}; else {name} <= {expression(1)}; end else "),
        }[random.randint(0, 4)]
        lines.append(f"  always @({event}) {head}{enable}{name} <= a ^ {expression(3)};")
        outputs[f"o_{name}"] = width
        lines.append(f"  assign o_{name} = {name};")
    ports = [
        *(f"input [{w - 1}:0] {n}" for n, w in inputs.items()),
        *(f"output [{w - 1}:0] {n}" for n, w in outputs.items()),
    ]
    part = (
        "module part(input clk, input arst, input [2:0] d, input [4:0] e, output reg [4:0] q = 3);\n"
        "  always @(posedge clk or posedge arst) if (arst) q <= 9; else q <= q + d ^ e;\nendmodule\n"
    )
    text = f"{part}module top(input clk, {', '.join(ports)});\n" + "\n".join(lines) + "\nendmodule\n"
    return Design(text, inputs, outputs, gates=random.choice(["gates", "all", "simple", "cmos", "cmos2"]))


def _memory(random: Random, k: int, expression, outputs: dict[str, int]) -> list[str]:
    width, bits = random.choice([1, 4, 7, 12, 40, 72]), random.randint(1, 4)
    m, clock = f"m{k}", random.choice(["posedge clk", "posedge clk", "negedge clk"])
    lines = [
        f"  reg [{width - 1}:0] {m} [0:{(1 << bits) - 1}]; integer k{k}; initial for (k{k} = 0; k{k} < {1 << bits}; "
    ]
    lines[0] += f"k{k} = k{k} + 1) {m}[k{k}] = k{k} * 5 + 1;"
    lines.append(f"  wire [{bits - 1}:0] ra{k} = {expression(2)}; wire [{bits - 1}:0] wa{k} = {expression(1)};")
    lines.append(f"  wire [{width - 1}:0] wd{k} = {{10{{{expression(2)}, a}}}};")
    write = f"if ({expression(1)}) {m}[wa{k}] <= wd{k};"
    if random.random() < 0.4 and width > 2:
        half = width // 2
        write = (
            f"begin if (en) {m}[wa{k}][{half - 1}:0] <= wd{k}[{half - 1}:0]; "
            f"if (c[0]) {m}[wa{k}][{width - 1}:{half}] <= wd{k}[{width - 1}:{half}]; end"
        )
    if random.random() < 0.3:
        write = f"begin {write} if (c[1]) {m}[ra{k}] <= ~wd{k}; end"
    style = random.randint(0, 3)
    read = f"m{k}_q"
    outputs[read] = width
    if style == 0:
        lines.append(f"  always @({clock}) {write}\n  assign {read} = {m}[ra{k}];")
        return lines
    lines.append(f"  reg [{width - 1}:0] t{k} = 0; assign {read} = t{k};")
    fetch = {1: f"t{k} <= {m}[ra{k}];", 2: f"if (en) t{k} <= {m}[ra{k}];"}.get(
        style, f"if (rst) t{k} <= 1; else if (en) t{k} <= {m}[ra{k}];"
    )
    if random.random() < 0.3:  # what is written is read at once
        fetch = f"begin {fetch} if (en && c[2] && wa{k} == ra{k}) t{k} <= wd{k}; end"
    lines.append(f"  always @({clock}) begin {write} {fetch} end")
    return lines
