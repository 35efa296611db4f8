"""A seeded generator of ONNX files that are wrong, hostile or merely odd.

Each has what must come of it: "error", the layers of a right answer, or "either", where a changed byte may leave a
file that is whole and means something else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from onnx import AttributeProto, TensorProto, helper
from onnx_graphs import graph_of, integers, node, vector, weights

Expected = Literal["error", "either"] | list[list[object]]

LAYERS: list[list[object]] = [["batch_norm", 8, 10, 9], ["layer_norm", 9, 80, 1]]


@dataclass(frozen=True)
class Mutant:
    name: str
    content: bytes
    expected: Expected


def base() -> Any:
    """A convolution, computed pads, a batch norm, a condition, a function with a layer norm: LAYERS."""
    nodes = [
        node("Conv", ["x", "w", "wb"], ["c"], "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], group=1),
        node("Shape", ["c"], ["shape"], "shape"),
        node("Gather", ["shape", "two"], ["height"], "gather", axis=0),
        node("Div", ["height", "three"], ["some"], "div"),
        node("Concat", ["zero2", "some", "some", "zero2", "some", "some"], ["pads"], "concat", axis=0),
        node("Pad", ["c", "pads"], ["p"], "pad", mode="constant"),
        node("BatchNormalization", ["p", "s", "b", "m", "v"], ["n"], "bn", epsilon=1e-5),
        node("Relu", ["n"], ["r"], "relu"),
        node("Constant", [], ["rows"], "rows", value=integers("", 0, -1, 9)),
        node("Reshape", ["r", "rows"], ["t"], "reshape"),
        node("Normed", ["t", "g", "h"], ["y"], "call", domain="my"),
    ]
    constants = [
        weights("w", 8, 3, 3, 3),
        weights("wb", 8),
        *[vector(name, 8) for name in "sbmv"],
        vector("g", 9),
        vector("h", 9),
        integers("two", 2),
        integers("three", 3),
        integers("zero2", 0, 0),
    ]
    inner = helper.make_function(
        "my", "Normed", ["a", "s", "b"], ["o"],
        [node("LayerNormalization", ["a", "s", "b"], ["o"], "ln", axis=-1)],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    return helper.make_model(
        graph_of(nodes, {"x": ["N", 3, 6, 5]}, constants),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("my", 1)],
        functions=[inner],
    )


def mutants(seed: int) -> Iterator[Mutant]:
    rng = random.Random(seed)
    whole = base().SerializeToString()
    yield Mutant("untouched", whole, LAYERS)
    yield from _bytes(rng, whole)
    yield from _by_hand()
    for kind, count, change in _CHANGES:
        for at in range(count):
            model = base()
            change(model, rng)
            yield Mutant(f"{kind}-{at}", model.SerializeToString(), "either")


def _bytes(rng: random.Random, whole: bytes) -> Iterator[Mutant]:
    yield Mutant("empty", b"", "error")
    yield Mutant("text", b"layers:\n  - conv: 3\n" * 20, "error")
    yield Mutant("zip", b"PK\x03\x04" + whole, "error")
    yield Mutant("zeros", bytes(1000), "error")
    yield Mutant("ones", b"\xff" * 1000, "error")
    for at in range(25):
        yield Mutant(f"truncated-{at}", whole[: rng.randrange(1, len(whole))], "either")
    for at in range(45):
        flipped = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        yield Mutant(f"flipped-{at}", bytes(flipped), "either")
    for at in range(15):
        start, length = rng.randrange(len(whole)), rng.randrange(1, 40)
        noise = rng.randbytes(rng.randrange(40))
        yield Mutant(f"replaced-{at}", whole[:start] + noise + whole[start + length :], "either")
    yield Mutant("twice", whole + whole, "error")


# Changes of the message, some thirty kinds, each where the generator's dice say.


def _any_node(model: Any, rng: random.Random) -> Any:
    return rng.choice(list(model.graph.node))


def _drop_node(model: Any, rng: random.Random) -> None:
    del model.graph.node[rng.randrange(len(model.graph.node))]


def _swap_inputs(model: Any, rng: random.Random) -> None:
    one, other = _any_node(model, rng), _any_node(model, rng)
    one.input[:], other.input[:] = list(other.input), list(one.input)


def _rename_operator(model: Any, rng: random.Random) -> None:
    _any_node(model, rng).op_type = rng.choice(
        ["", "Loop", "If", "Scan", "Split", "TopK", "Resize", "Einsum", "LSTM", "Gemm", "MatMul", "Tile", "Expand",
         "Range", "OneHot", "DepthToSpace", "MaxPool", "ConvTranspose", "GroupNormalization", "ReduceMean", "Squeeze"]
    )  # fmt: skip


def _drop_attributes(model: Any, rng: random.Random) -> None:
    for one in model.graph.node:
        if rng.random() < 0.5:
            del one.attribute[:]


def _drop_inputs(model: Any, rng: random.Random) -> None:
    one = _any_node(model, rng)
    del one.input[rng.randrange(len(one.input) + 1) :]


def _retype_attribute(model: Any, rng: random.Random) -> None:
    holders = [one for one in model.graph.node if one.attribute]
    attribute = rng.choice(list(rng.choice(holders).attribute))
    attribute.type = rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])


def _wild_attribute(model: Any, rng: random.Random) -> None:
    holders = [
        a for one in model.graph.node for a in one.attribute if a.type in (AttributeProto.INTS, AttributeProto.INT)
    ]
    attribute = rng.choice(holders)
    value = rng.choice([0, -1, 1 << 62, -(1 << 62), 7])
    if attribute.type == AttributeProto.INT:
        attribute.i = value
    else:
        attribute.ints[rng.randrange(len(attribute.ints))] = value


def _wild_dimension(model: Any, rng: random.Random) -> None:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[rng.randrange(len(dims))].dim_value = rng.choice([0, -1, 1, 1 << 31, (1 << 63) - 1, -(1 << 63)])


def _wild_initializer(model: Any, rng: random.Random) -> None:
    tensor = rng.choice(list(model.graph.initializer))
    tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice([0, -1, 1 << 40, (1 << 63) - 1, 3])


def _retype_initializer(model: Any, rng: random.Random) -> None:
    rng.choice(list(model.graph.initializer)).data_type = rng.choice([0, 1, 7, 8, 9, 10, 14, 16, 22, 77])


def _wild_constant(model: Any, rng: random.Random) -> None:
    tensor = next(
        one for one in model.graph.initializer if one.name == rng.choice(["two", "three"]) or one.name == "two"
    )
    tensor.raw_data = rng.choice([0, -1, 1 << 62, -(1 << 63)]).to_bytes(8, "little", signed=True)


def _rename_value(model: Any, rng: random.Random) -> None:
    one = _any_node(model, rng)
    one.output[0] = rng.choice([one.output[0] + "?", "x", "w", "", "p", "c"])


def _versions(model: Any, rng: random.Random) -> None:
    model.opset_import[0].version = rng.choice([-1, 0, 1, 6, 9, 99, 1 << 40])


_CHANGES: list[tuple[str, int, Callable[[Any, random.Random], None]]] = [
    ("dropped-node", 8, _drop_node),
    ("swapped-inputs", 8, _swap_inputs),
    ("other-operator", 25, _rename_operator),
    ("no-attributes", 4, _drop_attributes),
    ("no-inputs", 8, _drop_inputs),
    ("attribute-type", 12, _retype_attribute),
    ("attribute-value", 15, _wild_attribute),
    ("input-dimension", 12, _wild_dimension),
    ("initializer-dimension", 10, _wild_initializer),
    ("initializer-type", 8, _retype_initializer),
    ("constant-value", 6, _wild_constant),
    ("value-name", 8, _rename_value),
    ("operator-set", 6, _versions),
]


# Files whose outcome is known.


def _changed(change: Callable[[Any], object]) -> bytes:
    model = base()
    change(model)
    return bytes(model.SerializeToString())


def _by_hand() -> Iterator[Mutant]:
    def cycle(model: Any) -> None:
        model.graph.node[0].input[0] = "y"

    def own_result(model: Any) -> None:
        model.graph.node[7].input[0] = "r"

    def backwards(model: Any) -> None:
        nodes = list(model.graph.node)[::-1]
        del model.graph.node[:]
        model.graph.node.extend(nodes)

    yield Mutant("cycle", _changed(cycle), "error")
    yield Mutant("cycle-of-one", _changed(own_result), "error")
    yield Mutant("backwards", _changed(backwards), LAYERS)
    yield Mutant("same-node-twice", _changed(lambda m: m.graph.node.append(m.graph.node[7])), "error")
    yield Mutant("same-initializer-twice", _changed(lambda m: m.graph.initializer.append(vector("s", 8))), "error")
    yield Mutant("same-input-twice", _changed(lambda m: m.graph.input.append(m.graph.input[0])), "error")
    yield Mutant("no-graph", _changed(lambda m: m.ClearField("graph")), "error")
    yield Mutant("no-input", _changed(lambda m: m.graph.ClearField("input")), "error")
    yield Mutant("no-shape", _changed(lambda m: m.graph.input[0].type.tensor_type.ClearField("shape")), "error")
    yield Mutant("no-functions", _changed(lambda m: m.ClearField("functions")), "error")
    yield from _external()
    yield from _large()
    yield from _deep()


def _external() -> Iterator[Mutant]:
    for at, place in enumerate(("../../../../etc/hostname", "/etc/hostname", "missing.bin", "\0", "a" * 100_000)):

        def outside(model: Any, place: str = place) -> None:
            for tensor in model.graph.initializer[:6]:
                tensor.ClearField("raw_data")
                tensor.data_location = TensorProto.EXTERNAL
                tensor.external_data.add(key="location", value=place)
                tensor.external_data.add(key="length", value=str(1 << 60))

        yield Mutant(f"external-{at}", _changed(outside), LAYERS)

    def outside_shape(model: Any) -> None:
        tensor = next(one for one in model.graph.initializer if one.name == "two")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../../../../etc/hostname")

    yield Mutant("external-shape", _changed(outside_shape), "error")


def _large() -> Iterator[Mutant]:
    def unused(model: Any) -> None:
        model.graph.initializer.append(weights("huge", 1 << 20, 1 << 20))

    def impossible(model: Any) -> None:
        model.graph.initializer.append(weights("huge", 1 << 40, 1 << 40))

    def huge_constant(model: Any) -> None:
        model.graph.initializer.append(integers("size", 1 << 20, 1 << 15))
        model.graph.node.append(node("ConstantOfShape", ["size"], ["huge"]))
        model.graph.node.append(node("NonZero", ["huge"], ["nonzero"]))

    def huge_range(model: Any) -> None:
        model.graph.initializer.extend([integers("from", 0), integers("to", 1 << 62), integers("by", 1)])
        model.graph.node.append(node("Range", ["from", "to", "by"], ["huge"]))

    def large_weights(model: Any) -> None:
        tensor = weights("large", 5_000_000)
        tensor.raw_data = bytes(20_000_000)
        model.graph.initializer.append(tensor)

    def many_axes(model: Any) -> None:
        model.graph.initializer.append(weights("deep", *[1] * 65))

    yield Mutant("many-axes", _changed(many_axes), "error")
    yield Mutant("huge-unused", _changed(unused), LAYERS)
    yield Mutant("huge-impossible", _changed(impossible), "error")
    yield Mutant("huge-constant", _changed(huge_constant), LAYERS)
    yield Mutant("huge-range", _changed(huge_range), LAYERS)
    yield Mutant("large-weights", _changed(large_weights), LAYERS)
    yield Mutant("large-name", _changed(lambda m: setattr(m.graph.node[6], "name", "b" * 70_000_000)), "error")


def _nested(depth: int) -> bytes:
    """An ``If`` in an ``If``, written from the inside: the protobuf library itself would refuse to."""
    inner = node("Relu", ["x"], ["deep"], "deep").SerializeToString()
    for _ in range(depth):
        inner = _field(2, b"g") + _field(1, inner) + _field(12, _field(1, b"deep"))
        inner = _field(1, b"x") + _field(2, b"deep") + _field(4, b"If") + _field(
            5, _field(1, b"then_branch") + _field(6, inner) + b"\xa0\x01\x05"
        )  # fmt: skip
    return bytes(base().SerializeToString()) + _field(7, _field(1, inner))


def _field(number: int, content: bytes) -> bytes:
    out = bytearray([number << 3 | 2])
    size = len(content)
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size]) + content


def _deep() -> Iterator[Mutant]:
    yield Mutant("nested-20", _nested(20), "either")
    yield Mutant("nested-200", _nested(200), "error")
    yield Mutant("nested-3000", _nested(3_000), "error")

    def doubling(model: Any, count: int = 60) -> None:
        sets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
        for at in range(count):
            calls = [node(f"F{at + 1}", ["a"], ["h"], domain="my"), node(f"F{at + 1}", ["h"], ["o"], domain="my")]
            last = [node("Relu", ["a"], ["o"])]
            body = calls if at < count - 1 else last
            model.functions.append(helper.make_function("my", f"F{at}", ["a"], ["o"], body, sets))
        model.graph.node.append(node("F0", ["x"], ["bomb"], "bomb", domain="my"))

    def own_call(model: Any) -> None:
        sets = [helper.make_opsetid("my", 1)]
        for name, other in (("A", "B"), ("B", "A")):
            model.functions.append(
                helper.make_function("my", name, ["a"], ["o"], [node(other, ["a"], ["o"], domain="my")], sets)
            )

    def long_chain(model: Any) -> None:
        sets = [helper.make_opsetid("my", 1)]
        for at in range(3000):
            body = [node(f"F{at + 1}", ["a"], ["o"], "c" * 30, domain="my")]
            model.functions.append(helper.make_function("my", f"F{at}", ["a"], ["o"], body, sets))
        model.graph.node.append(node("F0", ["x"], ["bomb"], "bomb", domain="my"))

    yield Mutant("functions-doubling", _changed(doubling), "error")
    yield Mutant("functions-in-a-ring", _changed(own_call), "error")
    yield Mutant("functions-in-a-chain", _changed(long_chain), "error")
