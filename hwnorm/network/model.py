"""What hwnorm knows of a network: its normalization layers, and how much data each of them normalizes.

A reader (YAML, ONNX, PyTorch) turns a file into a ``Network``; everything behind it, the counts and the costs, sees
this alone. A layer stores what it is per sample; the batch comes in when it is counted, so that a network is read
once for any batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never, get_args

Kind = Literal[
    "batch_norm",
    "mean_only",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "instance_norm",
    "shifted_relu",
    "constant_scale",
]
"""What stands in the network. The last two have no statistics: they are what a network without batch norm keeps."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Layer:
    """One normalization layer, for one sample.

    ``channels x height x width`` elements are normalized. Points and tokens lie along ``height``, with width 1; a
    fully connected layer has height and width 1. For layer and rms norm ``channels`` is the number of elements that
    share a statistic (the product of the normalized shape), ``height x width`` the number of such vectors.
    """

    name: str
    kind: Kind
    channels: int
    height: int = 1
    width: int = 1
    channel_groups: int = 1  # of group norm: channels that share a statistic are channels / channel_groups
    scale: bool = True  # has a gamma
    shift: bool = True  # has a beta

    @property
    def elements_per_sample(self) -> int:
        return self.channels * self.height * self.width

    def groups(self, batch: int) -> int:
        """How many statistics the layer takes of a batch."""
        match self.kind:
            case "batch_norm" | "mean_only" | "shifted_relu" | "constant_scale":
                return self.channels
            case "layer_norm" | "rms_norm":
                return batch * self.height * self.width
            case "group_norm":
                return batch * self.channel_groups
            case "instance_norm":
                return batch * self.channels
            case _:
                assert_never(self.kind)

    def elements_per_group(self, batch: int) -> int:
        """How many elements share a statistic: ``groups x elements_per_group = batch x elements_per_sample``."""
        return batch * self.elements_per_sample // self.groups(batch)


@dataclass(frozen=True, slots=True)
class Network:
    """A network as its reader found it: the normalization layers in the order in which data meets them."""

    name: str
    source: str  # where it was read: a path, "zoo:resnet110", "package.module:callable"
    input: tuple[int, ...]  # shape of one sample, channels first
    batch: int  # the batch that the file or its paper names, where --batch says nothing
    layers: tuple[Layer, ...]
    parameters: int | None = None  # all trainable numbers, those of the norms among them; None: the reader cannot know
    macs: int | None = None  # multiply-accumulates of convolutions and matrix products, one sample
    warnings: tuple[str, ...] = ()  # what a user should know before trusting the count

    @property
    def channels(self) -> int:
        return sum(layer.channels for layer in self.layers)

    @property
    def elements_per_sample(self) -> int:
        return sum(layer.elements_per_sample for layer in self.layers)
