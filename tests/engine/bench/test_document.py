from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from engine.bench.about import about_run
from engine.bench.document import Document, check_writable, read_document, write_document
from engine.bench.ending import throwaway_folder
from engine.bench.table import number, share, table
from engine.errors import BadInput, Damaged, NoSpace

DOCUMENT = Document("lookup", about_run(threads=2, seed=7), {"sizes": [1]}, {"cells": []})


def test_a_run_says_where_and_how_it_was_measured() -> None:
    about = DOCUMENT.about
    assert about.cores >= 1
    assert about.memory_bytes > 1 << 28
    assert about.torch.startswith("2.")
    assert all(part in about.line() for part in ("2 threads", about.torch, "seed 7", about.date))


def test_a_document_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_document(DOCUMENT, path)
    write_document(DOCUMENT, path)
    assert read_document(path, "lookup") == json.loads(DOCUMENT.json()) == asdict(DOCUMENT)
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_other_files_are_no_results(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_document(DOCUMENT, path)
    with pytest.raises(Damaged, match="'lookup'"):
        read_document(path, "accuracy")
    path.write_text("[1]")
    with pytest.raises(Damaged, match=r"out\.json"):
        read_document(path, "lookup")


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    check_writable(tmp_path / "new.json")
    for path in (tmp_path, tmp_path / "no" / "such.json"):
        with pytest.raises(BadInput):
            check_writable(path)


def test_a_full_disk_is_said_and_leaves_the_old_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.json"
    write_document(DOCUMENT, path)

    def full(part: Path, *_given: object, **_named: object) -> int:
        part.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(NoSpace, match=r"out\.json: No space left"):
        write_document(DOCUMENT, path)
    assert read_document(path, "lookup") == asdict(DOCUMENT)
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_a_throwaway_folder_goes_even_when_the_run_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def run() -> None:
        with throwaway_folder() as folder:
            (folder / "rows.npy").write_bytes(b"x")
            assert folder.parent == tmp_path
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert list(tmp_path.iterdir()) == []


def test_columns_line_up_and_numbers_stand_to_the_right() -> None:
    shown = table(("NAME", ">COUNT"), [("a", "1"), ("longer", "20")])
    assert shown == "NAME    COUNT\na           1\nlonger     20"
    assert (number(None), number(1234.5, 1), share(0.305), share(None)) == (
        "-",
        "1,234.5",
        "30%",
        "-",
    )
