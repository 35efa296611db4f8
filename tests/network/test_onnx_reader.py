"""Each normalization operator, in the operator sets that have it; inputs, batches, functions, subgraphs, messages."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hwnorm.errors import InputError, MissingTool
from hwnorm.network.model import Layer, Network

pytest.importorskip("onnx")

from onnx import TensorProto, helper
from onnx_graphs import graph_of, integers, node, save, trained, vector, weights

from hwnorm.network.onnx_reader import read_onnx

BN = ["x", "s", "b", "m", "v"]


def bn_vectors(size: int = 8) -> list[Any]:
    return [vector(name, size) for name in "sbmv"]


def read(tmp_path: Path, graph: Any, opset: int = 17, batch: int | None = None, **extra: Any) -> Network:
    return read_onnx(save(tmp_path / "n.onnx", graph, opset, **extra), batch)


def only(network: Network) -> Layer:
    (layer,) = network.layers
    return layer


# Batch norm, opset 7 to 23, in every form of training and inference.


@pytest.mark.parametrize("opset", [7, 8, 9, 13, 14, 15, 17, 21, 22, 23])
def test_batch_norm_at_inference(tmp_path: Path, opset: int) -> None:
    graph = graph_of([node("BatchNormalization", BN, ["y"], "bn")], {"x": ["N", 8, 6, 5]}, bn_vectors())
    network = read(tmp_path, graph, opset)
    assert only(network) == Layer("bn", "batch_norm", 8, 6, 5)
    assert (network.input, network.batch, network.parameters, network.macs) == ((8, 6, 5), 1, 16, 0)


@pytest.mark.parametrize(("opset", "outputs"), [(7, 5), (9, 3), (13, 5), (14, 1), (15, 3), (23, 3), (14, 2), (9, 4)])
def test_batch_norm_in_training(tmp_path: Path, opset: int, outputs: int) -> None:
    attributes = {"training_mode": 1} if opset > 13 else {}
    names = ["y", "mean", "var", "saved_mean", "saved_var"][:outputs]
    graph = graph_of([node("BatchNormalization", BN, names, "bn", **attributes)], {"x": [4, 8, 6, 5]}, bn_vectors())
    network = read(tmp_path, graph, opset)
    assert only(network) == Layer("bn", "batch_norm", 8, 6, 5)
    assert network.batch == 4


@pytest.mark.parametrize("test", [0, 1])
def test_batch_norm_of_the_first_operator_sets(tmp_path: Path, test: int) -> None:
    for opset in (1, 6):
        extra = {"consumed_inputs": [0, 0, 0, 1, 1]} if opset == 1 else {}
        one = node("BatchNormalization", BN, ["y"], "bn", is_test=test, spatial=1, **extra)
        assert only(read(tmp_path, graph_of([one], {"x": [1, 8, 6, 5]}, bn_vectors()), opset)).height == 6


def test_batch_norm_of_every_place(tmp_path: Path) -> None:
    one = node("BatchNormalization", BN, ["y"], "bn", spatial=0)
    vectors = [weights(name, 8, 6, 5) for name in "sbmv"]
    assert only(read(tmp_path, graph_of([one], {"x": [1, 8, 6, 5]}, vectors), 7)) == Layer("bn", "batch_norm", 240)


@pytest.mark.parametrize(
    ("dims", "plane"), [([8], (1, 1)), ([8, 7], (7, 1)), ([8, 6, 5], (6, 5)), ([8, 4, 6, 5], (24, 5))]
)
def test_batch_norm_of_any_rank(tmp_path: Path, dims: list[int], plane: tuple[int, int]) -> None:
    graph = graph_of([node("BatchNormalization", BN, ["y"], "bn")], {"x": ["N", *dims]}, bn_vectors())
    assert only(read(tmp_path, graph)) == Layer("bn", "batch_norm", 8, *plane)


def test_constants_in_the_place_of_gamma_and_beta(tmp_path: Path) -> None:
    ones = helper.make_tensor("", TensorProto.FLOAT, [8], [1.0] * 8)
    zeros = helper.make_tensor("", TensorProto.FLOAT, [8], [0.0] * 8)
    nodes = [
        node("Constant", [], ["s"], value=ones),
        node("Constant", [], ["b"], value=zeros),
        node("BatchNormalization", BN, ["y"], "bn"),
    ]
    network = read(tmp_path, graph_of(nodes, {"x": ["N", 8, 6, 5]}, bn_vectors()[2:]))
    assert only(network) == Layer("bn", "batch_norm", 8, 6, 5, scale=False, shift=False)
    assert network.parameters == 0


# The other operators.


@pytest.mark.parametrize(("axis", "layer"), [(-1, (5, 8, 6)), (1, (240, 1, 1)), (2, (30, 8, 1)), (-2, (30, 8, 1))])
def test_layer_norm(tmp_path: Path, axis: int, layer: tuple[int, int, int]) -> None:
    size = layer[0]
    graph = graph_of(
        [node("LayerNormalization", ["x", "s", "b"], ["y"], "ln", axis=axis)],
        {"x": ["N", 8, 6, 5]},
        [weights("s", size), weights("b", size)],
    )
    network = read(tmp_path, graph)
    assert only(network) == Layer("ln", "layer_norm", *layer)
    assert network.parameters == 2 * size


def test_layer_norm_without_beta(tmp_path: Path) -> None:
    graph = graph_of([node("LayerNormalization", ["x", "s"], ["y"], "ln")], {"x": [3, 7, 5]}, [vector("s", 5)])
    assert only(read(tmp_path, graph)) == Layer("ln", "layer_norm", 5, 7, shift=False)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (7, 1), (1,), (2, 1, 1)])
@pytest.mark.parametrize(("op", "opset"), [("LayerNormalization", 17), ("RMSNormalization", 23)])
def test_a_gamma_that_is_broadcast(tmp_path: Path, op: str, opset: int, shape: tuple[int, ...]) -> None:
    graph = graph_of([node(op, ["x", "s"], ["y"], "n", axis=1)], {"x": [2, 7, 5]}, [weights("s", *shape)])
    layer = only(read(tmp_path, graph, opset))
    assert (layer.channels, layer.height, layer.scale, layer.shift) == (35, 1, True, False)


@pytest.mark.parametrize("shape", [(7,), (3, 1, 7, 5), (1, 2, 7, 5)])
def test_a_gamma_that_does_not_fit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    one = node("LayerNormalization", ["x", "s"], ["y"], "n", axis=1)
    with pytest.raises(InputError, match=r"its input 1 has the shape .*, not 35 numbers"):
        read(tmp_path, graph_of([one], {"x": [2, 7, 5]}, [weights("s", *shape)]))


def test_rms_norm(tmp_path: Path) -> None:
    graph = graph_of([node("RMSNormalization", ["x", "s"], ["y"], "rms")], {"x": ["N", 7, 5]}, [vector("s", 5)])
    assert only(read(tmp_path, graph, 23)) == Layer("rms", "rms_norm", 5, 7, shift=False)


@pytest.mark.parametrize(("opset", "affine"), [(18, 2), (21, 8)])
def test_group_norm(tmp_path: Path, opset: int, affine: int) -> None:
    """A gamma each group in opset 18, a gamma each channel since 21."""
    graph = graph_of(
        [node("GroupNormalization", ["x", "s", "b"], ["y"], "gn", num_groups=2)],
        {"x": ["N", 8, 6, 5]},
        [vector("s", affine), vector("b", affine)],
    )
    network = read(tmp_path, graph, opset)
    assert only(network) == Layer("gn", "group_norm", 8, 6, 5, channel_groups=2)
    assert network.parameters == 2 * affine


def test_instance_norm(tmp_path: Path) -> None:
    graph = graph_of(
        [node("InstanceNormalization", ["x", "s", "b"], ["y"], "in")],
        {"x": ["N", 8, 6, 5]},
        [vector("s", 8), vector("b", 8)],
    )
    assert only(read(tmp_path, graph)) == Layer("in", "instance_norm", 8, 6, 5)


@pytest.mark.parametrize(
    ("axes", "kind"), [([0, 2, 3], "batch_norm"), ([2, 3], "instance_norm"), ([1, 2, 3], "layer_norm")]
)
def test_mean_variance_normalization(tmp_path: Path, axes: list[int], kind: str) -> None:
    graph = graph_of([node("MeanVarianceNormalization", ["x"], ["y"], "mvn", axes=axes)], {"x": [2, 8, 6, 5]})
    layer = only(read(tmp_path, graph))
    assert (layer.kind, layer.scale, layer.shift) == (kind, False, False)
    assert layer.elements_per_sample == 240


def test_norms_of_other_domains(tmp_path: Path) -> None:
    nodes = [
        node("SkipLayerNormalization", ["x", "r", "s", "b"], ["h"], "skip", domain="com.microsoft"),
        node("SimplifiedLayerNormalization", ["h", "s"], ["y"], "simple"),
    ]
    graph = graph_of(nodes, {"x": ["N", 7, 5], "r": ["N", 7, 5]}, [vector("s", 5), vector("b", 5)])
    layers = read(tmp_path, graph, domains=["com.microsoft"]).layers
    assert layers == (Layer("skip", "layer_norm", 5, 7), Layer("simple", "rms_norm", 5, 7, shift=False))


@pytest.mark.parametrize("op", ["LRN", "LpNormalization"])
def test_what_trains_nothing_passes_with_a_warning(tmp_path: Path, op: str) -> None:
    extra = {"size": 3} if op == "LRN" else {}
    nodes = [node(op, ["x"], ["h"], "n", **extra), node("BatchNormalization", ["h", *BN[1:]], ["y"], "bn")]
    network = read(tmp_path, graph_of(nodes, {"x": ["N", 8, 6, 5]}, bn_vectors()))
    assert only(network).name == "bn"
    assert "'n'" in network.warnings[0]
    assert op in network.warnings[0]


@pytest.mark.parametrize(("op", "domain"), [("SwitchNorm", "my"), ("PixelNormalization", "")])
def test_unknown_normalizations_are_named(tmp_path: Path, op: str, domain: str) -> None:
    graph = graph_of([node(op, ["x"], ["y"], "odd", domain=domain)], {"x": ["N", 8, 6, 5]})
    with pytest.raises(InputError, match=rf"n\.onnx: node 'odd' \({op}\) looks like a normalization"):
        read(tmp_path, graph, domains=[domain] if domain else [])


@pytest.mark.parametrize("op", ["RandomNormalLike", "Frobnicate"])
def test_unknown_operators_that_do_not_matter_pass(tmp_path: Path, op: str) -> None:
    nodes = [node("BatchNormalization", BN, ["h"], "bn"), node(op, ["h"], ["y"], "odd")]
    assert only(read(tmp_path, graph_of(nodes, {"x": ["N", 8, 6, 5]}, bn_vectors()))).name == "bn"


# Shapes that are known, are not known, and that block.


def test_the_blocking_node_is_named(tmp_path: Path) -> None:
    nodes = [
        node("Frobnicate", ["x"], ["h"], "odd"),
        node("Relu", ["h"], ["g"], "relu"),
        node("BatchNormalization", ["g", *BN[1:]], ["y"], "bn"),
    ]
    with pytest.raises(InputError, match=r"'bn'.*not known, because of node 'odd' \(Frobnicate\)"):
        read(tmp_path, graph_of(nodes, {"x": ["N", 8, 6, 5]}, bn_vectors()))


def test_a_declared_shape_unblocks(tmp_path: Path) -> None:
    nodes = [node("Frobnicate", ["x"], ["h"], "odd"), node("BatchNormalization", ["h", *BN[1:]], ["y"], "bn")]
    graph = graph_of(nodes, {"x": ["N", 8, 6, 5]}, bn_vectors())
    graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, ["N", 8, 3, 2]))
    assert only(read(tmp_path, graph)) == Layer("bn", "batch_norm", 8, 3, 2)


def test_computed_pads(tmp_path: Path) -> None:
    """As PyTorch's exporter writes them before opset 11: pads assembled from shapes, reversed and padded with zeros."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "two"], ["height"], axis=0),
        node("Div", ["height", "three"], ["some"]),
        node("Unsqueeze", ["some", "zero1"], ["some1"]),
        node("ConstantOfShape", ["four"], ["zeros"], value=helper.make_tensor("", TensorProto.INT64, [1], [0])),
        node("Concat", ["some1", "some1", "some1", "some1"], ["ends"], axis=0),
        node("Concat", ["ends", "zeros"], ["flat"], axis=0),
        node("Reshape", ["flat", "by2"], ["pairs"]),
        node("Slice", ["pairs", "last", "first", "zero1", "back"], ["reversed"]),
        node("Transpose", ["reversed"], ["across"], perm=[1, 0]),
        node("Reshape", ["across", "all"], ["pads"]),
        node("Cast", ["pads"], ["pads64"], to=TensorProto.INT64),
        node("Pad", ["x", "pads64"], ["h"]),
        node("BatchNormalization", ["h", *BN[1:]], ["y"], "bn"),
    ]
    constants = [
        helper.make_tensor("two", TensorProto.INT64, [], [2]),
        helper.make_tensor("three", TensorProto.INT64, [], [3]),
        integers("zero1", 0),
        integers("four", 4),
        integers("by2", -1, 2),
        integers("last", -1),
        integers("first", -(1 << 63) + 1),
        integers("back", -1),
        integers("all", -1),
    ]
    network = read(tmp_path, graph_of(nodes, {"x": ["N", 8, 6, 5]}, [*bn_vectors(), *constants]))
    assert only(network) == Layer("bn", "batch_norm", 8, 10, 9)


