"""The pages of docs/ that hold code are run; the README shows what the program prints."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import hwnorm
from hwnorm.cli import main
from hwnorm.norms import catalog

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```python(?: file=(\S+))?\n(.*?)^```", re.M | re.S)


def test_the_example_of_a_new_normalization_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "adding-a-normalization.md").read_text()
    (family, new_file), (registry, entry), (_, usage) = FENCE.findall(page)
    assert (family, registry) == ("hwnorm/norms/linf.py", "hwnorm/norms/catalog.py")
    module = types.ModuleType("hwnorm.norms.linf")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(new_file, module.__dict__)
    namespace = {**vars(catalog), "linf": module}
    exec(entry, namespace)
    monkeypatch.setitem(catalog.CATALOG, "linf", namespace["LINF"])
    exec(usage, {"hwnorm": hwnorm, "rng": np.random.default_rng(0)})


def test_the_readme_shows_the_real_output(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.search(r"^\$ hwnorm estimate resnet110.yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert shown is not None
    assert main(["estimate", "resnet110.yaml"]) == 0
    assert capsys.readouterr().out == shown[1]


def test_the_catalogue_page_is_what_the_code_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "norms", "--format", "markdown"]) == 0
    assert capsys.readouterr().out == (ROOT / "docs" / "catalogue.md").read_text()


def test_the_readme_has_the_rows_of_the_report() -> None:
    """bits, pass, norm, LUT, FF, DSP, BRAM of every engine that it shows."""
    readme, report = (
        (ROOT / name).read_text(encoding="utf-8").splitlines() for name in ("README.md", "reports/table4-ecp5.md")
    )
    shown = [line.split("|")[1:8] for line in readme if line.startswith(("| 8 | ", "| 16 | "))]
    measured = [line.split("|")[1:8] for line in report if line.startswith(("| 8 | ", "| 16 | "))]
    assert len(shown) == 8
    for row in shown:
        assert row in measured
