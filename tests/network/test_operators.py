"""Shapes and counts of single operators, against windows laid out one by one and weights counted one by one."""

from __future__ import annotations

from itertools import product

import pytest

from hwnorm.network.joins import JOINS
from hwnorm.network.operators import OPERATORS, Result
from hwnorm.network.shapes import DoesNotFit, Shape, slide, unslide


def apply(word: str, shape: Shape, **options: object) -> Result:
    """The operator with its defaults."""
    operator = OPERATORS[word]
    return operator.apply(shape, **{key: option.default for key, option in operator.options.items()} | options)


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_windows_are_those_that_fit(padding: int, dilation: int) -> None:
    for size, kernel, stride in product(range(1, 12), range(1, 5), range(1, 4)):
        starts = range(-padding, size + padding, stride)
        fitting = [start for start in starts if start + dilation * (kernel - 1) < size + padding]
        if fitting:
            assert slide((1, size), (kernel,), (stride,), (padding,), dilation) == (len(fitting),)
        else:
            with pytest.raises(DoesNotFit):
                slide((1, size), (kernel,), (stride,), (padding,), dilation)


def test_transposed_windows_undo_windows() -> None:
    for size, kernel, stride, padding in product(range(4, 10), range(1, 5), range(1, 4), range(2)):
        (small,) = slide((1, size), (kernel,), (stride,), (padding,))
        lost = (size + 2 * padding - kernel) % stride
        assert unslide((1, small), (kernel,), (stride,), (padding,), lost) == (size,)


