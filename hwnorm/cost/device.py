"""What one operation costs on a device: data with provenance, in YAML, the unit in each key.

    operations:
      add: {energy_pj: {8: 0.03, 32: 0.1}, grows: linear, origin: CITED}    # by width, or one number for any width
      abs: {as: add, factor: 1.0, origin: ASSUMED}                          # like another; per_bit: times its width
    memory:
      sram: {energy_pj_per_byte: {8: 1.25, 32: 2.5}, origin: CITED}         # by KiB, or one number for any size

A device that lacks an operation, or a quantity of it, says so by name when it is asked: nothing costs a silent zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from hwnorm.cost.figure import Figure, Origin, weakest
from hwnorm.errors import InputError, did_you_mean
from hwnorm.views.count import OPERATIONS

QUANTITIES = ("energy_pj", "time_ns", "power_uw", "registers", "dsp")
GROWS = ("linear", "product")
LARGEST = 1e300  # a finite float, whatever the file says
MEMORIES = ("sram", "dram")
KEYS = (*QUANTITIES, "grows", "as", "factor", "per_bit", "origin")
MEMORY_KEYS = ("energy_pj_per_byte", "origin")
WORDS = ("name", "summary", "source")
FILE_KEYS = (*WORDS, "operations", "memory")


@dataclass(frozen=True)
class Device:
    name: str
    summary: str
    source: str
    operations: dict[str, dict[str, Any]]
    memory: dict[str, dict[str, Any]]

    def cost(self, operation: str, quantity: str, widths: tuple[int, ...] = ()) -> Figure:
        """Of one operation on operands of these widths; InputError where the device does not say."""
        entry = self.operations.get(operation)
        if entry is None:
            known = ", ".join(sorted(self.operations))
            raise InputError(
                f"device {self.name} has no operation {operation!r}, which this count needs (it has: {known})"
            )
        origin = Origin(entry["origin"])
        if "as" in entry:
            like = self.cost(entry["as"], quantity, widths)
            bits = max(widths, default=1) if entry.get("per_bit") else 1
            return Figure(like.value * entry.get("factor", 1) * bits, weakest(origin, like.origin))
        if quantity not in entry:
            raise InputError(f"device {self.name} does not say the {quantity} of operation {operation!r}")
        table = entry[quantity]
        if not isinstance(table, dict):
            return Figure(float(table), origin)
        size = _size(widths, entry.get("grows", "linear"))
        sizes = {_size((w, w), entry.get("grows", "linear")): float(value) for w, value in table.items()}
        return Figure(_between(sizes, size), origin if size in sizes else weakest(origin, Origin.ASSUMED))

    def per_byte(self, memory: str, size_kib: float = 0.0) -> Figure:
        """Energy in pJ of moving one byte; of a memory of that size, where the device tells sizes apart."""
        entry = self.memory.get(memory)
        if entry is None:
            raise InputError(f"device {self.name} has no memory {memory!r}, which this count needs")
        energy, origin = entry["energy_pj_per_byte"], Origin(entry["origin"])
        if not isinstance(energy, dict):
            return Figure(float(energy), origin)
        sizes = {float(kib): float(value) for kib, value in energy.items()}
        held = min(max(size_kib, min(sizes)), max(sizes))
        return Figure(_between(sizes, held), origin if size_kib in sizes else weakest(origin, Origin.ASSUMED))


def _size(widths: tuple[int, ...], grows: str) -> float:
    """What an operation's cost is proportional to: an adder's width, a multiplier's partial products."""
    widest = max(widths, default=1)
    if grows == "linear":
        return widest
    return widest * (min(widths) if len(widths) > 1 else widest)


def _between(table: dict[float, float], size: float) -> float:
    """Linear between two points, proportional outside them."""
    below = max((s for s in table if s <= size), default=None)
    above = min((s for s in table if s >= size), default=None)
    if below is None or above is None:
        nearest = above if below is None else below
        assert nearest is not None
        return table[nearest] * size / nearest
    if below == above:
        return table[below]
    return table[below] + (table[above] - table[below]) * (size - below) / (above - below)


def load_device(name: str, beside: tuple[str, ...] = ()) -> Device:
    """A device that ships with hwnorm, by name, or a YAML file of the user's own. ``beside``: names that would have
    served too."""
    if name in device_names():
        return _shipped(name)
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return _parse(path, _read(path))
    raise InputError(
        f"unknown device {name!r}: {did_you_mean(name, (*device_names(), *beside))}, or the path of a "
        ".yaml file, or of a .json file of hwnorm characterize"
    )


