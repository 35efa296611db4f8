"""What a catalogue entry is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hwnorm.ir import Graph

Builder = Callable[[], Graph]

Affine = Literal["none", "group", "element"]
"""Where gamma and beta stand: nowhere, one a group (batch norm), one an element of the group (layer norm)."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to compute a normalization: a graph a direction, None where there is nothing to compute.

    ``backward`` takes what ``forward`` saved as inputs of the same names; nothing else needs to be declared.
    """

    forward: Builder | None = None
    backward: Builder | None = None
    inference: Builder | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalization: its equations as a paper prints them, and the datapaths that compute them.

    ``printed`` is counted as `formula` and is the float64 truth. ``forms`` are datapaths by name, the default first;
    none for what is counted but not built. Every form gives the same integers as the others of its norm.
    """

    name: str
    summary: str
    cite: str
    printed: Form
    printed_form: str = "as printed"
    forms: Mapping[str, Form] = field(default_factory=dict)
    affine: Affine = "group"
    sampling: str = ""  # ns, bs, fs, vdn, fs-vdn: which elements the statistics look at
    eps_under_root: bool = True  # running deviation: sqrt(sigma^2 + eps), else sigma + eps
    final: str = ""  # the norm that takes the last layer's place, where it differs
