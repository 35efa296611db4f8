"""What a network file means: repeats, conditions, blocks, names; and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from hwnorm.errors import InputError
from hwnorm.network.model import Network
from hwnorm.network.yaml_reader import read_yaml


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str) -> Network:
    Path("net.yaml").write_text(dedent(text))
    return read_yaml(Path("net.yaml"))


def steps(text: str, head: str = "input: [4, 8, 8]\nbatch: 2\n") -> Network:
    """A network of the steps in ``text``; the first is on line 4."""
    return read(f"{head}layers:\n{dedent(text)}")


def names(network: Network) -> list[str]:
    return [layer.name for layer in network.layers]


def test_sections() -> None:
    network = read("""\
        about: what it is
        let: {size: 8, half: size / 2}
        input: [half, size, size]
        batch: half + 1
        layers:
          - batch_norm
    """)
    assert (network.name, network.source, network.input, network.batch) == ("net", "net.yaml", (4, 8, 8), 5)
    assert (network.parameters, network.macs) == (8, 0)


def test_times_is_carried_out_on_its_own_output() -> None:
    network = steps("- {conv: 2 * channels, kernel: 1, times: 3}\n- batch_norm\n- {batch_norm: , times: 0}")
    assert [layer.channels for layer in network.layers] == [32]
    assert network.parameters == 4 * 8 + 8 * 16 + 16 * 32 + 64


def test_when_passes_the_data_on() -> None:
    network = steps("- {conv: 8, kernel: 1, when: channels == 8}\n- {batch_norm: , when: channels == 4}")
    assert [layer.channels for layer in network.layers] == [4]


def test_blocks_see_their_parameters_and_let_only() -> None:
    network = read("""\
        let: {width: 3}
        input: [4, 8, 8]
        batch: 2
        blocks:
          outer(width, inner_width=2 * width): [{inner: inner_width}, batch_norm]
          inner(n): [{conv: n + width, kernel: 1}]
        layers:
          - {outer: 5}
          - {outer: channels, inner_width: 1}
    """)
    assert [layer.channels for layer in network.layers] == [10 + 3, 1 + 3]


def test_options_may_be_written_as_booleans_of_parameters() -> None:
    network = read("""\
        input: [4]
        batch: 2
        blocks:
          unit(width, norm=true, bias=not norm): [{linear: width, bias: bias}, {batch_norm: , when: norm}]
        layers: [{unit: 3}, {unit: 3, norm: false}]
    """)
    assert network.parameters == 12 + 6 + 9 + 3


def test_names_lead_to_the_layer() -> None:
    network = read("""\
        input: [4, 8, 8]
        batch: 2
        blocks:
          stage(n): [{unit: , times: n}, batch_norm]
          unit: [batch_norm, {add: [identity, batch_norm]}]
        layers: [batch_norm, {stage: 2}, {stage: 1}, batch_norm, {rms_norm: , over: sample}]
    """)
    assert names(network) == [
        "batch_norm1",
        *("stage1.unit1.batch_norm1", "stage1.unit1.batch_norm2", "stage1.unit2.batch_norm1"),
        *("stage1.unit2.batch_norm2", "stage1.batch_norm1"),
        *("stage2.unit1.batch_norm1", "stage2.unit1.batch_norm2", "stage2.batch_norm1"),
        *("batch_norm2", "rms_norm1"),
    ]


def test_a_branch_starts_from_what_reaches_the_join() -> None:
    network = steps("""\
        - concat: [identity, [{conv: 2, kernel: 1}, batch_norm], {conv: channels, kernel: 3}, []]
        - batch_norm
    """)
    assert [layer.channels for layer in network.layers] == [2, 4 + 2 + 4 + 4]


def test_extends_merges_by_name() -> None:
    Path("base.yaml").write_text(
        dedent("""\
        about: base
        input: [4, 8, 8]
        batch: 2
        let: {width: 6, depth: 2 * width}
        blocks:
          norm: [batch_norm]
          unit(width): [{conv: width, kernel: 1}, norm]
        layers: [{unit: width}, {unit: depth}]
    """)
    )
    assert [layer.channels for layer in read("extends: base.yaml").layers] == [6, 12]
    changed = read("extends: base.yaml\nlet: {width: 5}\nblocks: {norm: [{group_norm: 5}]}\nbatch: 7\n")
    assert [(layer.channels, layer.channel_groups) for layer in changed.layers] == [(5, 5), (10, 5)]
    assert changed.batch == 7


HEAD = "input: [4, 8, 8]\nbatch: 2\n"

WRONG_FILES: dict[str, tuple[str, str]] = {
    "unknown key": ("inputs: [4]", "net.yaml:1: unknown key 'inputs'; did you mean 'input'?"),
    "missing key": ("input: [4]\nbatch: 2", "net.yaml:1: key 'layers' is missing; a network has"),
    "no mapping": ("- relu", "net.yaml:1: a network file is a mapping with the keys 'input', 'batch', 'layers', not"),
    "empty": ("", "net.yaml: the file is empty"),
    "comment only": ("# nothing", "net.yaml: the file is empty"),
    "not YAML": ("input: [4\nbatch: 2", "net.yaml:2: not valid YAML: "),
    "tab": ("input: [4]\n\tbatch: 2", "net.yaml:2: not valid YAML: "),
    "control character": ("input: \u0001", "net.yaml: not valid YAML: "),
    "twice": (HEAD + "batch: 3", "net.yaml:3: key 'batch' stands twice"),
    "two documents": (HEAD + "layers: []\n---\n", "net.yaml:4: a second document (---) begins"),
    "key of a list": (HEAD + "? [a]\n: b", "net.yaml:3: a key must be a word, not a list"),
    "a flag for a number": ("input: [1]\nlayers: []\nbatch: true", "'batch' must be a positive integer, not True"),
    "long value": ("about: " + "x" * 1001, "net.yaml:1: a value of 1001 characters"),
    "about": ("about: [a]", "net.yaml:1: 'about' must be one line of text, not a list"),
    "input text": ("input: small\nbatch: 2\nlayers: []", "net.yaml:1: 'input': nothing is called 'small' here"),
    "input zero": ("input: [0]\nbatch: 2\nlayers: []", "'input' must be a positive integer, or a list of them, not 0"),
    "input four": ("input: [1, 2, 3, 4]\nbatch: 2\nlayers: []", "'input' takes one to three numbers, not 4"),
    "input huge": ("input: [999999, 999999, 9]\nbatch: 1\nlayers: []", "net.yaml:1: 'input': 999999x999999x9 are more"),
    "batch": ("input: [4]\nbatch: 1.5\nlayers: []", "net.yaml:2: 'batch' must be a positive integer, not 1.5"),
    "batch empty": ("input: [4]\nbatch:\nlayers: []", "net.yaml:2: 'batch' must be a positive integer, not nothing"),
    "let list": (HEAD + "let: [a]\nlayers: []", "net.yaml:3: 'let' must be a mapping of names, not a list"),
    "let name": (HEAD + "let: {a-b: 1}\nlayers: []", "net.yaml:3: 'a-b' is no name"),
    "let reserved": (HEAD + "let: {conv: 1}\nlayers: []", "net.yaml:3: 'conv' is a word of the format"),
    "let later": (HEAD + "let: {a: b, b: 1}\nlayers: []", "net.yaml:3: 'a': nothing is called 'b' here"),
    "let unused": (HEAD + "let: {a: 1}\nlayers: []", "net.yaml:3: nothing uses 'a'; remove it"),
    "division": (HEAD + "let: {a: 1, b: a / (a - 1)}\nlayers: []", "net.yaml:3: 'b': division by zero"),
    "arithmetic": (HEAD + "let: {a: 2 ** 9}\nlayers: []", "net.yaml:3: 'a': '2 ** 9' is no arithmetic"),
    "layers nothing": (HEAD + "layers:", "net.yaml:3: 'layers' must be a list of steps, not nothing"),
    "unknown step": (
        HEAD + "layers:\n  - batchnorm",
        "net.yaml:4: unknown step 'batchnorm'; did you mean 'batch_norm'?",
    ),
    "unknown option": (
        HEAD + "layers:\n - conv: 3\n   kernal: 3",
        "net.yaml:5: conv: no option 'kernal'; did you mean 'kernel'?",
    ),
    "shapes": (
        HEAD + "layers:\n - {conv: 8, kernel: 3}\n - add:\n   - identity\n   - {conv: 8, kernel: 3, stride: 2}",
        "net.yaml:5: add: branch 1 gives 8x8x8, branch 2 8x4x4",
    ),
    "block name": (HEAD + "blocks: {a b: [relu]}\nlayers: []", "net.yaml:3: 'a b' is no block; write a name, or"),
    "block code": (HEAD + "blocks:\n  'a(x): pass\\ndef b()': [relu]\nlayers: []", "net.yaml:4: "),
    "block stars": (HEAD + "blocks:\n  a(*x): [relu]\nlayers: []", "net.yaml:4: 'a(*x)' is no block"),
    "block default": (
        HEAD + "blocks:\n  a(x=f(1)): [relu]\nlayers: []",
        "net.yaml:4: the default of 'x': 'f(1)' is no",
    ),
    "block default name": (
        HEAD + "blocks:\n  a(x=y): [relu]\nlayers: []",
        "net.yaml:4: 'x': nothing is called 'y' here",
    ),
    "block parameter twice": (
        HEAD + "blocks:\n  a(x, x): [relu]\nlayers: []",
        "net.yaml:4: the parameter 'x' stands twice",
    ),
    "block parameter a block": (
        HEAD + "blocks:\n  a(x, b): [relu]\n  b: [relu]\nlayers: []",
        "net.yaml:4: 'b' is a block, and a parameter of 'a'",
    ),
    "block reserved": (HEAD + "blocks:\n  add(x): [relu]\nlayers: []", "net.yaml:4: 'add' is a word of the format"),
    "block unused": (HEAD + "blocks: {a: [relu]}\nlayers: []", "net.yaml:3: nothing uses 'a'"),
    "block wrong inside": (
        HEAD + "blocks:\n  a: [rleu]\nlayers: []",
        "net.yaml:4: unknown step 'rleu'; did you mean 'relu'?",
    ),
    "block twice": (HEAD + "let: {a: 1}\nblocks: {a: [relu]}\nlayers: [a]", "net.yaml:4: the name 'a' stands twice"),
    "block argument": (HEAD + "blocks:\n  a(x): [relu]\nlayers: [{a: 1, y: 2}]", "net.yaml:5: a: no option 'y'"),
    "block needs": (HEAD + "blocks:\n  a(x, y): [relu]\nlayers: [{a: 1}]", "a: 'y' is missing; write {a: ..., y: ...}"),
    "block takes none": (HEAD + "blocks: {a: [relu]}\nlayers: [{a: 1}]", "'a' takes no value"),
    "block cycle": (HEAD + "blocks: {a: [b], b: [a]}\nlayers: [a]", "a block cannot use itself: a > b > a"),
    "block shape": (
        HEAD + "blocks:\n  a(n): [{conv: 8, kernel: 1, groups: n}]\nlayers:\n  - relu\n  - {a: 3}",
        "net.yaml:4: conv: 4 channels are not divisible into 3 groups (in 'a', used at net.yaml:7)",
    ),
    "extends path": ("extends: ../net.yaml", "net.yaml:1: 'extends' must be the name of a file beside this one"),
    "extends list": ("extends: [a]", "net.yaml:1: 'extends' must be the name of a file"),
    "extends nothing": ("extends: none.yaml", "net.yaml:1: 'extends': no file 'none.yaml' beside this one"),
    "extends itself": ("extends: net.yaml", "net.yaml:1: 'extends': 'net.yaml' extends this file in turn"),
}

# what stands behind `layers:` on line 3, and what is said of it
WRONG_STEPS: dict[str, tuple[str, str]] = {
    "anchor": ("&a [relu]", "net.yaml:3: anchors (&) are no part of the format"),
    "alias": ("*a", "net.yaml:3: aliases (*) are no part of the format"),
    "tag": ("!!python/name:os.system", "net.yaml:3: tags ('tag:yaml.org,2002:python/name:os.system') are"),
    "layers word": ("relu", "net.yaml:3: 'layers' must be a list of steps, not a single value"),
    "unknown mapping": ("[{con: 3, kernel: 1}]", "unknown step 'con'; did you mean 'conv'?"),
    "empty mapping": ("[{}]", "net.yaml:3: unknown step ''"),
    "list as step": ("[[relu]]", "a step is a word or a mapping, not a list; put 'do:' before the list"),
    "two words": ("[{relu: , batch_norm: }]", "'relu' and 'batch_norm' in one step"),
    "main as option": ("[{conv: 3, out: 3, kernel: 1}]", "conv: no option 'out'"),
    "no main": ("[{conv: , kernel: 3}]", "net.yaml:3: conv: 'out' is missing; write {conv: ...}"),
    "no option": ("[{conv: 8}]", "conv: 'kernel' is missing; write {conv: ..., kernel: ...}"),
    "word alone": ("[conv]", "conv: 'out' is missing"),
    "value for none": ("[{relu: 3}]", "'relu' takes no value; write {relu: , option: ...}"),
    "zero": ("[{conv: 8, kernel: 0}]", "'kernel' must be a positive integer, or a list of them, not 0"),
    "fraction": ("[{conv: channels / 3, kernel: 1}]", "'conv' must be a positive integer, not channels / 3"),
    "huge": ("[{conv: 10000000000, kernel: 1}]", "'conv' must be a positive integer of at most 1000000000"),
    "mapping as value": ("[{conv: {a: 1}, kernel: 1}]", "'conv' must be a positive integer, not a mapping"),
    "list as value": ("[{conv: [8], kernel: 1}]", "'conv' must be a positive integer, not a list"),
    "flag": ("[{conv: 8, kernel: 1, bias: 2}]", "'bias' must be true or false, not 2"),
    "flag word": (
        "[{conv: 8, kernel: 1, bias: yes}]",
        "'bias': nothing is called 'yes' here; known: channels, false, true",
    ),
    "choice": ("[{global_pool: mean}]", "'global_pool' cannot be 'mean'; known: avg, max"),
    "times": ("[{relu: , times: -1}]", "'times' must be an integer, 0 or more, not -1"),
    "times huge": ("[{relu: , times: 999999999}]", "net.yaml:3: relu: more than 200000 steps in all"),
    "name": ("[{conv: chanels, kernel: 1}]", "'conv': nothing is called 'chanels' here; did you mean 'channels'?"),
    "join of a word": ("[add]", "'add' must be a list of branches, not nothing"),
    "join of a mapping": ("[{add: {relu: }}]", "'add' must be a list of branches, not a mapping"),
    "join of none": ("[{add: []}]", "'add' must be a list of branches, not nothing"),
    "do of a word": ("[{do: relu}]", "'do' must be a list of steps, not a single value"),
    "concat": (
        "[{concat: [identity, {max_pool: 2}]}]",
        "concat: branch 1 gives 4x8x8, branch 2 4x4x4: all but the channels must agree",
    ),
    "groups": ("[{conv: 8, kernel: 1, groups: 3}]", "conv: 4 channels are not divisible into 3 groups"),
    "linear": ("[{linear: 8}]", "linear: takes a vector or tokens, not an image of 4x8x8; 'flatten'"),
    "reshape": ("[{reshape: [4, 9]}]", "reshape: 4x8x8 does not fill 4x9"),
    "window": ("[{max_pool: 9, padding: 0}]", "max_pool: a window of 9 is larger than 8 with 0 of padding"),
    "grows": ("[{upsample: 9999, times: 9}]", "are more than 1099511627776 elements in one sample"),
}

WRONG = WRONG_FILES | {name: (f"{HEAD}layers: {text}", message) for name, (text, message) in WRONG_STEPS.items()}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_one_line(text: str, message: str) -> None:
    Path("net.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        read_yaml(Path("net.yaml"))
    assert message in str(error.value)
    assert str(error.value).startswith("net.yaml:")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 900


def test_extends_in_a_circle_and_in_a_long_chain() -> None:
    for number in range(9):
        Path(f"n{number}.yaml").write_text(f"extends: n{(number + 1) % 9}.yaml\n")
    with pytest.raises(InputError, match=r"n5\.yaml:1: 'extends': more than 5 files extend each other"):
        read_yaml(Path("n0.yaml"))
    Path("n2.yaml").write_text("extends: n0.yaml\n")
    with pytest.raises(InputError, match=r"n2\.yaml:1: 'extends': 'n0\.yaml' extends this file in turn"):
        read_yaml(Path("n0.yaml"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe\x00input", "net.yaml: not a text file: byte 0 is not UTF-8"),
        (b"about: caf\xe9", "net.yaml: not a text file: byte 10 is not UTF-8"),
        (bytes(range(256)) * 100, "net.yaml: not a text file"),
        (b"\x00" * 1000, "net.yaml: not valid YAML"),
        (b"- relu\n" * 700_000, "bytes are more than a network file may have"),
        (b"- a\n" * 500_000, "more than 400000 values"),
        (b"[" * 1_000_000, "net.yaml:1: nested more than 60 deep"),
        (b"{a: " * 100_000, "net.yaml:1: nested more than 60 deep"),
        (b"- " * 100_000, "net.yaml:1: nested more than 60 deep"),
    ],
    ids=["utf-16", "latin-1", "binary", "zeros", "large", "many", "brackets", "braces", "dashes"],
)
def test_files_that_are_no_text_or_too_much(data: bytes, message: str) -> None:
    Path("net.yaml").write_bytes(data)
    with pytest.raises(InputError) as error:
        read_yaml(Path("net.yaml"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_changed_block_that_the_other_file_does_not_know_is_found() -> None:
    Path("base.yaml").write_text(f"{HEAD}blocks: {{norm_relu: [batch_norm, relu]}}\nlayers: [norm_relu]\n")
    with pytest.raises(InputError, match=r"net\.yaml:2: nothing uses 'norm_rleu'; did you mean 'norm_relu'\?"):
        read("extends: base.yaml\nblocks: {norm_rleu: [shifted_relu]}\n")


def test_a_byte_order_mark_and_windows_lines_are_fine() -> None:
    Path("net.yaml").write_bytes(b"\xef\xbb\xbfinput: [4]\r\nbatch: 2\r\nlayers: [batch_norm]\r\n")
    assert len(read_yaml(Path("net.yaml")).layers) == 1


def test_blocks_within_blocks_end() -> None:
    blocks = "".join(f"  b{number}: [b{number + 1}, b{number + 1}]\n" for number in range(15))
    with pytest.raises(InputError, match="more than 200000 steps"):
        read(f"{HEAD}blocks:\n{blocks}  b15: [{{relu: , times: 99}}]\nlayers: [b0]\n")
    chain = "".join(f"  b{number}: [b{number + 1}]\n" for number in range(99))
    with pytest.raises(InputError, match="more than 16 blocks within each other"):
        read(f"{HEAD}blocks:\n{chain}  b99: [relu]\nlayers: [b0]\n")
