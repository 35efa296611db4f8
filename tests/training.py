"""A small network that trains through an engine's integers: what tests/test_lessons.py runs.

Two hidden layers without bias, each followed by a normalization over the batch and ReLU, softmax cross entropy, plain
SGD with momentum, everything but the normalization in float64. Activations and gradients enter the engine as integers
with one power of two a tensor for their scale, as hardware would have it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwnorm.engine import Engine

Array = np.ndarray[Any, np.dtype[Any]]
BATCH, WIDTH, INPUTS, CLASSES = 128, 48, 16, 6


def quantised(values: Array, bits: int, spread: float | None = None) -> tuple[Array, int]:
    """(integers, fraction bits): the power of two at which the largest value, or ``spread`` deviations, just fits."""
    reach = np.abs(values).max() if spread is None else spread * values.std()
    frac = int(np.floor(np.log2(((1 << (bits - 1)) - 1) / max(reach, 1e-30))))
    lim = 1 << (bits - 1)
    return np.clip(np.floor(values * 2.0**frac + 0.5), -lim, lim - 1).astype(np.int64), frac


class Integer:
    """A normalization by the engine's integers; x, or the gradient, may enter with fewer bits than the engine has."""

    def __init__(self, norm: str, bits: int, gradient_bits: int | None = None, x_bits: int | None = None) -> None:
        self.engine, self.bits = Engine(norm, bits, BATCH), bits
        self.gradient_bits, self.x_bits = gradient_bits or bits, x_bits or bits
        self.small = 0.0  # the share of dx below one LSB, of the last step

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        integers, frac = quantised(x.T, self.x_bits, spread=4.0)
        up = self.bits - self.x_bits
        self.x_frac = frac + up
        out = self.engine.forward(integers << up, np.clip(gamma, -3.9, 3.9), np.clip(beta, -3.9, 3.9))
        self.saved = out.saved
        return (out.y * 2.0 ** -self.engine.formats["y"].frac).T

    def backward(self, dy: Array) -> tuple[Array, Array, Array]:
        integers, dy_frac = quantised(dy.T, self.gradient_bits)
        up = self.bits - self.gradient_bits
        back = self.engine.backward(integers << up, self.saved)
        self.small = float((np.abs(back.dx) < 2).mean())
        scale = 2.0 ** -(dy_frac + up)
        dx = back.dx * scale * 2.0**-back.dx_frac * 2.0**self.x_frac
        return dx.T, back.dgamma * scale, back.dbeta * scale  # type: ignore[operator]


class Real:
    """The same in float64 (hwnorm.exact), nothing quantised."""

    small = 0.0

    def __init__(self, norm: str) -> None:
        self.exact = Engine(norm, 24, BATCH, x_frac=12).exact

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        out = self.exact.forward(x.T * 2.0**12, np.clip(gamma, -3.9, 3.9), np.clip(beta, -3.9, 3.9))
        self.saved = out.saved
        return out.y.T

    def backward(self, dy: Array) -> tuple[Array, Array, Array]:
        back = self.exact.backward(dy.T, self.saved)
        return back.dx.T * 2.0**12, back.dgamma, back.dbeta  # type: ignore[return-value]


@dataclass
class Result:
    accuracy: float  # on the training set's own kind of data, unseen, in percent
    small: float  # the share of |dx| <= 1 LSB in the last steps


def data(rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
    """Points whose class is the sector of their first two coordinates, bent by the radius: not linearly separable."""
    x = rng.normal(0, 1, (samples, INPUTS))
    angle = np.arctan2(x[:, 1], x[:, 0]) + 0.8 * np.hypot(x[:, 0], x[:, 1])
    return x, np.floor((angle % (2 * np.pi)) / (2 * np.pi) * CLASSES).astype(int) % CLASSES


def train(layers: list[Any], seed: int = 0, steps: int = 500, rate: float = 0.15) -> Result:
    rng = np.random.default_rng(seed)
    sizes = [INPUTS, WIDTH, WIDTH, CLASSES]
    weights = [rng.normal(0, (2 / a) ** 0.5, (a, b)) for a, b in itertools.pairwise(sizes)]
    parameters = [*weights, *(np.full(WIDTH, 1.0) for _ in layers), *(np.zeros(WIDTH) for _ in layers)]
    velocity = [np.zeros_like(p) for p in parameters]
    n, small = len(weights), []
    xs, labels = data(rng, 4096)
    tests = data(rng, 16 * BATCH)

    def forward(x: Array) -> tuple[list[Array], list[Array], Array]:
        inputs, masks = [x], []
        for i, layer in enumerate(layers):
            y = layer.forward(inputs[-1] @ parameters[i], parameters[n + i], parameters[n + len(layers) + i])
            masks.append(y > 0)
            inputs.append(np.maximum(y, 0))
        logits = inputs[-1] @ parameters[n - 1]
        return inputs, masks, logits

    for step in range(steps):
        picked = rng.integers(0, len(xs), BATCH)
        inputs, masks, logits = forward(xs[picked])
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(BATCH), labels[picked]] -= 1
        d = p / BATCH
        gradients: list[Any] = [None] * len(parameters)
        gradients[n - 1] = inputs[-1].T @ d
        d = d @ parameters[n - 1].T
        for i in reversed(range(len(layers))):
            d, gradients[n + i], gradients[n + len(layers) + i] = layers[i].backward(d * masks[i])
            gradients[i] = inputs[i].T @ d
            d = d @ parameters[i].T
        for j, gradient in enumerate(gradients):
            velocity[j] = 0.9 * velocity[j] + gradient
            parameters[j] = parameters[j] - rate * (1 - step / steps) * velocity[j]
        if step >= steps - 20:
            small.append(np.mean([layer.small for layer in layers]))
    right = 0
    for k in range(0, len(tests[0]), BATCH):
        right += int((forward(tests[0][k : k + BATCH])[2].argmax(axis=1) == tests[1][k : k + BATCH]).sum())
    return Result(100 * right / len(tests[0]), float(np.mean(small)))
