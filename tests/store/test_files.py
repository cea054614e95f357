from __future__ import annotations

from pathlib import Path

import pytest

from store import files
from store.errors import BadInput


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_published_under_its_name_once(tmp_path: Path) -> None:
    for content in ("first", "second"):
        unfinished = files.temporary(tmp_path)
        unfinished.mkdir()
        (unfinished / "file").write_text(content)
        if content == "first":
            files.publish_folder(unfinished, tmp_path / "final")
        else:
            with pytest.raises(FileExistsError, match="final"):
                files.publish_folder(unfinished, tmp_path / "final")
    assert (tmp_path / "final" / "file").read_text() == "first"


def test_sweep_removes_unfinished_files_and_folders_only(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    files.temporary(tmp_path).write_text("half")
    folder = files.temporary(tmp_path)
    folder.mkdir()
    (folder / "file").write_text("half")
    assert files.sweep(tmp_path) == 2
    assert names(tmp_path) == ["kept"]
    assert files.sweep(tmp_path / "missing") == 0


def test_removing_says_whether_there_was_something(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert files.remove_file(tmp_path / "file")
    assert not files.remove_file(tmp_path / "file")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".tmp-1", "a\0b", "a\n", "é"])
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a domain"):
        files.check_name("domain", name)
