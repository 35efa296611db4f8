"""A unit's hardware on very many operands: Amaranth, RTLIL, C++ (CXXRTL), a shared library.

Some ten million cycles a second, so that every operand of twelve bits can be tried.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyosys
from amaranth.back import rtlil
from amaranth.hdl import unsigned

from hwnorm.fixed import Format, Ints
from hwnorm.units.bits import Timing
from hwnorm.units.hdl import Block

RUNTIME = Path(pyosys.__file__).parent / "share/include/backends/cxxrtl/runtime"
COMPILER = ("g++", "-std=c++17", "-O1", "-w", "-fPIC", f"-I{RUNTIME}")
# An error inside yosys ends its process: so it has one of its own.
YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in ("read_rtlil unit.il", "write_cxxrtl -g0 unit.cc"):
    libyosys.run_pass(f"tee -q {command}", design)
"""
HARNESS = """
#include "unit.cc"
template <size_t N> static const uint32_t *put(cxxrtl::value<N> &port, const uint32_t *word) {
  for (size_t i = 0; i < port.chunks; i++) port.data[i] = *word++;
  return word;
}
template <size_t N> static uint32_t *get(const cxxrtl::value<N> &port, uint32_t *word) {
  for (size_t i = 0; i < port.chunks; i++) *word++ = port.data[i];
  return word;
}
template <size_t N> static uint32_t *get(const cxxrtl::wire<N> &port, uint32_t *word) { return get(port.curr, word); }

static cxxrtl_design::p_unit unit;
static const uint32_t *operands(const uint32_t *word) { @PUT@ return word; }
static uint32_t *results(uint32_t *word) { @GET@ return word; }
static void clock(bool level) { @CLOCK@ unit.step(); }
static void cycle() { clock(false); clock(true); }

// One row a cycle.
extern "C" void stream(size_t rows, const uint32_t *in, uint32_t *out) {
  while (rows--) { in = operands(in); clock(false); out = results(out); cycle(); }
}

#if @SERIAL@
static void begin() { unit.p_start.set(true); cycle(); unit.p_start.set(false); }

// One row an operation, each started in the cycle in which the last one's result is read. Where ``hold`` is not 0 the
// operands then change, and the result is read once more so many cycles later. Where ``abort`` is not 0 every operation
// is preceded by another one that is given up after at most so many cycles.
extern "C" size_t serial(size_t rows, size_t latency, size_t hold, size_t abort, const uint32_t *in, uint32_t *out) {
  size_t lost = 0, width = operands(in) - in;
  const uint32_t *first = in, *last = in + width * (rows - 1);
  for (size_t row = 0; row < rows; row++) {
    if (abort) {
      operands(last - width * row);
      begin();
      for (size_t i = row % abort; i; i--) cycle();
    }
    operands(first + width * row);
    begin();
    for (size_t i = 1; i < latency; i++) cycle();
    uint32_t *start = out;
    out = results(out);
    if (hold) {
      uint32_t again[64];
      operands(last - width * row);
      for (size_t i = 0; i < hold; i++) cycle();
      results(again);
      for (uint32_t *a = start, *b = again; a < out; a++, b++) lost += *a != *b;
    }
  }
  return lost;
}
#endif
"""


