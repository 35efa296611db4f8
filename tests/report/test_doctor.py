"""What a machine has and lacks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from hwnorm.report.doctor import doctor_table

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("extra", ["onnx", "torch", "prove", "fast", "place", "place-more", "sim"])
def test_each_package_that_may_be_missing_is_told(extra: str) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]
    names = {re.split("[<>=;]", one)[0] for one in wanted}
    assert names and names <= {str(row[0]) for row in doctor_table().rows}
