"""docs/networks.md: every example on the page gives what the page says of it."""

import re
from pathlib import Path

import pytest

from hwnorm.errors import InputError
from hwnorm.network.joins import JOINS
from hwnorm.network.load import load_network
from hwnorm.network.operators import OPERATORS

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
GIVES = re.compile(r"Gives ([\d,]+) normalizations, ([\d,]+) parameters, ([\d,]+) multiply-accumulates")


def examples() -> list[tuple[str, str]]:
    """Each YAML example with the text behind it, up to the next one."""
    parts = re.split(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    return list(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(("text", "behind"), examples())
def test_example(text: str, behind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(text)
    promised = GIVES.search(behind)
    if promised:
        network = load_network("net.yaml")
        found = (len(network.layers), network.parameters, network.macs)
        assert found == tuple(int(number.replace(",", "")) for number in promised.groups())
    else:
        message = re.search(r"```text\n(.*?)\n```", behind, flags=re.DOTALL)
        assert message is not None
        with pytest.raises(InputError) as error:
            load_network("net.yaml")
        assert str(error.value) == message[1]


def test_every_word_is_on_the_page() -> None:
    code = " ".join(re.findall(r"`([^`\n]+)`", PAGE.read_text()))
    words = set(re.findall(r"[a-z_0-9]+", code))
    assert {*OPERATORS, *JOINS} <= words
    assert {
        option for operator in OPERATORS.values() for option in operator.options if option != operator.main
    } <= words