def test_batch_only_may_be_open(tmp_path: Path) -> None:
    graph = graph_of([node("BatchNormalization", BN, ["y"], "bn")], {"x": ["N", 8, "height", 5]}, bn_vectors())
    with pytest.raises(InputError, match="the dimension 2 of the input 'x' is 'height'"):
        read(tmp_path, graph)


def test_batches(tmp_path: Path) -> None:
    one = node("BatchNormalization", BN, ["y"], "bn")
    for dims, asked, batch in (
        (["N"], None, 1),
        (["N"], 5, 5),
        ([None], 3, 3),
        ([4], None, 4),
        ([4], 6, 6),
        ([0], 2, 2),
    ):
        network = read(tmp_path, graph_of([one], {"x": [*dims, 8, 6, 5]}, bn_vectors()), batch=asked)
        assert (network.batch, only(network)) == (batch, Layer("bn", "batch_norm", 8, 6, 5))
    with pytest.raises(ValueError, match="batch must be a positive integer, not 0"):
        read_onnx(tmp_path / "n.onnx", 0)


def test_time_steps_folded_into_the_batch(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "shape"], ["h"]), node("BatchNormalization", ["h", *BN[1:]], ["y"], "bn")]
    graph = graph_of(nodes, {"x": ["N", 3, 8, 6, 5]}, [*bn_vectors(), integers("shape", -1, 8, 6, 5)])
    for batch in (1, 4):
        layer = only(read(tmp_path, graph, batch=batch))
        assert layer.elements_per_sample == 3 * 240
        assert layer.groups(batch) == 8


