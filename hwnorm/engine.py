"""One configured normalization: a catalogue entry at a precision, with its views.

The only object that most programs need. It builds the graphs and their formats, quantises what it is given, runs the
integer view (``forward``, ``backward``, ``inference``) and the float64 one (``exact``), and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property, partial
from math import ceil, inf, log2, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnorm import operands
from hwnorm.errors import did_you_mean
from hwnorm.exact import Exact
from hwnorm.fixed import Format, Ints
from hwnorm.ir import Graph, Node, Op, Rate, Setting, mask_symbol
from hwnorm.norms import catalog, fold
from hwnorm.norms.activation import ACTIVATIONS, activated
from hwnorm.norms.form import Form
from hwnorm.norms.running import keeps_running, with_running
from hwnorm.precision import Precision, Scaled, Type, assign_types, quantise
from hwnorm.results import Backward, Forward, Saved
from hwnorm.views.count import OpCount, Phase, count
from hwnorm.views.int_ref import Call, Program, Value

Floats = npt.NDArray[np.float64]
MOMENTUM_BITS = range(1, 17)
OPTIONS = {"E": "eps", "minus_one": "x_frac", "window": "pivot_window"}  # that make a register of a layer too large
SMALLEST_GAMMA = 0.25  # that dx's natural scale reckons with, where gamma is one an element
GAUSSIAN = sqrt(pi / 2)  # L1BN Theorem 1: standard deviation over mean absolute deviation


class Engine:
    """A normalization of groups of ``elements`` elements, or of any number up to ``max_elements``.

    ``eps`` is real, for x whose LSB is ``2**-x_frac``; it reaches the hardware as E. ``gaussian`` multiplies an L1
    deviation by sqrt(pi/2) (Theorem 1). ``form`` picks one of the norm's datapaths, the first by default; all give the
    same integers. ``pivot_window`` belongs to form pivot, ``temperature`` to scale, ``delta`` to fold-ternary.
    ``checked`` compares every value with its register's bounds on the way, for tests. ``compiled`` runs the sweeps as
    machine code (`pip install 'hwnorm[fast]'`): the same integers, which pays from some millions of elements on.
    """

    def __init__(
        self,
        norm: str,
        bits: int = 8,
        elements: int | None = None,
        *,
        max_elements: int | None = None,
        form: str | None = None,
        guard: int = 4,
        reciprocal: str = "restoring",
        eps: float = 1e-5,
        x_frac: int = 0,
        gaussian: bool = True,
        pivot_window: int = 0,
        temperature: float = 50.0,
        delta: float = 0.5,
        activation: str = "none",
        momentum_bits: int | None = None,
        checked: bool = False,
        compiled: bool = False,
    ) -> None:
        self.norm = catalog.find(norm)
        if form is not None and form not in self.norm.forms:
            raise ValueError(f"norm {norm!r} has no form {form!r}: {did_you_mean(form, self.norm.forms)}")
        self.form = form or next(iter(self.norm.forms), "")
        bits, guard, elements, max_elements, x_frac, pivot_window, momentum_bits = map(
            operands.unlimited, (bits, guard, elements, max_elements, x_frac, pivot_window, momentum_bits)
        )
        if momentum_bits is not None and (type(momentum_bits) is not int or momentum_bits not in MOMENTUM_BITS):
            raise ValueError(f"momentum_bits must be 1 to {MOMENTUM_BITS[-1]}, not {momentum_bits!r}")
        self.momentum_bits = momentum_bits
        self.precision = Precision(bits, guard, reciprocal, momentum_bits=momentum_bits or 0)
        if (elements is None) == (max_elements is None):
            raise ValueError("give either elements (of every group) or max_elements (of the longest)")
        self.elements = elements
        self.max_elements: int = max_elements if elements is None else elements
        length = "max_elements" if elements is None else "elements"
        if type(self.max_elements) is not int or self.max_elements < 1:
            raise ValueError(f"{length} must be a positive integer, not {self.max_elements!r}")
        for name, whole, least, most in (("x_frac", x_frac, -64, 64), ("pivot_window", pivot_window, 0, 1 << 24)):
            if type(whole) is not int or not least <= whole <= most:
                raise ValueError(f"{name} must be an integer from {least} to {most}, not {whole!r}")
        if not 0 <= delta < inf:
            raise ValueError(f"delta must be a finite number, at least 0, not {delta!r}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature!r}")
        if not 0 <= eps < inf:
            raise ValueError(f"eps must be a finite number, at least 0, not {eps!r}")
        self.eps, self.x_frac, self.gaussian = eps, x_frac, gaussian
        self.pivot_window, self.temperature, self.delta = pivot_window, temperature, delta
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}: {did_you_mean(activation, ACTIVATIONS)}")
        self.activation = activation
        if checked and compiled:
            raise ValueError("checked looks at every value on its way, which compiled sweeps do not show: give one")
        self._checked, self._compiled = checked, compiled
        self._backward_programs: dict[int, Program] = {}

    @property
    def exact(self) -> Exact:
        """The same three functions in float64."""
        return Exact(self)

    # Graphs and formats

    def graph(self, direction: str) -> Graph:
        """The datapath of one direction; ValueError where the norm has none."""
        builder = getattr(self.norm.forms.get(self.form, Form()), direction)
        if builder is None:
            raise ValueError(f"norm {self.norm.name!r} has no {direction} datapath")
        graph: Graph = builder()
        if direction == "forward" and self.momentum_bits is not None:
            if not keeps_running(graph):
                raise ValueError(f"norm {self.norm.name!r} keeps no running statistics")
            graph = with_running(graph, self.momentum_bits)
        return activated(graph, self.activation)

    @cached_property
    def _forward(self) -> Program:
        return self._program("forward")

    @cached_property
    def _inference(self) -> Program:
        return self._program("inference")

    def _program(self, direction: str) -> Program:
        return self._made(self.graph(direction), self.precision)

    def _made(self, graph: Graph, precision: Precision, saved: dict[str, Type] | None = None) -> Program:
        types = assign_types(graph, precision, self.max_elements, saved)
        return Program(graph, precision, types, self._checked, compiled=self._compiled)

    def _backward(self, dx_frac: int) -> Program:
        if dx_frac not in self._backward_programs:
            graph, precision = self.graph("backward"), self.precision.scaled_for(dx_frac)
            saved = {name: self._forward.types[n] for name, n in self._forward.graph.outputs.items()}
            self._backward_programs[dx_frac] = self._made(graph, precision, saved)
        return self._backward_programs[dx_frac]

    def program(self, direction: str) -> Program:
        """Graph, formats and sweeps of one direction: what hardware is made from."""
        if direction == "backward":
            return self._backward(0)
        return self._forward if direction == "forward" else self._inference

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions that this norm has a datapath for."""
        form = self.norm.forms.get(self.form, Form())
        return tuple(d for d in ("forward", "backward", "inference") if getattr(form, d) is not None)

    @cached_property
    def formats(self) -> dict[str, Format]:
        """Every stream, parameter and register by name. Of a scaled value the mantissa; the gain's exponent is ``sh``,
        the reciprocal's ``e``."""
        found: dict[str, Format] = {}
        for direction in reversed(self.directions):
            program = self.program(direction)
            for node, kind in program.types.items():
                if node.name:
                    found[node.name] = kind.format
                role = self.precision.role(node.role) if node.op in (Op.CAST, Op.RECIP) else None
                if isinstance(role, Scaled) and role.shift:
                    found["sh"] = Format.holding(*role.shift)
                elif isinstance(role, Scaled):
                    found["Dn"] = Format(role.width, 0, signed=False)
                    found["e"] = Format.holding(0, program.types[node.args[0]].format.width)
            for name in ("y", "dx"):
                if name in program.graph.outputs:
                    found[name] = program.types[program.graph.outputs[name]].format
        return found

    @property
    def error_bound_lsb(self) -> float:
        """|y - exact.y| stays below this, in y's LSB, where the gain does not clamp and gamma * xhat alone fits y."""
        return self.precision.error_bound_lsb

    def registers(self, elements: int | None = None, sampled: int | None = None) -> dict[str, tuple[int, int]]:
        """The registers of a layer with groups of so many elements: name to (integer, fraction bits)."""
        m = self._length(self.max_elements if elements is None else operands.unlimited(elements))
        if sampled is not None and not (self.norm.sampling and 1 <= sampled <= m):
            some = (
                f"1 to {m} elements" if self.norm.sampling else f"nothing: norm {self.norm.name!r} looks at all of them"
            )
            raise ValueError(f"sampled must be {some}, not {sampled}")
        setting = self.setting(m, m if sampled is None else operands.unlimited(sampled))
        found: dict[str, tuple[int, int]] = {}
        for direction in self.directions:
            for name, node in self.program(direction).graph.layer_registers.items():
                found[name] = self.register(node, setting)
        return found

    def register(self, node: Node, setting: Setting) -> tuple[int, int]:
        assert callable(node.value)
        v, frac = quantise(Fraction(node.value(setting)), self.precision.role(node.role))
        if node.bound is not None:
            lo, hi = (bound << frac for bound in node.bound(self.precision.bits, self.max_elements))
            if not lo <= v <= hi:
                option = OPTIONS[node.name]
                raise ValueError(
                    f"{option} = {getattr(self, option):g} makes register {node.name} {v}, which holds {lo} to {hi}"
                )
        return v, frac

    # The integer view

    def forward(
        self,
        x: npt.ArrayLike,
        gamma: npt.ArrayLike = 1.0,
        beta: npt.ArrayLike = 0.0,
        *,
        sampled: npt.ArrayLike | None = None,
        pivot: npt.ArrayLike | None = None,
        running: Mapping[str, npt.ArrayLike] | None = None,
    ) -> Forward:
        """x: integers, shape (groups, elements), or (groups, ...) with axes of the elements' own. y has x's shape.

        ``sampled``: flags of the elements that sampled statistics look at, the same in every group. ``pivot``: of form
        pivot, ``saved.values["next_pivot"]`` of the batch before; 0 where there is none yet. ``running``: with
        ``momentum_bits`` the running ``mean`` and ``spread``, real, one a group; what becomes of them stands in
        ``saved.values["next_mean"]`` and ``["next_spread"]``.
        """
        call = self.forward_call(x, gamma, beta, sampled=sampled, pivot=pivot, running=running)
        found = call.run()
        saved = Saved(call.inputs | found, call.setting, np.shape(x), self._kind)
        return Forward(found["y"].v.reshape(np.shape(x)), saved)

    def forward_call(
        self,
        x: npt.ArrayLike,
        gamma: npt.ArrayLike = 1.0,
        beta: npt.ArrayLike = 0.0,
        *,
        sampled: npt.ArrayLike | None = None,
        pivot: npt.ArrayLike | None = None,
        running: Mapping[str, npt.ArrayLike] | None = None,
    ) -> Call:
        """What ``forward`` computes, not computed yet."""
        program = self._forward
        _check_used(program.graph, self.norm.name, sampled=sampled, c0=pivot, running_mean=running)
        stream = operands.stream("x", x, self.precision.bits)
        inputs = {"x": Value(stream), **self._affine(program, stream, gamma, beta)}
        inputs |= self._sample(program, stream, sampled)
        if "c0" in program.graph.inputs:
            inputs["c0"] = operands.pivot(pivot, len(stream), self.precision.bits)
        inputs |= operands.running(program.graph, self.precision, len(stream), running or {})
        return Call(program, inputs, self._setting_of(stream, inputs))

    def backward(self, dy: npt.ArrayLike, saved: Saved, dx_frac: int | None = None) -> Backward:
        """dy: integers, shaped as x was. ``dx_frac`` is dx's scale; by default the finest at which the largest gain of
        these groups maps the full scale of dy into that of dx."""
        call = self.backward_call(dy, saved, dx_frac)
        found, program = call.run(), call.program
        dgamma, dbeta = (_parameter_gradient(program, found, name) for name in ("dgamma", "dbeta"))
        frac = program.types[program.graph.outputs["dx"]].frac
        return Backward(found["dx"].v.reshape(saved.shape), frac, dgamma, dbeta)

    def backward_call(self, dy: npt.ArrayLike, saved: Saved, dx_frac: int | None = None) -> Call:
        """What ``backward`` computes, not computed yet."""
        self.graph("backward")  # ValueError where there is none
        if saved.kind != self._kind:
            raise ValueError(f"this engine is of {self._kind}, but the forward pass was of {saved.kind}")
        self._length(saved.setting.m)
        if dx_frac is None:
            dx_frac = self._natural_dx_frac(saved)
        lo, hi = self.precision.dx_frac_range
        if not lo <= dx_frac <= hi:
            raise ValueError(f"dx_frac must be an integer from {lo} to {hi}, not {dx_frac}")
        program = self._backward(dx_frac)
        stream = operands.stream("dy", dy, self.precision.bits)
        if np.shape(dy) != saved.shape:
            raise ValueError(f"dy has shape {np.shape(dy)}, but x had {saved.shape}")
        return Call(program, saved.values | {"dy": Value(stream)}, saved.setting)

    def inference(
        self,
        x: npt.ArrayLike,
        gamma: npt.ArrayLike = 1.0,
        beta: npt.ArrayLike = 0.0,
        *,
        mean: npt.ArrayLike | None = None,
        deviation: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """y by running statistics (in x's LSB). A norm that keeps none takes them from x, as ``forward`` does."""
        call = self.inference_call(x, gamma, beta, mean=mean, deviation=deviation)
        return call.run()["y"].v.reshape(np.shape(x))

    def inference_call(
        self,
        x: npt.ArrayLike,
        gamma: npt.ArrayLike = 1.0,
        beta: npt.ArrayLike = 0.0,
        *,
        mean: npt.ArrayLike | None = None,
        deviation: npt.ArrayLike | None = None,
    ) -> Call:
        """What ``inference`` computes, not computed yet."""
        program = self._inference
        stream = operands.stream("x", x, self.precision.bits)
        inputs = {"x": Value(stream), **self._affine(program, stream, gamma, beta)}
        folded = [name for name in program.graph.inputs if name not in inputs]
        if not folded:
            return Call(program, inputs, self._setting_of(stream, inputs))
        real = self.folded(len(stream), gamma, beta, mean, deviation, self._as_gain)
        for name in folded:
            role = self.precision.role(program.graph.inputs[name].role)
            inputs[name] = operands.quantised(name, real[name], role)
        return Call(program, inputs, self.setting(stream[0].size))

    def folded(
        self,
        groups: int,
        gamma: npt.ArrayLike,
        beta: npt.ArrayLike,
        mean: npt.ArrayLike | None,
        deviation: npt.ArrayLike | None,
        held: Callable[[Fraction], Fraction] = lambda scale: scale,
    ) -> dict[str, npt.NDArray[Any]]:
        """What inference hardware is set up with, exact: scale and shift, or thresholds; shape (groups, 1). ``held``:
        what becomes of the scale in its register, which the shift goes with."""
        if mean is None or (deviation is None and self.norm.name != "mean-only"):
            raise ValueError(f"inference of {self.norm.name!r} needs running statistics: mean= and deviation=")
        gammas, betas = self._held("gamma", gamma, groups), self._held("beta", beta, groups)
        means = operands.per_group("mean", mean, groups)
        if deviation is None:
            sigmas = np.ones((groups, 1))
        else:
            deviations = operands.per_group("deviation", deviation, groups)
            if (deviations < 0).any():
                raise ValueError(f"deviation must be at least 0, not {deviations.min():g}")
            eps = self.setting(1).eps
            sigmas = np.sqrt(deviations**2 + eps) if self.norm.eps_under_root else deviations + eps
        match self.norm.name:
            case "fold-sign":
                fold_one = fold.sign_threshold
            case "fold-ternary":
                fold_one = partial(fold.ternary_thresholds, delta=Fraction(self.delta))
            case _:
                fold_one = partial(fold.scale_and_shift, held=held)
        rows = [
            fold_one(*(Fraction(float(column[g, 0])) for column in (gammas, betas, means, sigmas)))
            for g in range(groups)
        ]
        return {name: np.array([[row[name]] for row in rows], dtype=object) for name in rows[0]}

    def count(self, phase: Phase = "training") -> OpCount:
        """Formula and executed operations of a phase, per group."""
        return count(self.norm, self.form, phase, {d: self.program(d) for d in self.directions})

    # Operands

    @property
    def _kind(self) -> str:
        """What a forward and a backward pass must have in common."""
        return f"{self.norm.name}, {self.precision.bits} bits, {self.precision.guard} guard bits"

    def _length(self, m: int) -> int:
        if self.elements is not None and m != self.elements:
            raise ValueError(f"groups must have {self.elements} elements (elements={self.elements}), not {m}")
        if not 1 <= m <= self.max_elements:
            raise ValueError(f"groups must have 1 to {self.max_elements} elements, not {m}")
        return m

    def setting(self, m: int, s: int | None = None, v: int = 0) -> Setting:
        under_root = self.norm.eps_under_root
        return Setting(
            m=m,
            s=m if s is None else s,
            v=v,
            eps=self.eps * 2.0 ** (self.x_frac * (2 if under_root else 1)),
            one=2.0**self.x_frac,
            rail=1 << (self.precision.bits - 1),
            l1_scale=GAUSSIAN if self.gaussian else 1.0,
            temperature=self.temperature,
            delta=self.delta,
            window=self.pivot_window,
        )

    def _setting_of(self, stream: Ints, inputs: dict[str, Value]) -> Setting:
        m = self._length(stream[0].size)
        setting = self.setting(m, int(inputs["sampled"].v.sum()) if "sampled" in inputs else m)
        for node in self._forward.graph.layer_registers.values():
            self.register(node, setting)
        return setting

    def _held(self, name: str, values: npt.ArrayLike, groups: int) -> Floats:
        """A parameter as its register holds it, real."""
        role = self.precision.role(self._parameter_role(name))
        return operands.quantised(name, operands.per_group(name, values, groups), role).real()

    def _as_gain(self, scale: Fraction) -> Fraction:
        """As its register holds it."""
        mantissa, frac = quantise(scale, self.precision.role("gain"))
        return mantissa * Fraction(2) ** -frac

    def _parameter_role(self, name: str) -> str:
        node = self._forward.graph.inputs.get(name) if "forward" in self.directions else None
        return node.role if node else name

    def _affine(self, program: Program, stream: Ints, gamma: npt.ArrayLike, beta: npt.ArrayLike) -> dict[str, Value]:
        return operands.affine(program.graph, self.precision, len(stream), stream[0].size, gamma, beta)

    def _sample(self, program: Program, stream: Ints, sampled: npt.ArrayLike | None) -> dict[str, Value]:
        masks = [name for name, n in program.graph.inputs.items() if mask_symbol(n) is not None]
        return {name: Value(operands.flags(name, sampled, stream[0].size)) for name in masks}

    def _natural_dx_frac(self, saved: Saved) -> int:
        lo, hi = self.precision.dx_frac_range
        largest = 1.0
        if "K" in saved.values:
            largest = float(np.max(np.abs(saved.values["K"].real())))
            if self.norm.affine == "element":
                # gamma * dy is rounded before it is scaled: a finer dx than this would show it
                largest *= max(float(np.max(np.abs(saved.values["gamma"].real()))), SMALLEST_GAMMA)
        return min(max(-ceil(log2(largest)), lo), hi) if largest else 0


def _check_used(graph: Graph, norm: str, **given: Any) -> None:
    """A mask or a pivot that a norm has no use for is a misunderstanding, and said so. (gamma and beta are handed to
    all norms alike, and those that have none leave them.)"""
    for name, value in given.items():
        if name not in graph.inputs and value is not None:
            word = {"c0": "pivot", "running_mean": "running"}.get(name, name)
            raise ValueError(f"norm {norm!r} has no use for {word} here")


def _parameter_gradient(program: Program, found: dict[str, Value], name: str) -> Floats | None:
    """One number a group; where the parameter is one an element, summed over the groups."""
    if name not in found:
        return None
    gradient = found[name]
    if program.graph.outputs[name].rate is Rate.ELEM:
        rows = gradient.v.reshape(len(gradient.v), -1)
        return Value(rows.sum(axis=0, dtype=rows.dtype if rows.dtype == object else np.int64), gradient.frac).real()
    return gradient.real()[:, 0]
