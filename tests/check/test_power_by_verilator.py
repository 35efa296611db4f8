"""Whole engines in cells: Verilator counts the changes of the same netlist under the same stimuli."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gates.priced import LIBRARY
from saif import CELLS, changes, needs_verilator, switching_pj

from hwnorm.check.bench import Stalls
from hwnorm.check.differences import compare
from hwnorm.check.drawing import call_of
from hwnorm.check.folder import Folder
from hwnorm.check.groups import groups_of
from hwnorm.check.power import realistic
from hwnorm.check.queues import queues_of
from hwnorm.check.rows import batch_of
from hwnorm.engine import Engine
from hwnorm.gates import Delay, States, energies
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit
from hwnorm.synth.asic import synthesise_asic
from hwnorm.synth.mapping import TIMED_TOP

STREAMS, GROUPS = 64, 4


@needs_verilator
@pytest.mark.long  # building a netlist of thousands of cells takes minutes
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_switching_energy_of_an_engine(norm: str, tmp_path: Path) -> None:
    """Within 5 %. Of the streams that are compared with the reference, the first is what Verilator runs."""
    design = Design(Engine(norm, 4, max_elements=64), "forward", 1, external=True)  # without macros
    files = emit(design, "engine", "test")
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "engine.v").write_bytes(files["rtl/engine.v"])
    (tmp_path / "priced.lib").write_text(LIBRARY)
    folder = Folder(tmp_path, json.loads(files["manifest.json"]))
    found = synthesise_asic(folder.text, "engine", str(tmp_path / "priced.lib"), second_opinion=False)
    netlist, m = found.mapped.netlist, 64
    widths = {name: len(nets) for name, nets in netlist.inputs.items() if name != "clk"}
    call = call_of(design.engine, "forward", m, STREAMS * GROUPS, np.random.default_rng(0), realistic)
    batch = batch_of(groups_of(call, design, folder.layouts, "realistic", 0), folder.layouts)
    sequences = [[(batch, s * GROUPS, (s + 1) * GROUPS)] for s in range(STREAMS)]
    bench, words = folder.bench(netlist, STREAMS), list[int]()
    bits = np.array([net for name in widths for net in netlist.inputs[name]])

    def record() -> None:
        ones = bench.simulation.values(bits)[:, 0] & np.uint64(1)
        words.append(sum(int(one) << place for place, one in enumerate(ones)))

    bench.simulation.watch(record)
    bench.reset()
    queues = queues_of(folder.layouts, sequences)
    compare(folder, sequences, queues, bench.run(queues, Stalls.none(), *folder.limits(sequences, Stalls.none())))
    simulation = netlist.simulator(1, toggles=Delay.ZERO)
    states = States(simulation)
    for word in words:
        for name, width in widths.items():
            simulation.drive({name: word & ((1 << width) - 1)})
            word >>= width
        simulation.evaluate()
        simulation.clock()
    seen = changes(tmp_path, found.mapped.verilog, CELLS, TIMED_TOP, "clk", widths, words)
    ours = sum(e.switching_pj for e in energies(netlist, found.timing, simulation.toggles, states))
    assert ours == pytest.approx(switching_pj(seen, found.mapped.verilog), rel=0.05)
