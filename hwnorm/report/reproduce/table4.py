"""L1BN Table IV: the four operations on the paper's FPGA, and what the two norms make of them."""

from __future__ import annotations

from hwnorm.cost.device import load_device
from hwnorm.cost.paper import OPERATIONS
from hwnorm.engine import Engine
from hwnorm.report.reproduce.result import Reproduction
from hwnorm.report.table import Cell, Table
from hwnorm.views.count import Phase, Tally

QUANTITIES = ("registers", "dsp", "time_ns", "power_uw")


def build() -> Reproduction:
    device = load_device("de5-net-float32")
    prices: list[list[Cell]] = [
        [name, *(int(device.cost(name, quantity).value) for quantity in QUANTITIES)] for name in OPERATIONS
    ]
    printed = Table(
        ("operation", "registers", "DSP blocks", "time ns", "power uW"),
        prices,
        "As printed (CITED): float32 on an Intel DE5-Net, less the null operation",
    )
    return Reproduction(
        "table4",
        "L1BN Table IV: elementary operations, and where the norms use them",
        (printed, _uses()),
        (
            "The table prices four operations alone. Counted from the graphs, L1 uses abs once an element forward and "
            "sign once backward, L2 squares once an element forward; a root is taken once a group. All else has no "
            "price in the table: additions (eleven an element, six of them in sums; L1 has one more, and counts its "
            "signs), multiplications (five) and divisions (two, as printed), the same in both norms.",
            "No float32 unit is synthesised here: the row stands as the paper printed it.",
        ),
    )


def _uses() -> Table:
    rows: list[list[Cell]] = []
    phases: tuple[Phase, ...] = ("forward", "backward")
    for norm in ("l2", "l1"):
        for phase in phases:
            tally = Engine(norm, 8, 1024).count(phase).formula
            rows.append([norm, phase, *(tally.expression(name) for name in OPERATIONS), *_price(tally)])
    columns = ("norm", "pass", *OPERATIONS, "time ns per element", "power uW per element")
    notes = ("m elements a group. Time and power: sign, abs and square, without the root.",)
    return Table(columns, rows, "Operations per group, computed", notes)


def _price(tally: Tally) -> list[Cell]:
    device = load_device("de5-net-float32")
    return [
        sum(device.cost(name, quantity).value * tally.per_group(name).get("m", 0) for name in OPERATIONS)
        for quantity in ("time_ns", "power_uw")
    ]