class Simulator:
    """``Simulator(block)(latency, n=..., d=...)``: arrays of operands in, a dictionary of arrays of results out."""

    def __init__(self, block: Block) -> None:
        self.inputs = {name: signal.shape() for name, signal in block.inputs.items() if name != "start"}
        self.outputs = {name: signal.shape() for name, signal in block.outputs.items()}
        serial = "start" in block.inputs
        text = rtlil.convert(block, name="unit", ports=block.ports)
        if " \\rst\n" in text:  # low where nothing else is given
            self.inputs["rst"] = unsigned(1)
        self._library = _library(text, tuple(self.inputs), tuple(self.outputs), serial)

    def __call__(self, latency: int, *, hold: int = 0, abort: int = 0, **operands: Ints) -> dict[str, Ints]:
        """Of a serial unit; a result that is not held is an error."""
        rows = len(next(iter(operands.values())))
        out = np.zeros((rows, sum(map(_words, self.outputs.values()))), dtype=np.uint32)
        packed = self._pack(operands)
        lost = self._library.serial(
            *map(ctypes.c_size_t, (rows, latency, hold, abort)), _pointer(packed), _pointer(out)
        )
        assert not lost, f"{lost} words were not held"
        return self._unpack(out)

    def stream(self, **inputs: Ints) -> dict[str, Ints]:
        """One row of inputs a cycle; the outputs before the edge that ends it."""
        rows = len(next(iter(inputs.values())))
        out = np.zeros((rows, sum(map(_words, self.outputs.values()))), dtype=np.uint32)
        packed = self._pack(inputs)
        self._library.stream(ctypes.c_size_t(rows), _pointer(packed), _pointer(out))
        return self._unpack(out)

    def _pack(self, values: dict[str, Ints]) -> Ints:
        values = {"rst": np.zeros(len(next(iter(values.values()))), dtype=np.int64), **values}
        assert values.keys() >= self.inputs.keys()
        columns = []
        for name, shape in self.inputs.items():
            wide = shape.width > 63 or values[name].dtype == object
            value = values[name].astype(object if wide else np.int64) & ((1 << shape.width) - 1)
            columns += [(value >> 32 * i & 0xFFFFFFFF).astype(np.uint32) for i in range(_words(shape))]
        return np.ascontiguousarray(np.stack(columns, axis=1))

    def _unpack(self, words: Ints) -> dict[str, Ints]:
        found, column = {}, 0
        for name, shape in self.outputs.items():
            value = np.zeros(len(words), dtype=object if shape.width > 62 else np.int64)
            for i in range(_words(shape)):
                value += words[:, column].astype(value.dtype) << 32 * i
                column += 1
            found[name] = value - ((value >> (shape.width - 1)) << shape.width) if shape.signed else value
        return found


