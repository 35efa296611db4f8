"""L1BN Table I: training speed with and without batch norm, and what a count of operations can say about it."""

from __future__ import annotations

from hwnorm.cost.estimate import estimate
from hwnorm.network.load import load_network
from hwnorm.report.reproduce.result import Reproduction
from hwnorm.report.table import Cell, Table

PRINTED = {"resnet110": (2174, 1480), "densenet100": (926, 633), "mobilenet-v1": (645, 512)}  # samples a second
BYTES = 4  # of a float32


def build() -> Reproduction:
    rows: list[list[Cell]] = []
    for name, (without, with_norm) in PRINTED.items():
        network = load_network(name)
        found = estimate(network, ["l2"], 1)
        result = found.results[0]
        assert network.macs is not None
        norm_ops = sum(result.formula_ops.values())
        # A convolution's backward pass is two more of its size: for the weights and for the input.
        other_ops = 3 * 2 * network.macs
        traffic = found.results[0].traffic_bytes("read")
        written = found.results[0].traffic_bytes("written")
        assert traffic is not None and written is not None
        moved = (traffic + written) * BYTES * 8 / found.bits  # as float32
        seconds = 1 / with_norm - 1 / without
        rows.append(
            [
                name,
                without,
                with_norm,
                1 - with_norm / without,
                norm_ops / (norm_ops + other_ops),
                norm_ops / seconds / 1e9,
                moved / seconds / 1e9,
            ]
        )
    columns = (
        *("network", "printed without", "printed with", "printed share of time", "computed share of operations"),
        *("implied G operations/s", "implied GB/s"),
    )
    notes = (
        "printed: training samples a second. Implied: what batch norm ran at, given the printed times and our count of "
        "its",
        "operations and of the bytes that its sweeps move as float32.",
    )
    return Reproduction(
        "table1",
        "L1BN Table I: how much of the training time batch norm takes",
        (Table(columns, rows, "", notes),),
        (
            "A fifth to a third of the time goes into one to five percent of the operations. So the printed share is "
            "not explained by any count of operations, signs or squares: it is memory. The implied rate of bytes is "
            "within what a graphics card of that year moves, the implied rate of operations a small part of what it "
            "computes. A norm that replaces a square by a sign changes the small part.",
        ),
    )
