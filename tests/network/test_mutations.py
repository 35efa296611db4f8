"""Broken and hostile network files: each ends in one line, or in a network, soon and in little memory.

A seeded generator breaks files of the zoo in the ways in which files break, and a list of files is written to do harm.
All are read in one process that has half a gigabyte of memory.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwnorm.network.load import ZOO, load_network

SEED = 20181127
COUNT = 240
MAX_SECONDS = 5.0
MAX_BYTES = 500 * 10**6

SOURCES = ("resnet20", "resnet50", "inception-v2", "wrn20-4", "efficientnet-b0", "pointnet", "bert-base", "dcgan32-g")

TOKENS = [
    *("0", "-1", "1e9", "1e309", "nan", "1.5", "99999999999999999999", "2 ** 99", "n / 0", "channels * channels"),
    *("null", "~", "true", "yes", "''", '"', "'", "[]", "{}", "[[[[", "}}", "[1, 2]", "{a: b}", "- -", "? :", "|", ">"),
    *("&a [x]", "*a", "<<: *a", "!!python/object:os.system", "%YAML 1.1", "---", "...", "#", "\t", "\u2028", "\x07"),
    *(
        "identity",
        "batch_norm",
        "conv",
        "add",
        "times",
        "channels",
        "relu",
        "layers",
        "extends",
        "block",
        "None",
        "self",
    ),
]

READER = """
import json, resource, sys, time
from pathlib import Path
from hwnorm.errors import InputError
from hwnorm.network.load import load_network

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
for path in sorted(Path(sys.argv[1]).glob("*.yaml")):
    start = time.process_time()
    try:
        network = load_network(path)
        outcome = {"layers": len(network.layers), "sound": all(
            layer.groups(3) * layer.elements_per_group(3) == 3 * layer.elements_per_sample for layer in network.layers
        )}
    except InputError as error:
        outcome = {"error": str(error)}
    except BaseException as error:
        outcome = {"crash": repr(error)[:300]}
    print(json.dumps({"file": path.stem, "seconds": time.process_time() - start, **outcome}), flush=True)
