"""Cells of a Liberty file: a small one in the manner of those that foundries give, mapped to by yosys and simulated."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gates.designs import behavioural
from gates.icarus import needs_icarus
from gates.test_against_icarus import compare
from gates.test_toggles import cell, module, port

from hwnorm.errors import InputError
from hwnorm.gates import Delay, Library, Netlist
from hwnorm.gates.flow import run_script
from hwnorm.gates.logic import function, value
from hwnorm.synth.liberty_files import library


def gate(name: str, area: float, text: str, pins: str, more: str = "") -> str:
    inputs = "".join(f"pin ({p}) {{ direction : input; capacitance : {k + 2}.5; }}\n" for k, p in enumerate(pins))
    output = f'pin (Y) {{ direction : "output"; function : "{text}"; }}'
    return f'cell ("{name}") {{ area : {area};\n{more}\n{inputs} {output}\n}}'


TEMPLATE = 'lu_table_template (t) { variable_1 : x; index_1 ("1, 2"); }'
TIMING = 'timing () { related_pin : "A"; cell_rise (t) { values ("1, 2", \\\n"}"); } }'  # read over
FOR_ABC = "\n".join(
    [
        "/* a comment, which { does not count */",
        "library (tiny) {",
        '  delay_model : table_lookup; time_unit : "1ns"; leakage_power_unit : "1nW";',
        "  capacitive_load_unit (1, ff)",  # no semicolon, as some write it
        "@TEMPLATE@",
        gate("inv", 1, "!A", "A", "cell_leakage_power : 2.5;"),
        gate("buf", 1.5, "A", "A"),
        gate("nand2", 2, "(A B)'", "AB", 'leakage_power () { when : "A"; value : 3; } leakage_power () { value : 5; }'),
        gate("nor2", 2, "!(A+B)", "AB"),
        gate("xor2", 4, "(A^B)", "AB"),
        gate("mux2", 4, "((S' * A) | (S & B))", "ABS"),
        gate("aoi21", 3, "!((A1*A2)+B)", ["A1", "A2", "B"]),
        """cell (ha) { area : 6; pin (A) { direction : input; capacitance : 1; } pin (B) { direction : input; }
           pin (S) { direction : output; function : "A^B"; @TIMING@ }
           pin (C) { direction : output; function : "A&B"; } }
           cell (tie) { area : 1; pin (H) { direction : output; function : "1"; }
           pin (L) { direction : output; function : "0"; } }""",
        """cell (dffr) { area : 8; ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; clear : "RESET_B'"; }
           pin (CLK) { direction : input; clock : true; } pin (D) { direction : input; }
           pin (RESET_B) { direction : input; }
           pin (Q) { direction : output; function : "IQ"; } pin (QN) { direction : output; function : "IQN"; } }
           cell (dffs) { area : 8; ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; preset : "!SET_B"; }
           pin (CLK) { direction : input; clock : true; } pin (D) { direction : input; }
           pin (SET_B) { direction : input; }
           pin (Q) { direction : output; function : "IQ"; } }
           cell (dff) { area : 6; ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }
           pin (CLK) { direction : input; clock : true; } pin (D) { direction : input; }
           pin (Q) { direction : output; function : "IQ"; } }
           cell (dffn) { area : 6; ff (IQ, IQN) { clocked_on : "!CLK"; next_state : "(E D) + (E' IQ)"; }
           pin (CLK) { direction : input; } pin (D) { direction : input; } pin (E) { direction : input; }
           pin (Q) { direction : output; function : "IQ"; }
           pin (QN) { direction : output; function : "IQN"; } }
           cell (lat) { area : 5; latch (IQ, IQN) { enable : "G"; data_in : "D"; }
           pin (G) { direction : input; } pin (D) { direction : input; }
           pin (Q) { direction : output; function : "IQ"; } }
           cell (tri) { area : 5; pin (A) { direction : input; } pin (E) { direction : input; }
           pin (Y) { direction : output; function : "A"; three_state : "!E"; } }""",
        "}",
    ]
)
LIBERTY = FOR_ABC.replace("@TIMING@", TIMING).replace("@TEMPLATE@", TEMPLATE)
FOR_ABC = FOR_ABC.replace("@TIMING@", "").replace("@TEMPLATE@", "")  # which wants all tables or none


def test_what_it_reads() -> None:
    library = Library.from_text(LIBERTY)
    cells = library.cells
    assert library.name == "tiny" and len(cells) == 15
    assert cells["inv"].area == 1 and cells["inv"].leakage_uw == 2.5e-3 and cells["nand2"].leakage_uw == 4e-3
    assert cells["nand2"].capacitance_pf == {"A": (2.5e-3, 2.5e-3), "B": (3.5e-3, 3.5e-3)}
    assert cells["tri"].behaviour is None and "Y has no plain function" in cells["tri"].why


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("!(A*B)", lambda a, b, c: not (a and b)),
        ("(A B)'", lambda a, b, c: not (a and b)),
        ("A B' + C", lambda a, b, c: (a and not b) or c),
        ("A + B ^ C", lambda a, b, c: a or (b != c)),
        ("A & B ^ C", lambda a, b, c: a and (b != c)),
        ("!A'", lambda a, b, c: a),
        ("A^1", lambda a, b, c: not a),
        ("(A | 0) & (B + 1)", lambda a, b, c: a),
    ],
)
def test_functions(text: str, want) -> None:
    read = function(text)
    for k in range(8):
        pins = {"A": k & 1, "B": k >> 1 & 1, "C": k >> 2 & 1}
        assert value(read.expression, tuple(-pins[p] for p in read.pins)) & 1 == int(want(*pins.values())), text


def test_cells_by_hand() -> None:
    out = dict.fromkeys(("S", "C", "H", "L", "QN"), "output")
    cells = {
        "h": {**cell("ha", A=2, B=3, S=4, C=5), "port_directions": out},
        "t": {**cell("tie", H=6, L=7), "port_directions": out},
        "r": {**cell("dffn", CLK=8, D=4, E=2, QN=9), "port_directions": out},
    }
    ports = {"a": port("input", 2), "b": port("input", 3), "clk": port("input", 8), "y": port("output", 4, 5, 6, 7, 9)}
    netlist = Netlist.from_json(module(ports, cells, {}), liberty=Library.from_text(LIBERTY))
    simulation = netlist.simulator(4)
    a, b = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    ha = (a ^ b) | (a & b) << 1 | 1 << 2
    assert (simulation.step({"a": a, "b": b})["y"] == ha + 16).all()
    assert (simulation.step({"a": a, "b": b})["y"] == ha + 16 * (1 - (a & ~b))).all()


@needs_icarus
@pytest.mark.parametrize("seed", [1, 2, 4])
def test_a_mapped_design_against_icarus(seed: int, tmp_path: Path) -> None:
    """Verilog as it is written in Icarus; mapped to the library's cells here, read from a packed file."""
    (tmp_path / "tiny.lib").write_text(FOR_ABC)
    (tmp_path / "tiny.lib.gz").write_bytes(gzip.compress(LIBERTY.encode()))
    design = behavioural(seed)
    lib = tmp_path / "tiny.lib"
    script = (
        "read_verilog -sv design\nhierarchy -top top\nproc\nflatten\nopt\nmemory -nomap\nopt\ntechmap\nopt\n"
        f"dfflibmap -liberty {lib}\nabc -liberty {lib}\nopt_clean\nwrite_json netlist"
    )
    netlist = Netlist.from_json(json.loads(run_script(script, design.text)), liberty=tmp_path / "tiny.lib.gz")
    used = {cell.type for cell in netlist.cells}
    assert {"nand2", "inv", "dff", "dffr"} <= used, used
    compare(netlist, design, tmp_path, seed, [design.text])
    assert netlist.simulator(1, toggles=Delay.UNIT).run(design.stimuli(1, 5, 1))


