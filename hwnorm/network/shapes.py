"""Shapes of one sample, channels first, and the arithmetic of sliding windows.

``(features,)`` is a vector, or the ids of so many tokens; ``(channels, length)`` points or tokens;
``(channels, height, width)`` an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

Shape = tuple[int, ...]

MAX_ELEMENTS = 1 << 40  # of one tensor of one sample: far above any network, far below what slows the arithmetic


class DoesNotFit(ValueError):
    """An operator and its data do not go together. The message names both shapes; the caller knows file and line."""


def shape_text(shape: Shape) -> str:
    return "x".join(str(size) for size in shape)


def bounded(shape: Shape) -> Shape:
    """The shape, if a computer could hold it."""
    if prod(shape) > MAX_ELEMENTS:
        raise DoesNotFit(f"{shape_text(shape)} are more than {MAX_ELEMENTS} elements in one sample")
    return shape


def windows(shape: Shape, window: Sequence[int], name: str) -> tuple[int, ...]:
    """One number for each spatial dimension of ``shape``: a single one serves them all."""
    dimensions = len(shape) - 1
    if dimensions == 0:
        raise DoesNotFit(f"slides over points or an image, not over a vector of {shape[0]}")
    if len(window) == 1:
        return tuple(window) * dimensions
    if len(window) != dimensions:
        raise DoesNotFit(f"'{name}' has {len(window)} numbers, but the data, {shape_text(shape)}, {dimensions} spatial")
    return tuple(window)


def default_padding(kernel: Sequence[int], dilation: int = 1) -> tuple[int, ...]:
    """(kernel - 1) // 2 on each side: an odd kernel keeps the size at stride 1, and halves it, rounded up, at 2."""
    return tuple(dilation * (size - 1) // 2 for size in kernel)


def slide(
    shape: Shape, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int] | None, dilation: int = 1
) -> tuple[int, ...]:
    """The spatial size behind a sliding window: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1."""
    kernel = windows(shape, kernel, "kernel")
    stride = windows(shape, stride, "stride")
    padding = default_padding(kernel, dilation) if padding is None else windows(shape, padding, "padding")
    out = []
    for size, k, s, p in zip(shape[1:], kernel, stride, padding, strict=True):
        room = size + 2 * p - dilation * (k - 1) - 1
        if room < 0:
            raise DoesNotFit(f"a window of {dilation * (k - 1) + 1} is larger than {size} with {p} of padding a side")
        out.append(room // s + 1)
    return tuple(out)


def unslide(
    shape: Shape, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int] | None, extra: int
) -> tuple[int, ...]:
    """The spatial size behind a transposed window: (size - 1) stride - 2 padding + kernel + extra."""
    kernel = windows(shape, kernel, "kernel")
    stride = windows(shape, stride, "stride")
    padding = default_padding(kernel) if padding is None else windows(shape, padding, "padding")
    out = []
    for size, k, s, p in zip(shape[1:], kernel, stride, padding, strict=True):
        out.append((size - 1) * s - 2 * p + k + extra)
        if out[-1] < 1:
            raise DoesNotFit(f"a padding of {p} a side leaves nothing of {size}")
    return tuple(out)
