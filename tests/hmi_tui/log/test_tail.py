from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmi_tui.log.tail import LogTail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.write(text)


def test_lines_come_once_and_only_when_they_are_whole(path: Path) -> None:
    tail = LogTail(path)
    append(path, "one\ntwo\nhal")
    assert tail.read().lines == ("one", "two")
    assert tail.read().lines == ()
    append(path, "f\nthree\n")
    assert tail.read().lines == ("half", "three")
    tail.close()


def test_a_missing_log_says_where_it_would_be_and_is_read_when_it_is_there(path: Path) -> None:
    tail = LogTail(path)
    problem = tail.read().problem
    assert str(path) in problem
    assert "hmi serve writes to its own terminal" in problem
    append(path, "here\n")
    reading = tail.read()
    assert (reading.lines, reading.problem, reading.began_anew) == (("here",), "", False)
    tail.close()


def test_of_a_large_log_only_the_tail_is_read_from_a_whole_line_on(path: Path) -> None:
    append(path, "".join(f"line {n}\n" for n in range(10_000)))
    tail = LogTail(path, tail=100)
    reading = tail.read()
    assert reading.lines[-1] == "line 9999"
    assert all(line.startswith("line ") and len(line) == 9 for line in reading.lines)
    assert reading.left_out == path.stat().st_size - 100
    tail.close()


def test_a_log_that_grows_faster_than_it_is_read_is_caught_up_with(path: Path) -> None:
    append(path, "first\n")
    tail = LogTail(path, tail=100)
    assert tail.read().lines == ("first",)
    append(path, "".join(f"line {n}\n" for n in range(1000, 2000)))
    reading = tail.read()
    assert reading.left_out > 0
    assert reading.lines[-1] == "line 1999"
    tail.close()


def test_an_emptied_log_is_read_from_its_beginning(path: Path) -> None:
    append(path, "a long first line\nand another\n")
    tail = LogTail(path)
    tail.read()
    path.write_text("new\n")
    reading = tail.read()
    assert (reading.lines, reading.began_anew) == (("new",), True)
    tail.close()


def test_a_rotated_log_is_read_to_its_end_and_then_the_new_one(path: Path) -> None:
    append(path, "one\n")
    tail = LogTail(path)
    tail.read()
    append(path, "last of the old\n")
    path.rename(path.with_suffix(".1"))
    append(path, "first of the new\n")
    reading = tail.read()
    assert (reading.lines, reading.began_anew) == (("last of the old", "first of the new"), True)
    tail.close()


def test_a_log_that_is_removed_and_made_again_is_followed(path: Path) -> None:
    append(path, "one\n")
    tail = LogTail(path)
    tail.read()
    path.unlink()
    assert "There is no log" in tail.read().problem
    append(path, "two\n")
    assert tail.read().lines == ("two",)
    tail.close()


def test_a_folder_in_its_place_is_told_with_a_remedy(path: Path) -> None:
    path.mkdir()
    assert "cannot be read" in LogTail(path).read().problem


def test_a_line_without_an_end_takes_no_more_memory_than_the_tail(path: Path) -> None:
    tail = LogTail(path, tail=100)
    for _ in range(10):
        append(path, "x" * 90)
        assert tail.read().lines == ()
    assert len(tail._rest) <= 100
    tail.close()


def test_bytes_that_are_no_text_do_not_stop_it(path: Path) -> None:
    path.write_bytes(b"\xff\xfe broken\nfine\n")
    tail = LogTail(path)
    assert tail.read().lines[1] == "fine"
    tail.close()


@given(st.lists(st.text("ab\n", max_size=12), max_size=12))
def test_whatever_the_pieces_all_lines_come_in_order(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "engine.log"
    path.touch()
    tail = LogTail(path)
    seen: list[str] = []
    for piece in pieces:
        append(path, piece)
        seen += tail.read().lines
    assert seen == "".join(pieces).split("\n")[:-1]
    tail.close()
