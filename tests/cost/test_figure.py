"""How sure a figure is that is made of others."""

from __future__ import annotations

import pytest

from hwnorm.cost.figure import Figure, Origin, least_sure


@pytest.mark.parametrize(
    ("errors", "expected"),
    [((3, 7), 7), ((7, 3), 7), ((0, 0), 0), ((0, 4), 4), ((0, None), None), ((None, 5), None), ((5, None), None)],
)
def test_the_largest_error_if_all_are_known(errors: tuple[float | None, ...], expected: float | None) -> None:
    figures = [Figure(10, Origin.FITTED, error) for error in errors]
    assert least_sure(*figures) == (Origin.FITTED, expected)
    assert figures[0] + figures[1] == Figure(20, Origin.FITTED, expected)


def test_the_weakest_origin() -> None:
    for origins in ((Origin.ASSUMED, Origin.MEASURED), (Origin.CITED, Origin.ASSUMED)):
        assert least_sure(*(Figure(1, origin) for origin in origins))[0] is Origin.ASSUMED
    assert least_sure(Figure(1, Origin.MEASURED), Figure(1, Origin.FITTED))[0] is Origin.FITTED
