"""The compiled plain kernel against the reference over many millions of elements: a fast software model, a long proof.

Forward and backward of batches drawn at random, every element and every register compared.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hwnorm.bundle.cases import affine
from hwnorm.bundle.vectors import layer_words, word
from hwnorm.engine import Engine
from hwnorm.errors import InputError, ToolFailed
from hwnorm.fixed import Ints
from hwnorm.hls.emit import streams
from hwnorm.hls.kernel import Kernel
from hwnorm.hls.simulate import compile_with
from hwnorm.views.int_ref import Call, Value

BATCH = 1 << 20  # elements a call
FAST = ("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC")


@dataclass(frozen=True, slots=True)
class Report:
    elements: int
    groups: int
    kernel_s: float

    def __str__(self) -> str:
        rate = self.elements / self.kernel_s / 1e6
        return (
            f"{self.groups} groups, {self.elements} elements: every bit equals the reference ({rate:.0f} M elements/s)"
        )


def bulk(engine: Engine, direction: str, folder: Path, total: int, told: Callable[[int], None]) -> Report:
    """``told`` hears how many elements are done. ToolFailed at the first difference, by name, group and element."""
    kernel, m = Kernel(engine.program(direction)), engine.max_elements
    rng, groups = np.random.default_rng(0), max(BATCH // m, 1)
    done, seen, spent = 0, 0, 0.0
    with TemporaryDirectory() as scratch:
        library = Path(scratch) / "kernel.so"
        compile_with(FAST, sorted(p for p in folder.glob("*.cpp") if p.name != "test_bench.cpp"), library)
        run = ctypes.CDLL(str(library)).run
        while done < total:
            spent += _compare(run, kernel, _batch(engine, direction, rng, groups, m), groups, m, seen)
            done, seen = done + groups * m, seen + groups
            told(done)
    return Report(done, seen, spent)


def _batch(engine: Engine, direction: str, rng: np.random.Generator, groups: int, m: int) -> Call:
    """Groups of every scale and offset, so that gains reach from one end of their range to the other."""
    rail = 1 << (engine.precision.bits - 1)

    def draw() -> Ints:
        scale = rail * 2.0 ** rng.uniform(-6, 0, (groups, 1))
        raw = rng.normal(rng.uniform(-rail / 2, rail / 2, (groups, 1)), scale, (groups, m))
        return np.clip(np.round(raw), -rail, rail - 1).astype(np.int64)

    arguments: dict[str, Any] = {}
    if engine.norm.affine != "none":
        arguments = affine(engine, m if engine.norm.affine == "element" else groups, rng)
    if engine.norm.sampling:
        arguments["sampled"] = rng.random(m) < 0.25
        arguments["sampled"][0] = True
    if direction == "forward":
        return engine.forward_call(draw(), **arguments)
    if direction == "backward":
        return engine.backward_call(draw(), engine.forward(draw(), **arguments).saved)
    raise InputError("only forward and backward are run in bulk: inference is a part of forward")


def _compare(run: Any, kernel: Kernel, call: Call, groups: int, m: int, before: int) -> float:
    """Seconds of the kernel; the words go in and out as its C interface has them."""
    registers = layer_words(call)
    layer = _int64([[registers[f.name] for f in kernel.layer()] + [call.program.precision.dx_frac]])
    group = _int64([[word(call.inputs, f.name, g) for f in kernel.group()] for g in range(groups)])
    rows = [np.broadcast_to(call.inputs[n.name].v.reshape(-1, m), (groups, m)) for n in streams(kernel)]
    elements = np.ascontiguousarray(np.stack(rows, axis=-1), dtype=np.int32)
    names, results = [name for name, _, _ in kernel.outputs()], [f.name for f, _ in kernel.result()]
    out = np.empty((groups, m, len(names)), np.int32)
    result = np.empty((groups, len(results)), np.int64)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (layer, group, elements, out, result)]
    start = time.perf_counter()
    run(ctypes.c_long(groups), ctypes.c_int(m), *pointers)
    seconds = time.perf_counter() - start
    found: dict[str, Value] = call.run()
    for i, name in enumerate(names):
        differs = np.argwhere(out[:, :, i] != found[name].v.reshape(groups, m))
        if len(differs):
            g, e = differs[0]
            got, expected = out[g, e, i], found[name].v.reshape(groups, m)[g, e]
            raise ToolFailed(f"group {before + g}, element {e}: {name} is {got}, the reference has {expected}")
    for i, name in enumerate(results):
        for g in range(groups):
            if result[g, i] != word(found, name, g):
                raise ToolFailed(
                    f"group {before + g}: {name} is {result[g, i]}, the reference has {word(found, name, g)}"
                )
    return seconds


def _int64(rows: list[list[int]]) -> Ints:
    try:
        return np.array(rows, dtype=np.int64)
    except OverflowError:
        raise InputError("a register is wider than 63 bits: bulk runs take fewer bits or shorter groups") from None
