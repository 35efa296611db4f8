"""What the engine's functions return, in integers or in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnorm.ir import Setting

Floats = npt.NDArray[np.float64]
REAL = "float64"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a forward pass leaves to its backward pass: streams and registers by name."""

    values: dict[str, Any]
    setting: Setting
    shape: tuple[int, ...]
    kind: str = REAL  # of which engine, or of none


@dataclass(frozen=True, slots=True)
class Forward:
    y: npt.NDArray[Any]
    saved: Saved


@dataclass(frozen=True, slots=True)
class Backward:
    """One LSB of dx is ``2**-dx_frac`` of dy's LSB over x's LSB; dgamma and dbeta are real, in dy's LSB, and None where
    the norm has no such parameter."""

    dx: npt.NDArray[Any]
    dx_frac: int
    dgamma: Floats | None
    dbeta: Floats | None
