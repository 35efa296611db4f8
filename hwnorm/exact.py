"""The engine's three functions in float64: the same graph, nothing rounded but what a register is loaded with.

gamma, beta and E are those that the hardware holds, and an element exactly at its mean counts as below it, as in
hardware (L1BN Eq. 15 as printed has sgn(0) = 0 there, and so has autograd). Of the norm's forms it is the one that
keeps most digits; a norm without a datapath is evaluated as printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hwnorm import operands
from hwnorm.ir import Graph, Rate, Setting
from hwnorm.norms.activation import activated
from hwnorm.norms.form import Form
from hwnorm.precision import Fixed
from hwnorm.results import REAL, Backward, Floats, Forward, Saved
from hwnorm.views import float_ref

if TYPE_CHECKING:
    from hwnorm.engine import Engine


class Exact:
    def __init__(self, engine: Engine) -> None:
        self.engine, norm = engine, engine.norm
        forms = norm.forms
        self._form: Form = forms.get(norm.printed_form) or forms.get(engine.form) or norm.printed

    def forward(
        self,
        x: npt.ArrayLike,
        gamma: npt.ArrayLike = 1.0,
        beta: npt.ArrayLike = 0.0,
        *,
        sampled: npt.ArrayLike | None = None,
        virtual: npt.ArrayLike | None = None,
    ) -> Forward:
        """x: real, in its LSB, shaped as for the engine. y is real; gamma and beta too, rounded to their registers."""
        graph = self._graph("forward")
        flat = _flat("x", x)
        given = {"sampled": sampled, "virtual": virtual}
        masks = {n: operands.flags(n, flags, flat.shape[1]) for n, flags in given.items() if n in graph.inputs}
        if "mu" in graph.named:
            # Nothing depends on where a centred norm's x begins; near 0 a sum of products keeps all its digits. What a
            # sample leaves out stands at a rail, which is to stay beyond the sample.
            picked = flat[:, masks["sampled"][0]] if "sampled" in masks else flat
            flat = flat - np.floor(picked.mean(axis=1, keepdims=True))
        inputs = {"x": flat, **self._affine(graph, flat, gamma, beta)}
        inputs |= {name: flags.astype(np.float64) for name, flags in masks.items()}
        counts = [int(inputs[name].sum()) if name in inputs else 0 for name in ("sampled", "virtual")]
        m = flat.shape[1]
        setting = self.engine.setting(m, counts[0] or m, counts[1])
        found = float_ref.evaluate(graph, inputs, setting, self._held(graph, setting))
        return Forward(found["y"].reshape(np.shape(x)), Saved(inputs | found, setting, np.shape(x)))

    def backward(self, dy: npt.ArrayLike, saved: Saved) -> Backward:
        """dy: real. dx is real, in dy's LSB over x's LSB."""
        graph = self._graph("backward")
        if saved.kind != REAL:
            raise ValueError(f"exact.backward takes what exact.forward saved, not what the engine did ({saved.kind})")
        inputs = {**saved.values, "dy": _flat("dy", dy)}
        if np.shape(dy) != saved.shape:
            raise ValueError(f"dy has shape {np.shape(dy)}, but x had {saved.shape}")
        found = float_ref.evaluate(graph, inputs, saved.setting, self._held(graph, saved.setting))
        gradients: list[Floats | None] = []
        for name in ("dgamma", "dbeta"):
            output = graph.outputs.get(name)
            if output is None:
                gradients.append(None)
            else:
                gradients.append(found[name].sum(axis=0) if output.rate is Rate.ELEM else found[name][:, 0])
        return Backward(np.broadcast_to(found["dx"], inputs["dy"].shape).reshape(saved.shape), 0, *gradients)

    def inference(
        self,
        x: npt.ArrayLike,
        gamma: npt.ArrayLike = 1.0,
        beta: npt.ArrayLike = 0.0,
        *,
        mean: npt.ArrayLike | None = None,
        deviation: npt.ArrayLike | None = None,
    ) -> Floats:
        graph = self._graph("inference")
        flat = _flat("x", x)
        inputs = {"x": flat, **self._affine(graph, flat, gamma, beta)}
        if any(name not in inputs for name in graph.inputs):
            real = self.engine.folded(len(flat), gamma, beta, mean, deviation)
            inputs |= {name: np.asarray(column, dtype=np.float64) for name, column in real.items()}
        setting = self.engine.setting(flat.shape[1])
        return float_ref.evaluate(graph, inputs, setting, self._held(graph, setting))["y"].reshape(np.shape(x))

    def _graph(self, direction: str) -> Graph:
        builder = getattr(self._form, direction)
        if builder is None:
            raise ValueError(f"norm {self.engine.norm.name!r} computes nothing in the {direction} direction")
        return activated(builder(), self.engine.activation)

    def _affine(self, graph: Graph, x: Floats, gamma: npt.ArrayLike, beta: npt.ArrayLike) -> dict[str, Floats]:
        held = operands.affine(graph, self.engine.precision, len(x), x.shape[1], gamma, beta)
        return {name: value.real() for name, value in held.items()}

    def _held(self, graph: Graph, setting: Setting) -> dict[str, float]:
        """Registers that hold an integer or a fixed point, as they are loaded: E above all."""
        held = {}
        for name, node in graph.layer_registers.items():
            if node.role != "real" and isinstance(self.engine.precision.role(node.role), Fixed):
                v, frac = self.engine.register(node, setting)
                held[name] = v * 2.0**-frac
        return held


def _flat(name: str, values: npt.ArrayLike) -> Floats:
    array = operands.real(name, values)
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f"{name} must have shape (groups, elements), not {array.shape}")
    return array.reshape(len(array), -1)