# Weights that are missing, elsewhere, or too many.


def test_weights_as_inputs_without_numbers(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["h"], "conv"), node("BatchNormalization", ["h", *BN[1:]], ["y"], "bn")]
    inputs = {"x": ["N", 3, 8, 8], "w": [8, 3, 3, 3], "s": [8], "b": [8], "m": [8], "v": [8]}
    network = read(tmp_path, graph_of(nodes, inputs))
    assert only(network) == Layer("bn", "batch_norm", 8, 6, 6)
    assert (network.parameters, network.macs) == (8 * 27 + 16, 36 * 8 * 27)


def test_vectors_that_nobody_makes(tmp_path: Path) -> None:
    graph = graph_of([node("BatchNormalization", BN, ["y"], "bn")], {"x": ["N", 8, 6, 5]})
    assert only(read(tmp_path, graph)) == Layer("bn", "batch_norm", 8, 6, 5)


def test_external_data_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\1" * 4096)
    outside = weights("s", 8)
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../secret.bin")
    graph = graph_of([node("BatchNormalization", BN, ["y"], "bn")], {"x": ["N", 8, 6, 5]}, [outside, *bn_vectors()[1:]])
    path = save(tmp_path / "inside" / "n.onnx", graph)
    opened: list[Path] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: (opened.append(self), real(self, *a, **k))[1])
    secret.chmod(0)
    assert only(read_onnx(path, None)).channels == 8
    assert opened == [path]


