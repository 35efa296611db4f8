"""A whole ONNX model as one list of operators, with what is known of every value before anything runs.

Functions are written out where they are called, an ``If`` is replaced by the branch that a constant condition takes.
Other subgraphs (loops, open conditions) are passed over where they hold no normalization, and refused where they do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from hwnorm.errors import InputError
from hwnorm.network.norm_shapes import check_shape, looks_like_norm
from hwnorm.network.onnx_folding import Data, NotFoldedError, fold, tensor_data
from hwnorm.network.onnx_graph import Node, expanded, operator_sets, scope, subgraphs_of, topological
from hwnorm.network.onnx_shapes import output_shapes
from hwnorm.network.onnx_values import Shapes, UnknownShapeError, Value

_MOST_NODES = 200_000  # after functions are written out; a file may ask for 2**n
_LONGEST_NAME = 10_000  # of a node in functions in functions

# Where an operator has what trains, and what is made beside it: these inputs may be missing from a file.
WEIGHTS: dict[str, tuple[int, ...]] = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "FusedConv": (1, 2), "Gemm": (1, 2), "PRelu": (1,),
    "QLinearConv": (3, 8), "ConvInteger": (1,), "LSTM": (1, 2, 3), "GRU": (1, 2, 3), "RNN": (1, 2, 3),
    "BatchNormalization": (1, 2, 3, 4), "LayerNormalization": (1, 2), "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2), "RMSNormalization": (1,), "SimplifiedLayerNormalization": (1,),
    "SkipLayerNormalization": (2, 3, 4), "SkipSimplifiedLayerNormalization": (2, 3), "GroupNorm": (1, 2),
}  # fmt: skip

_MEANS = ("ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2", "GlobalAveragePool")
_ROOTS = ("Sqrt", "Pow")

_Function = tuple[str, str, str]  # domain, name, overload


def _function(one: Any, name: str) -> _Function:
    """The key of a function, or of what a node calls; overloads are of IR version 10."""
    return one.domain, name, getattr(one, "overload", "")


@dataclass(slots=True)
class Program:
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)  # of everything stored, by name
    norm_calls: list[Node] = field(default_factory=list)  # functions whose names say that they normalize

    def readers(self) -> dict[str, list[Node]]:
        """Who reads a value, once for every time; what the graph gives out is read by nobody here."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in filter(None, node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def inputs(self, node: Node) -> list[Value | None]:
        return [self.values[name] if name else None for name in node.inputs]


def build(model: Any, inputs: Mapping[str, Value], declared: Mapping[str, tuple[int, ...]]) -> Program:
    """``inputs`` are the graph's inputs that are no weights, ``declared`` the shapes that the file states of values."""
    return _Builder(model, inputs, declared).program


def store(program: Program, name: str, tensor: Any) -> None:
    """An initializer: its shape, and its numbers where they are few."""
    shape = check_shape(f"the initializer {name!r}", [int(size) for size in tensor.dims])
    program.values[name] = Value(
        shape, tensor_data(tensor), frozenset([name]), f"the numbers of {name!r} are not known"
    )
    program.sizes[name] = prod(shape)


