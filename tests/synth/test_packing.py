"""The packing pass, proved by simulation, and what it gains."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from ecp5_designs import design, differences, netlist

from hwnorm.synth.flow import synthesise

KINDS = ("bram_output", "dsp_input", "dsp_output", "dsp_pipeline")


@pytest.mark.parametrize("seed", range(6))
def test_a_packed_netlist_equals_its_rtl(seed: int, tmp_path: Path) -> None:
    verilog, outputs = design(seed)
    found, packed = netlist(verilog, tmp_path)
    assert packed
    assert differences(verilog, found, outputs, tmp_path) == "equal"


@pytest.mark.long
def test_many_packed_netlists_equal_their_rtl(tmp_path: Path) -> None:
    total: Counter[str] = Counter()
    for seed in range(100, 220):
        verilog, outputs = design(seed)
        found, packed = netlist(verilog, tmp_path / str(seed))
        total.update(packed)
        assert differences(verilog, found, outputs, tmp_path / str(seed)) == "equal", f"design({seed})"
    assert min(total[kind] for kind in (*KINDS, "flip_flops_shared")) > 20, total
