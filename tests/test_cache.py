"""What took long is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnorm import cache


def test_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWNORM_CACHE", str(tmp_path / "cache"))
    made = []

    def make() -> bytes:
        made.append(1)
        return b"result"

    for parts in (("a", "bc"), ("a", "bc"), ("ab", "c")):
        assert cache.cached("kind", parts, make) == b"result"
    assert len(made) == 2
    for path in (tmp_path / "cache" / "kind").iterdir():
        path.write_bytes(b"spoilt")
    assert cache.load("kind", ("a", "bc")) is None
    assert cache.cached("kind", ("a", "bc"), make) == b"result" and len(made) == 3
    assert cache.load("kind", ("a", "bc")) == b"result"  # written anew
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWNORM_CACHE", str(tmp_path / "file"))  # a folder that cannot be made
    assert cache.cached("kind", ("a",), make) == b"result"
    monkeypatch.setenv("HWNORM_CACHE", "")  # no cache at all
    cache.store("kind", ("a",), b"result")
    assert cache.load("kind", ("a",)) is None
