from __future__ import annotations

import pytest

from hmi_tui.log.line import LONGEST, LogLine, Wanted, entry_around, read_line

RAW = (
    "2026-11-27 03:09:01,130 INFO engine: Serving on /tmp/engine.sock",
    "2026-11-27 03:09:02,001 ERROR engine.training.jobs: job j1 failed",
    "Traceback (most recent call last):",
    "ValueError: no labels",
    "2026-11-27 03:09:03,500 WARNING engine.api: slow",
)


@pytest.fixture
def lines() -> list[LogLine]:
    read: list[LogLine] = []
    for number, raw in enumerate(RAW):
        read.append(read_line(number, raw, read[-1] if read else None))
    return read


def test_an_entry_has_its_time_its_level_and_its_words(lines: list[LogLine]) -> None:
    assert (lines[0].clock, lines[0].level) == ("03:09:01", "INFO")
    assert lines[0].body == "INFO engine: Serving on /tmp/engine.sock"


def test_a_traceback_has_the_level_of_its_entry(lines: list[LogLine]) -> None:
    assert [line.level for line in lines[1:4]] == ["ERROR"] * 3
    assert [line.begins for line in lines] == [True, True, False, False, True]
    assert entry_around(lines, 3) == lines[1:4]
    assert entry_around(lines, 0) == lines[:1]


def test_a_filter_takes_a_level_and_what_is_above_and_a_text_of_any_case(
    lines: list[LogLine],
) -> None:
    def passing(wanted: Wanted) -> list[int]:
        return [line.number for line in lines if wanted.has(line)]

    assert passing(Wanted()) == [0, 1, 2, 3, 4]
    assert passing(Wanted("WARNING")) == [1, 2, 3, 4]
    assert passing(Wanted("ERROR")) == [1, 2, 3]
    assert passing(Wanted("WARNING", "SLOW")) == [4]


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    line = read_line(0, "\x1b[31mred\x1b[0m \x07bell\tend\r\x9b", None)
    assert line.text == "red bell    end"


def test_a_line_is_kept_up_to_a_length() -> None:
    assert len(read_line(0, "x" * 100_000, None).text) == LONGEST
