"""What is known of a value on its way to a norm in pieces, and of the norm that it became."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto
from math import prod

from hwnorm.network.model import Layer
from hwnorm.network.norm_shapes import channel_layer, reduced_layer

Key = Hashable


class Stage(Enum):
    SUM = auto()
    MEAN = auto()
    NEGATED_MEAN = auto()
    CENTRED = auto()
    SCALED = auto()  # the value times a parameter, before it is divided
    SQUARE = auto()
    ABSOLUTE = auto()
    VARIANCE = auto()
    LENGTH = auto()  # the root of the sum of squares
    DEVIATION = auto()
    INVERSE = auto()
    OFFSET = auto()  # mean * inverse, and beta less that
    UNIT = auto()  # divided by its length
    NORMED = auto()


@dataclass(slots=True, eq=False)
class Found:
    """A norm that was recognised; later operations fill in its affine part and where its output is."""

    name: str
    output: Key
    centred: bool
    shape: tuple[int, ...]  # () where it is not known
    axes: tuple[int, ...]
    source: Key
    scale: bool = False
    shift: bool = False
    whole: tuple[int, ...] | None = None  # the shape around a reshape to (N, groups, rest) and back: group norm
    operator: bool = False  # the middle is an InstanceNormalization

    def affine(self, size: int) -> bool:
        """Whether a parameter of ``size`` numbers can be this norm's gamma or beta."""
        if not self.shape:
            return size > 1
        sizes = {prod(self.shape[axis] for axis in self.axes), *self.shape[1:2]}
        return size > 1 and size in (sizes | {self.whole[1], self.whole[-1]} if self.whole else sizes)

    def layer(self, batch: int) -> Layer:
        affine = {"scale": self.scale, "shift": self.shift}
        if self.operator and self.whole is None:
            return channel_layer(self.name, "instance_norm", self.shape, batch, **affine)
        if self.whole and self.centred and self.axes == tuple(range(2, len(self.shape))):
            groups = self.shape[1]
            if groups == self.whole[1] and not self.operator:
                return channel_layer(self.name, "instance_norm", self.whole, batch, **affine)
            if self.whole[1] % groups == 0:
                return channel_layer(self.name, "group_norm", self.whole, batch, channel_groups=groups, **affine)
        return reduced_layer(self.name, self.centred, self.shape, self.axes, batch, scale=self.scale, shift=self.shift)


@dataclass(frozen=True, slots=True)
class Mark:
    stage: Stage
    source: Key
    shape: tuple[int, ...] = ()
    axes: tuple[int, ...] = ()
    centred: bool = False
    scale: bool = False
    shift: bool = False
    norm: Found | None = None
    mean: Mark | None = None  # of a SUM: what the mean in its place is
