"""Groups with all that the reference knows of them: integers by name, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwnorm.check.ports import Layout
from hwnorm.fixed import Ints
from hwnorm.rtl.design import Design
from hwnorm.views.int_ref import Call, Value


@dataclass(frozen=True)
class Groups:
    """Groups of one length in one layer: what an engine is handed, and what it has to answer."""

    source: str  # vectors, timed, random
    first: int  # the number of the first one among those of its source
    m: int
    count: int
    layer: Mapping[str, int]
    given: Mapping[str, Ints]  # per group: (count,)
    streams: Mapping[str, Ints]  # per element: (count, m)
    wanted: Mapping[str, Ints]  # outputs per element: (count, m)
    result: Mapping[str, Ints]  # (count,)
    wrong: int = 0  # beats that are dropped, behind those that an engine takes, or, below 0, left out
    taken: int = 0  # beats that it takes of a group that is too long: more than there are elements for, it may be


def groups_of(call: Call, design: Design, layouts: Sequence[Layout], source: str, first: int) -> Groups:
    """A call, with what the reference makes of it."""
    found, m = call.run(), call.setting.m
    count = max((len(v.v) for v in call.inputs.values() if v.v.ndim > 1), default=1)
    given: dict[str, Ints] = {}
    streams: dict[str, Ints] = {}
    wanted: dict[str, Ints] = {}
    result: dict[str, Ints] = {}
    for layout in layouts:
        for f in layout.fields:
            match layout.prefix:
                case "group":
                    exact = f.name == "dx_frac"
                    given[f.name] = (
                        np.full(count, call.program.precision.dx_frac) if exact else column(call.inputs, f.name, count)
                    )
                case "result":
                    result[f.name] = (
                        np.zeros(count, np.int64) if f.name == "length_error" else column(found, f.name, count)
                    )
                case "layer":
                    pass
                case _:
                    source_of = call.inputs if layout.driven else found
                    rows = source_of[f.name].v
                    (streams if layout.driven else wanted)[f.name] = np.broadcast_to(
                        rows.reshape(len(rows), -1), (count, m)
                    )
    return Groups(source, first, m, count, design.layer_words(call.setting), given, streams, wanted, result)


def column(values: Mapping[str, Value], name: str, count: int) -> Ints:
    """A word of every group; ``K_frac`` is the exponent of K."""
    if name not in values and name.endswith("_frac"):
        frac = np.asarray(values[name.removesuffix("_frac")].frac)
        return np.broadcast_to(frac.reshape(-1), (count,))
    v = values[name].v
    return np.broadcast_to(v.reshape(len(v), -1)[:, 0], (count,))
