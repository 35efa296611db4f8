"""``python -m hwnorm.synth.yosys_worker SCRIPT``: PyPI's native yosys runs a script of its own commands.

A process of its own, because an error inside yosys ends the process it happens in, without an exception.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from pyosys import libyosys

    libyosys.run_pass(f"script {sys.argv[1]}", libyosys.Design())
