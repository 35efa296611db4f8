"""A folder of Verilog: engine, AXI4-Stream wrapper, manifest, golden vectors, bench, scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from hwnorm.bundle import manifest
from hwnorm.bundle.cases import cases
from hwnorm.bundle.equations import equations
from hwnorm.bundle.vectors import Vectors
from hwnorm.errors import InputError
from hwnorm.rtl import axis, verilog
from hwnorm.rtl.design import Design
from hwnorm.rtl.engine import EngineBlock, Stream
from hwnorm.rtl.inventory import inventory
from hwnorm.rtl.plan import Plan
from hwnorm.rtl.verilog_names import legal
from hwnorm.synth.targets import find_target
from hwnorm.views.count import executed

LANES = range(1, 65)
SCRIPTS = ("ecp5", "ice40-up5k")  # targets that a folder brings a script for
BENCH = ("__init__.py", "bench.py", "streams.py", "tops.py", "vectors.py", "Makefile")


def emit(design: Design, name: str, command: str, predicted: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """Every file of the folder by its name. ``predicted``: what the manifest says that the design costs."""
    check(design)
    block = EngineBlock(design.plan, name)
    vectors = golden(design, block)
    frame = _frame(design, block, name, command)
    about = manifest.manifest(design.engine, design.direction, design.lanes, "rtl", name, command, vectors)
    found: dict[str, bytes] = {
        f"rtl/{name}.v": verilog.text(block, frame["header"]).encode(),
        f"rtl/{name}_axis.v": axis.broken(_rendered("rtl/axis.v.j2", frame | axis.frame(block.streams, design.lanes))),
        **{f"vectors/{file}": data for file, data in vectors.render().items()},
        "vectors/README.md": _text("vectors.md").encode(),
        "README.md": _rendered("rtl/README.md.j2", frame),
        f"{name}.core": _rendered("rtl/fusesoc.core.j2", frame),
        **_bench(),
        **_scripts(name),
    }
    about |= _about(design, block) | ({"predicted": predicted} if predicted else {})
    found["manifest.json"] = manifest.render(about | {"files": sorted([*found, "manifest.json"])})
    return found


def check(design: Design) -> None:
    """InputError where there is no such datapath."""
    engine, direction = design.engine, design.direction
    if design.lanes not in LANES:
        raise InputError(f"lanes must be an integer from {LANES[0]} to {LANES[-1]}, not {design.lanes}")
    if direction not in engine.directions:
        has = ", ".join(engine.directions) or "none: it is counted, not built"
        raise InputError(f"norm {engine.norm.name!r} has no {direction} datapath (it has: {has})")
    if design.apply == "table" and not design.plan.tabulated:
        what = f"{engine.norm.name}, {direction}, {engine.precision.bits} bits"
        raise InputError(f"{what}: its last sweep cannot be looked up in a table; leave out --apply table")


def check_name(name: str) -> None:
    if not name.isidentifier() or not name.isascii() or legal(name) != name:
        raise InputError(f"name must be an identifier such as l1_forward_b8_p4, and no word of Verilog, not {name!r}")


def golden(design: Design, block: EngineBlock) -> Vectors:
    """Vectors in the words of the block's own streams."""
    streams = {s.prefix: s for s in block.streams}
    vectors = Vectors(
        _names(streams.get("layer")),
        tuple(n for n in _names(streams.get("group")) if n != "dx_frac"),
        _unique(s for s in block.streams if s.beats and s.direction == "in"),
        _unique(s for s in block.streams if s.beats and s.direction == "out"),
        tuple(n for n in _names(streams.get("result")) if n != "length_error"),
    )
    for call in cases(design.engine, design.direction, design.lanes):
        vectors.add(call, design.layer_words(call.setting))
    return vectors


def _names(stream: Stream | None) -> tuple[str, ...]:
    return tuple(f.name for f in stream.fields) if stream else ()


def _unique(streams: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for stream in streams for name in _names(stream)))


