"""The folder itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import hashlib, sys, matrix
for path in list(matrix.datapaths())[int(sys.argv[1])::int(sys.argv[2])]:
    files = matrix.Case(*path, lanes=3).emitted()
    print(path, hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest())
"""


def emitted(hash_seed: int, step: int) -> str:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", PROGRAM, "3", str(step)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_the_same_command_gives_the_same_bytes() -> None:
    """In another process too, where sets have another order."""
    first, second = emitted(1, 17), emitted(2, 17)
    assert first.count("\n") == 7 and first == second
