"""ONNX networks: their normalization layers, from the graph alone.

Nothing is run, and of weights no more is looked at than whether gammas and betas are all alike. Batch norm in training
and inference mode of every operator set, layer, group, rms and instance norm as operators or in pieces are found; a
normalization that is not known, or one whose shape cannot be known, is an error with the node's name. The first axis of
an input is the batch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnorm.errors import InputError
from hwnorm.network.model import Layer, Network
from hwnorm.network.norm_shapes import check_shape
from hwnorm.network.onnx_file import read_model
from hwnorm.network.onnx_graph import Node
from hwnorm.network.onnx_norms import NormFinder
from hwnorm.network.onnx_products import macs
from hwnorm.network.onnx_program import WEIGHTS, Program, build
from hwnorm.network.onnx_values import Value
from hwnorm.network.onnx_weights import merged, parameters

_WEIGHT_NAME = re.compile(r"[./](weight|bias|gamma|beta|running_mean|running_var|num_batches_tracked)$")

_ACTIVATIONS = frozenset(
    {"Relu", "Sign", "LeakyRelu", "PRelu", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Gelu", "Mish", "Swish"}
    | {"Softplus", "Softsign", "HardSigmoid", "HardSwish", "Clip"}
)

_EXPORT = (
    "export it with torch.onnx.export(..., training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False, "
    "dynamo=False) to keep them"
)


def read_onnx(path: Path, batch: int | None) -> Network:
    """The network in an ONNX file. ``batch`` takes the place of a symbolic one; without it that is 1.

    Where the file names its batch, shapes are taken with that, and ``batch`` is what the network is counted for.
    """
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be a positive integer, not {batch}")
    model = read_model(path)
    try:
        return _network(path, model, batch)
    except InputError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None


def _network(path: Path, model: Any, batch: int | None) -> Network:
    inputs = _Inputs(model.graph, batch)
    program = build(model, inputs.values, inputs.declared)
    finder = NormFinder(program, inputs.batch)
    shared = merged(program, finder.outputs)
    folded = _fused(model.graph) or _folded_away(program, program.readers(), finder.outputs, finder.layers)
    return Network(
        name=path.stem,
        source=str(path),
        input=inputs.sample,
        batch=batch or inputs.batch,
        layers=tuple(finder.layers),
        parameters=parameters(program, _neutral(program, finder)),
        macs=macs(program, inputs.batch),
        warnings=(*finder.warnings, *filter(None, (folded, shared))),
    )


class _Inputs:
    """The graph's inputs as shapes: which is data, which are weights without numbers, and what the batch is."""

    def __init__(self, graph: Any, batch: int | None) -> None:
        stored = {one.name for one in graph.initializer} | {one.values.name for one in graph.sparse_initializer}
        given = [one for one in graph.input if one.name not in stored]
        if len({one.name for one in graph.input}) < len(graph.input):
            raise InputError("the graph has two inputs of one name")
        weights = _weights(graph, [one.name for one in given])
        data = [one for one in given if one.name not in weights]
        if not data:
            raise InputError("the graph has no input that is no weight")
        self._symbol, self.batch = "", batch or 1
        self._find_batch(data)
        self.values: dict[str, Value] = {}
        for one in given:
            if not one.type.HasField("tensor_type"):
                self.values[one.name] = Value(None, blocker=f"the input {one.name!r}, which is no tensor")
                continue
            shape = check_shape(f"the input {one.name!r}", self._sizes(one, one.name not in weights))
            self.values[one.name] = Value(
                shape,
                stored=frozenset([one.name]) if one.name in weights else None,
                blocker=f"the input {one.name!r}",
            )
        self.sample = (self.values[data[0].name].shape or (self.batch,))[1:]
        self.declared = dict(self._declared([*graph.value_info, *graph.output]))

    def _find_batch(self, data: list[Any]) -> None:
        first = data[0]
        if not first.type.tensor_type.HasField("shape"):
            raise InputError(f"the input {first.name!r} has no shape; give it one before the export")
        dims = first.type.tensor_type.shape.dim
        if not dims:
            return
        if dims[0].dim_value > 0:
            self.batch = int(dims[0].dim_value)
        elif dims[0].dim_param:
            self._symbol = dims[0].dim_param

    def _sizes(self, one: Any, data: bool) -> list[int]:
        if not one.type.tensor_type.HasField("shape"):
            raise InputError(f"the input {one.name!r} has no shape; give it one before the export")
        sizes = []
        for at, dim in enumerate(one.type.tensor_type.shape.dim):
            if dim.dim_value > 0:
                sizes.append(int(dim.dim_value))
            elif (data and at == 0) or (dim.dim_param and dim.dim_param == self._symbol):
                sizes.append(self.batch)
            else:
                name = repr(dim.dim_param) if dim.dim_param else "not given"
                raise InputError(
                    f"the dimension {at} of the input {one.name!r} is {name}: only the first, the batch, may be open; "
                    "export the network with its sizes fixed"
                )
        return sizes

    def _declared(self, infos: list[Any]) -> list[tuple[str, tuple[int, ...]]]:
        """Shapes that the file states of inner values, where they are numbers throughout."""
        found = []
        for one in infos:
            if not one.type.HasField("tensor_type") or not one.type.tensor_type.HasField("shape"):
                continue
            dims = one.type.tensor_type.shape.dim
            sizes = [self.batch if d.dim_param and d.dim_param == self._symbol else int(d.dim_value) for d in dims]
            if all(size > 0 for size in sizes):
                found.append((one.name, tuple(sizes)))
        return found


