"""``python yosys_worker.py SCRIPT``: runs a yosys script by pyosys. A process of its own, because an
error inside yosys ends the process."""

from __future__ import annotations

import sys


def main(script: str) -> None:
    from pyosys import libyosys

    libyosys.Design().run_pass(f"script {script}")


if __name__ == "__main__":
    main(sys.argv[1])
