"""Every datapath as C++, compiled strictly and run on its golden vectors: no bit differs. And the bench can fail."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from thinned import one_in

from hwnorm.bundle import manifest
from hwnorm.engine import Engine
from hwnorm.errors import InputError, MissingTool, ToolFailed
from hwnorm.files import write_folder
from hwnorm.hls.bulk import bulk
from hwnorm.hls.emit import emit
from hwnorm.hls.simulate import INCLUDE, simulate
from hwnorm.norms.catalog import CATALOG

LONGEST = 37  # no multiple of any number of lanes
EVERY = [
    (name, form, direction)
    for name, norm in CATALOG.items()
    for form, graphs in norm.forms.items()
    for direction in ("forward", "backward", "inference")
    if getattr(graphs, direction) is not None
]
DIALECTS = [(d, n, f, w) for d in ("ap", "ac") for n, f, w in EVERY if n in ("l1", "l2", "range", "layer", "scale")]


def made(folder: Path, name: str, form: str, direction: str, bits: int, lanes: int, dialect: str, **more: str) -> Path:
    engine = Engine(name, bits, max_elements=LONGEST, form=form, **more)  # type: ignore[arg-type]
    write_folder(folder / "kernel", emit(engine, direction, lanes, dialect, "kernel", "hwnorm gen-hls"))
    return folder / "kernel"


needs_headers = pytest.mark.skipif(
    find_spec("hls4ml") is None and INCLUDE not in os.environ,
    reason="no ap_int.h and ac_int.h: pip install --no-deps hls4ml",
)


@pytest.mark.parametrize(("name", "form", "direction"), one_in(8, EVERY))
def test_no_bit_differs(tmp_path: Path, name: str, form: str, direction: str) -> None:
    folder = made(tmp_path, name, form, direction, 8, 4, "plain")
    assert "every bit equals the reference" in simulate(folder, "kernel", "plain")


@pytest.mark.long
@pytest.mark.parametrize(("bits", "lanes"), [(4, 1), (4, 4), (8, 1), (12, 1), (12, 4), (16, 1), (16, 4)])
@pytest.mark.parametrize(("name", "form", "direction"), EVERY)
def test_no_bit_differs_at_other_widths(
    tmp_path: Path, name: str, form: str, direction: str, bits: int, lanes: int
) -> None:
    folder = made(tmp_path, name, form, direction, bits, lanes, "plain")
    assert "every bit equals the reference" in simulate(folder, "kernel", "plain")


@pytest.mark.parametrize("reciprocal", ["pwl", "newton"])
@pytest.mark.parametrize("bits", [6, 16])
def test_the_other_reciprocals(tmp_path: Path, reciprocal: str, bits: int) -> None:
    folder = made(tmp_path, "l2", "one-pass", "forward", bits, 3, "plain", reciprocal=reciprocal)
    assert "every bit equals the reference" in simulate(folder, "kernel", "plain")


@pytest.mark.slow
@needs_headers
@pytest.mark.parametrize(
    ("dialect", "name", "form", "direction"),
    [case for case in DIALECTS if case[1:] in {("l1", "positive-part", "forward"), ("l2", "one-pass", "backward")}],
)
def test_no_bit_differs_with_vendor_integers(
    tmp_path: Path, dialect: str, name: str, form: str, direction: str
) -> None:
    folder = made(tmp_path, name, form, direction, 8, 4, dialect)
    assert "every bit equals the reference" in simulate(folder, "kernel", dialect)


@pytest.mark.long
@needs_headers
@pytest.mark.parametrize(("bits", "lanes"), [(8, 4), (12, 1)])
@pytest.mark.parametrize(("dialect", "name", "form", "direction"), [(d, *e) for d in ("ap", "ac") for e in EVERY])
def test_every_datapath_with_vendor_integers(
    tmp_path: Path, dialect: str, name: str, form: str, direction: str, bits: int, lanes: int
) -> None:
    folder = made(tmp_path, name, form, direction, bits, lanes, dialect)
    assert "every bit equals the reference" in simulate(folder, "kernel", dialect)


@pytest.mark.parametrize("file", ["stream_out.hex", "groups_out.hex", "stream_in.hex", "groups_in.hex"])
def test_one_wrong_word_is_found(tmp_path: Path, file: str) -> None:
    folder = made(tmp_path, "l1", "positive-part", "forward", 8, 4, "plain")
    path = folder / "vectors" / file
    lines = path.read_text().splitlines()
    at = len(lines) // 2
    words = lines[at].split()
    ((_, about),) = manifest.read(folder)
    word = about["vectors"][file].index("m") if file == "groups_in.hex" else 0  # a last bit of kappa may not matter
    words[word] = format(int(words[word], 16) ^ 1, "x")
    path.write_text("\n".join([*lines[:at], " ".join(words), *lines[at + 1 :]]) + "\n")
    with pytest.raises(ToolFailed, match="differs from the reference"):
        simulate(folder, "kernel", "plain")


@pytest.mark.parametrize("file", ["stream_in.hex", "stream_out.hex", "groups_out.hex", "groups_in.hex"])
def test_vectors_that_are_cut_are_found(tmp_path: Path, file: str) -> None:
    folder = made(tmp_path, "l2", "one-pass", "forward", 8, 2, "plain")
    path = folder / "vectors" / file
    path.write_text(path.read_text()[: path.stat().st_size // 2].rsplit("\n", 1)[0] + "\n")
    with pytest.raises(InputError, match=r"ends too early|should hold"):
        simulate(folder, "kernel", "plain")


@pytest.mark.parametrize(
    ("name", "direction"), [("l1", "forward"), ("l1", "backward"), ("l2", "forward"), ("l2", "backward")]
)
def test_bulk(tmp_path: Path, name: str, direction: str) -> None:
    engine = Engine(name, 8, 1000)
    write_folder(tmp_path / "kernel", emit(engine, direction, 4, "plain", "kernel", "hwnorm gen-hls"))
    heard: list[int] = []
    report = bulk(engine, direction, tmp_path / "kernel", 1_000_000, heard.append)
    assert report.elements >= 1_000_000 and heard[-1] == report.elements


def test_a_kernel_that_is_wrong_fails_in_bulk(tmp_path: Path) -> None:
    engine = Engine("l1", 8, 64)
    files = emit(engine, "forward", 4, "plain", "kernel", "hwnorm gen-hls")
    source = files["kernel.cpp"].decode()
    assert "i<8>(x) > i<8>(c)" in source
    files["kernel.cpp"] = source.replace("i<8>(x) > i<8>(c)", "i<8>(x) >= i<8>(c)").encode()
    write_folder(tmp_path / "kernel", files)
    with pytest.raises(ToolFailed, match=r"group \d+.*the reference has"):
        bulk(engine, "forward", tmp_path / "kernel", 100_000, lambda done: None)


def test_the_same_choices_are_the_same_bytes() -> None:
    folders = [emit(Engine("range", 6, 50), "backward", 3, "ap", "kernel", "hwnorm gen-hls") for _ in range(2)]
    assert folders[0] == folders[1]


def test_widths_beyond_plain_integers_are_refused() -> None:
    with pytest.raises(InputError, match=r"plain C\+\+ has integers of 128 bits.*--dialect ap or ac"):
        emit(Engine("l2", 24, max_elements=401408), "backward", 4, "plain", "kernel", "")
    assert emit(Engine("l2", 24, max_elements=9), "backward", 1, "ap", "kernel", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("l1", "sideways", 4, "plain"), "has no sideways datapath"),
        (("l1", "forward", 0, "plain"), "lanes must be an integer from 1 to 64, not 0"),
        (("l1", "forward", 4, "vhdl"), "unknown dialect 'vhdl'"),
        (("elu", "forward", 4, "plain"), "counted, not built"),
    ],
)
def test_wrong_choices(arguments: tuple[str, str, int, str], message: str) -> None:
    name, direction, lanes, dialect = arguments
    with pytest.raises(InputError, match=message):
        emit(Engine(name, 8, 16), direction, lanes, dialect, "kernel", "")


def test_a_missing_compiler_or_header_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(tmp_path, "scale", "constant", "forward", 8, 1, "plain")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match=r"no C\+\+ compiler"):
        simulate(folder, "kernel", "plain")


def test_what_a_folder_says_of_itself(tmp_path: Path) -> None:
    folder = made(tmp_path, "l1", "abs", "forward", 10, 4, "ap")
    ((where, about),) = manifest.read(folder)
    assert where == folder
    assert (about["norm"], about["form"], about["bits"], about["lanes"], about["dialect"]) == ("l1", "abs", 10, 4, "ap")
    assert about["formats"]["y"] == {"width": 10, "frac": 7, "signed": True, "rounding": "half-up"}
    assert about["formats"]["K"]["scaled"] and about["formats"]["c"]["rounding"] == "floor"
    assert about["sweeps"] == 3 and about["operations_per_group"]["abs"] == "m"
    assert set(about["vectors"]["groups_in.hex"]) >= {"m", "kappa", "kappa_frac", "gamma", "beta", "elements"}
    engine = manifest.engine_of(about)
    assert engine.form == "abs" and engine.max_elements == LONGEST
    readme = (folder / "README.md").read_text()
    assert "not run through a vendor's HLS compiler" in readme and "vitis_hls -f run_hls.tcl" in readme
    assert max(map(len, (folder / "kernel.cpp").read_text().splitlines())) <= 120
