"""Modules and functions that the PyTorch reader must count, refuse or survive."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn
from torch.nn import functional

input_shape = (8, 6, 5)


class Kinds(nn.Module):
    """Every norm module, a module that is called twice, functions, and a shift without a scale."""

    input_shape = (8, 6, 5)

    def __init__(self) -> None:
        super().__init__()
        self.batch, self.sync = nn.BatchNorm2d(8), nn.SyncBatchNorm(8)
        self.group, self.layer, self.rms = nn.GroupNorm(4, 8), nn.LayerNorm([6, 5]), nn.RMSNorm(5)
        self.instance = nn.InstanceNorm2d(8)
        self.points, self.volume, self.flat = nn.BatchNorm1d(8), nn.BatchNorm3d(8), nn.BatchNorm1d(240)
        self.weight = nn.Parameter(torch.ones(8))
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("var", torch.ones(8))

    def forward(self, x: Any) -> Any:
        x = functional.relu(self.batch(x))
        x = self.batch(torch.tanh(x))
        x = self.rms(self.layer(self.group(self.sync(x))))
        x = self.volume(self.points(self.instance(x).flatten(2)).reshape(-1, 8, 2, 3, 5)).reshape(-1, 8, 6, 5)
        x = functional.batch_norm(x, self.mean, self.var, self.weight, None)
        x = torch.layer_norm(x, (5,))
        return self.flat(x.flatten(1))


class FrozenNorm(nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2


class CustomRMSNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(5))

    def forward(self, x: Any) -> Any:
        return self.gain * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


class TwoPaths(nn.Module):
    """The second norm is for training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.aside = nn.BatchNorm2d(8), nn.BatchNorm2d(8)

    def forward(self, x: Any) -> Any:
        return self.main(x) + self.aside(x) if self.training else self.main(x)


class Rates(nn.Module):
    """A constructor that needs numbers, as stochastic depth does."""

    def __init__(self) -> None:
        super().__init__()
        self.rates = [float(rate) for rate in torch.linspace(0, 0.1, 3)]
        self.norms = nn.ModuleList(nn.LayerNorm(5) for _ in self.rates)
        self.table = nn.Parameter(torch.zeros(5))

    def forward(self, x: Any) -> Any:
        for norm in self.norms:
            x = norm(x + self.table + torch.arange(5))
        return x


class Tokens(nn.Module):
    input_shape = (7,)

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(100, 12)
        self.block = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.block(self.table(x))


class Large(nn.Module):
    """600 GB of weights, if they were allocated."""

    input_shape = (400_000,)

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(400_000, 400_000), nn.LayerNorm(400_000)

    def forward(self, x: Any) -> Any:
        return self.norm(self.linear(x))


class Raises(nn.Module):
    def forward(self, x: Any) -> Any:
        raise KeyError("no such thing\nat all")


class Passing(nn.Module):
    def forward(self, x: Any) -> Any:
        return functional.normalize(functional.local_response_norm(x, 3), dim=1)


class StandardizedConv(nn.Conv2d):
    """Weights, not activations, are normalized."""

    def forward(self, x: Any) -> Any:
        weight = functional.batch_norm(self.weight.flatten(1)[None], None, None, training=True).reshape_as(self.weight)
        return functional.conv2d(x, weight, self.bias)


INSTANCE = nn.Sequential(nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4), nn.Hardtanh())
NUMBER = 3


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 10), nn.BatchNorm1d(10), nn.SiLU())


def frozen() -> nn.Module:
    return nn.Sequential(nn.Tanh(), FrozenNorm())


def standardized() -> nn.Module:
    return StandardizedConv(8, 4, 3)


def compiled() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(nn.Sequential(nn.BatchNorm2d(8)))


def nothing() -> None:
    return None


def needs(width: int) -> nn.Module:
    return nn.Linear(width, width)
