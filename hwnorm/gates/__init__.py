"""A yosys netlist as a NumPy program: thousands of independent streams at once, one in each bit of a word.

    netlist = Netlist.from_json("engine.json", liberty=None)        # or netlist_of(verilog, "top"), by pip's yosys
    simulation = netlist.simulator(4096, fields={"x": 16})          # x: 16 lanes beside each other
    simulation.step({"x": x, "valid": 1})                           # -> outputs, as integers; one clock cycle

`Netlist.from_json(path_or_dict, top=None, liberty=None)` reads what ``write_json`` wrote: one flattened module of
generic gates and registers, cells of a Liberty file, and ``$mem_v2``. What cannot be simulated is an InputError that
names the cell: an unknown type, a latch, a combinational loop, a clock that is no input.

A simulator holds the values of all streams. ``drive(inputs)`` sets inputs, ``evaluate()`` lets all settle,
``outputs()`` reads, ``clock()`` is a rising and a falling edge; ``step`` is the four of them, ``run(stimuli)`` many
steps from arrays of shape (cycles, streams) or (cycles, fields, streams). ``slices`` and ``drive_slices`` are the same
without integers, for whoever has bits: `pack`, `unpack` and `signed` go between the two.

``netlist.simulator(n, toggles=Delay.ZERO)`` counts changes of every net (``Delay.UNIT``: with glitches);
``simulation.toggles`` has them ``by_net()``, ``by_cell()``, ``by_instance()`` along the module hierarchy.

For a netlist of the cells of a Liberty file, `analyse` gives its speed, and `energies` prices toggles and `States`,
cell by cell.

`mutants(netlist, count, seed)` draws faults, `mutated(netlist, faults)` is a netlist in which fault k is there in
stream k alone, and `survivors` says which of them stimuli do not show.
"""

from hwnorm.gates.flow import netlist_of, synthesize
from hwnorm.gates.lanes import pack, signed, unpack
from hwnorm.gates.liberty import Library
from hwnorm.gates.mutation import Mode, Mutant, mutants, mutated, survivors
from hwnorm.gates.netlist import Cell, Netlist
from hwnorm.gates.power import CellEnergy, energies
from hwnorm.gates.simulator import Simulator
from hwnorm.gates.states import States
from hwnorm.gates.timing import Timing, analyse
from hwnorm.gates.toggles import Delay, Toggles

__all__ = [
    "Cell",
    "CellEnergy",
    "Delay",
    "Library",
    "Mode",
    "Mutant",
    "Netlist",
    "Simulator",
    "States",
    "Timing",
    "Toggles",
    "analyse",
    "energies",
    "mutants",
    "mutated",
    "netlist_of",
    "pack",
    "signed",
    "survivors",
    "synthesize",
    "unpack",
]
