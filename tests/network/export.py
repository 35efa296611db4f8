"""Modules to ONNX files, with PyTorch's own exporter."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch


def export(
    module: torch.nn.Module,
    path: Path,
    shape: tuple[int, ...],
    opset: int = 17,
    train: bool = True,
    fold: bool = False,
    symbolic: bool = True,
    batch: int = 2,
    sample: Any = None,
) -> Path:
    """The legacy exporter, which keeps norms as they are. ``fold``: as it folds them in its default mode."""
    modes = torch.onnx.TrainingMode
    mode = modes.EVAL if fold else modes.TRAINING if train else modes.PRESERVE
    module.train(train and not fold)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(batch, *shape) if sample is None else sample,),
            str(path),
            dynamo=False,
            opset_version=opset,
            training=mode,
            do_constant_folding=fold or not train,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch"}} if symbolic else None,
        )
    return path
