"""What a layer says of its statistics."""

import pytest

from hwnorm.network.model import KINDS, Layer


@pytest.mark.parametrize("kind", KINDS)
def test_every_element_has_one_statistic(kind: str) -> None:
    layer = Layer("norm", kind, 12, 5, 7, channel_groups=4)  # type: ignore[arg-type]  # pytest hands over a str
    for batch in (1, 3):
        assert layer.groups(batch) * layer.elements_per_group(batch) == batch * layer.elements_per_sample == batch * 420


def test_groups_by_kind() -> None:
    def groups(kind: str) -> int:
        return Layer("norm", kind, 12, 5, 7, channel_groups=4).groups(2)  # type: ignore[arg-type]

    assert groups("batch_norm") == groups("mean_only") == 12
    assert groups("layer_norm") == groups("rms_norm") == 2 * 35
    assert groups("group_norm") == 2 * 4
    assert groups("instance_norm") == 2 * 12
