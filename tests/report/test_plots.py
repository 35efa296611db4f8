"""Figures: they are drawn, the same twice, and say their units."""

from __future__ import annotations

import dataclasses
import sys
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from hwnorm.cost.estimate import Estimate, estimate
from hwnorm.errors import InputError, MissingTool
from hwnorm.network.load import load_network
from hwnorm.report import plots
from hwnorm.report.reproduce import reproduce

FIGURES = ("cost", "layers", "operations", "fig4")
STARTS = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}
UNITS = ("(s)", "(ms)", "(kW)", "(J)", "(%)", "in order", "operations of the layer")


@pytest.fixture(scope="module")
def lenet() -> Estimate:
    return estimate(load_network("lenet5"), ["l2", "l1", "range"], device="horowitz-45nm")


def drawn(which: str, found: Estimate) -> Any:
    return reproduce("fig4").figure() if which == "fig4" else plots.of_estimate(found, which)


@pytest.mark.parametrize("which", FIGURES)
@pytest.mark.parametrize("suffix", plots.SUFFIXES)
def test_saved(which: str, suffix: str, lenet: Estimate, tmp_path: Path) -> None:
    path = tmp_path / f"figure{suffix}"
    plots.save(drawn(which, lenet), path)
    data = path.read_bytes()
    assert data.startswith(STARTS[suffix]) and len(data) > 5_000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("which", FIGURES)
@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_the_same_figure_is_the_same_file(which: str, suffix: str, lenet: Estimate, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}{suffix}" for i in range(2)]
    for path in paths:
        plots.save(drawn(which, lenet), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("which", FIGURES)
def test_it_is_not_blank(which: str, lenet: Estimate, tmp_path: Path) -> None:
    from matplotlib.image import imread

    path = tmp_path / "figure.png"
    plots.save(drawn(which, lenet), path)
    pixels = imread(path)[..., :3]
    assert pixels.shape[1] == round(plots.WIDTH * 200)  # a page's text, 200 dots an inch
    coloured = (pixels.max(axis=-1) - pixels.min(axis=-1) > 0.2).mean()
    dark = (pixels.max(axis=-1) < 0.4).mean()
    assert coloured > 0.02 and dark > 0.002


@pytest.mark.parametrize("which", FIGURES)
def test_axes_say_their_unit(which: str, lenet: Estimate) -> None:
    figure = drawn(which, lenet)
    assert figure.axes
    for axis in figure.axes:
        labels = [label for label in (axis.get_xlabel(), axis.get_ylabel()) if label]
        assert labels
        assert all(any(unit in label for unit in UNITS) for label in labels), labels


@pytest.mark.parametrize("which", FIGURES)
def test_text_stays_inside_and_is_legible(which: str, lenet: Estimate) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    figure = drawn(which, lenet)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box, size = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= size[0] + 0.01 and box.y1 <= size[1] + 0.01
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 7


@pytest.mark.parametrize("which", FIGURES)
def test_norms_are_in_the_legend_or_on_the_axis(which: str, lenet: Estimate) -> None:
    from matplotlib.text import Text

    texts = " ".join(artist.get_text() for artist in drawn(which, lenet).findobj(Text))
    for norm in ("l2", "l1"):
        assert norm in texts


def test_bars_are_as_high_as_the_figures(lenet: Estimate) -> None:
    figure = plots.of_estimate(lenet, "cost")
    time = figure.axes[0]
    heights = [bar.get_height() for bar in time.patches]
    assert heights == [result.paper.time_ns.value * 1e-9 for result in lenet.results]


def test_shares_add_up_to_all(lenet: Estimate) -> None:
    axis = plots.of_estimate(lenet, "operations").axes[0]
    by_row: dict[float, float] = {}
    for bar in axis.patches:
        by_row[bar.get_y()] = by_row.get(bar.get_y(), 0.0) + bar.get_width()
    assert len(by_row) == 6  # three norms, formula and executed
    for total in by_row.values():
        assert 99.0 < total <= 100.0 + 1e-9


def test_a_norm_without_datapath_is_drawn_by_its_formula() -> None:
    found = estimate(load_network("lenet5"), ["l2", "elu"])
    assert "formula operations" in plots.of_estimate(found, "layers").axes[0].get_ylabel()
    *_, executed = plots.of_estimate(found, "cost").axes
    heights = [bar.get_height() for bar in executed.patches]
    assert heights[0] > 0 and isnan(heights[1])  # elu is not built: a gap, not a zero


def test_what_is_not_built_has_no_executed_cost() -> None:
    found = estimate(load_network("lenet5"), ["elu"], accounting="executed")
    with pytest.raises(InputError, match="elu: no datapath for training, so no executed cost to plot"):
        plots.of_estimate(found, "cost")
    assert plots.of_estimate(found, "operations").axes


@pytest.mark.parametrize("which", ["cost", "layers", "operations"])
def test_names_are_no_mathematics(which: str, tmp_path: Path) -> None:
    network = dataclasses.replace(load_network("lenet5"), name="a$^$\n\udcff")
    plots.save(plots.of_estimate(estimate(network), which), tmp_path / "figure.svg")


def test_an_axis_of_powers_is_mathematics() -> None:
    series = {"l2": [1.0, 10.0, 100.0, 1000.0]}
    figure = plots.grouped(["a", "b", "c", "$^$"], {"time (s)": series}, "four")
    assert all(label.get_parse_math() for label in figure.axes[0].get_yticklabels())


def test_nothing_to_count_is_drawn_without_a_legend(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    found = estimate(load_network("lenet5"), ["fold-sign"])
    plots.save(plots.of_estimate(found, "operations"), tmp_path / "figure.svg")
    assert [one.message for one in recwarn] == []


def test_one_accounting_is_one_pair_of_panels() -> None:
    for accounting, panels in (("paper", 2), ("executed", 1)):
        found = estimate(load_network("lenet5"), accounting=accounting)
        assert len(plots.of_estimate(found, "cost").axes) == panels


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.PNG.txt"])
def test_wrong_suffix(name: str, lenet: Estimate, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a figure must end in \.png, \.svg, \.pdf"):
        plots.save(plots.of_estimate(lenet, "cost"), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_nothing_half_written(lenet: Estimate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figure.svg"
    path.write_text("the old one")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        plots.save(plots.of_estimate(lenet, "cost"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["figure.svg"]
    assert path.read_text() == "the old one"


def test_a_folder_that_is_not_there(lenet: Estimate, tmp_path: Path) -> None:
    path = tmp_path / "none" / "figure.svg"
    with pytest.raises(InputError, match=r"none/figure\.svg: cannot be written: No such file or directory"):
        plots.save(plots.of_estimate(lenet, "cost"), path)


def test_nothing_to_plot() -> None:
    with pytest.raises(InputError, match="wgangp32-d has no normalization layer: there is nothing to plot"):
        plots.of_estimate(estimate(load_network("wgangp32-d")), "cost")


def test_unknown_figure(lenet: Estimate) -> None:
    with pytest.raises(ValueError, match="figure must be cost, layers or operations, not 'pie'"):
        plots.of_estimate(lenet, "pie")


def test_without_matplotlib(lenet: Estimate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingTool, match="figures need matplotlib, which is not installed: pip install matplotlib"):
        plots.of_estimate(lenet, "cost")
