"""Which normalization stands at which layer of a network, and over how many elements.

A norm of batches replaces every batch norm, one of single samples (layer, layer-l1, rms) every layer and rms norm; all
other layers stay what the network says. ``as-is`` keeps every layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

from hwnorm.network.model import Kind, Layer, Network
from hwnorm.norms import catalog
from hwnorm.norms.form import Norm
from hwnorm.norms.sampling import extent

AS_IS = "as-is"
DECLARED: dict[Kind, str] = {
    "batch_norm": "l2",
    "mean_only": "mean-only",
    "layer_norm": "layer",
    "rms_norm": "rms",
    "group_norm": "group",
    "instance_norm": "instance",
    "shifted_relu": "srelu",
    "constant_scale": "scale",
}
OF_SAMPLES = ("layer", "layer-l1", "rms")


@dataclass(frozen=True, slots=True)
class Placed:
    """A layer with the norm that it is counted as, for a batch."""

    layer: Layer
    norm: Norm
    groups: int
    elements: int  # in a group: m
    sampled: int = 0  # of them in the sample: s
    virtual: int = 0  # of them virtual: v

    @property
    def sizes(self) -> dict[str, int]:
        return {"m": self.elements, "s": self.sampled, "v": self.virtual}


def place(network: Network, name: str, batch: int, ratio: float) -> list[Placed]:
    """Every layer of the network under the norm of that name. ``ratio`` is what a sampled statistic looks at."""
    norm = None if name == AS_IS else catalog.find(name)
    replaced = _replaced(name)
    last = max((i for i, layer in enumerate(network.layers) if layer.kind in replaced), default=-1)
    placed = []
    for i, layer in enumerate(network.layers):
        if norm is None or layer.kind not in replaced:
            chosen = catalog.find(DECLARED[layer.kind])
        else:
            chosen = catalog.find(norm.final) if norm.final and i == last else norm
        placed.append(_placed(layer, chosen, batch, ratio))
    return placed


def replaces(network: Network, name: str) -> bool:
    """Whether the norm of that name stands anywhere in the network, put there or declared."""
    return any(layer.kind in _replaced(name) or DECLARED[layer.kind] == name for layer in network.layers)


def _replaced(name: str) -> tuple[Kind, ...]:
    return ("layer_norm", "rms_norm") if name in OF_SAMPLES else ("batch_norm",)


def _regrouped(layer: Layer, norm: Norm) -> Layer:
    """A batch norm's layer as the norm that replaces it groups it: by sample and channel, or by sample and as many of
    Wu and He's 32 channel groups as divide the channels."""
    match norm.name:
        case "instance" if layer.kind == "batch_norm":
            return replace(layer, kind="instance_norm")
        case "group" if layer.kind == "batch_norm":
            return replace(layer, kind="group_norm", channel_groups=gcd(32, layer.channels))
        case _:
            return layer


def _placed(layer: Layer, norm: Norm, batch: int, ratio: float) -> Placed:
    layer = _regrouped(layer, norm)
    groups, elements = layer.groups(batch), layer.elements_per_group(batch)
    shape = (batch, layer.height, layer.width)
    match norm.sampling:
        case "":
            return Placed(layer, norm, groups, elements)
        case "fs-vdn":
            return Placed(layer, norm, groups, elements, _size("fs", ratio, shape), _size("vdn", ratio, shape))
        case kind:
            return Placed(layer, norm, groups, elements, _size(kind, ratio, shape))


def _size(kind: str, ratio: float, shape: tuple[int, int, int]) -> int:
    samples, rows, columns = extent(kind, ratio, *shape)
    return samples * rows * columns
