"""From the shape of a tensor and what a norm reduces to a ``Layer``: what the ONNX and the PyTorch reader share.

A tensor is ``(N, C, ...)`` for batch, instance and group norm, ``(N, ..., normalized shape)`` for layer and rms norm.
N is a multiple of the batch: a network may fold time steps or windows into its first axis, and they are then part of
the sample. They lie along ``height`` where the statistic runs over them, along ``channels`` where each has its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Literal

from hwnorm.errors import InputError
from hwnorm.network.model import Layer

_LARGEST = 1 << 52  # elements of one tensor: no machine has more, and float64 counts them exactly
_MOST_AXES = 32

_NOT_A_LAYER = re.compile(
    r"random|norm_?free|vector_?norm|matrix_?norm|weight_?norm|spectral_?norm|log_?normal|normal_|_grad_norm"
)
_LENGTHS = ("norm", "aten_norm", "linalg_norm", "renorm", "normal")  # plain functions; a class may be called "Norm"


def looks_like_norm(name: str) -> bool:
    """Whether an operator, function or class of this name may be a normalization of activations.

    Random numbers ("RandomNormal"), plain lengths ("vector_norm") and normalized *weights* ("weight_norm") are not.
    """
    lower = name.lower()
    return "norm" in lower and name not in _LENGTHS and not _NOT_A_LAYER.search(lower)


def check_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape as a tuple, where it is one that data can have."""
    if len(shape) > _MOST_AXES:
        raise InputError(f"{name} would have {len(shape)} axes, which no tensor has")
    if any(size < 0 for size in shape) or prod(shape) > _LARGEST or any(size > _LARGEST for size in shape):
        raise InputError(f"{name} would have the shape {list(shape)}, which no tensor has")
    return tuple(shape)


def plane(sizes: Sequence[int]) -> tuple[int, int]:
    """Height and width of any number of axes: points lie along the height, volumes are stacked along it."""
    match len(sizes):
        case 0:
            return 1, 1
        case 1:
            return sizes[0], 1
        case _:
            return prod(sizes[:-1]), sizes[-1]


def _folded(name: str, samples: int, batch: int) -> int:
    if samples < 1 or samples % batch:
        raise InputError(f"{name} normalizes {samples} along its first axis, no multiple of the batch of {batch}")
    return samples // batch


def channel_layer(
    name: str,
    kind: Literal["batch_norm", "instance_norm", "group_norm"],
    shape: Sequence[int],
    batch: int,
    *,
    channel_groups: int = 1,
    scale: bool = True,
    shift: bool = True,
) -> Layer:
    """Batch, instance or group norm of a tensor ``(N, C, ...)``."""
    if len(shape) < 2 or 0 in shape:
        raise InputError(f"{name} normalizes a tensor of the shape {list(shape)}, where (N, C, ...) is needed")
    if channel_groups < 1 or shape[1] % channel_groups:
        raise InputError(f"{name} has {shape[1]} channels, no multiple of its {channel_groups} groups")
    folded = _folded(name, shape[0], batch)
    height, width = plane(shape[2:])
    own = kind != "batch_norm"  # each folded step has its own statistics
    return Layer(
        name=name,
        kind=kind,
        channels=shape[1] * (folded if own else 1),
        height=height * (1 if own else folded),
        width=width,
        channel_groups=channel_groups * folded if kind == "group_norm" else 1,
        scale=scale,
        shift=shift,
    )


def vector_layer(
    name: str,
    kind: Literal["layer_norm", "rms_norm"],
    shape: Sequence[int],
    axes: Sequence[int],
    batch: int,
    *,
    scale: bool = True,
    shift: bool = True,
) -> Layer:
    """Layer or rms norm of a tensor, the statistic running over ``axes``."""
    channels = prod(shape[axis] for axis in axes)
    rest = [size for axis, size in enumerate(shape) if axis not in axes]
    if not axes or 0 in shape:
        raise InputError(f"{name} normalizes a tensor of the shape {list(shape)} over the axes {list(axes)}: nothing")
    if rest and rest[0] == batch:
        height, width = plane(rest[1:])
    else:
        height, width = _folded(name, prod(rest), batch), 1
    return Layer(name, kind, channels, height, width, scale=scale, shift=shift)


def reduced_layer(
    name: str, centred: bool, shape: Sequence[int], axes: Sequence[int], batch: int, *, scale: bool, shift: bool
) -> Layer:
    """The kind of a norm left in pieces, from the axes that its statistic runs over.

    Over the batch and all but the channels: batch norm. Over the plane of ``(N, C, H, W)``: instance norm. Over
    anything else within a sample: layer norm. Without the mean taken away: rms norm.
    """
    reduced = sorted(axes)
    rank = len(shape)
    if not centred:
        if 0 in reduced:
            raise InputError(f"{name} takes a root mean square over the batch, which is no known normalization")
        return vector_layer(name, "rms_norm", shape, reduced, batch, scale=scale, shift=shift)
    if 0 in reduced:
        kept = [axis for axis in range(rank) if axis not in reduced]
        order = [shape[0], prod(shape[axis] for axis in kept), *(shape[axis] for axis in reduced[1:])]
        return channel_layer(name, "batch_norm", order, batch, scale=scale, shift=shift)
    if rank > 3 and reduced == list(range(2, rank)):
        return channel_layer(name, "instance_norm", shape, batch, scale=scale, shift=shift)
    return vector_layer(name, "layer_norm", shape, reduced, batch, scale=scale, shift=shift)