def _words(shape: object) -> int:
    return -(-shape.width // 32)  # type: ignore[attr-defined]


def _pointer(words: Ints) -> ctypes.c_void_p:
    return words.ctypes.data_as(ctypes.c_void_p)


@cache
def _header() -> tempfile.TemporaryDirectory[str]:
    """CXXRTL's own, compiled once a process: half the time of a unit."""
    folder = tempfile.TemporaryDirectory()
    (Path(folder.name) / "header.h").write_text("#include <cxxrtl/cxxrtl.h>\n")
    subprocess.run([*COMPILER, "-x", "c++-header", "header.h", "-o", "header.h.gch"], cwd=folder.name, check=True)
    return folder


@cache
def _library(text: str, inputs: tuple[str, ...], outputs: tuple[str, ...], serial: bool) -> ctypes.CDLL:
    def port(name: str) -> str:
        return "unit.p_" + name.replace("_", "__")

    harness = HARNESS.replace("@SERIAL@", str(int(serial)))
    harness = harness.replace("@CLOCK@", "unit.p_clk.set(level);" if " \\clk\n" in text else "")
    harness = harness.replace("@PUT@", " ".join(f"word = put({port(name)}, word);" for name in inputs))
    harness = harness.replace("@GET@", " ".join(f"word = get({port(name)}, word);" for name in outputs))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "unit.il").write_text(text)
        (Path(folder) / "harness.cc").write_text(harness)
        subprocess.run([sys.executable, "-c", YOSYS], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        header = f"{_header().name}/header.h"
        subprocess.run(
            [*COMPILER, "-shared", "-include", header, "harness.cc", "-o", "unit.so"], cwd=folder, check=True
        )
        library = ctypes.CDLL(f"{folder}/unit.so")
        if serial:
            library.serial.restype = ctypes.c_size_t
        return library


def check(unit: Any, formats: dict[str, Format], outputs: tuple[str, ...], operands: tuple[Ints, ...]) -> None:
    """The hardware of a serial unit against ``compute()``: at its latency and started again at once; with the result
    held while other operands come; after operations given up at any point."""
    expected = unit.compute(*operands)
    expected = expected if isinstance(expected, tuple) else (expected,)
    simulator, latency = Simulator(unit.hardware(*formats.values())), unit.latency(*formats.values())
    named = dict(zip([*formats, "shift"], operands, strict=False))
    for hold, abort in ((0, 0), (latency + 5, 0), (0, latency + 3)):
        found = simulator(latency, hold=hold, abort=abort, **named)
        assert found.keys() >= set(outputs)
        for name, values in zip(outputs, expected, strict=True):
            wrong = np.flatnonzero(found[name] != values)
            assert not len(wrong), (
                f"{unit} {formats}, hold {hold}, abort {abort}: {len(wrong)} of {len(values)} {name} are wrong, "
                f"at {[int(o[wrong[0]]) for o in operands]} {found[name][wrong[0]]}, not {values[wrong[0]]}"
            )


def check_stream(
    block: Block, timing: Timing, value: Ints, standing: dict[str, Ints], expected: dict[str, Ints], begin: int = 0
) -> None:
    """The bit-serial hardware of a unit, from ``clear`` to the result and cleared again at once; then after operations
    that were given up at any point. The result stands, or runs on with its sign, until the next clear. ``begin``: what
    ``time`` is with the first bit."""
    more = 4 + timing.serial * max(int(abs(values).max()).bit_length() for values in expected.values())
    length = timing.least + timing.ready + more  # the last look is in the cycle of the next clear
    simulator, count = Simulator(block), len(value)
    for part in np.array_split(np.arange(count), 1 + (count * length >> 20)):
        other = count - 1 - part
        whole = np.full(len(part), length)
        for abort in (False, True):
            operands = np.stack([other, part], axis=1) if abort else part[:, None]
            cycles = np.stack([1 + other % length, whole], axis=1) if abort else whole[:, None]
            start = cycles.cumsum().reshape(cycles.shape) - cycles
            at = np.append(np.repeat(operands, cycles.ravel()), part[-1])
            time = np.append(np.arange(len(at) - 1) - np.repeat(start, cycles.ravel()), 0) - 1 - timing.least
            inputs = {"clear": time < -timing.least, "time": time + begin}
            inputs |= {"bit": (time >= 0) & value[at] >> np.clip(time, 0, 62)}
            inputs |= {name: time == event for name, event in timing.events.items()}
            inputs |= {name: values[np.where(inputs["clear"], part[0], at)] for name, values in standing.items()}
            found = simulator.stream(**{name: inputs[name] for name in block.inputs})
            rows = start[:, -1:] + 1 + timing.least + timing.ready + np.arange(more)
            for name, values in expected.items():
                wanted = values[part, None] >> np.arange(more) & 1 if timing.serial else values[part, None]
                wrong = np.flatnonzero((found[name][rows] != wanted).any(axis=1))
                assert not len(wrong), (
                    f"{block.name}, abort {abort}: {len(wrong)} of {len(part)} {name} are wrong, at "
                    f"{value[part[wrong[0]]]} { {n: int(s[part[wrong[0]]]) for n, s in standing.items()} } "
                    f"{found[name][rows[wrong[0]]]}, not {wanted[wrong[0]]}"
                )


def every(*formats: Format) -> tuple[Ints, ...]:
    """All combinations of the values of some formats."""
    return tuple(g.ravel() for g in np.meshgrid(*(np.arange(f.lo, f.hi + 1) for f in formats)))


def drawn(fmt: Format, count: int, seed: int) -> Ints:
    """Both ends, their neighbours, and values of every length, as Python integers."""
    random = Random(seed)
    ends = [v for e in (fmt.lo, 0, fmt.hi) for v in (e - 1, e, e + 1) if fmt.lo <= v <= fmt.hi]
    values = [random.randint(fmt.lo, fmt.hi) >> random.randrange(fmt.width) for _ in range(count - len(ends))]
    return np.array([*ends, *values][:count], dtype=object)
