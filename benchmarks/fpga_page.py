"""A benchmark that measures row by row on ECP5: printed as it goes, and written as a page that names its command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hwnorm.files import write_whole

FLOW = """LFE5U-85F, speed grade 6, yosys and nextpnr, median of {seeds} seeds, out of context.
LUT are the placer's TRELLIS_COMB."""
Rows = Callable[[int], Iterable[list[str]]]  # of so many seeds


def main(script: str, doc: str | None, title: str, head: Sequence[str], rows: Rows, about: str) -> None:
    """``about`` follows what all such pages have in common."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for row in rows(options.seeds):
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    if options.output:
        command = f"`python benchmarks/{Path(script).name} --seeds {options.seeds} -o {options.output}`"
        text = f"{command}: {FLOW.format(seeds=options.seeds)} {about}"
        write_whole(options.output, "\n".join([f"# {title}", "", text, "", *lines, ""]).encode())
