"""Sampling C.1: how deep the adder tree of a statistic is, over all elements and over a sample."""

from __future__ import annotations

from math import ceil, log2

from hwnorm.norms.sampling import extent
from hwnorm.report.reproduce.result import Reproduction
from hwnorm.report.table import Cell, Table

BATCH, HEIGHT, WIDTH = 128, 56, 56  # the paper's example
RATIOS = ("1/4", "1/8", "1/16", "1/32", "1/64", "1/128")
LANES = 16


def build() -> Reproduction:
    m = BATCH * HEIGHT * WIDTH
    rows: list[list[Cell]] = []
    for name in RATIOS:
        ratio = 1 / int(name.removeprefix("1/"))
        for kind in ("bs", "fs"):
            samples, height, width = extent(kind, ratio, BATCH, HEIGHT, WIDTH)
            s = samples * height * width
            deep, shallow = log2(m), log2(s)
            beats = ceil(m / LANES) / ceil(s / LANES)
            rows.append(
                [f"{kind} {name}", s, s / m, deep, shallow, ceil(deep), ceil(shallow), deep / shallow - 1, beats]
            )
    columns = (
        *("sample", "s", "ratio really used", "log2 m", "log2 s", "levels of m", "levels of s"),
        *("log m / log s - 1", "m / s in beats"),
    )
    notes = (f"m = {HEIGHT} x {WIDTH} x {BATCH} = {m:,}. Beats: of {LANES} lanes, sums alone.",)
    return Reproduction(
        "adder-tree",
        "Sampling C.1: depth of the adder tree",
        (Table(columns, rows, "", notes),),
        (
            "The paper's 36.7 % at 1/32 is log(m) / log(s) - 1 with 18.6 and 13.6 levels: the "
            "computation gives the same. It supposes a tree as wide as the group, 401,408 adders in one cycle. In "
            "whole levels it is 19 against 14, 35.7 %.",
            f"An engine of {LANES} lanes has a tree of {ceil(log2(LANES))} levels whatever the group: its depth is "
            "latency, and what sampling saves is beats of the statistics sweep, in the ratio m / s, where the sample "
            "can be addressed alone. The elements themselves still have to be normalized, all of them.",
        ),
    )