def test_what_is_refused() -> None:
    library = Library.from_text(LIBERTY)
    for kind, pins, message in (
        ("lat", {"G": 2, "D": 2, "Q": 3}, r"cell u is a latch \(lat\)"),
        (
            "tri",
            {"A": 2, "E": 2, "Y": 3},
            "cell u: type tri of tiny cannot be simulated: output Y has no plain function",
        ),
        ("and9", {"A": 2, "Y": 3}, "cell u: unknown cell type and9"),
    ):
        content = module({"a": port("input", 2), "y": port("output", 3)}, {"u": cell(kind, **pins)}, {})
        with pytest.raises(InputError, match=message):
            Netlist.from_json(content, liberty=library).simulator(1)
    for text, message in (
        (LIBERTY[:-2], "the group library tiny is not closed"),
        (LIBERTY + "}", "a closing brace too many"),
        ("", "is no Liberty file"),
        ("cell (a) { }", "starts with 'cell'"),
    ):
        with pytest.raises(InputError, match=message):
            Library.from_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        Library.from_file("nowhere.lib")
    for text in ("A +", "(A", "A)", "A ? B", "+A"):
        with pytest.raises(InputError, match="function"):
            function(text)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="cut"),
        pytest.param(lambda data: data[:10] + b"\xff" * 9 + data[19:], id="no-deflate"),
        pytest.param(lambda data: data[:-8] + bytes(8), id="wrong-sum"),
    ],
)
def test_a_compressed_file(damaged: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path, data = tmp_path / "tiny.lib.gz", gzip.compress(LIBERTY.encode())
    path.write_bytes(data)
    assert Library.from_file(path) == Library.from_text(LIBERTY)
    path.write_bytes(damaged(data))
    for read in (Library.from_file, library):
        with pytest.raises(InputError, match=r"tiny\.lib\.gz: cannot be read: "):
            read(str(path))