@cache
def device_names() -> tuple[str, ...]:
    return tuple(sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml")))


@cache
def _shipped(name: str) -> Device:
    return _parse(Path(f"{name}.yaml"), (_folder() / f"{name}.yaml").read_text(encoding="utf-8"))


def _folder() -> Any:
    return files("hwnorm.cost") / "devices"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{path}: cannot be read as a device file: {fault}") from None


def _parse(path: Path, text: str) -> Device:
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as fault:  # a date of month 13, a thousand brackets
        mark = getattr(fault, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(
            f"{path}{line}: not YAML: {getattr(fault, 'problem', None) or str(fault).splitlines()[0]}"
        ) from None
    if not isinstance(data, dict) or not isinstance(data.get("operations"), dict):
        raise InputError(f"{path}: a device file needs the key 'operations', a mapping")
    _check_keys(f"{path}", data, FILE_KEYS)
    words = {key: data.get(key) or "" for key in WORDS}
    for key, word in words.items():
        if not isinstance(word, str):
            raise InputError(f"{path}: {key}: must be text, not {word!r}")
    for operation, entry in data["operations"].items():
        _check_operation(f"{path}: operations.{operation}", operation, entry, data["operations"])
    memory = data.get("memory") or {}
    if not isinstance(memory, dict):
        raise InputError(f"{path}: memory: must be a mapping of {' and '.join(MEMORIES)}, not {memory!r}")
    for kind, entry in memory.items():
        _check_memory(f"{path}: memory.{kind}", kind, entry)
    return Device(words["name"] or path.stem, words["summary"], words["source"], data["operations"], memory)


def _check_operation(where: str, operation: str, entry: Any, operations: dict[str, Any]) -> None:
    if operation not in OPERATIONS:
        raise InputError(f"{where}: unknown operation, {did_you_mean(operation, OPERATIONS)}")
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be a mapping such as {{energy_pj: 0.1, origin: ASSUMED}}")
    _check_keys(where, entry, KEYS)
    if "as" in entry:
        like = operations.get(entry["as"]) if isinstance(entry["as"], str) else None
        if not isinstance(like, dict) or "as" in like:
            raise InputError(f"{where}: 'as' must name an operation that has figures of its own, not {entry['as']!r}")
    for key in (*QUANTITIES, "grows") if "as" in entry else ("factor", "per_bit"):
        if key in entry:
            raise InputError(f"{where}.{key}: {'cannot stand beside' if 'as' in entry else 'needs'} 'as'")
    for quantity in (key for key in QUANTITIES if key in entry):
        _check_table(f"{where}.{quantity}", entry[quantity])
    _check_number(f"{where}.factor", entry.get("factor", 1))
    if not isinstance(entry.get("per_bit", False), bool):
        raise InputError(f"{where}.per_bit: must be true or false, not {entry['per_bit']!r}")
    if entry.get("grows", "linear") not in GROWS:
        raise InputError(f"{where}.grows: must be {' or '.join(GROWS)}, not {entry['grows']!r}")
    _check_origin(where, entry)


def _check_memory(where: str, kind: str, entry: Any) -> None:
    if kind not in MEMORIES:
        raise InputError(f"{where}: unknown memory, {did_you_mean(kind, MEMORIES)}")
    if not isinstance(entry, dict) or "energy_pj_per_byte" not in entry:
        raise InputError(f"{where}: needs energy_pj_per_byte, a number")
    _check_keys(where, entry, MEMORY_KEYS)
    energy = entry["energy_pj_per_byte"]
    for size, value in energy.items() if isinstance(energy, dict) and energy else [(1, energy)]:
        _check_number(f"{where}.energy_pj_per_byte", size)
        _check_number(f"{where}.energy_pj_per_byte", value)
    _check_origin(where, entry)


def _check_keys(where: str, entry: dict[Any, Any], known: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}, {did_you_mean(key, known)}")


def _check_table(where: str, table: Any) -> None:
    """One number for any width, or numbers by width."""
    if not isinstance(table, dict):
        _check_number(where, table)
        return
    if not table:
        raise InputError(f"{where}: needs a number, or one a width such as {{8: 0.03, 32: 0.1}}")
    for width, value in table.items():
        if isinstance(width, bool) or not isinstance(width, int) or width < 1:
            raise InputError(f"{where}: a width must be a positive integer, not {width!r}")
        _check_number(f"{where}.{width}", value)


def _check_number(where: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise InputError(f"{where}: must be a number of at least 0, not {value!r}")


def _check_origin(where: str, entry: dict[str, Any]) -> None:
    if entry.get("origin") not in list(Origin):
        raise InputError(f"{where}: origin must be {', '.join(Origin)}, not {entry.get('origin')!r}")
