"""Blocks of networks that users have today, small."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class ConvNext(nn.Module):
    input_shape = (3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm0 = nn.Conv2d(3, 16, 4, 4), nn.LayerNorm(16)
        self.depthwise, self.norm = nn.Conv2d(16, 16, 7, 1, 3, groups=16), nn.LayerNorm(16)
        self.wide, self.narrow = nn.Linear(16, 64), nn.Linear(64, 16)
        self.gamma = nn.Parameter(1e-6 * torch.ones(16))

    def forward(self, x: Any) -> Any:
        x = self.norm0(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.gamma * self.narrow(functional.gelu(self.wide(y)))
        return x + y.permute(0, 3, 1, 2)


class VisionTransformer(nn.Module):
    input_shape = (3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 24, 8, 8)
        self.token, self.place = nn.Parameter(torch.zeros(1, 1, 24)), nn.Parameter(torch.zeros(1, 17, 24))
        self.norm1, self.norm2 = nn.LayerNorm(24), nn.LayerNorm(24)
        self.qkv, self.project = nn.Linear(24, 72), nn.Linear(24, 24)
        self.mlp = nn.Sequential(nn.Linear(24, 96), nn.GELU(), nn.Linear(96, 24))

    def forward(self, x: Any) -> Any:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        q, k, v = self.qkv(self.norm1(x)).reshape(x.shape[0], 17, 3, 4, 6).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.project(y.transpose(1, 2).reshape(x.shape[0], 17, 24))
        return x + self.mlp(self.norm2(x))


class Rms(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Any) -> Any:
        kind = x.dtype
        x = x.to(torch.float32)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.weight * x.to(kind)


class Llama(nn.Module):
    """Norms before attention, of its queries and keys, and before the gated layers."""

    input_shape = (9,)

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 24), nn.Linear(24, 50, bias=False)
        self.before, self.after, self.last = Rms(24), Rms(24), Rms(24)
        self.q_norm, self.k_norm = Rms(6), Rms(6)
        self.q, self.k, self.v, self.o = (nn.Linear(24, 24, bias=False) for _ in range(4))
        self.up, self.gate, self.down = nn.Linear(24, 64), nn.Linear(24, 64), nn.Linear(64, 24)

    def forward(self, tokens: Any) -> Any:
        x = self.table(tokens)
        b, t, _ = x.shape
        h = self.before(x)
        q, k = self.q_norm(self.q(h).view(b, t, 4, 6)), self.k_norm(self.k(h).view(b, t, 4, 6))
        angle = torch.arange(t)[:, None] * torch.ones(3)[None]
        q, k = (torch.cat([y[..., :3] * angle.cos()[:, None], y[..., 3:] * angle.sin()[:, None]], -1) for y in (q, k))
        v = self.v(h).view(b, t, 4, 6)
        weights = torch.softmax(q.transpose(1, 2) @ k.transpose(1, 2).transpose(-1, -2) / 6**0.5, -1)
        x = x + self.o((weights @ v.transpose(1, 2)).transpose(1, 2).reshape(b, t, 24))
        h = self.after(x)
        x = x + self.down(functional.silu(self.gate(h)) * self.up(h))
        return self.head(self.last(x))


class Efficient(nn.Module):
    """Squeeze and excitation: convolutions with biases on pooled channels."""

    input_shape = (3, 24, 24)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.SiLU())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 5, 1, 2, groups=16, bias=False), nn.BatchNorm2d(16), nn.SiLU())
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.project = nn.Sequential(nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16))

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        y = self.depthwise(x)
        y = y * torch.sigmoid(self.excite(functional.silu(self.squeeze(functional.adaptive_avg_pool2d(y, 1)))))
        return x + self.project(y)


class Diffusion(nn.Module):
    """A small U-Net: group norm with SiLU, strided and transposed convolutions, nearest neighbours, concatenation."""

    input_shape = (3, 16, 16)

    def __init__(self) -> None:
        super().__init__()
        self.inwards = nn.Conv2d(3, 32, 3, 1, 1)
        self.norm1, self.halve = nn.GroupNorm(8, 32), nn.Conv2d(32, 64, 3, 2, 1)
        self.norm2, self.middle = nn.GroupNorm(8, 64), nn.Conv2d(64, 64, 3, 1, 1)
        self.norm3, self.enlarge = nn.InstanceNorm2d(64, affine=True), nn.ConvTranspose2d(64, 32, 4, 2, 1)
        self.norm4, self.outwards = nn.GroupNorm(8, 128), nn.Conv2d(128, 3, 3, 1, 1)

    def forward(self, x: Any) -> Any:
        x = self.inwards(x)
        y = self.halve(functional.silu(self.norm1(x)))
        y = self.middle(functional.silu(self.norm2(y)))
        z = functional.interpolate(y, scale_factor=2, mode="nearest")
        y = self.enlarge(torch.relu(self.norm3(y)))
        return self.outwards(functional.silu(self.norm4(torch.cat([x, y, z], 1))))


MODERN: dict[str, tuple[type[nn.Module], int]] = {
    "convnext": (ConvNext, 2),
    "vit": (VisionTransformer, 2),
    "llama": (Llama, 5),
    "efficientnet": (Efficient, 3),
    "diffusion": (Diffusion, 4),
}
