"""The netlist in NumPy against Icarus: random designs, identical in each cycle of each stream.

200 designs: 60 are netlists of yosys' cells as they are (every type of gate and register; Icarus has yosys' own
description of them), 140 are Verilog which Icarus simulates as it is written. Every tenth of each kind is in the
default run, the rest is marked long.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from gates.designs import GATES, REGISTERS, Design, behavioural, structural
from gates.icarus import cells_as_they_are, needs_icarus, simcells, simulate

from hwnorm.gates import Delay, Netlist, netlist_of

CYCLES, STREAMS = 40, 5
SHORT = 10


def seeds(count: int) -> list:
    return [pytest.param(seed, marks=[] if seed % SHORT == 0 else [pytest.mark.long]) for seed in range(count)]


def compare(
    netlist: Netlist, design: Design, folder: Path, seed: int, sources: list[str | Path], preset: str = ""
) -> None:
    stimuli = design.stimuli(seed, CYCLES, STREAMS)
    want = simulate(folder, sources, "top", stimuli, design.outputs, design.inputs, preset=preset)
    known = sum(int((values >= 0).sum()) for values in want.values())
    assert known > 0.95 * sum(values.size for values in want.values()), "Icarus leaves too much unknown"
    for options in ({}, {"ports_alone": True}, {"toggles": Delay.ZERO}, {"toggles": Delay.UNIT}):
        found = netlist.simulator(STREAMS, **options).run(stimuli)
        for name, width in design.outputs.items():
            values = found[name].astype(object)
            if values.ndim == 3:
                each = width // values.shape[1]
                values = sum(values[:, k] << (each * k) for k in range(values.shape[1]))
            wrong = np.argwhere((want[name] >= 0) & (values != want[name]))
            assert not wrong.size, (
                f"seed {seed}, {options}: {name} differs first at (cycle, stream) {wrong[0]}: "
                f"{values[tuple(wrong[0])]:x}, Icarus has {want[name][tuple(wrong[0])]:x}"
            )


@needs_icarus
@pytest.mark.parametrize("seed", seeds(140))
def test_verilog(seed: int, tmp_path: Path) -> None:
    design = behavioural(seed)
    netlist = netlist_of(design.text, "top", gates=design.gates, by_instance=seed % 3 == 0)
    compare(netlist, design, tmp_path, seed, [design.text])


@needs_icarus
@pytest.mark.parametrize("seed", seeds(60))
def test_cells(seed: int, tmp_path: Path) -> None:
    design = structural(seed)
    preset = "\n".join(re.sub(r"^", f"lane[{k}].dut.", design.preset, flags=re.MULTILINE) for k in range(STREAMS))
    compare(cells_as_they_are(design.text), design, tmp_path, seed, [simcells(), design.text], f"#1 {preset}")


def test_every_type_of_cell_comes_up() -> None:
    texts = [structural(seed).text for seed in range(60)]
    for name in [*GATES, *(name for name, _ in REGISTERS)]:
        assert any(f"\\{name} " in text for text in texts), name
