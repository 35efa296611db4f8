"""Small ONNX graphs by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dims = Sequence[int | str | None]


def vector(name: str, size: int, value: float = 1.0) -> Any:
    return numpy_helper.from_array(np.full(size, value, dtype=np.float32), name)


def trained(name: str, *numbers: float) -> Any:
    return numpy_helper.from_array(np.array(numbers, dtype=np.float32), name)


def weights(name: str, *shape: int) -> Any:
    """Declared, without numbers: readers must not need them."""
    return TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)


def integers(name: str, *values: int) -> Any:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def graph_of(
    nodes: Sequence[Any],
    inputs: Mapping[str, Dims],
    initializers: Sequence[Any] = (),
    outputs: Sequence[str] = ("y",),
) -> Any:
    return helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        list(initializers),
    )


def save(path: Path, graph: Any, opset: int = 17, functions: Sequence[Any] = (), domains: Sequence[str] = ()) -> Path:
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=imports, functions=list(functions)), str(path))
    return path


node = helper.make_node
