"""Networks that do not say what they take in."""

from torch import nn


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 10), nn.BatchNorm1d(10))


def unknown() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
