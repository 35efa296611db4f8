"""Devices as data: what they cost, where each figure comes from, and what is wrong with a broken file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnorm.cost.device import Device, device_names, load_device
from hwnorm.cost.figure import Figure, Origin, weakest
from hwnorm.errors import InputError

GOOD = """
name: mine
summary: a device of my own
source: my bench
operations:
  add: {energy_pj: {8: 1.0, 16: 3.0}, time_ns: 2, origin: MEASURED}
  mul: {energy_pj: {8: 4.0, 16: 16.0}, grows: product, origin: CITED}
  abs: {as: add, factor: 0.5, origin: ASSUMED}
  div: {as: add, per_bit: true, origin: FITTED}
memory:
  sram: {energy_pj_per_byte: 1.25, origin: CITED}
"""


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def mine(tmp_path: Path) -> Device:
    return load_device(written(tmp_path, GOOD))


def test_the_shipped_devices_are_named_and_say_their_source() -> None:
    assert device_names() == ("de5-net-float32", "horowitz-45nm")
    for name in device_names():
        device = load_device(name)
        assert device.name == name
        assert device.summary and device.source


# L1BN Table IV, by hand
TABLE_IV = {
    "sign": (153, 0, 1, 2),
    "abs": (337, 0, 1, 6),
    "square": (407, 1, 3, 15),
    "sqrt": (438, 2, 28, 40),
}


@pytest.mark.parametrize("operation", TABLE_IV)
def test_table_iv_is_as_printed(operation: str) -> None:
    device = load_device("de5-net-float32")
    found = [device.cost(operation, quantity) for quantity in ("registers", "dsp", "time_ns", "power_uw")]
    assert tuple(figure.value for figure in found) == TABLE_IV[operation]
    assert {figure.origin for figure in found} == {Origin.CITED}


# Horowitz 2014, Fig. 1.1.9: integer add 8 and 32 bits, multiply 8 and 32 bits, in pJ
@pytest.mark.parametrize(
    ("operation", "width", "energy"), [("add", 8, 0.03), ("add", 32, 0.1), ("mul", 8, 0.2), ("mul", 32, 3.1)]
)
def test_horowitz_is_as_printed(operation: str, width: int, energy: float) -> None:
    assert load_device("horowitz-45nm").cost(operation, "energy_pj", (width, width)) == Figure(energy, Origin.CITED)


def test_what_horowitz_does_not_print_is_assumed() -> None:
    device = load_device("horowitz-45nm")
    for operation in ("square", "div", "recip", "sqrt", "cmp", "sel", "abs", "sign", "cmul"):
        assert device.cost(operation, "energy_pj", (8, 8)).origin is Origin.ASSUMED, operation


def test_memory(mine: Device) -> None:
    assert mine.per_byte("sram") == Figure(1.25, Origin.CITED)
    with pytest.raises(InputError, match="device mine has no memory 'dram'"):
        mine.per_byte("dram")


def test_between_two_widths_an_adder_is_linear_and_assumed(mine: Device) -> None:
    assert mine.cost("add", "energy_pj", (12, 9)) == Figure(2.0, Origin.ASSUMED)  # the wider operand decides


def test_at_a_listed_width_the_origin_is_the_files_own(mine: Device) -> None:
    assert mine.cost("add", "energy_pj", (16, 4)) == Figure(3.0, Origin.MEASURED)


@pytest.mark.parametrize(("width", "energy"), [(4, 0.5), (32, 6.0)])
def test_outside_the_widths_it_is_proportional_to_the_nearest(mine: Device, width: int, energy: float) -> None:
    assert mine.cost("add", "energy_pj", (width,)) == Figure(energy, Origin.ASSUMED)


@pytest.mark.parametrize(
    ("widths", "energy"),
    [((8, 8), 4.0), ((16, 16), 16.0), ((8, 4), 2.0), ((16, 10), 10.0), ((32, 16), 32.0), ((12,), 9.0)],
)
def test_a_product_grows_with_both_widths(mine: Device, widths: tuple[int, ...], energy: float) -> None:
    # 64 partial products cost 4, 256 cost 16: linear between, proportional outside
    assert mine.cost("mul", "energy_pj", widths).value == pytest.approx(energy)


def test_one_number_holds_for_any_width(mine: Device) -> None:
    assert mine.cost("add", "time_ns", (3,)) == mine.cost("add", "time_ns", (60, 2)) == Figure(2.0, Origin.MEASURED)


def test_like_another_with_a_factor(mine: Device) -> None:
    assert mine.cost("abs", "energy_pj", (8,)) == Figure(0.5, Origin.ASSUMED)


def test_per_bit_multiplies_by_the_width(mine: Device) -> None:
    assert mine.cost("div", "energy_pj", (8, 8)) == Figure(8.0, Origin.FITTED)  # the weaker of MEASURED and FITTED
    assert mine.cost("div", "energy_pj", (16, 8)).value == 16 * 3.0


def test_a_missing_operation_is_an_error_that_names_it(mine: Device) -> None:
    with pytest.raises(InputError, match=r"device mine has no operation 'sqrt'.*it has: abs, add, div, mul"):
        mine.cost("sqrt", "energy_pj")


def test_a_missing_quantity_is_an_error_that_names_it(mine: Device) -> None:
    with pytest.raises(InputError, match="device mine does not say the time_ns of operation 'mul'"):
        mine.cost("mul", "time_ns", (8, 8))


def test_a_device_without_a_name_has_that_of_its_file(tmp_path: Path) -> None:
    assert load_device(written(tmp_path, GOOD.replace("name: mine", "name: "))).name == "mine"


def test_unknown_name() -> None:
    with pytest.raises(InputError, match=r"unknown device 'horowitz-45': did you mean 'horowitz-45nm'\?"):
        load_device("horowitz-45")


def test_the_weakest_origin_of_a_sum() -> None:
    assert weakest(Origin.MEASURED, Origin.CITED, Origin.FITTED) is Origin.CITED
    assert Figure(1.0, Origin.MEASURED) + Figure(2.0, Origin.ASSUMED) == Figure(3.0, Origin.ASSUMED)
    assert Figure(2.0, Origin.CITED, 3.0).times(2).to_dict() == {"value": 4.0, "origin": "CITED", "error_pct": 3.0}


ADD = "operations:\n  add: {energy_pj: 1, origin: CITED}\n"


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


# name: (the file, what its one line says after the file's name)
BROKEN: dict[str, tuple[str, str]] = {
    "empty": ("", "needs the key 'operations'"),
    "a list": ("- add\n", "needs the key 'operations'"),
    "a word": ("add\n", "needs the key 'operations'"),
    "no operations": ("name: mine\n", "needs the key 'operations'"),
    "operations a list": ("operations: [add]\n", "needs the key 'operations'"),
    "not YAML": ("operations: {add: [1\n", ":2: not YAML"),
    "a tab": ("operations:\n\tadd: 1\n", ":2: not YAML"),
    "a control character": ("operations: \x00\n", "not YAML"),
    "a tag": ("operations: !!python/object:os.system {}\n", ":1: not YAML"),
    "an impossible date": ("source: 2014-13-45\n" + ADD, "not YAML: month"),
    "a thousand brackets": ("operations: " + "[" * 2000 + "\n", "not YAML"),
    "unknown key of the file": ("operatoins: {}\n" + ADD, "unknown key 'operatoins', did you mean 'operations'?"),
    "a name that is a list": (changed("name: mine", "name: [a, b]"), "name: must be text, not ['a', 'b']"),
    "unknown operation": (changed("mul:", "mull:"), "operations.mull: unknown operation, did you mean 'mul'?"),
    "an operation that is a number": (changed("abs:", "7:"), "operations.7: unknown operation"),
    "an entry that is a number": ("operations:\n  add: 3\n", "operations.add: must be a mapping"),
    "an entry that is missing": ("operations:\n  add:\n", "operations.add: must be a mapping"),
    "unknown key of an entry": (
        changed("time_ns", "time_ms"),
        "operations.add: unknown key 'time_ms', did you mean 'time_ns'?",
    ),
    "a key that is a number": (changed("time_ns", "7"), "operations.add: unknown key 7"),
    "no origin": (
        ADD.replace(", origin: CITED", ""),
        "operations.add: origin must be MEASURED, FITTED, CITED, ASSUMED, not None",
    ),
    "unknown origin": (
        changed("MEASURED", "GUESSED"),
        "operations.add: origin must be MEASURED, FITTED, CITED, ASSUMED, not 'GUESSED'",
    ),
    "origin a list": (changed("MEASURED", "[CITED]"), "operations.add: origin must be"),
    "a number that is a word": (
        changed("time_ns: 2", "time_ns: fast"),
        "operations.add.time_ns: must be a number of at least 0, not 'fast'",
    ),
    "a number that is YAML's text": (
        changed("time_ns: 2", "time_ns: 2e-3"),
        "operations.add.time_ns: must be a number",
    ),
    "a negative number": (
        changed("8: 1.0", "8: -1.0"),
        "operations.add.energy_pj.8: must be a number of at least 0, not -1.0",
    ),
    "not a number": (
        changed("time_ns: 2", "time_ns: .nan"),
        "operations.add.time_ns: must be a number of at least 0, not nan",
    ),
    "infinite": (
        changed("time_ns: 2", "time_ns: .inf"),
        "operations.add.time_ns: must be a number of at least 0, not inf",
    ),
    "beyond a float": (changed("time_ns: 2", f"time_ns: 1{'0' * 400}"), "operations.add.time_ns: must be a number"),
    "a truth value": (
        changed("time_ns: 2", "time_ns: yes"),
        "operations.add.time_ns: must be a number of at least 0, not True",
    ),
    "a list of numbers": (
        changed("time_ns: 2", "time_ns: [2]"),
        "operations.add.time_ns: must be a number of at least 0, not [2]",
    ),
    "nothing": (changed("time_ns: 2", "time_ns: "), "operations.add.time_ns: must be a number of at least 0, not None"),
    "no widths": (changed("{8: 1.0, 16: 3.0}", "{}"), "operations.add.energy_pj: needs a number"),
    "a width that is a word": (
        changed("8: 1.0", "byte: 1.0"),
        "operations.add.energy_pj: a width must be a positive integer, not 'byte'",
    ),
    "a width of 0": (
        changed("8: 1.0", "0: 1.0"),
        "operations.add.energy_pj: a width must be a positive integer, not 0",
    ),
    "a width of 8.5": (
        changed("8: 1.0", "8.5: 1.0"),
        "operations.add.energy_pj: a width must be a positive integer, not 8.5",
    ),
    "unknown growth": (
        changed("product", "quadratic"),
        "operations.mul.grows: must be linear or product, not 'quadratic'",
    ),
    "like nothing": (changed("as: add, factor", "as: sub, factor"), "operations.abs: 'as' must name an operation"),
    "like itself": (changed("as: add, factor", "as: abs, factor"), "operations.abs: 'as' must name an operation"),
    "like one that is like another": (
        changed("as: add, per_bit", "as: abs, per_bit"),
        "operations.div: 'as' must name an operation",
    ),
    "like a list": (changed("as: add, factor", "as: [add], factor"), "operations.abs: 'as' must name an operation"),
    "like a number": (
        "operations:\n  abs: {as: add, origin: CITED}\n  add: 3\n",
        "operations.abs: 'as' must name an operation",
    ),
    "figures beside as": (
        changed("factor: 0.5", "energy_pj: 0.5"),
        "operations.abs.energy_pj: cannot stand beside 'as'",
    ),
    "a factor of nothing": (changed("time_ns: 2", "factor: 2"), "operations.add.factor: needs 'as'"),
    "a factor that is a word": (
        changed("factor: 0.5", "factor: half"),
        "operations.abs.factor: must be a number of at least 0, not 'half'",
    ),
    "per_bit that is a number": (
        changed("per_bit: true", "per_bit: 3"),
        "operations.div.per_bit: must be true or false, not 3",
    ),
    "memory a list": (ADD + "memory: [sram]\n", "memory: must be a mapping of sram and dram, not ['sram']"),
    "unknown memory": (changed("sram:", "srma:"), "memory.srma: unknown memory, did you mean 'sram'?"),
    "memory without energy": (ADD + "memory:\n  sram: {origin: CITED}\n", "memory.sram: needs energy_pj_per_byte"),
    "memory a number": (ADD + "memory:\n  sram: 3\n", "memory.sram: needs energy_pj_per_byte"),
    "memory of a negative energy": (
        changed("1.25", "-1.25"),
        "memory.sram.energy_pj_per_byte: must be a number of at least 0, not -1.25",
    ),
    "memory of a word": (changed("1.25", "little"), "memory.sram.energy_pj_per_byte: must be a number"),
    "memory of a truth value": (changed("1.25", "true"), "memory.sram.energy_pj_per_byte: must be a number"),
    "memory without origin": (ADD + "memory:\n  sram: {energy_pj_per_byte: 1}\n", "memory.sram: origin must be"),
    "unknown key of a memory": (changed("1.25,", "1.25, size: 3,"), "memory.sram: unknown key 'size'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_line_that_names_file_and_key(case: str, tmp_path: Path) -> None:
    text, says = BROKEN[case]
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_device(path)
    message = str(caught.value)
    assert message.startswith(path)
    assert says in message
    assert "\n" not in message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a device file"):
        load_device(str(tmp_path / "none.yaml"))


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a device file"):
        load_device(str(tmp_path))


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as a device file"):
        load_device(str(path))
