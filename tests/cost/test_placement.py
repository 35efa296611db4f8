"""Which norm stands where, and over how many elements."""

from __future__ import annotations

from math import sqrt

import pytest

from hwnorm.cost.estimate import estimate
from hwnorm.cost.placement import AS_IS, DECLARED, Placed, place, replaces
from hwnorm.network.load import load_network
from hwnorm.network.model import KINDS, Layer, Network


def network(*layers: Layer) -> Network:
    return Network("test", "test", (3, 8, 8), 4, layers)


def names(placed: list[Placed]) -> list[str]:
    return [p.norm.name for p in placed]


ALL = network(*(Layer(kind, kind, 6, 8, 8) for kind in KINDS))


def test_as_is_keeps_what_the_network_says() -> None:
    assert set(DECLARED) == set(KINDS)
    assert names(place(ALL, AS_IS, 4, 1.0)) == [DECLARED[layer.kind] for layer in ALL.layers]


def test_a_norm_of_batches_replaces_batch_norms_alone() -> None:
    declared = [DECLARED[layer.kind] for layer in ALL.layers]
    assert names(place(ALL, "l1", 4, 1.0)) == ["l1" if name == "l2" else name for name in declared]


@pytest.mark.parametrize("norm", ["layer", "layer-l1", "rms"])
def test_a_norm_of_samples_replaces_layer_and_rms_norms_alone(norm: str) -> None:
    declared = [DECLARED[layer.kind] for layer in ALL.layers]
    assert names(place(ALL, norm, 4, 1.0)) == [norm if name in ("layer", "rms") else name for name in declared]


def test_groups_and_elements_of_every_kind() -> None:
    shapes = {p.layer.kind: (p.groups, p.elements) for p in place(ALL, AS_IS, 4, 1.0)}
    assert shapes == {
        "batch_norm": (6, 4 * 64),
        "mean_only": (6, 4 * 64),
        "shifted_relu": (6, 4 * 64),
        "constant_scale": (6, 4 * 64),
        "layer_norm": (4 * 64, 6),
        "rms_norm": (4 * 64, 6),
        "group_norm": (4, 6 * 64),
        "instance_norm": (4 * 6, 64),
    }


def test_no_norm_leaves_a_constant_scale_at_the_end() -> None:
    placed = names(place(load_network("resnet20"), "srelu", 4, 1.0))
    assert placed == ["srelu"] * 18 + ["scale"]


def test_final_norm_only_leaves_the_last_batch_norm() -> None:
    placed = names(place(load_network("resnet20"), "final-only", 4, 1.0))
    assert placed == ["final-only"] * 18 + ["l2"]


def test_the_last_is_the_last_that_is_replaced_not_the_last_of_the_network() -> None:
    net = network(Layer("a", "batch_norm", 4), Layer("b", "batch_norm", 4), Layer("c", "layer_norm", 4))
    assert names(place(net, "srelu", 4, 1.0)) == ["srelu", "scale", "layer"]


@pytest.mark.parametrize("variant", ["srelu", "final-bn", "mean-only"])
def test_the_papers_own_variants_keep_their_first_norm(variant: str) -> None:
    placed = names(place(load_network(f"wrn20-4-{variant}"), AS_IS, 4, 1.0))
    inner = "mean-only" if variant == "mean-only" else "srelu"
    assert placed[0] == "l2"
    assert set(placed[1:-1]) == {inner}
    assert placed[-1] == ("scale" if variant == "srelu" else "l2")


IMAGES = network(Layer("bn", "batch_norm", 16, 56, 40))


@pytest.mark.parametrize(
    ("norm", "ratio", "batch", "size"),
    [
        ("l2-ns", 1 / 32, 128, 4 * 56 * 40),  # 4 of 128 samples, whole
        ("l2-bs", 1 / 32, 128, 4 * 56 * 40),
        ("l1-bs", 1 / 128, 32, 1 * 56 * 40),  # a quarter of a sample: one
        ("l2-bs", 1.0, 32, 32 * 56 * 40),
        ("l2-fs", 1 / 4, 32, 32 * 28 * 20),
        ("range-fs", 1.0, 2, 2 * 56 * 40),
    ],
)
def test_samples_are_whole(norm: str, ratio: float, batch: int, size: int) -> None:
    (placed,) = place(IMAGES, norm, batch, ratio)
    assert (placed.elements, placed.sampled, placed.virtual) == (batch * 56 * 40, size, 0)


@pytest.mark.parametrize("ratio", [1 / 7, 1 / 16, 1 / 32, 1 / 100, 1 / 5000])
def test_a_patch_has_whole_pixels_near_the_ratio(ratio: float) -> None:
    (placed,) = place(IMAGES, "l2-fs", 8, ratio)
    assert placed.sampled % 8 == 0
    pixels = placed.sampled // 8
    rows = max(1, int(56 * sqrt(ratio) + 0.5))
    assert pixels % rows == 0 and 1 <= pixels // rows <= 40
    assert abs(pixels - ratio * 56 * 40) <= rows / 2 or pixels == rows


def test_mixed_sampling_has_both_sizes() -> None:
    (placed,) = place(IMAGES, "l2-fs-vdn", 32, 1 / 32)
    (patch,), (virtual,) = place(IMAGES, "l2-fs", 32, 1 / 32), place(IMAGES, "l2-vdn", 32, 1 / 32)
    assert placed.sizes == {"m": 32 * 56 * 40, "s": patch.sampled, "v": virtual.sampled}


@pytest.mark.parametrize("name", ["wgangp32-d", "wgangp128-d"])
def test_a_network_without_norms_places_nothing_and_costs_nothing(name: str) -> None:
    net = load_network(name)
    assert place(net, "l1", 64, 1.0) == []
    found = estimate(net, device="horowitz-45nm")
    assert found.warnings == (f"{name} has no normalization layer: there is nothing to count",)
    for result in found.to_dict()["results"]:
        assert set(result["formula_ops"].values()) == set(result["executed_ops"].values()) == {0}
        assert (result["form"], result["sweeps"], result["layers"]) == ("none", {}, [])
        assert {figure["value"] for figure in result["cost"].values()} == {0}


def test_a_norm_that_replaces_nothing_is_a_warning() -> None:
    found = estimate(load_network("gpt2"), ["l1", "layer-l1"])
    assert found.warnings == ("gpt2 has no layer that l1 replaces (layer_norm stay as they are)",)


def test_a_declared_norm_is_no_warning() -> None:
    net = network(Layer("a", "mean_only", 4), Layer("b", "layer_norm", 4))
    assert replaces(net, "mean-only") and replaces(net, "layer") and not replaces(net, "l1")
    assert estimate(net, ["mean-only"]).warnings == ()


@pytest.mark.parametrize("norm", ["srelu", "final-only"])
def test_a_single_batch_norm_is_the_last_and_no_warning(norm: str) -> None:
    assert estimate(network(Layer("a", "batch_norm", 4)), [norm]).warnings == ()


def test_unknown_norm() -> None:
    with pytest.raises(ValueError, match=r"unknown norm 'range-fss': did you mean 'range-fs'\?"):
        place(IMAGES, "range-fss", 4, 1.0)
