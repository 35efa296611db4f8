"""Blocks of today's networks: PyTorch and every export of them agree on layers, parameters and products."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from export import export  # noqa: E402 - needs torch
from torch_modern import MODERN  # noqa: E402 - needs torch

from hwnorm.network.onnx_reader import read_onnx  # noqa: E402 - beside its tests
from hwnorm.network.torch_reader import read_torch  # noqa: E402 - likewise

OPSETS = (12, 14, 17, 20)
CASES = [(name, opset) for name in MODERN for opset in OPSETS if name != "vit" or opset >= 14]
"""PyTorch's exporter has ViT's attention since opset 14."""


@pytest.mark.parametrize(("name", "opset"), CASES)
@pytest.mark.parametrize("train", [True, False], ids=["training", "inference"])
def test_the_readers_agree(name: str, opset: int, train: bool, tmp_path: Path) -> None:
    kind: Any
    kind, norms = MODERN[name]
    watched = read_torch(f"torch_modern:{kind.__name__}", None, None)
    assert len(watched.layers) == norms
    assert watched.warnings == ()
    sample = torch.zeros(2, 9, dtype=torch.long) if name == "llama" else None
    torch.manual_seed(0)
    path = export(kind(), tmp_path / "n.onnx", kind.input_shape, opset, train, sample=sample)
    exported = read_onnx(path, None)
    assert [replace(one, name="") for one in exported.layers] == [replace(one, name="") for one in watched.layers]
    assert exported.warnings == ()
    assert (exported.input, exported.macs) == (watched.input, watched.macs)
    assert exported.parameters == watched.parameters