"""


def mutated(generator: random.Random) -> Iterator[tuple[str, bytes]]:
    """``COUNT`` files of the zoo, each broken once to three times; named by what was done to them."""
    for number in range(COUNT):
        name = generator.choice(SOURCES)
        data = (ZOO / f"{name}.yaml").read_bytes()
        done = []
        for _ in range(generator.randint(1, 3)):
            how, data = generator.choice(
                [truncate, drop_line, repeat_line, swap_lines, indent, replace_word, insert_word, scale, flip_byte]
            )(generator, data)
            done.append(how)
        yield f"{number:03}-{name}-{'-'.join(done)}", data


def truncate(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    return "truncated", data[: generator.randrange(len(data) + 1)]


def lines_of(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def drop_line(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    lines = lines_of(data)
    del lines[generator.randrange(len(lines))]
    return "dropped", b"\n".join(lines)


def repeat_line(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    lines = lines_of(data)
    at = generator.randrange(len(lines))
    lines[at:at] = [lines[at]] * generator.choice([1, 2, 5000])
    return "repeated", b"\n".join(lines)


def swap_lines(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    lines = lines_of(data)
    one, other = generator.randrange(len(lines)), generator.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "swapped", b"\n".join(lines)


def indent(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    lines = lines_of(data)
    at = generator.randrange(len(lines))
    lines[at] = generator.choice([b" ", b"  ", b"\t", b" " * 5000]) + lines[at]
    return "indented", b"\n".join(lines)


def words(generator: random.Random, data: bytes) -> tuple[list[bytes], int]:
    """The words of a file, every second one a separator, and the place of one that is not."""
    parts = [part.encode("utf-8", "surrogateescape") for part in split(data.decode("utf-8", "surrogateescape"))]
    return parts, generator.randrange(len(parts))


def split(text: str) -> list[str]:
    parts, last = [""], None
    for character in text:
        kind = character.isalnum() or character == "_"
        if kind is not last:
            parts.append("")
        parts[-1] += character
        last = kind
    return parts


def replace_word(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    parts, at = words(generator, data)
    parts[at] = generator.choice(TOKENS).encode()
    return "replaced", b"".join(parts)


def insert_word(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    parts, at = words(generator, data)
    parts.insert(at, b" " + generator.choice(TOKENS).encode() + b" ")
    return "inserted", b"".join(parts)


def scale(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    """A number that grows by up to twelve digits."""
    parts, _ = words(generator, data)
    numbers = [at for at, part in enumerate(parts) if part.isdigit()]
    if numbers:
        parts[generator.choice(numbers)] += b"0" * generator.randint(1, 12)
    return "scaled", b"".join(parts)


def flip_byte(generator: random.Random, data: bytes) -> tuple[str, bytes]:
    if not data:
        return "flipped", data
    at = generator.randrange(len(data))
    return "flipped", data[:at] + bytes([generator.randrange(256)]) + data[at + 1 :]


HEAD = "input: [4, 8, 8]\nbatch: 2\n"
LONG = "b" * 38

HOSTILE: dict[str, str | bytes] = {
    "laughs": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "merge": HEAD + "layers:\n  - &a {conv: 8}\n  - {<<: *a, kernel: 1}\n",
    "self-reference": "&a [*a]",
    "repeats": HEAD + "layers: [{do: [{do: [{relu: , times: 9999}], times: 9999}], times: 9999}]\n",
    "repeats-of-nothing": HEAD + "layers: [{do: [{do: [{do: [], times: 99999}], times: 99999}], times: 99999}]\n",
    "repeats-never-done": HEAD + "layers: [{do: [{relu: , when: false}], times: 150000}]\n",
    "as-many-norms-as-allowed": HEAD + "layers: [{batch_norm: , times: 200000}]\n",
    "long-names": HEAD
    + "blocks:\n"
    + "".join(f"  {LONG}{n}: [{LONG}{n + 1}]\n" for n in range(10, 25))
    + f"  {LONG}25: [{{batch_norm: , times: 199000}}]\nlayers: [{LONG}10]\n",
    "doubling": HEAD
    + "blocks:\n"
    + "".join(f"  b{n}: [b{n + 1}, b{n + 1}]\n" for n in range(14))
    + "  b14: [{relu: , times: 999}]\nlayers: [b0]\n",
    "cycle": HEAD + "blocks: {a: [b], b: [c], c: [{add: [identity, a]}]}\nlayers: [a]\n",
    "cycle-never-entered": HEAD + "blocks: {a: [{a: , when: false}]}\nlayers: [a]\n",
    "deep-flow": HEAD + "layers: " + "[" * 50_000,
    "deep-do": HEAD + "layers: " + "[{do: " * 25 + "[relu]" + "}]" * 25 + "\n",
    "deep-do-in-blocks": HEAD
    + "blocks:\n"
    + "".join(f"  b{n}: {'[{do: ' * 20}[b{n + 1}]{'}]' * 20}\n" for n in range(12))
    + "  b12: [relu]\nlayers: [b0]\n",
    "deep-block": "".join(" " * n + "a:\n" for n in range(2000)),
    "deep-dashes": "- " * 50_000,
    "deep-expression": HEAD + f"layers: [{{relu: , times: '{'(' * 5000}1{')' * 5000}'}}]\n",
    "wide-branches": HEAD + f"layers: [{{concat: [{'identity, ' * 50_000}]}}]\n",
    "wide-branches-repeated": HEAD + f"layers: [{{concat: [{'identity, ' * 1000}], times: 1000}}]\n",
    "growth": HEAD + "layers: [{concat: [identity, identity], times: 1000}]\n",
    "big-numbers": HEAD + "let: {a: 999999, b: a * a, c: b * b}\nlayers: [{conv: c, kernel: 1}]\n",
    "big-weights": HEAD + "layers: [{weights: [1000000000, 1000000000, 1000000000]}]\n",
    "many-words": HEAD + "layers: [" + "relu, " * 190_000 + "]\n",
    "many-names": HEAD
    + "let: {"
    + ", ".join(f"n{n}: {n}" for n in range(100_000))
    + "}\nlayers: [{relu: , times: x}]\n",
    "many-keys": "".join(f"k{n}: 1\n" for n in range(100_000)),
    "many-blocks": HEAD + "blocks: {" + ", ".join(f"b{n}: [relu]" for n in range(50_000)) + "}\nlayers: [b]\n",
    "many-parameters": HEAD + f"blocks:\n  a({', '.join(f'p{n}' for n in range(5000))}): [relu]\nlayers: [a]\n",
    "long-key": HEAD + "x" * 900 + ": 1\n",
    "longer-key": HEAD + "? " + "x" * 900_000 + "\n: 1\n",
    "long-scalar": HEAD + "layers: [" + "x" * 3_000_000 + "]\n",
    "long-lines-of-quotes": HEAD + "layers: ['" + "''" * 400 + "']\n",
    "escapes": HEAD + 'layers: ["\\x0a\\u2028\\e[31m"]\n',
    "null-bytes": b"\0" * 100_000,
    "utf-16": HEAD.encode("utf-16"),
    "invalid-utf-8": HEAD.encode() + b"# \xc3\x28\n",
    "pickle": b"\x80\x04\x95" + bytes(range(256)),
    "code": HEAD + "layers: [{relu: , times: __import__('os').system('true')}]\n",
    "object": HEAD + "layers: !!python/object/apply:os.system ['true']\n",
    "climbs-out": "extends: ../../../etc/passwd\n",
    "absolute": "extends: /dev/zero\n",
    "extends-nul": 'extends: "a\\0b"\n',
    "extends-itself": "extends: h-extends-itself.yaml\n",
    "empty": "",
    "document-markers": "---\n---\n---\n",
    "directive": "%YAML 9.9\n---\n" + HEAD,
}


def describe() -> Iterator[tuple[str, bytes]]:
    yield from mutated(random.Random(SEED))
    for name, content in HOSTILE.items():
        yield f"h-{name}", content if isinstance(content, bytes) else content.encode()


@pytest.mark.slow
def test_every_broken_file_ends_well(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    expected = []
    for name, data in describe():
        (tmp_path / f"{name}.yaml").write_bytes(data)
        expected.append(name)
    command = [sys.executable, "-c", READER, str(tmp_path), str(MAX_BYTES)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    outcomes = [json.loads(line) for line in run.stdout.splitlines()]
    assert {outcome["file"] for outcome in outcomes} == set(expected), run.stderr[-2000:]
    wrong = [
        outcome
        for outcome in outcomes
        if "crash" in outcome
        or not outcome.get("sound", True)
        or outcome["seconds"] > MAX_SECONDS
        or "\n" in outcome.get("error", "")
        or f"{outcome['file']}.yaml" not in outcome.get("error", f"{outcome['file']}.yaml")
        or len(outcome.get("error", "")) > 2000
    ]
    assert not wrong, wrong
    assert not run.stderr
    refused = sum("error" in outcome for outcome in outcomes)
    assert refused > COUNT / 2  # the mutations do break files
    assert refused < len(outcomes) - 20  # and not all of them, or nothing but the front door is tried


@pytest.mark.parametrize("name", SOURCES)
def test_changes_that_mean_nothing_change_nothing(name: str, tmp_path: Path) -> None:
    """Comments, line ends, blank lines, the order of the sections and of a step's keys."""
    text = (ZOO / f"{name}.yaml").read_text()
    sections: list[str] = []
    for line in text.splitlines():
        if line and line[0] not in " #":
            sections.append("")
        if sections:
            sections[-1] += f"{line}\r\n\r\n" if line.strip() else ""
    random.Random(SEED).shuffle(sections)
    changed = tmp_path / f"{name}.yaml"
    changed.write_bytes(b"# a comment\r\n" + "".join(sections).encode())
    assert load_network(changed).layers == load_network(name).layers