class _Builder:
    def __init__(self, model: Any, inputs: Mapping[str, Value], declared: Mapping[str, tuple[int, ...]]) -> None:
        self.program = Program(values=dict(inputs))
        self.declared = declared
        self.versions = operator_sets(model.opset_import)
        self.functions = {_function(one, one.name): one for one in model.functions}
        self._check_functions(model.graph)
        for name, value in inputs.items():
            if value.stored and value.shape is not None:
                self.program.sizes[name] = prod(value.shape)
        names: dict[str, str] = {name: name for name in inputs}
        self._initializers(model.graph, names, "")
        queue = deque(expanded(model.graph.node, names, "", self.versions))
        while queue:
            node = queue.popleft()
            inner = self._inlined(node)
            if inner is None:
                self._step(node)
                self.program.nodes.append(node)
            else:
                queue.extendleft(reversed(inner))

    def _check_functions(self, graph: Any) -> None:
        """Refuses functions in a ring, and those that would be written out into too many nodes."""
        called = {
            key: [name for node in one.node if (name := _function(node, node.op_type)) in self.functions]
            for key, one in self.functions.items()
        }
        order = topological(called)
        if len(order) < len(called):
            raise InputError(f"the function {min(called.keys() - set(order))[1]!r} calls itself")
        sizes: dict[_Function, int] = {}
        for key in order:
            sizes[key] = len(self.functions[key].node) + sum(sizes[name] for name in called[key])
        if sum(sizes.get(_function(node, node.op_type), 1) for node in graph.node) > _MOST_NODES:
            raise InputError(f"the graph has more than {_MOST_NODES} nodes once its functions are written out")

    def _initializers(self, graph: Any, names: Any, prefix: str) -> None:
        tensors = [(one.name, one) for one in graph.initializer]
        tensors += [(one.values.name, one) for one in graph.sparse_initializer]
        seen = set()
        for name, tensor in tensors:
            if name in seen:
                raise InputError(f"the graph has two initializers {prefix + name!r}")
            seen.add(name)
            names[name] = prefix + name
            store(self.program, prefix + name, tensor)

    def _inlined(self, node: Node) -> list[Node] | None:
        """The nodes that a function's call or an ``If`` stands for; None for a plain operator."""
        function = self.functions.get(_function(node, node.op))
        if function is not None:
            return self._called(node, function)
        if node.op == "If" and node.standard and len(node.inputs) == 1:
            condition = self.program.values.get(node.input(0))
            if condition is not None and condition.data is not None and condition.data.size == 1:
                branch = node.graph("then_branch" if condition.data.reshape(-1)[0] else "else_branch")
                if branch is None:
                    raise InputError(f"{node.label} lacks a branch")
                names = scope(node.names)  # type: ignore[arg-type]
                prefix = f"{node.name}/"
                self._initializers(branch, names, prefix)
                inner = expanded(branch.node, names, prefix, self.versions)
                return inner + self._handed_out(node, [output.name for output in branch.output], names)
        for attribute in node.attributes.values():
            for graph in subgraphs_of(attribute):
                inside = self._norm_inside(graph)
                if inside:
                    raise InputError(
                        f"{node.label} holds the normalization {inside!r} in a subgraph that may run any number of "
                        "times; export the network without loops and conditions around its normalizations"
                    )
        return None

    def _called(self, node: Node, function: Any) -> list[Node]:
        if len(node.name) > _LONGEST_NAME:
            raise InputError(f"functions are nested too deeply, around {node.name[:60]!r}")
        if looks_like_norm(node.op):
            self.program.norm_calls.append(node)
        names = {inner: node.input(at) for at, inner in enumerate(function.input)}
        given = {one.name: one for one in function.attribute_proto}
        given.update(node.attributes)
        versions = operator_sets(function.opset_import) or self.versions
        inner = expanded(function.node, names, f"{node.name}/", versions, given)
        return inner + self._handed_out(node, list(function.output), names)

    @staticmethod
    def _handed_out(node: Node, inner: Iterable[str], names: Mapping[str, str]) -> list[Node]:
        return [
            Node(f"{node.name}/{name}", "Identity", "", node.version, (names.get(name, name),), (output,), {}, names)
            for name, output in zip(inner, node.outputs, strict=False)
            if output
        ]

    def _norm_inside(self, graph: Any) -> str:
        """The name of a normalization in a subgraph, or of a root over means, which may be one in pieces."""
        means, root = False, ""
        for node in graph.node:
            name = str(node.name or node.op_type)
            if looks_like_norm(node.op_type):
                return name
            means |= node.op_type in _MEANS
            root = name if node.op_type in _ROOTS else root
            if _function(node, node.op_type) in self.functions:
                return f"{name} (the function {node.op_type}, not looked into)"
            for inner in (inner for attribute in node.attribute for inner in subgraphs_of(attribute)):
                found = self._norm_inside(inner)
                if found:
                    return found
        return root if means else ""

    def _step(self, node: Node) -> None:
        values = self.program.values
        for at, name in enumerate(node.inputs):
            if name and name not in values:
                if at not in WEIGHTS.get(node.op, ()):
                    raise InputError(f"{node.label} reads {name!r}, which nothing makes")
                values[name] = Value(self.declared.get(name), None, frozenset([name]), f"{name!r} is missing")
                self.program.sizes[name] = prod(self.declared.get(name, ()))
        inputs = self.program.inputs(node)
        stored = _stored(node, inputs)
        if stored is not None:
            shape = inputs[0].shape if inputs and inputs[0] is not None else None
            self.program.sizes |= {name: prod(shape or (0,)) for name in stored - self.program.sizes.keys()}
        data = _folded(node, inputs)
        shapes: Shapes
        # what a reader of the numbers, or of a shape that no rule gives, is told: where the first unknown came from
        blocker = next(
            (one.blocker for one in inputs if one is not None and one.data is None and one.blocker), node.label
        )
        if data is not None:
            shapes = [one.shape for one in data]
        elif node.op == "Constant" and (tensor := node.tensor("value")) is not None:
            shapes = [tuple(int(size) for size in tensor.dims)]
        else:
            try:
                shapes = output_shapes(node, inputs)
            except UnknownShapeError as error:
                known_from = str(error)
                shapes, blocker = [], known_from if known_from.startswith("node ") else f"{node.label}: {known_from}"
            except InputError:
                raise
            except (ValueError, IndexError, OverflowError) as error:
                reason = str(error) if isinstance(error, ValueError) else "its inputs do not fit it"
                raise InputError(f"{node.label}: {reason}") from None
        for at, name in enumerate(node.outputs):
            if not name:
                continue
            shape = shapes[at] if at < len(shapes) else None
            if shape is None:
                shape = self.declared.get(name)
            if shape is not None:
                check_shape(f"{node.label}: its output", shape)
            known = data[at] if data is not None and at < len(data) else None
            values[name] = Value(shape, known, stored, blocker)


