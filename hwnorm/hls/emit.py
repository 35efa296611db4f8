"""A folder of C++: kernel, units, test bench, golden vectors, the script for the HLS tool."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from hwnorm.bundle import manifest
from hwnorm.bundle.cases import cases
from hwnorm.bundle.vectors import Vectors, layer_words
from hwnorm.engine import Engine
from hwnorm.errors import InputError, did_you_mean
from hwnorm.hls.kernel import Field, Kernel, Stage
from hwnorm.ir import Op, Rate

PLAIN_LIMIT = 128  # bits of the widest integer that a compiler has
LANES = range(1, 65)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a tool is told what the code means to it, and how g++ is told to bear with the tool's headers."""

    flags: tuple[str, ...] = ()
    headers: str = ""  # a header that has to be found
    synthesise: str = ""
    pipeline: str = ""
    unroll: str = ""
    dataflow: str = ""
    replay: str = ""
    top: str = ""


DIALECTS = {
    "ap": Dialect(
        # pragmas are the HLS tool's; ap_int's own default constructor reads what it has not written
        flags=("-Wno-unknown-pragmas", "-Wno-uninitialized", "-Wno-maybe-uninitialized"),
        headers="ap_int.h",
        synthesise="`vitis_hls -f run_hls.tcl`.",
        pipeline="#pragma HLS PIPELINE II=1",
        unroll="#pragma HLS UNROLL",
        dataflow="#pragma HLS DATAFLOW",
        replay="#pragma HLS STREAM",
    ),
    "ac": Dialect(
        flags=("-Wno-unknown-pragmas",),
        headers="ac_int.h",
        synthesise="Any tool that takes ac_int, such as Catapult; the top function is marked in the source.",
        pipeline="#pragma hls_pipeline_init_interval 1",
        unroll="#pragma hls_unroll yes",
        top="#pragma hls_design top",
    ),
    "plain": Dialect(synthesise="This dialect is for compilers; the ap and ac dialects are for HLS tools."),
}