def _about(design: Design, block: EngineBlock) -> dict[str, Any]:
    """What the manifest says beyond what every folder's does, or else: an engine without replay memories keeps nothing
    for a later sweep."""
    plan, moved = design.plan, design.traffic
    operations = executed(design.program.schedule, design.program.types)
    return {
        "bits_per_element": {
            "read": moved.read,
            "written": moved.written,
            "replayed": 0 if design.external else moved.replayed,
        },
        "operations_per_group": {word: operations.expression(word) for word in sorted({key[0] for key in operations})},
        "top": block.name,
        "clock": "clk",
        "reset": {"signal": "rst", "active": "high", "synchronous": True},
        "replay": "external" if design.external else "onchip",
        "apply": "table" if plan.tabulated else "multiply",
        "fixed_length": plan.shape.fixed,
        "streams": [asdict(s) for s in block.streams],
        "axis": axis.describe(block.streams),
        "cycles": {
            "formula": "sweeps * (beats - 1) + (groups - 1) * max(beats, min_beats) + overhead",
            "sweeps": len(plan.sweeps),
            "min_beats": plan.min_beats,
            "overhead": plan.overhead,
            "max_beats": plan.shape.max_beats,
        },
        "datapath": inventory(plan),
        "stages": {str(n): stage.latency for n, stage in plan.stages.items()},
    }


def _frame(design: Design, block: EngineBlock, name: str, command: str) -> dict[str, Any]:
    engine, plan = design.engine, design.plan
    program = design.program
    outputs = {node: word for word, node in program.graph.outputs.items()}
    sizes = f"{engine.precision.bits} bits, {design.lanes} lanes, form {engine.form}"
    title = f"{engine.norm.summary}: {design.direction}, {sizes}"
    stages: list[dict[str, Any]] = []
    for number, sweep in enumerate(program.schedule.sweeps, 1):
        stages.append(
            {"number": number, "equations": equations((*sweep.evaluates, *sweep.reduces, *sweep.then), outputs)}
        )
    header = [title, engine.norm.cite, f"Made by: {command}", ""]
    for stage in stages:
        header.append(f"Sweep {stage['number']} and what is known after it:")
        header += [f"  {line}" for line in stage["equations"]]
    return {
        "name": name,
        "title": title,
        "cite": engine.norm.cite,
        "command": command,
        "header": "\n".join(header),
        "stages": stages,
        "streams": block.streams,
        "fixed": plan.shape.fixed,
        "external": design.external,
        "backward": design.direction == "backward",
        "elements": engine.max_elements,
        "lanes": design.lanes,
        "beats": plan.shape.max_beats,
        "min_beats": plan.min_beats,
        "sweeps": len(plan.sweeps),
        "overhead": plan.overhead,
        "bound": engine.error_bound_lsb,
        "folded": "shift" in program.graph.inputs,
        "early": plan.entry == 0,  # whether a group's fields come before its beats
        "fractions": _fractions(plan),
    }


def _fractions(plan: Plan) -> dict[str, str]:
    """Results whose fraction bits do not stand beside them: how many they are, by name."""
    found = {}
    for name, node in plan.program.graph.outputs.items():
        kind = plan.program.types[node]
        if name not in plan.results or f"{name}_frac" in plan.results or not kind.scale:
            continue
        terms = [plan.lowering.exponents[source] for source in kind.scale]
        known = kind.frac + sum(cell.param for cell in terms if cell.is_const)
        found[name] = " + ".join([str(known), *(f"`layer_{cell.name}`" for cell in terms if not cell.is_const)])
    return found


def _bench() -> dict[str, bytes]:
    folder = files("hwnorm.sim")
    return {f"sim/{file}": (folder / file).read_bytes() for file in BENCH}


def _scripts(name: str) -> dict[str, bytes]:
    found = {}
    for target in SCRIPTS:
        script = find_target(target).script(name, (f"../rtl/{name}.v",))
        found[f"synth/{target}.sh"] = script.encode()
    return found


def _rendered(template: str, frame: dict[str, Any]) -> bytes:
    text = _environment().get_template(template).render(frame).strip() + "\n"
    return "\n".join(line.rstrip() for line in text.split("\n")).encode()


@cache
def _environment() -> Environment:
    return Environment(loader=FunctionLoader(_text), undefined=StrictUndefined, autoescape=False)


def _text(name: str) -> str:
    return (files("hwnorm.rtl_templates") / name).read_text(encoding="utf-8")