def _stored(node: Node, inputs: list[Value | None]) -> frozenset[str] | None:
    """The initializers that a result is made of; an ``Identity`` of a vector is a vector of its own.

    PyTorch's exporter stores equal vectors once, and hands them out by ``Identity`` under their own names: all the
    gammas of a fresh network are one vector of ones. Tied matrices stay one.
    """
    if node.op in ("Shape", "Size", "Constant"):
        return frozenset()
    present = [value for value in inputs if value is not None]
    if any(value.stored is None for value in present):
        return None
    if node.op == "Identity" and present[0].stored and present[0].shape is not None and len(present[0].shape) == 1:
        return frozenset(node.outputs[:1])
    return frozenset().union(*(value.stored for value in present if value.stored is not None))


def _folded(node: Node, inputs: list[Value | None]) -> list[Data] | None:
    if not node.standard:
        return None
    if node.op == "Constant":
        return _constant(node)
    first = inputs[0] if inputs else None
    if node.op == "Shape" and first is not None and first.shape is not None:
        return [np.array(first.shape[slice(node.integer("start", 0), _end(node))], dtype=np.int64)]
    if node.op == "Size" and first is not None and first.shape is not None:
        return [np.array(prod(first.shape), dtype=np.int64)]
    if not inputs or any(value is not None and value.data is None for value in inputs):
        return None
    try:
        return fold(node, [None if value is None else value.data for value in inputs])
    except NotFoldedError:
        return None


def _end(node: Node) -> int | None:
    return node.integer("end", 0) if "end" in node.attributes else None


def _constant(node: Node) -> list[Data] | None:
    tensor = node.tensor("value")
    if tensor is not None:
        data = tensor_data(tensor)
        return None if data is None else [data]
    if "value_int" in node.attributes:
        return [np.array(node.integer("value_int", 0), dtype=np.int64)]
    if "value_float" in node.attributes:
        return [np.array(node.number("value_float", 0), dtype=np.float32)]
    integers, numbers = node.integers("value_ints"), node.numbers("value_floats")
    if integers is not None:
        return [np.array(integers, dtype=np.int64)]
    return None if numbers is None else [np.array(numbers, dtype=np.float32)]
