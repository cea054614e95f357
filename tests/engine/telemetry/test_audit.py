from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.schema import AuditEntry
from engine.telemetry.audit import AuditLog


def entry(name: str = "x") -> AuditEntry:
    return AuditEntry(
        id=0,
        at=1.0,
        caller="acme",
        key="hmi-0123",
        peer="10.0.0.7:4711",
        action="create_vplm",
        method="POST",
        path=f"/v1/vplms/acme/{name}",
        asked="",
        status=201,
        request="r",
    )


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    made = AuditLog(tmp_path / "state" / "audit.log")
    yield made
    made.close()


def _ids(log: AuditLog, q: str = "", limit: int = 100, before: int | None = None) -> list[int]:
    return [entry.id for entry in log.page(q, limit, before)[0]]


def test_entries_are_numbered_and_the_newest_come_first(log: AuditLog, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        log.add(entry(name))
    assert _ids(log) == [3, 2, 1]
    assert _ids(log, q="acme/two") == [2]
    first, more = log.page("", 2, None)
    assert ([entry.id for entry in first], more) == ([3, 2], 2)
    assert log.page("", 2, more)[1] is None
    assert _ids(log, before=more) == [1]
    path = tmp_path / "state" / "audit.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_numbers_go_on_after_a_restart_and_a_torn_line_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    first = AuditLog(path)
    first.add(entry("one"))
    first.close()
    with path.open("ab") as file:
        file.write(b'{"id": 2, "at"')
    again = AuditLog(path)
    again.add(entry("two"))
    assert _ids(again) == [2, 1]
    again.close()


def test_full_files_are_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    line = len(entry().model_dump_json()) + 2
    log = AuditLog(path, max_bytes=2 * line, keep=2)
    for _ in range(9):
        log.add(entry())
    files = sorted(each.name for each in tmp_path.iterdir())
    assert files == ["audit.log", "audit.log.1", "audit.log.2"]
    assert _ids(log) == [9, 8, 7, 6, 5]
    assert all(each.stat().st_size <= 2 * line for each in tmp_path.iterdir())
    log.close()
    again = AuditLog(path, max_bytes=2 * line, keep=2)
    again.add(entry())
    assert _ids(again, limit=1) == [10]
    again.close()


def test_what_cannot_be_written_is_told_to_the_engines_log(
    log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_file: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    log.add(entry("lost"))
    assert "No space left" in caplog.text
    assert "/v1/vplms/acme/lost" in caplog.text
    monkeypatch.undo()
    log.add(entry("kept"))
    assert _ids(log) == [1]


def test_a_line_that_the_disk_took_half_of_is_taken_back(
    log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = os.write, 0

    def filling(file: int, data: bytes) -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            return real(file, bytes(data)[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    log.add(entry("first"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", filling)
        log.add(entry("lost"))
    log.add(entry("second"))
    assert _ids(log) == [2, 1]
    assert (tmp_path / "state" / "audit.log").read_bytes().count(b"\n") == 2


def test_a_line_that_is_taken_in_parts_is_whole(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, bytes(data)[:7]))
    log.add(entry("one"))
    log.add(entry("two"))
    assert _ids(log) == [2, 1]


@pytest.mark.parametrize("call", ["rename", "open"])
def test_when_the_next_file_cannot_be_begun_no_other_is_written_to_and_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    line = len(entry().model_dump_json()) + 1
    log = AuditLog(tmp_path / "audit.log", max_bytes=2 * line, keep=2)
    log.add(entry())
    log.add(entry())
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, _refusing)
            log.add(entry("lost"))
        # Where a number that was closed too early would lead.
        other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
        log.add(entry())
        assert os.fstat(other).st_size == 0
        os.close(other)
    assert _ids(log) == [4, 3, 2, 1]
    log.close()


def _refusing(*_arguments: object, **_options: object) -> int:
    raise OSError(errno.EMFILE, "Too many open files")


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "audit.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"audit\.log"):
        AuditLog(tmp_path / "audit.log")