def _weights(graph: Any, names: list[str]) -> set[str]:
    """Inputs that are weights: named so, or read as nothing else. Files without weights declare them as inputs."""
    uses: dict[str, bool] = dict.fromkeys(names, True)
    read: set[str] = set()
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in uses:
                uses[name] &= at in WEIGHTS.get(node.op_type, ())
                read.add(name)
    return {name for name in names if (name in read and uses[name]) or _WEIGHT_NAME.search(name)}


def _neutral(program: Program, finder: NormFinder) -> frozenset[str]:
    """Constants of ones and zeros that stand for a gamma or beta that a norm lacks."""
    lacking = dict(zip(finder.outputs, finder.layers, strict=True))
    names = set()
    for node in program.nodes:
        layer = lacking.get(node.outputs[0]) if node.outputs else None
        first = 2 if node.op.startswith("Skip") else 1
        if node.op == "InstanceNormalization" or (layer is not None and not layer.scale):
            names.add(node.input(first))
        if node.op == "InstanceNormalization" or (layer is not None and not layer.shift):
            names.add(node.input(first + 1))
    return frozenset(names - {""})


def _fused(graph: Any) -> str | None:
    """A warning where the exporter wrote down that it multiplied batch norms into what stands before them. Of a fresh
    network that leaves not even a bias."""
    rules = [" ".join(prop.value for prop in node.metadata_props) for node in graph.node]
    count = sum("FuseBatchNorm" in rule for rule in rules)
    return f"the exporter folded {count} batch norms into the operators before them: {_EXPORT}" if count else None


def _folded_away(
    program: Program, readers: Mapping[str, list[Node]], outputs: list[str], layers: list[Layer]
) -> str | None:
    """A warning where exporters seem to have multiplied batch norms into the convolutions before them.

    Such a convolution has a bias and no norm after it. Beside norms that are left, an activation must follow it too:
    heads, and the convolutions of a network that normalizes first, have biases by themselves.
    """
    made_by = {output: node for node in program.nodes for output in node.outputs}
    normed = {name for output in outputs for name in _read_by(made_by.get(output))}
    convolutions = biased = 0
    for node in program.nodes:
        if node.op not in ("Conv", "ConvTranspose") or not node.outputs:
            continue
        value = program.values[node.outputs[0]]
        if value.shape is not None and all(size == 1 for size in value.shape[2:]):
            continue  # a gate on pooled channels
        convolutions += 1
        followed = any(one.op in _ACTIVATIONS for one in readers.get(node.outputs[0], []))
        biased += bool(node.input(2)) and (followed or not layers) and not _reaches(node.outputs[0], readers, normed)
    if not biased or (layers and (biased < 3 or 4 * biased < convolutions)):
        return None
    some = "no normalization is left" if not layers else f"only {len(layers)} normalizations are left"
    return (
        f"{biased} of {convolutions} convolutions have a bias and no norm behind them, and {some}: "
        f"the exporter may have folded batch norms into them; if the network has them, {_EXPORT}"
    )


def _read_by(node: Node | None) -> tuple[str, ...]:
    return node.inputs if node is not None else ()


def _reaches(name: str, readers: Mapping[str, list[Node]], normed: set[str]) -> bool:
    """Whether a value, or its transpose or reshape, is normalized."""
    if name in normed:
        return True
    following = [node for node in readers.get(name, []) if node.op in ("Transpose", "Reshape", "Flatten", "ReduceMean")]
    return any(node.op == "ReduceMean" or _reaches(node.outputs[0], readers, normed) for node in following)
