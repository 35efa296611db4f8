"""A folder of C++: kernel, units, test bench, golden vectors, the script for the HLS tool."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from hwnorm.bundle.cases import cases
from hwnorm.bundle.vectors import Vectors
from hwnorm.engine import Engine
from hwnorm.hls.kernel import Field, Kernel
from hwnorm.ir import Op, Rate, mask_symbol

PLAIN_LIMIT = 128  # bits of the widest integer that plain C++ has


@dataclass(frozen=True, slots=True)
class Pragmas:
    pipeline: str = ""
    unroll: str = ""
    dataflow: str = ""
    replay: str = ""
    top: str = ""


DIALECTS = {
    "plain": Pragmas(),
    "ap": Pragmas(
        "#pragma HLS PIPELINE II=1", "#pragma HLS UNROLL", "#pragma HLS DATAFLOW", "#pragma HLS STREAM"
    ),
    "ac": Pragmas("#pragma hls_pipeline_init_interval 1", "#pragma hls_unroll yes", top="#pragma hls_design top"),
}


def emit(engine: Engine, direction: str, lanes: int, dialect: str, name: str, command: str) -> dict[str, bytes]:
    """Every file of the folder by its name."""
    program = engine.program(direction)
    kernel, pragmas = Kernel(program), DIALECTS[dialect]
    stages = kernel.stages()
    layer, group = kernel.layer(), kernel.group()
    prepare, state_0 = kernel.prepare()
    outputs = [(f.name, s.number, f.type) for s in stages for f in s.output]
    streams = [n for n in program.graph if n.op is Op.INPUT and n.rate is Rate.ELEM]
    printer = kernel.printer
    vectors = Vectors(
        tuple(f.name for f in layer),
        tuple(f.name for f in group),
        tuple(n.name for n in streams),
        tuple(stream for stream, _, _ in outputs),
        tuple(f.name for f, _ in kernel.result()),
    )
    for call in cases(engine, direction, lanes):
        vectors.add(call)
    frame = {
        "name": name,
        "title": f"{engine.norm.summary}: {direction}, {engine.precision.bits} bits, {lanes} lanes, form {engine.form}",
        "equation": engine.norm.cite,
        "command": command,
        "guard": f"{name.upper()}_HPP",
        "lanes": lanes,
        "elements": engine.max_elements,
        "beats": -(-engine.max_elements // lanes),
        "layer": layer,
        "group": group,
        "result": kernel.result(),
        "stages": stages,
        "prepare": prepare,
        "state_0": state_0,
        "final": stages[-1].after,
        "unpacked_layer": _unpacked((*layer, Field("int", "dx_frac")), "layer"),
        "unpacked_group": _unpacked(group, "group"),
        "streams_in": [n.name for n in streams],
        "stream_types": {n.name: printer.port_type(n) for n in streams},
        "first_beat": stages[0].loads,
        "streams_out": outputs,
        "pipeline": pragmas.pipeline,
        "unroll": pragmas.unroll,
        "dataflow": pragmas.dataflow,
        "replay_pragma": pragmas.replay,
        "top": pragmas.top,
    }
    found = {f"vectors/{file}": data for file, data in vectors.render().items()}
    for target, template in (
        (f"{name}.hpp", "kernel.hpp.j2"),
        (f"{name}.cpp", "kernel.cpp.j2"),
        ("test_bench.cpp", "test_bench.cpp.j2"),
    ):
        found[target] = (_environment().get_template(template).render(frame).rstrip() + "\n").encode()
    found["integers.hpp"] = _template(f"integers_{dialect}.hpp").encode()
    found["units.hpp"] = _template("units.hpp").encode()
    return found


def _unpacked(fields: tuple[Field, ...], source: str) -> str:
    return "\n".join(f"    [[maybe_unused]] const {f.type} {f.name} = {source}.{f.name};" for f in fields)


@cache
def _environment() -> Environment:
    return Environment(loader=FunctionLoader(_template), undefined=StrictUndefined, trim_blocks=False)


def _template(name: str) -> str:
    return (files("hwnorm.rtl_templates") / "hls" / name).read_text(encoding="utf-8")
