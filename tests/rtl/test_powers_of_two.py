"""Lengths that are powers of two: their constants are shifts, and a shift has a time of its own in a serial stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hwnorm.engine import Engine
from hwnorm.files import write_folder
from hwnorm.rtl import simulate
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit


@pytest.mark.parametrize("norm", ["l2", "instance", "layer", "range"])
def test_backward(norm: str, tmp_path: Path, simulator: Callable[[str], simulate.Simulator]) -> None:
    """dgamma of l2 was collected at the time of another reader of q."""
    files = emit(Design(Engine(norm, 8, 16), "backward", 4), "dut", "hwnorm gen-rtl")
    write_folder(tmp_path / "dut", files)
    simulate.simulate(tmp_path / "dut", json.loads(files["manifest.json"]), simulator("icarus"), tests="golden")
