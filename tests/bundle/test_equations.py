"""The equations that generated files carry are those of the norm's docstring."""

from hwnorm.bundle.equations import equations
from hwnorm.engine import Engine


def lines(norm: str, form: str, direction: str = "forward") -> list[str]:
    graph = Engine(norm, 8, 64, form=form).graph(direction)
    return equations(graph, {node: name for name, node in graph.outputs.items()})


def test_l1() -> None:
    found = lines("l1", "positive-part")
    assert "S = sum(x)" in found
    assert "P = sum((x > c) ? x : 0)" in found
    assert "n = sum(x > c)" in found
    assert "D0 = 2 * ((m * P) - (n * S))" in found
    assert "B = round(beta) - round(K * mu)" in found
    assert "y = (K * x) + B" in found


def test_abs_and_squares() -> None:
    assert "A = sum(abs(x - c))" in lines("l1", "abs")
    assert "Q = sum(x^2)" in lines("l2", "one-pass") and "V0 = (m * Q) - S^2" in lines("l2", "one-pass")
    assert "D = sqrt(V)" in lines("l2", "two-pass")


def test_a_sample_is_a_bracket() -> None:
    assert "S = sum([sampled] x)" in lines("l2-fs", "one-pass")
