"""The multiply-accumulates of PyTorch's operators, by the names that they are dispatched under."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any


def macs(name: str, args: Sequence[Any], out: Any) -> int:
    """Of a convolution or matrix product, for all samples together; other operators have none."""
    shapes: list[tuple[int, ...]] = [tuple(getattr(one, "shape", ())) for one in args]
    made: tuple[int, ...] = tuple(getattr(out, "shape", ()))
    match name:
        case "convolution" | "_convolution" | "conv2d" | "mkldnn_convolution":
            transposed = name != "mkldnn_convolution" and len(args) > 6 and bool(args[6])
            return prod(shapes[0] if transposed else made) * prod(shapes[1][1:])
        case "mm" | "bmm" | "mv" | "dot":
            return prod(made) * shapes[0][-1]
        case "addmm" | "baddbmm" | "addmv":
            return prod(made) * shapes[1][-1]
        case "addbmm":
            return prod(shapes[1]) * shapes[2][-1]
        case "_trilinear":  # of nn.Bilinear: the weights times the second vector, then the first times that
            outputs, first, second = shapes[1]
            return prod(shapes[0][:-1]) * outputs * first * (second + 1)
        case _ if name.startswith("_scaled_dot_product"):
            query, key, value = shapes[:3]
            return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])
        case _:
            return 0