def test_large_weights_are_left_in_the_file(tmp_path: Path) -> None:
    """A file of 400 MB, most of it a hole: read by its headers."""
    graph = graph_of(
        [node("MatMul", ["x", "w"], ["h"], "mm"), node("LayerNormalization", ["h", "s", "b"], ["y"], "ln")],
        {"x": ["N", 10_000]},
        [vector("s", 10_000), vector("b", 10_000)],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()

    def tagged(key: int, size: int) -> bytes:
        out = bytearray([key])
        while size > 127:
            out.append(size & 127 | 128)
            size >>= 7
        return bytes(out + bytes([size]))

    payload = 400_000_000
    head = weights("w", 10_000, 10_000).SerializeToString() + tagged(9 << 3 | 2, payload)
    header = tagged(5 << 3 | 2, len(head) + payload) + head
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(whole + tagged(7 << 3 | 2, len(header) + payload) + header)  # a second part of the same graph
        file.truncate(file.tell() + payload)
    network = read_onnx(path, None)
    assert only(network) == Layer("ln", "layer_norm", 10_000)
    assert network.macs == 100_000_000


def test_what_only_says_how_weights_are_used_is_no_parameter(tmp_path: Path) -> None:
    """Scales of quantization, shapes and indices."""
    nodes = [
        node("DequantizeLinear", ["quantized", "scales", "zeros"], ["flat"], axis=0),
        node("Reshape", ["flat", "shape"], ["w"]),
        node("Conv", ["x", "w"], ["h"]),
        node("Gather", ["table", "which"], ["positions"]),
        node("Add", ["h", "positions"], ["g"]),
        node("BatchNormalization", ["g", *BN[1:]], ["y"], "bn"),
    ]
    stored = [
        TensorProto(name="quantized", data_type=TensorProto.INT8, dims=[8, 27]),
        weights("scales", 8),
        TensorProto(name="zeros", data_type=TensorProto.INT8, dims=[8]),
        integers("shape", 8, 3, 3, 3),
        weights("table", 20),
        integers("which", 3, 1, 2),
    ]
    network = read(tmp_path, graph_of(nodes, {"x": ["N", 3, 6, 5]}, [*stored, *bn_vectors()]))
    assert network.parameters == 8 * 27 + 20 + 16


@pytest.mark.parametrize(("numbers", "told"), [("equal", True), ("not known", True), ("trained", False)])
def test_vectors_of_several_norms_may_be_stored_once(tmp_path: Path, numbers: str, told: bool) -> None:
    nodes = [
        node("LayerNormalization", ["x", "s", "b"], ["h"]),
        node("LayerNormalization", ["h", "s", "c"], ["y"]),
    ]
    one = {"equal": vector("s", 5), "not known": weights("s", 5), "trained": trained("s", 1, 2, 3, 4, 5)}[numbers]
    network = read(tmp_path, graph_of(nodes, {"x": ["N", 7, 5]}, [one, vector("b", 5), vector("c", 5)]))
    assert network.parameters == 15
    assert [("up to 5 parameters are not counted" in one) for one in network.warnings] == [True] * told


# Products.


@pytest.mark.parametrize(
    ("op", "inputs", "shapes", "attributes", "macs"),
    [
        ("LSTM", ["N", 7, 3], [[2, 20, 3], [2, 20, 5]], {"layout": 1, "direction": "bidirectional"}, 7 * 2 * 20 * 8),
        ("GRU", ["N", 7, 3], [[1, 15, 3], [1, 15, 5]], {"layout": 1, "hidden_size": 5}, 7 * 15 * 8),
        ("RNN", ["N", 1, 3], [[1, 5, 3], [1, 5, 5]], {"hidden_size": 5}, 5 * 8),
        ("Einsum", ["N", 7, 3], [[3, 5]], {"equation": "bnd,de->bne"}, 7 * 3 * 5),
        ("Einsum", ["N", 7, 3], [[3, 5]], {"equation": "bnd, de"}, 7 * 3 * 5),
        ("Einsum", ["N", 7, 3], [[3, 5]], {"equation": "bnd,de->be"}, 3 * 5),  # n is summed before
        ("Einsum", ["N", 7, 3], [[7, 3]], {"equation": "bnd,nd->bnd"}, 0),
        ("Einsum", ["N", 7, 3], [], {"equation": "bnd->bn"}, 0),
        ("Einsum", ["N", 7, 3], [[3, 5], [5, 2]], {"equation": "bnd,de,ef->bnf"}, None),
        ("Attention", ["N", 4, 7, 3], [[2, 4, 9, 3], [2, 4, 9, 5]], {}, 4 * 7 * 9 * (3 + 5)),
        ("Attention", ["N", 7, 12], [[2, 9, 6], [2, 9, 10]], {"q_num_heads": 4, "kv_num_heads": 2}, 7 * 9 * (12 + 20)),
        (
            "Attention",
            ["N", 4, 7, 3],
            [[2, 4, 9, 3], [2, 4, 9, 5], [1], [2, 4, 6, 3], [2, 4, 6, 5]],
            {},
            4 * 7 * 15 * 8,
        ),
        ("FusedMatMul", ["N", 7, 3], [[3, 5]], {}, None),
        ("DeformConv", ["N", 3, 6, 5], [[8, 3, 3, 3], [2, 18, 4, 3]], {}, None),
    ],
)
def test_products(
    tmp_path: Path, op: str, inputs: list[int | str], shapes: list[list[int]], attributes: Any, macs: int | None
) -> None:
    names = [f"w{at}" for at in range(len(shapes))]
    stored = [weights(name, *dims) for name, dims in zip(names, shapes, strict=True)]
    graph = graph_of([node(op, ["x", *names], ["y"], **attributes)], {"x": inputs}, stored)
    assert read(tmp_path, graph, 23, batch=2).macs == macs


def test_products_a_number_of_times_that_depends_on_data(tmp_path: Path) -> None:
    inner = helper.make_graph(
        [node("MatMul", ["x", "w"], ["z"])], "then", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    nodes = [node("Frobnicate", ["x"], ["c"]), node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
    assert read(tmp_path, graph_of(nodes, {"x": ["N", 7, 3]}, [weights("w", 3, 5)])).macs is None


# Functions and subgraphs.


def test_functions_are_written_out(tmp_path: Path) -> None:
    inner = helper.make_function(
        "my", "Norm", ["a", "s", "b"], ["r"],
        [helper.make_node("LayerNormalization", ["a", "s", "b"], ["r"], "ln")],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    outer = helper.make_function(
        "my", "Twice", ["a", "s", "b"], ["r"],
        [
            node("Norm", ["a", "s", "b"], ["h"], "one", domain="my"),
            node("Norm", ["h", "s", "b"], ["r"], "two", domain="my"),
        ],
        [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)],
    )  # fmt: skip
    graph = graph_of(
        [node("Twice", ["x", "s", "b"], ["y"], "call", domain="my")],
        {"x": ["N", 7, 5]},
        [vector("s", 5), vector("b", 5)],
    )
    network = read(tmp_path, graph, functions=[inner, outer], domains=["my"])
    assert network.layers == (Layer("call/one/ln", "layer_norm", 5, 7), Layer("call/two/ln", "layer_norm", 5, 7))
    assert network.parameters == 10


def test_functions_of_one_name(tmp_path: Path) -> None:
    """Since IR version 10 a call says which overload it means."""
    bodies = {"norm": node("LayerNormalization", ["a", "s"], ["r"], "ln"), "product": node("Mul", ["a", "s"], ["r"])}
    functions, calls = [], []
    for overload, body in bodies.items():
        functions.append(helper.make_function("my", "Block", ["a", "s"], ["r"], [body], [helper.make_opsetid("", 17)]))
        functions[-1].overload = overload
    for at, overload in enumerate(("norm", "product", "norm")):
        calls.append(node("Block", [f"h{at}", "s"], [f"h{at + 1}"], f"call{at}", domain="my"))
        calls[-1].overload = overload
    graph = graph_of(calls, {"h0": ["N", 7, 5]}, [vector("s", 5)], ["h3"])
    network = read(tmp_path, graph, functions=functions, domains=["my"])
    assert [layer.name for layer in network.layers] == ["call0/ln", "call2/ln"]


def test_a_function_that_is_called_a_norm_must_hold_one(tmp_path: Path) -> None:
    empty = helper.make_function(
        "my", "Norm", ["a"], ["r"], [node("Relu", ["a"], ["r"])], [helper.make_opsetid("", 17)]
    )
    graph = graph_of([node("Norm", ["x"], ["y"], "call", domain="my")], {"x": ["N", 7, 5]})
    with pytest.raises(InputError, match=r"'call' .* none is found"):
        read(tmp_path, graph, functions=[empty], domains=["my"])


def branch(name: str, op: str) -> Any:
    inputs = BN if op == "BatchNormalization" else ["x"]
    return helper.make_graph(
        [node(op, inputs, [name], name)], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
    )


def test_conditions(tmp_path: Path) -> None:
    choose = node(
        "If", ["c"], ["y"], "if", then_branch=branch("t", "BatchNormalization"), else_branch=branch("e", "Relu")
    )
    true = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    known = graph_of([choose], {"x": ["N", 8, 6, 5]}, [*bn_vectors(), true])
    assert only(read(tmp_path, known)).name == "if/t"
    open_ = graph_of([node("Frobnicate", ["x"], ["c"]), choose], {"x": ["N", 8, 6, 5]}, bn_vectors())
    with pytest.raises(InputError, match=r"'if' \(If\) holds the normalization 't' in a subgraph"):
        read(tmp_path, open_)


@pytest.mark.parametrize("mean", ["ReduceMean", "ReduceSumSquare", "ReduceL2"])
@pytest.mark.parametrize("root", ["Sqrt", "Pow"])
def test_a_norm_in_pieces_in_a_loop(tmp_path: Path, mean: str, root: str) -> None:
    inner = [
        node("Identity", ["go"], ["on"]),
        node(mean, ["h"], ["v"], axes=[-1]),
        node(root, ["v", "half"][: 1 + (root == "Pow")], ["d"], "root"),
        node("Div", ["h", "d"], ["g"]),
    ]
    declared = [("i", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("h", TensorProto.FLOAT, [1, 7, 5])]
    body = helper.make_graph(
        inner,
        "body",
        [helper.make_tensor_value_info(*one) for one in declared],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("g", 1, [1, 7, 5])],
        [helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])],
    )
    loop = node("Loop", ["times", "go0", "x"], ["y"], "loop", body=body)
    constants = [integers("times", 3), helper.make_tensor("go0", TensorProto.BOOL, [], [True])]
    with pytest.raises(InputError, match=r"'loop' \(Loop\) holds the normalization 'root' in a subgraph"):
        read(tmp_path, graph_of([loop], {"x": [1, 7, 5]}, constants))


# Files and packages.


def test_no_norm_at_all_is_told(tmp_path: Path) -> None:
    graph = graph_of(
        [node("Conv", ["x", "w", "b"], ["y"], "conv")],
        {"x": ["N", 3, 8, 8]},
        [weights("w", 8, 3, 3, 3), weights("b", 8)],
    )
    network = read(tmp_path, graph)
    assert network.layers == ()
    assert "TrainingMode.TRAINING" in network.warnings[0]
    assert network.parameters == 8 * 27 + 8


@pytest.mark.parametrize(("content", "word"), [(b"", "empty"), (b"name: a network\n", "no"), (b"\x08\x07", "graph")])
def test_files_that_are_no_onnx(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "n.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"n\.onnx: .*{word}"):
        read_onnx(path, None)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_onnx(path, None)


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingTool, match=r"pip install hwnorm\[onnx\]"):
        read_onnx(tmp_path / "n.onnx", None)


def test_ten_thousand_layers_are_linear(tmp_path: Path) -> None:
    names = ["x", *(f"h{at}" for at in range(9_999)), "y"]
    nodes = [node("BatchNormalization", [a, *BN[1:]], [b]) for a, b in pairwise(names)]
    network = read(tmp_path, graph_of(nodes, {"x": ["N", 8, 6, 5]}, bn_vectors()))
    assert len(network.layers) == 10_000
    assert network.parameters == 16
