"""Which network a name means, and how fast it comes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from hwnorm.errors import InputError
from hwnorm.network.load import load_network
from hwnorm.network.model import Network

SMALL = "input: [3, 8, 8]\nbatch: 4\nlayers: [batch_norm]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["resnet20", "resnet20.yaml", Path("resnet20.yaml")])
def test_zoo_in_an_empty_folder(name: str | Path) -> None:
    network = load_network(name)
    assert (network.name, network.source, len(network.layers)) == ("resnet20", "zoo:resnet20", 19)


@pytest.mark.parametrize("name", ["resnet20", "resnet20.yaml"])
def test_a_file_in_the_folder_comes_first(name: str) -> None:
    Path("resnet20.yaml").write_text(SMALL)
    network = load_network(name)
    assert (network.source, len(network.layers)) == ("resnet20.yaml", 1)


def test_a_folder_or_another_file_of_that_name_does_not() -> None:
    Path("resnet20").mkdir()
    assert load_network("resnet20").source == "zoo:resnet20"


def test_paths(folder: Path) -> None:
    (folder / "nets").mkdir()
    (folder / "nets" / "my.net.yml").write_text(SMALL)
    assert load_network(folder / "nets" / "my.net.yml").name == "my.net"
    assert load_network("nets/my.net").source == "nets/my.net.yml"


def test_batch_takes_the_place_of_the_files() -> None:
    assert load_network("resnet20").batch == 128
    assert load_network("resnet20", batch=7).batch == 7
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="batch must be a positive integer"):
            load_network("resnet20", batch=wrong)  # type: ignore[arg-type]  # what a caller may get wrong


def test_extends_finds_the_zoo_and_the_folder() -> None:
    Path("mine.yaml").write_text("extends: resnet20.yaml\nlet: {n: 1}\n")
    assert len(load_network("mine").layers) == 7
    Path("resnet20.yaml").write_text(SMALL + "let: {}\n")
    Path("mine.yaml").write_text("extends: resnet20.yaml\nbatch: 9\n")
    assert (load_network("mine").batch, len(load_network("mine").layers)) == (9, 1)


def test_other_readers_are_found_by_the_form_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Network("other", "here", (3,), 1, ())
    calls: list[tuple[object, ...]] = []

    def reader(*arguments: object) -> Network:
        calls.append(arguments)
        return found

    for name, function in (("onnx_reader", "read_onnx"), ("torch_reader", "read_torch")):
        module = ModuleType(name)
        setattr(module, function, reader)
        monkeypatch.setitem(sys.modules, f"hwnorm.network.{name}", module)
    assert load_network("some/net.onnx", batch=2) is found
    assert load_network("package.module:net", input_shape=(3, 8, 8)) is found
    assert calls == [(Path("some/net.onnx"), 2), ("package.module:net", (3, 8, 8), None)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet11", "no file and no network 'resnet11'; did you mean 'resnet110'?"),
        ("resnet111.yaml", "did you mean 'resnet110'?"),
        ("nowhere/else.yaml", "known: alexnet, "),
        ("", "no file and no network ''"),
        ("a\0b", "no file and no network"),
        ("x" * 5000, "no file and no network"),
        ("net.txt", "must end in .yaml, .yml or .onnx"),
        ("folder.yaml", "is a folder"),
        ("other", "must end in .yaml"),
    ],
)
def test_a_wrong_name_is_one_line_with_a_way_out(name: str, message: str) -> None:
    Path("net.txt").write_text(SMALL)
    Path("folder.yaml").mkdir()
    Path("other").mkdir()
    with pytest.raises(InputError) as error:
        load_network(name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("repeated", [False, True])
def test_the_time_to_load_grows_with_the_norms(repeated: bool) -> None:
    """Ten times as many take ten times as long, where a loop within a loop would take a hundred times."""
    unit = ("{conv: 64, kernel: 3}", "batch_norm", "relu")

    def seconds(count: int) -> float:
        steps = f"- {{do: [{', '.join(unit)}], times: {count}}}\n"
        if not repeated:
            steps = "".join(f"- {step}\n" for _ in range(count) for step in unit)
        Path("long.yaml").write_text(f"input: [64, 8, 8]\nbatch: 1\nlayers:\n{steps}")
        start = time.process_time()
        assert len(load_network("long").layers) == count
        return time.process_time() - start

    few = min(seconds(1000) for _ in range(3))
    assert seconds(10_000) < 30 * few