def emit(engine: Engine, direction: str, lanes: int, dialect: str, name: str, command: str) -> dict[str, bytes]:
    """Every file of the folder by its name."""
    check(engine, direction, lanes, dialect)
    kernel, style = Kernel(engine.program(direction)), DIALECTS[dialect]
    if dialect == "plain":
        _check_width(kernel)
    stages, outputs = kernel.stages(), kernel.outputs()
    vectors = golden(engine, direction, lanes, kernel)
    frame = {
        "name": name,
        "title": f"{engine.norm.summary}: {direction}, {engine.precision.bits} bits, {lanes} lanes, form {engine.form}",
        "equation": engine.norm.cite,
        "command": command,
        "dialect": dialect,
        "flags": " ".join([*style.flags, *(['-isystem "$HWNORM_HLS_INCLUDE"'] if style.headers else [])]),
        "synthesise": style.synthesise,
        "guard": f"{name.upper()}_HPP",
        "lanes": lanes,
        "elements": engine.max_elements,
        "beats": -(-engine.max_elements // lanes),
        **_values(kernel, stages),
        "streams_in": vectors.streams_in,
        "stream_types": {n.name: kernel.printer.port_type(n) for n in streams(kernel)},
        "first_beat": stages[0].loads,
        "streams_out": outputs,
        "groups": len(vectors.files["groups_in.hex"]),
        "pipeline": style.pipeline,
        "unroll": style.unroll,
        "dataflow": style.dataflow,
        "replay_pragma": style.replay,
        "top": style.top,
        "interface": _interface(stages) if dialect == "ap" else [],
    }
    about = manifest.manifest(engine, direction, lanes, "hls", name, command, vectors) | {"dialect": dialect}
    found = {f"vectors/{file}": data for file, data in vectors.render().items()}
    found["vectors/README.md"] = _text("vectors.md").encode()
    for target, template in (
        (f"{name}.hpp", "kernel.hpp.j2"),
        (f"{name}.cpp", "kernel.cpp.j2"),
        ("test_bench.cpp", "test_bench.cpp.j2"),
        ("README.md", "README.md.j2"),
        *([(f"{name}_bulk.cpp", "bulk.cpp.j2")] if dialect == "plain" else []),
        *([("run_hls.tcl", "run_hls.tcl.j2")] if dialect == "ap" else []),
    ):
        found[target] = (_environment().get_template(template).render(frame).strip() + "\n").encode()
    found["integers.hpp"] = _text(f"hls/integers_{dialect}.hpp").encode()
    found["units.hpp"] = _text("hls/units.hpp").encode()
    found["manifest.json"] = manifest.render(about | {"files": sorted([*found, "manifest.json"])})
    return found


def check(engine: Engine, direction: str, lanes: int, dialect: str) -> None:
    if lanes not in LANES:
        raise InputError(f"lanes must be an integer from {LANES[0]} to {LANES[-1]}, not {lanes}")
    if dialect not in DIALECTS:
        raise InputError(f"unknown dialect {dialect!r}: {did_you_mean(dialect, DIALECTS)}")
    if direction not in engine.directions:
        has = ", ".join(engine.directions) or "none: it is counted, not built"
        raise InputError(f"norm {engine.norm.name!r} has no {direction} datapath (it has: {has})")


def _check_width(kernel: Kernel) -> None:
    widest = max(kernel.program.types, key=kernel.printer.width)
    width = kernel.printer.width(widest)
    if width > PLAIN_LIMIT:
        raise InputError(
            f"plain C++ has integers of {PLAIN_LIMIT} bits, and {kernel.printer.name(widest)} needs {width}: "
            "take --dialect ap or ac, or fewer bits"
        )


def golden(engine: Engine, direction: str, lanes: int, kernel: Kernel) -> Vectors:
    vectors = Vectors(
        tuple(f.name for f in kernel.layer()),
        tuple(f.name for f in kernel.group()),
        tuple(n.name for n in streams(kernel)),
        tuple(stream for stream, _, _ in kernel.outputs()),
        tuple(f.name for f, _ in kernel.result()),
    )
    for call in cases(engine, direction, lanes):
        vectors.add(call, layer_words(call))
    return vectors


def streams(kernel: Kernel) -> list[Any]:
    return [n for n in kernel.program.graph if n.op is Op.INPUT and n.rate is Rate.ELEM]


def _values(kernel: Kernel, stages: tuple[Stage, ...]) -> dict[str, Any]:
    layer, group = kernel.layer(), kernel.group()
    prepare, state_0 = kernel.prepare()
    inputs = {**dict.fromkeys((*layer, Field("int", "dx_frac")), "layer"), **dict.fromkeys(group, "group")}
    result = kernel.result()
    return {
        "layer": layer,
        "group": group,
        "result": result,
        "stages": stages,
        "aliases": kernel.printer.aliases(),
        "numbers": kernel.printer.numbers(),
        "prepare": prepare,
        "state_0": state_0,
        "prepare_inputs": _used(inputs, "\n".join(prepare)),
        "stage_inputs": {
            s.number: _used(inputs | dict.fromkeys(s.before, "before"), kernel.stage_text(s)) for s in stages
        },
        "final": _used(
            inputs | dict.fromkeys(stages[-1].after, f"known_{len(stages)}"), " ".join(source for _, source in result)
        ),
    }


def _interface(stages: tuple[Stage, ...]) -> list[str]:
    """Streams as AXI-Stream, registers behind AXI-Lite."""
    ports = ["in", *(f"out_{s.number}" for s in stages if s.output)]
    lines = [f"#pragma HLS INTERFACE axis port={port}" for port in ports]
    lines += [f"#pragma HLS AGGREGATE variable={port}" for port in ports]
    return lines + [f"#pragma HLS INTERFACE s_axilite port={port}" for port in ("layer", "group", "result", "return")]


def _used(sources: dict[Field, str], text: str) -> list[str]:
    """Declarations of those inputs that the text mentions."""
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    return [f"const {f.type} {f.name} = {source}.{f.name};" for f, source in sources.items() if f.name in words]


@cache
def _environment() -> Environment:
    loader = FunctionLoader(lambda name: _text(f"hls/{name}"))
    return Environment(loader=loader, undefined=StrictUndefined, autoescape=False)


def _text(name: str) -> str:
    return (files("hwnorm.rtl_templates") / name).read_text(encoding="utf-8")


def check_name(name: str) -> None:
    if not name.isidentifier() or not name.isascii() or name in _text("hls/reserved.txt").split():
        raise InputError(
            f"name must be an identifier such as l1_forward_b8_p4, and no word of C++ or of the kernel, not {name!r}"
        )
