"""How far an engine is from the truth: the measurement behind tests/test_accuracy.py, and a program of its own.

    python tests/accuracy.py l1,l2 8,16 32,1000 [guard]

prints the worst |y - exact| and |dx - exact| in LSB, for every norm, with where they were found.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import streams
import truth

import hwnorm
from hwnorm.engine import Engine

BITS = range(4, 25)
LENGTHS = (1, 2, 3, 7, 32, 49, 256, 1000, 4096, 401408)
EPS = 1e-5
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Errors:
    """In LSB of y and of dx; NaN where nothing was left to measure.

    ``y`` is of the elements whose gamma * xhat alone is within y's full scale. ``y_offset`` is of all: where beta
    brings a larger one back, the relative errors of R and K are those of the larger number.
    """

    y: float
    y_offset: float
    dx: float
    y_rms: float
    compared: int  # groups


def sample_mask(norm: str, m: int, rng: np.random.Generator) -> Array | None:
    """A mask as hwnorm.sample draws it, over a batch of m samples of one pixel, or m pixels of one sample: all, every
    fifth, or just two elements."""
    if norm not in truth.SAMPLED:
        return None
    kind = norm.rsplit("-", 1)[1]
    ratio = float(rng.choice([1.0, 0.5, 0.2, min(2 / m, 1.0)]))
    shape = (1, 1, m) if kind == "fs" else (m, 1, 1)
    return np.asarray(hwnorm.sample(kind, ratio, *shape, rng=rng).mask).reshape(-1)


def rows_of(m: int) -> int:
    return max(1, min(12, 6000 // m))


def measure(
    engine: Engine,
    m: int,
    distribution: str,
    rng: np.random.Generator,
    finer: int = 0,
    backward: bool = True,
    pivot: Any = None,
) -> Errors:
    """One batch of groups through an engine and through the equations. ``finer`` is added to dx's natural scale."""
    norm, bits, guard = engine.norm.name, engine.precision.bits, engine.precision.guard
    groups, per_element = rows_of(m), norm in truth.PER_ELEMENT
    x = streams.activations(distribution, rng, groups, m, bits)
    dy = streams.gradients(str(rng.choice(streams.GRADIENTS)), rng, x, bits)
    fy = 0 if norm in ("mean-only", "srelu", "final-only") else truth.y_frac(bits)
    gamma, beta = streams.parameters(rng, m if per_element else groups, bits, guard, fy)
    mask = sample_mask(norm, m, rng)
    scale = truth.L1_SCALE if engine.gaussian else 1.0
    shape = (1, -1) if per_element else (-1, 1)
    g, b = gamma.reshape(shape).astype(truth.LONG), beta.reshape(shape).astype(truth.LONG)

    out = engine.forward(x, gamma, beta, **({} if mask is None else {"sampled": mask}), **pivot_of(pivot))
    lo, hi = streams.rails(bits)
    live = np.ones((groups, 1), bool)
    fits, sound = np.ones(x.shape, bool), np.ones((groups, 1), bool)
    if norm in truth.WITHOUT_STATISTICS:
        y, gradient = without_statistics(engine, x, dy)
    else:
        s = m if mask is None else int(mask.sum())
        real_eps = engine.eps * 2.0 ** (engine.x_frac * (1 if truth.statistic_of(norm) in ("l1", "range") else 2))
        group = truth.Group.of(norm, x, truth.held_eps(norm, s, guard, real_eps, scale), mask, scale)
        live = ~truth.clamps(norm, group, g, bits, guard)
        fits = ~truth.saturates(norm, group)
        y, gradient = group.y(g, b), (group.dx(dy, g) if backward else None)
        if mask is not None and truth.statistic_of(norm) == "l2":
            # The slope q / sigma has no short bound with a sample, and its register clips at twice the largest g.
            sound = np.abs(group.q(dy, truth.LONG(1))) <= 2 * (1 << (bits - 1)) * group.sigma
    errors, fits = np.abs(out.y - np.clip(y * 2.0**fy, lo, hi)), np.broadcast_to(live, x.shape) & fits
    offset_errors = errors[fits]
    y_errors = errors[fits & (np.abs(y - b) * 2.0**fy <= 1 << (bits - 1))]
    dx_worst = np.nan
    if backward:
        back = engine.backward(dy, out.saved)
        if finer:
            least, most = engine.precision.dx_frac_range
            back = engine.backward(dy, out.saved, min(max(back.dx_frac + finer, least), most))
        errors = np.abs(back.dx - np.clip(gradient * 2.0**back.dx_frac, lo, hi))[(live & sound)[:, 0]]
        dx_worst = float(errors.max()) if errors.size else np.nan
    if not y_errors.size:
        return Errors(np.nan, np.nan, dx_worst, np.nan, int(live.sum()))
    rms = float(np.sqrt((y_errors**2).mean()))
    return Errors(float(y_errors.max()), float(offset_errors.max()), dx_worst, rms, int(live.sum()))


def pivot_of(pivot: Any) -> dict[str, Any]:
    return {} if pivot is None else {"pivot": pivot}


def without_statistics(engine: Engine, x: Array, dy: Array) -> tuple[Array, Array]:
    """sReLU Eq. 5 and 6."""
    x, dy = x.astype(truth.LONG), dy.astype(truth.LONG)
    one = 2.0**engine.x_frac
    if engine.norm.name == "scale":
        return x / (engine.temperature * one), dy / (engine.temperature * one)
    return np.maximum(x, -one), np.where(x > -one, dy, 0)


def main(norms: str = "", bits: str = "", lengths: str = "", guard: str = "4", **options: Any) -> None:
    worst: dict[str, dict[str, tuple[float, Any]]] = {}
    for norm in norms.split(",") if norms and norms != "all" else truth.ALL:
        for b in map(int, bits.split(",")) if bits else BITS:
            for m in map(int, lengths.split(",")) if lengths else LENGTHS:
                engine = Engine(norm, b, m, guard=int(guard), eps=EPS, checked=True, **options)
                for distribution in streams.DISTRIBUTIONS:
                    rng = np.random.default_rng([b, m])
                    found = measure(engine, m, distribution, rng)
                    for key in ("y", "y_offset", "dx"):
                        held = worst.setdefault(norm, {}).setdefault(key, (0.0, None))
                        if getattr(found, key) > held[0]:
                            worst[norm][key] = getattr(found, key), (b, m, distribution)
        print(norm, *(f"{k} {v:.3f} at {where}" for k, (v, where) in worst[norm].items()), sep="  ")


if __name__ == "__main__":
    main(*sys.argv[1:])
