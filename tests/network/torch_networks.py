"""The five networks that every reader must read alike, as plain PyTorch modules.

Read by ``tests.network.torch_networks:resnet50`` and exported to ONNX. Each has ``input_shape``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

INPUT_SHAPES: dict[str, tuple[int, ...]] = {
    "resnet110": (3, 32, 32),
    "resnet50": (3, 224, 224),
    "mobilenet-v1": (3, 224, 224),
    "densenet121": (3, 224, 224),
    "inception-v2": (3, 224, 224),
}


def _unit(
    wide: int, narrow: int, kernel: int = 1, stride: int = 1, groups: int = 1, scale: bool = True
) -> nn.Sequential:
    norm = nn.BatchNorm2d(narrow)
    if not scale:
        norm.register_parameter("weight", None)
    convolution = nn.Conv2d(wide, narrow, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, norm, nn.ReLU(inplace=True))


class _Head(nn.Module):
    """Global pooling and the classifier behind any body."""

    def __init__(self, body: nn.Module, channels: int, classes: int, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.input_shape = input_shape
        self.body = body
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(nn.functional.adaptive_avg_pool2d(self.body(x), 1), 1))


class _Basic(nn.Module):
    """Two 3x3 convolutions; option A: the shortcut takes every second pixel and adds channels of zeros."""

    def __init__(self, wide: int, narrow: int, stride: int) -> None:
        super().__init__()
        self.first = _unit(wide, narrow, 3, stride)
        self.second = _unit(narrow, narrow, 3)[:2]
        self.stride, self.more = stride, narrow - wide

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        short = nn.functional.pad(
            x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2)
        )
        return nn.functional.relu(self.second(self.first(x)) + (short if self.more else x))


def resnet110() -> nn.Module:
    blocks: list[nn.Module] = [_unit(3, 16, 3)]
    for wide, narrow in ((16, 16), (16, 32), (32, 64)):
        blocks += [
            _Basic(wide if at == 0 else narrow, narrow, 2 if at == 0 and wide < narrow else 1) for at in range(18)
        ]
    return _Head(nn.Sequential(*blocks), 64, 10, INPUT_SHAPES["resnet110"])


class _Bottleneck(nn.Module):
    """v1.5: the stride stands in the 3x3 convolution."""

    def __init__(self, wide: int, narrow: int, stride: int) -> None:
        super().__init__()
        self.squeeze = _unit(wide, narrow)
        self.spread = _unit(narrow, narrow, 3, stride)
        self.grow = _unit(narrow, 4 * narrow)[:2]
        self.short = _unit(wide, 4 * narrow, 1, stride)[:2] if stride > 1 or wide != 4 * narrow else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.grow(self.spread(self.squeeze(x)))
        return nn.functional.relu(out + (x if self.short is None else self.short(x)))


def resnet50() -> nn.Module:
    blocks: list[nn.Module] = [_unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    wide = 64
    for narrow, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for at in range(count):
            blocks.append(_Bottleneck(wide, narrow, stride if at == 0 else 1))
            wide = 4 * narrow
    return _Head(nn.Sequential(*blocks), 2048, 1000, INPUT_SHAPES["resnet50"])


def mobilenet_v1() -> nn.Module:
    blocks: list[nn.Module] = [_unit(3, 32, 3, 2)]
    wide = 32
    for narrow, stride in (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ):
        blocks += [_unit(wide, wide, 3, stride, groups=wide), _unit(wide, narrow)]
        wide = narrow
    return _Head(nn.Sequential(*blocks), 1024, 1000, INPUT_SHAPES["mobilenet-v1"])


def _before(wide: int, narrow: int, kernel: int) -> nn.Sequential:
    """Norm and ReLU stand before the convolution."""
    convolution = nn.Conv2d(wide, narrow, kernel, 1, kernel // 2, bias=False)
    return nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU(inplace=True), convolution)


class _Dense(nn.Module):
    def __init__(self, wide: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_before(wide, 4 * growth, 1), _before(4 * growth, growth, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.layers(x)], 1)


def densenet121() -> nn.Module:
    blocks: list[nn.Module] = [_unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    wide = 64
    for count in (6, 12, 24, 16):
        if wide > 64:
            blocks += [_before(wide, wide // 2, 1), nn.AvgPool2d(2)]
            wide //= 2
        for _ in range(count):
            blocks.append(_Dense(wide, 32))
            wide += 32
    blocks += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True)]
    return _Head(nn.Sequential(*blocks), wide, 1000, INPUT_SHAPES["densenet121"])


class _Mixed(nn.Module):
    """Branches side by side. A number is a 1x1 unit, a pair (width, stride) a 3x3 one, a text a pool."""

    def __init__(self, wide: int, *branches: tuple[Any, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        self.channels = 0
        for branch in branches:
            layers: list[nn.Module] = []
            at = wide
            for step in branch:
                if step == "average":
                    layers.append(nn.AvgPool2d(3, 1, 1))
                elif isinstance(step, str):
                    layers.append(nn.MaxPool2d(3, 2 if step == "halve" else 1, 1))
                else:
                    width, stride = step if isinstance(step, tuple) else (step, 1)
                    layers.append(_unit(at, width, 3 if isinstance(step, tuple) else 1, stride, scale=False))
                    at = width
            self.branches.append(nn.Sequential(*layers))
            self.channels += at

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


_INCEPTION: tuple[tuple[tuple[Any, ...], ...], ...] = (
    ((64,), (64, (64, 1)), (64, (96, 1), (96, 1)), ("average", 32)),
    ((64,), (64, (96, 1)), (64, (96, 1), (96, 1)), ("average", 64)),
    ((128, (160, 2)), (64, (96, 1), (96, 2)), ("halve",)),
    ((224,), (64, (96, 1)), (96, (128, 1), (128, 1)), ("average", 128)),
    ((192,), (96, (128, 1)), (96, (128, 1), (128, 1)), ("average", 128)),
    ((160,), (128, (160, 1)), (128, (160, 1), (160, 1)), ("average", 96)),
    ((96,), (128, (192, 1)), (160, (192, 1), (192, 1)), ("average", 96)),
    ((128, (192, 2)), (192, (256, 1), (256, 2)), ("halve",)),
    ((352,), (192, (320, 1)), (160, (224, 1), (224, 1)), ("average", 128)),
    ((352,), (192, (320, 1)), (192, (224, 1), (224, 1)), ("largest", 128)),
)


def inception_v2() -> nn.Module:
    """TF-slim's: the separable stem has a bias and no norm; batch norms shift and do not scale."""
    stem = [nn.Conv2d(3, 24, 7, 2, 3, groups=3, bias=False), nn.Conv2d(24, 64, 1), nn.ReLU(inplace=True)]
    middle = [_unit(64, 64, scale=False), _unit(64, 192, 3, scale=False)]
    blocks: list[nn.Module] = [*stem, nn.MaxPool2d(3, 2, 1), *middle, nn.MaxPool2d(3, 2, 1)]
    wide = 192
    for branches in _INCEPTION:
        block = _Mixed(wide, *branches)
        blocks.append(block)
        wide = block.channels
    return _Head(nn.Sequential(*blocks), wide, 1000, INPUT_SHAPES["inception-v2"])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet110": resnet110,
    "resnet50": resnet50,
    "mobilenet-v1": mobilenet_v1,
    "densenet121": densenet121,
    "inception-v2": inception_v2,
}
