"""What a caller hands to an engine, checked and turned into integers: streams, parameters, masks, statistics.

Every message says which operand, where in it, what it holds and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnorm.errors import did_you_mean
from hwnorm.fixed import Format, Ints, integer_dtype
from hwnorm.ir import Graph, Rate
from hwnorm.precision import Fixed, Precision, Role, Scaled, quantise
from hwnorm.views.arithmetic import Value

Floats = npt.NDArray[np.float64]


def stream(name: str, values: npt.ArrayLike, bits: int) -> Ints:
    """Integers of ``bits`` bits, shape (groups, ...); uncopied where the dtype is a signed integer already."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, not {array.dtype}")
    if array.ndim < 2:
        raise ValueError(f"{name} must have shape (groups, elements), not {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} must have at least one group of at least one element, not shape {array.shape}")
    fmt = Format(bits, 0)
    limits = np.iinfo(array.dtype)
    if limits.min < fmt.lo or limits.max > fmt.hi:
        for extreme, at in ((array.min(), array.argmin), (array.max(), array.argmax)):
            if not fmt.lo <= extreme <= fmt.hi:
                where = tuple(int(i) for i in np.unravel_index(at(), array.shape))
                raise ValueError(f"{name}{list(where)} = {extreme} is outside {fmt.lo}..{fmt.hi} ({bits} bits)")
    return array if array.dtype.kind == "i" else array.astype(integer_dtype(fmt.lo, fmt.hi))


def unlimited(number: Any) -> Any:
    """NumPy's integers wrap; Python's own do not. Anything else is for the checks."""
    return int(number) if isinstance(number, np.integer) else number


def real(name: str, values: npt.ArrayLike) -> Floats:
    """Finite real numbers."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must hold real numbers, not {values!r:.60}") from None
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite, but {name}{list(where) or ''} = {array[where]}")
    return array


def affine(
    graph: Graph, precision: Precision, groups: int, elements: int, gamma: npt.ArrayLike, beta: npt.ArrayLike
) -> dict[str, Value]:
    """gamma and beta, those that the graph asks for, at the rate and in the format at which it does."""
    found = {}
    for name, values in (("gamma", gamma), ("beta", beta)):
        node = graph.inputs.get(name)
        if node is not None:
            each = (
                per_group(name, values, groups)
                if node.rate is Rate.STAT
                else per_element(name, values, groups, elements)
            )
            found[name] = quantised(name, each, precision.role(node.role))
    return found


def per_group(name: str, values: npt.ArrayLike, groups: int) -> Floats:
    """One real number a group, or one for all: shape (groups, 1)."""
    array = real(name, values)
    if array.ndim > 0 and array.size != groups:
        raise ValueError(f"{name} must be one number, or one for each of {groups} groups, not shape {array.shape}")
    return np.broadcast_to(array.reshape(-1, 1), (groups, 1))


def per_element(name: str, values: npt.ArrayLike, groups: int, elements: int) -> Floats:
    """One real number an element of the group, one a group, or one for all: shape (1 or groups, elements)."""
    array = real(name, values)
    if array.ndim == 0 or array.size == elements:
        return np.broadcast_to(array.reshape(1, -1), (1, elements))
    if array.size == groups:
        return np.broadcast_to(array.reshape(-1, 1), (groups, elements))
    raise ValueError(
        f"{name} must be one number, or one for each of {elements} elements or {groups} groups, not shape {array.shape}"
    )


def pivot(values: npt.ArrayLike | Value | None, groups: int, bits: int) -> Value:
    """The last batch's floor of the mean: what it saved, integers, or 0 where there is none yet."""
    given = np.asarray(0 if values is None else values.v if isinstance(values, Value) else values)
    if given.dtype.kind not in "iu" or given.size not in (1, groups):
        raise ValueError(f"pivot must be an integer, or one for each of {groups} groups")
    return Value(stream("pivot", np.broadcast_to(given.reshape(-1, 1), (groups, 1)), bits))


def running(graph: Graph, precision: Precision, groups: int, given: Mapping[str, npt.ArrayLike]) -> dict[str, Value]:
    """The running statistics that the graph asks for; 0 where there is none yet."""
    names = ("mean", "spread")
    nodes = {name: node for name in names if (node := graph.inputs.get(f"running_{name}")) is not None}
    for name in given:
        if name not in nodes:
            raise ValueError(f"there is no running {name!r} here: {did_you_mean(name, nodes)}")
    found = {}
    for name, node in nodes.items():
        held = per_group(f"running {name}", given.get(name, 0.0), groups)
        if name == "spread" and (held < 0).any():
            raise ValueError(f"running spread must be at least 0, not {held.min():g}")
        found[node.name] = quantised(f"running {name}", held, precision.role(node.role))
    return found


def flags(name: str, values: npt.ArrayLike | None, elements: int) -> npt.NDArray[np.bool_]:
    """The mask of a sample, the same in every group: shape (1, elements), at least one set."""
    if values is None:
        raise ValueError(f"this norm looks at some of the elements: say which by {name}= (see hwnorm.sample)")
    array = np.asarray(values)
    if array.dtype != np.bool_:
        raise TypeError(f"{name} must hold flags (bool), not {array.dtype}")
    if array.size != elements:
        raise ValueError(f"{name} must have one flag for each of {elements} elements, not shape {array.shape}")
    if not array.any():
        raise ValueError(f"{name} must pick at least one element")
    return array.reshape(1, -1)


def quantised(name: str, values: Floats | Any, role: Role) -> Value:
    """Real numbers in the format of their register; a value that does not fit is an error, never clipped."""
    match role:
        case Fixed(frac, int(width)) if values.dtype != object:
            fmt = Format(width, frac)
            v = np.floor(values * 2.0**frac + 0.5)
            outside = (v < fmt.lo) | (v > fmt.hi)
            if outside.any():
                worst = values[outside][0]
                least, most = fmt.lo * 2.0**-frac, fmt.hi * 2.0**-frac
                raise ValueError(
                    f"{name} = {worst:g} is outside {least:g} to {most:g}, what its register ({fmt}) holds"
                )
            if integer_dtype(fmt.lo, fmt.hi).kind == "O":
                return Value(np.array([int(one) for one in v.flat], dtype=object).reshape(v.shape), frac)
            return Value(v.astype(np.int64), frac)
        case Fixed() | Scaled():
            pairs = [quantise(Fraction(value), role) for value in values.flat]
            mantissas = np.array([v for v, _ in pairs], dtype=object).reshape(values.shape)
            return Value(mantissas, np.array([frac for _, frac in pairs], dtype=np.int64).reshape(values.shape))
        case _:
            raise AssertionError(f"{name} cannot be handed over as {role}")
