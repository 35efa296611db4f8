"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwnorm.errors import InputError
from hwnorm.files import write_folder, write_whole


def test_written_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    for text in (b"one", b"two"):
        write_whole(path, text)
        assert path.read_bytes() == text
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_interrupted_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "chmod", stop)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out.txt", "old")]


def test_a_link_is_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "link.txt", tmp_path / "target.txt"
    target.write_text("old")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink() and target.read_text() == "new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"out: cannot be written: Is a directory"):
        write_whole(tmp_path / "out", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_long_name(tmp_path: Path) -> None:
    for name in ("n" * 250, "漢" * 83):  # 249 bytes
        write_whole(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"
        write_folder(tmp_path / f"{name[:-1]}.d", {"file": b"y"})
        assert (tmp_path / f"{name[:-1]}.d" / "file").read_bytes() == b"y"


def test_a_folder_takes_the_place_of_one_of_ours_only(tmp_path: Path) -> None:
    about = b'{"schema": "hwnorm.manifest/1", "files": ["manifest.json", "deep/er/file.txt"]}'
    mine = {"manifest.json": about, "deep/er/file.txt": b"1"}
    write_folder(tmp_path / "made", mine)
    assert (tmp_path / "made" / "deep" / "er" / "file.txt").read_bytes() == b"1"
    write_folder(tmp_path / "made", {**mine, "deep/er/file.txt": b"2"})
    assert (tmp_path / "made" / "deep" / "er" / "file.txt").read_bytes() == b"2"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="exists and was not made by hwnorm"):
        write_folder(tmp_path / "theirs", mine)
    (tmp_path / "made" / "notes.txt").write_text("the user's own")
    with pytest.raises(InputError, match=r"holds notes\.txt, which hwnorm did not write"):
        write_folder(tmp_path / "made", mine)
    (tmp_path / "made" / "notes.txt").unlink()
    for target in (tmp_path / "theirs", tmp_path / "nothing"):
        (tmp_path / "made" / "link").symlink_to(target)
        with pytest.raises(InputError, match="holds link, which hwnorm did not write"):
            write_folder(tmp_path / "made", mine)
        (tmp_path / "made" / "link").unlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "theirs"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), PermissionError("not now")])
def test_a_folder_stays_where_another_cannot_take_its_place(
    fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = b'{"schema": "hwnorm.manifest/1", "files": ["manifest.json"]}'
    write_folder(tmp_path / "made", {"manifest.json": about})
    rename = Path.rename

    def broken(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise fault
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises((KeyboardInterrupt, InputError)):
        write_folder(tmp_path / "made", {"manifest.json": about + b" "})
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
    assert (tmp_path / "made" / "manifest.json").read_bytes() == about
