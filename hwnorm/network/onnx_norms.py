"""The normalization layers of a program: the operators that are norms, and norms left in pieces.

Local response normalization and plain division by a length (``LRN``, ``LpNormalization``, ``Normalizer``) train nothing
and have no statistics in this project's sense: they pass, and the network carries a warning that they were not counted.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import prod
from typing import Literal, cast

import numpy as np

from hwnorm.errors import InputError
from hwnorm.network.marks import Found, Key
from hwnorm.network.model import Layer
from hwnorm.network.norm_shapes import channel_layer, looks_like_norm, reduced_layer, vector_layer
from hwnorm.network.onnx_graph import Node
from hwnorm.network.onnx_program import Program
from hwnorm.network.onnx_shapes import reduced_axes
from hwnorm.network.onnx_values import Shape, Value
from hwnorm.network.pieces import Pieces

_NOT_COUNTED = ("LRN", "LpNormalization", "Normalizer")

_VECTOR_KINDS: dict[str, Literal["layer_norm", "rms_norm"]] = {
    "LayerNormalization": "layer_norm",
    "SkipLayerNormalization": "layer_norm",
    "RMSNormalization": "rms_norm",
    "SimplifiedLayerNormalization": "rms_norm",
    "SkipSimplifiedLayerNormalization": "rms_norm",
}


class NormFinder:
    """Walks a program once. ``layers`` and ``outputs`` (the value that each gives) are in the program's order."""

    def __init__(self, program: Program, batch: int) -> None:
        self.layers: list[Layer] = []
        self.outputs: list[str] = []
        self._program = program
        self._batch = batch
        self._passed: list[tuple[Node, Key]] = []  # each with what a norm that it proves to be part of is of
        self._pieces = Pieces(self._parameter, self._scalar, self._shape_of)
        found: list[Found | tuple[Layer, str]] = []
        for node in program.nodes:
            value = program.values.get(node.outputs[0]) if node.outputs and node.outputs[0] else None
            if value is None or value.stored is not None:
                continue  # arithmetic on weights: weight normalization, folded scales
            before = len(self._pieces.found)
            layer = self._operator(node)
            if layer is not None:
                found.append((layer, node.outputs[0]))
            elif (node.op in _NOT_COUNTED or looks_like_norm(node.op)) and len(self._pieces.found) == before:
                self._pass_or_refuse(node)
            else:
                self._piece(node)
            found += self._pieces.found[before:]
        for one in found:
            if isinstance(one, Found):
                self._check_known(one)
                self.layers.append(one.layer(batch))
                self.outputs.append(cast(str, one.output))
            else:
                self.layers.append(one[0])
                self.outputs.append(one[1])
        counted = {one.source for one in found if isinstance(one, Found)}
        self.warnings = [
            f"{node.label} was not counted: it trains nothing and keeps no statistics"
            for node, source in self._passed
            if source not in counted
        ] + self._pieces.warnings()
        self._check_calls()

    def _check_known(self, found: Found) -> None:
        if not found.shape:
            source = self._value(str(found.source))
            why = f", because of {source.blocker}" if source is not None else ""
            raise InputError(f"node {found.name!r} ends a normalization in pieces, whose shape is not known{why}")

    def _pass_or_refuse(self, node: Node) -> None:
        if node.op not in _NOT_COUNTED:
            domain = f" of {node.domain}" if node.domain else ""
            raise InputError(f"{node.label} looks like a normalization{domain} that hwnorm does not know")
        source: Key = node.inputs[0]
        if node.op == "LpNormalization" and node.integer("p", 2) == 2:
            shape = self._shape(node, 0)
            axis = node.integer("axis", -1) % max(1, len(shape))
            source = self._pieces.unit(node.outputs[0], source, shape, (axis,))
        self._passed.append((node, source))

    def _check_calls(self) -> None:
        for call in self._program.norm_calls:
            prefix = f"{call.name}/"
            if not any(layer.name.startswith(prefix) for layer in self.layers):
                raise InputError(
                    f"{call.label} calls a function that looks like a normalization, and none is found in it"
                )

    def _value(self, name: str) -> Value | None:
        return self._program.values.get(name)

    def _shape(self, node: Node, position: int) -> Shape:
        value = self._value(node.input(position))
        if value is None:
            raise InputError(f"{node.label}: its input {position} is missing")
        if value.shape is None:
            raise InputError(f"{node.label}: the shape that it normalizes is not known, because of {value.blocker}")
        return value.shape

    def _parameter(self, key: Hashable) -> int | None:
        value = self._value(str(key))
        if value is None or not value.stored:
            return None
        size = prod(value.shape) if value.shape is not None else 0
        return size if size > 1 else None

    def _scalar(self, key: Hashable) -> float | None:
        value = self._value(str(key))
        if value is None or value.stored is None or value.shape is None or prod(value.shape) != 1:
            return None
        return float(value.data.reshape(-1)[0]) if value.data is not None else float("nan")

    def _shape_of(self, key: Hashable) -> Shape | None:
        value = self._value(str(key))
        return None if value is None else value.shape

    def _trained(
        self, node: Node, position: int, neutral: float, sizes: tuple[int, ...], laid_over: Shape | None = None
    ) -> bool:
        """Whether a gamma or beta trains: it is there, and no constant full of ones or zeros in its place.

        It has one of the ``sizes``, or fits ``laid_over`` by broadcasting.
        """
        value = self._value(node.input(position))
        if value is None:
            return False
        broadcasts = laid_over is not None and value.shape is not None and _fits(value.shape, laid_over)
        if value.shape is not None and prod(value.shape) not in sizes and not broadcasts:
            raise InputError(
                f"{node.label}: its input {position} has the shape {list(value.shape)}, not {sizes[0]} numbers"
            )
        if value.stored is None or value.stored:
            return True
        return value.data is None or not bool(np.all(value.data == neutral))

    def _operator(self, node: Node) -> Layer | None:
        """The layer of an operator that is a norm."""
        match node.op:
            case "BatchNormalization" if node.standard:
                return self._batch_norm(node)
            case "InstanceNormalization" if node.standard:
                shape = self._shape(node, 0)
                scale = self._trained(node, 1, 1.0, shape[1:2])
                shift = self._trained(node, 2, 0.0, shape[1:2])
                if self._pieces.grouped(node.name, node.outputs[0], node.inputs[0], shape, scale, shift):
                    return None
                return channel_layer(node.name, "instance_norm", shape, self._batch, scale=scale, shift=shift)
            case "GroupNormalization" if node.standard:
                shape = self._shape(node, 0)
                groups = node.integer("num_groups", 0)
                sizes = (*shape[1:2], groups)  # a channel each since opset 21, a group each before
                scale, shift = self._trained(node, 1, 1.0, sizes), self._trained(node, 2, 0.0, sizes)
                return channel_layer(
                    node.name, "group_norm", shape, self._batch, channel_groups=groups, scale=scale, shift=shift
                )
            case "GroupNorm" if node.domain == "com.microsoft":
                shape = self._shape(node, 0)
                if node.integer("channels_last", 1):
                    shape = (shape[0], shape[-1], *shape[1:-1])
                groups = node.integer("groups", 0)
                return channel_layer(node.name, "group_norm", shape, self._batch, channel_groups=groups)
            case "MeanVarianceNormalization" if node.standard:
                shape = self._shape(node, 0)
                axes = node.integers("axes") or [0, 2, 3]
                if any(not -len(shape) <= axis < len(shape) for axis in axes):
                    raise InputError(f"{node.label}: the axes {axes} of a tensor with {len(shape)} axes")
                over = sorted({axis % len(shape) for axis in axes})
                return reduced_layer(node.name, True, shape, over, self._batch, scale=False, shift=False)
            case _ if node.op in _VECTOR_KINDS:
                return self._vector(node)
        return None

    def _batch_norm(self, node: Node) -> Layer:
        shape = self._shape(node, 0)
        if len(shape) < 2:
            raise InputError(
                f"{node.label} normalizes a tensor of the shape {list(shape)}, where (N, C, ...) is needed"
            )
        if node.version < 9 and not node.integer("spatial", 1):  # every place of the plane has its own statistics
            shape = (shape[0], prod(shape[1:]))
        scale, shift = self._trained(node, 1, 1.0, shape[1:2]), self._trained(node, 2, 0.0, shape[1:2])
        return channel_layer(node.name, "batch_norm", shape, self._batch, scale=scale, shift=shift)

    def _vector(self, node: Node) -> Layer:
        shape = self._shape(node, 0)
        axis = node.integer("axis", -1)
        if not -len(shape) <= axis < len(shape):
            raise InputError(f"{node.label}: axis {axis} of a tensor with {len(shape)} axes")
        axes = tuple(range(axis % len(shape), len(shape)))
        kind = _VECTOR_KINDS[node.op]
        first = 2 if node.op.startswith("Skip") else 1
        size = (prod(shape[at] for at in axes),)
        scale = self._trained(node, first, 1.0, size, shape)
        shift = kind == "layer_norm" and self._trained(node, first + 1, 0.0, size, shape)
        return vector_layer(node.name, kind, shape, axes, self._batch, scale=scale, shift=shift)

    def _piece(self, node: Node) -> None:
        """Tells the recogniser what an elementary operator does."""
        if not node.standard or not node.inputs or not node.inputs[0]:
            return
        pieces, out, a = self._pieces, node.outputs[0], node.inputs[0]
        b = node.input(1)
        match node.op:
            case "ReduceMean" | "ReduceSum" | "ReduceL2" | "ReduceSumSquare" | "GlobalAveragePool":
                self._reduction(node)
            case "Cast" | "Identity" | "Dropout" | "Expand":
                pieces.same(out, a)
            case "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten":
                before, after = self._value(a), self._value(out)
                if before is not None and after is not None and before.shape is not None and after.shape is not None:
                    pieces.reshape(out, before.shape, after.shape, a)
            case "Abs":
                pieces.absolute(out, a)
            case "Neg":
                pieces.negate(out, a)
            case "Sqrt":
                pieces.sqrt(out, a)
            case "Reciprocal":
                pieces.reciprocal(out, a)
            case "Clip" | "Max":
                pieces.clamp(out, a)
            case "Pow" if (exponent := self._scalar(b)) is not None:
                pieces.power(out, a, exponent)
            case "Sub" if b:
                pieces.sub(out, a, b)
            case "Add" if b:
                pieces.add(out, a, b)
            case "Mul" if b:
                pieces.mul(node.name, out, a, b)
            case "Div" if b:
                pieces.div(node.name, out, a, b)

    def _reduction(self, node: Node) -> None:
        pieces, out, a = self._pieces, node.outputs[0], node.inputs[0]
        value = self._value(a)
        shape: Shape = ()
        axes: tuple[int, ...] = (-1,)  # of no shape: an error, if it proves to be a norm's
        if value is not None and value.shape is not None:
            shape = value.shape
            axes = tuple(range(2, len(shape))) if node.op == "GlobalAveragePool" else self._axes(node)
        if not axes:
            return
        match node.op:
            case "ReduceMean" | "GlobalAveragePool":
                pieces.mean(out, a, shape, axes)
            case "ReduceSum":
                pieces.sum(out, a, shape, axes)
            case "ReduceL2":
                pieces.length(out, a, shape, axes)
            case "ReduceSumSquare":
                pieces.square((out, "squared"), a)
                pieces.sum(out, (out, "squared"), shape, axes)

    def _axes(self, node: Node) -> tuple[int, ...]:
        if any(value is not None and value.data is None for value in self._program.inputs(node)[1:]):
            return ()
        return reduced_axes(node, self._program.inputs(node))


def _fits(shape: Shape, laid_over: Shape) -> bool:
    """Whether a tensor broadcasts to ``laid_over`` without making it larger."""
    return len(shape) <= len(laid_over) and all(
        size in (1, whole) for size, whole in zip(shape[::-1], laid_over[::-1], strict=False)
    )