def test_conv_counts_each_weight_and_each_use() -> None:
    result = apply("conv", (6, 5, 7), out=4, kernel=(3, 1), groups=2, bias=True)
    weights = [1 for _out in range(4) for _in in range(6 // 2) for _row in range(3) for _column in range(1)]
    assert result == Result((4, 5, 7), len(weights) + 4, len(weights) * 5 * 7)


def test_conv_of_points() -> None:
    assert apply("conv", (3, 100), out=8, kernel=(5,), stride=(2,)) == Result((8, 50), 120, 6000)


def test_conv_transpose_counts_uses_by_the_input() -> None:
    result = apply("conv_transpose", (8, 4, 4), out=3, kernel=(5,), stride=(2,), output_padding=1)
    assert result == Result((3, 8, 8), 8 * 3 * 25, 8 * 3 * 25 * 16)


def test_linear() -> None:
    assert apply("linear", (10,), out=3) == Result((3,), 33, 30)
    assert apply("linear", (10, 7), out=3, bias=False) == Result((3, 7), 30, 210)
    assert apply("linear", (10, 7), out=3, bias=False, shared=True) == Result((3, 7), 0, 210)


def test_attention_is_four_projections_and_two_products() -> None:
    projection = apply("linear", (12, 5), out=12)
    products = 2 * 3 * (5 * 5 * 4)  # heads of 4 features; every token with every token, for scores and for values
    expected = Result((12, 5), 4 * projection.parameters, 4 * projection.macs + products)
    assert apply("attention", (12, 5), heads=3) == expected
    shared = apply("attention", (12, 5), heads=3, kv_heads=1, bias=False)
    assert shared.parameters == 2 * 12 * 12 + 2 * 12 * 4


@pytest.mark.parametrize(
    ("word", "shape", "options", "parameters", "layer"),
    [
        ("batch_norm", (8, 5, 7), {}, 16, (8, 5, 7)),
        ("batch_norm", (8,), {"scale": False}, 8, (8, 1, 1)),
        ("mean_only", (8, 5), {}, 8, (8, 5, 1)),
        ("layer_norm", (8, 5), {}, 16, (8, 5, 1)),
        ("layer_norm", (8, 5, 7), {"over": "sample"}, 560, (280, 1, 1)),
        ("rms_norm", (8, 5), {}, 8, (8, 5, 1)),
        ("group_norm", (8, 5, 7), {"groups": 4}, 16, (8, 5, 7)),
        ("instance_norm", (8, 5, 7), {"scale": False, "shift": False}, 0, (8, 5, 7)),
        ("shifted_relu", (8, 5, 7), {}, 0, (8, 5, 7)),
        ("constant_scale", (8,), {}, 0, (8, 1, 1)),
    ],
)
def test_norms(word: str, shape: Shape, options: dict[str, object], parameters: int, layer: Shape) -> None:
    result = apply(word, shape, **options)
    assert result.shape == shape
    assert result.parameters == parameters
    assert result.layer is not None
    assert result.layer.kind == word
    assert (result.layer.channels, result.layer.height, result.layer.width) == layer
    assert result.layer.channel_groups == options.get("groups", 1)


@pytest.mark.parametrize(
    ("word", "shape", "options", "out"),
    [
        ("max_pool", (4, 7, 7), {"kernel": (2,)}, (4, 3, 3)),
        ("avg_pool", (4, 7, 7), {"kernel": (3,), "stride": (2,)}, (4, 4, 4)),
        ("max_pool", (4, 7), {"kernel": (3,), "stride": (2,), "padding": (0,)}, (4, 3)),
        ("global_pool", (4, 7, 7), {}, (4,)),
        ("upsample", (4, 7, 7), {"factor": (2,)}, (4, 14, 14)),
        ("pad_channels", (4, 7, 7), {"channels": 6}, (6, 7, 7)),
        ("reshape", (512,), {"into": (8, 8, 8)}, (8, 8, 8)),
        ("flatten", (4, 7, 7), {}, (196,)),
        ("tokens", (4, 7, 7), {}, (4, 49)),
        ("first_token", (4, 49), {}, (4,)),
        ("relu", (4, 7), {}, (4, 7)),
    ],
)
def test_shapes(word: str, shape: Shape, options: dict[str, object], out: Shape) -> None:
    assert apply(word, shape, **options) == Result(out)


def test_embeddings_and_weights() -> None:
    assert apply("embed", (128,), out=64, vocabulary=1000) == Result((64, 128), 64_000)
    assert apply("weights", (1, 2, 3), size=(64, 1)) == Result((64, 1), 64)


@pytest.mark.parametrize(
    ("word", "shapes", "result"),
    [
        ("add", [(4, 7), (4, 7)], Result((4, 7))),
        ("multiply", [(4, 7, 7), (4,)], Result((4, 7, 7))),
        ("multiply", [(4,), (4, 7), (4, 7)], Result((4, 7))),
        ("concat", [(4, 7), (2, 7)], Result((6, 7))),
        ("concat_tokens", [(4, 7), (4, 1)], Result((4, 8))),
        ("matmul", [(3, 100), (5, 3)], Result((5, 100), macs=1500)),
    ],
)
def test_joins(word: str, shapes: list[Shape], result: Result) -> None:
    assert JOINS[word](shapes) == result


@pytest.mark.parametrize(
    ("word", "shapes"),
    [
        ("add", [(4, 7), (4, 8)]),
        ("multiply", [(4, 7), (7,)]),
        ("concat", [(4, 7), (4, 8)]),
        ("concat_tokens", [(4, 7), (5, 7)]),
        ("concat_tokens", [(4,), (4,)]),
        ("matmul", [(3, 100), (3, 5)]),
        ("matmul", [(3, 100)]),
    ],
)
def test_joins_that_do_not_fit_name_the_shapes(word: str, shapes: list[Shape]) -> None:
    with pytest.raises(DoesNotFit) as error:
        JOINS[word](shapes)
    for shape in shapes:
        assert "x".join(map(str, shape)) in str(error.value)


@pytest.mark.parametrize(
    ("word", "shape", "options"),
    [
        ("conv", (3,), {"out": 4, "kernel": (3,)}),
        ("conv", (3, 8, 8), {"out": 4, "kernel": (3, 3, 3)}),
        ("conv", (3, 8, 8), {"out": 4, "kernel": (3,), "groups": 2}),
        ("conv", (4, 8, 8), {"out": 3, "kernel": (3,), "groups": 2}),
        ("conv", (4, 2, 2), {"out": 3, "kernel": (5,), "padding": (0,)}),
        ("conv", (4, 2**20, 2**20), {"out": 2, "kernel": (1,)}),
        ("conv_transpose", (4, 2, 2), {"out": 3, "kernel": (1,), "padding": (4,)}),
        ("linear", (4, 2, 2), {"out": 3}),
        ("attention", (4,), {"heads": 2}),
        ("attention", (5, 9), {"heads": 2}),
        ("attention", (8, 9), {"heads": 4, "kv_heads": 3}),
        ("embed", (4, 9), {"out": 2, "vocabulary": 9}),
        ("global_pool", (4,), {}),
        ("pad_channels", (4,), {"channels": 3}),
        ("reshape", (4, 4), {"into": (15,)}),
        ("first_token", (4,), {}),
        ("group_norm", (6, 4), {"groups": 4}),
    ],
)
def test_operators_refuse_what_does_not_fit(word: str, shape: Shape, options: dict[str, object]) -> None:
    with pytest.raises(DoesNotFit):
        apply(word, shape, **options)
