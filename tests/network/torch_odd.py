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


class Scripted(nn.Module):
    """A function that TorchScript runs, out of sight of everything but the operators."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.gain = nn.Parameter(torch.ones(5))

    def forward(self, x: Any) -> Any:
        return self.function(torch.tanh(x)) * self.gain


class Constrained(nn.Module):
    """Weights divided by their largest singular value before they are used."""

    input_shape = (8, 6, 5)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 4, 3))
        self.linear = nn.utils.parametrizations.weight_norm(nn.Linear(3, 7))

    def forward(self, x: Any) -> Any:
        return self.linear(self.conv(x))


class Products(nn.Module):
    """Of two vectors through a weight each output, and a batch of matrix products in one sum."""

    input_shape = (4, 5)

    def __init__(self) -> None:
        super().__init__()
        self.bilinear = nn.Bilinear(5, 5, 3)

    def forward(self, x: Any) -> Any:
        return self.bilinear(x, x).sum() + torch.addbmm(torch.zeros(4, 4), x, x.transpose(1, 2))


class Latents(nn.Module):
    """Learned queries, normalized before every sample has its own."""

    input_shape = (7, 12)

    def __init__(self) -> None:
        super().__init__()
        self.queries, self.norm = nn.Parameter(torch.ones(4, 12)), nn.LayerNorm(12)
        self.q, self.k = nn.Linear(12, 12), nn.Linear(12, 12)

    def forward(self, x: Any) -> Any:
        queries = self.q(self.norm(self.queries).expand(len(x), 4, 12))
        return torch.softmax(queries @ self.k(x).transpose(1, 2), -1) @ x


class Decorated(nn.Module):
    """Whose functions are not taken apart where a dispatch mode looks."""

    input_shape = (7, 12)

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 12)

    @torch.inference_mode()
    def forward(self, x: Any) -> Any:
        return self.linear(x) @ x.transpose(1, 2)


class Talking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        print("made")
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Any) -> Any:
        print("runs")
        return self.norm(x)


class Table(nn.Module):
    """A table of positions that is no buffer, a single number, and a constructor that needs numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.scale = torch.arange(5.0), torch.tensor(2.0)
        self.rate = torch.linspace(0, 1, 3)[1].item()
        self.norm = nn.LayerNorm(5)

    def forward(self, x: Any) -> Any:
        return self.norm(x * self.scale.item() + self.table * self.scale)


class Tables(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables = [torch.arange(5.0)]

    def forward(self, x: Any) -> Any:
        return x + self.tables[0]


class StandardizedConv(nn.Conv2d):
    """Weights, not activations, are normalized."""

    def forward(self, x: Any) -> Any:
        weight = functional.batch_norm(self.weight.flatten(1)[None], None, None, training=True).reshape_as(self.weight)
        return functional.conv2d(x, weight, self.bias)


INSTANCE = nn.Sequential(nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4), nn.Hardtanh())
NUMBER = 3
TABLE, TABLES = Table(), Tables()


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 10), nn.BatchNorm1d(10), nn.SiLU())


def frozen() -> nn.Module:
    return nn.Sequential(nn.Tanh(), FrozenNorm())


def standardized() -> nn.Module:
    return StandardizedConv(8, 4, 3)


def _script(one: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(one)


def compiled() -> Any:
    return _script(nn.Sequential(nn.BatchNorm2d(8)))


def _rms(x: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def _layer_norm(x: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x, [5])


def _swish(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x)


def scripted_rms() -> nn.Module:
    return Scripted(_script(_rms))


def scripted_layer_norm() -> nn.Module:
    return Scripted(_script(_layer_norm))


def scripted_swish() -> nn.Module:
    return Scripted(_script(_swish))


class RootMean(nn.Module):
    """Whose epsilon is kept with the weights."""

    input_shape = (8, 6, 5)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("eps", torch.tensor(1e-5))

    def forward(self, x: Any) -> Any:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)


def exported() -> Any:
    with torch.device("cpu"):
        module = nn.Sequential(nn.BatchNorm2d(8), nn.LayerNorm(5), RootMean()).eval()
        return nn.Sequential(torch.export.export(module, (torch.zeros(1, 8, 6, 5),)).module())


def nothing() -> None:
    return None


def needs(width: int) -> nn.Module:
    return nn.Linear(width, width)
