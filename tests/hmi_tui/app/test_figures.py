from __future__ import annotations

import pytest

from hmi_tui import figures


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (87 << 20, "87 MiB")],  # noqa: RUF001
)
def test_bytes_carry_a_unit_and_two_or_three_digits(count: int | None, text: str) -> None:
    assert figures.size(count) == text


def test_a_share_of_a_total_names_the_unit_once() -> None:
    assert figures.of_total(3 << 30, 8 << 30) == "3.0 of 8.0 GiB"
    assert figures.of_total(12 << 20, 8 << 30) == "12 MiB of 8.0 GiB"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0 ms"),
        (0.00042, "420 µs"),
        (0.0081, "8.1 ms"),
        (0.041, "41 ms"),
        (1.23, "1.2 s"),
        (192, "3 m 12 s"),
        (7500, "2 h 05 m"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_are_read_at_a_glance(duration: float, text: str) -> None:
    assert figures.seconds(duration) == text


def test_a_thin_bar_always_has_its_width_and_shows_the_smallest_share() -> None:
    for fraction in (0.0, 0.001, 0.33, 0.999, 1.0, 7.0):
        filled, rest = figures.line_bar(fraction, 10)
        assert len(filled) + len(rest) == 10
        assert bool(filled) == (fraction > 0)


def test_a_sparkline_tells_zero_from_unknown_and_ends_at_the_newest() -> None:
    assert figures.spark([None, 0.0, 5.0, 10.0], 6) == "   ▁▄▇"


def test_a_curve_of_equal_values_is_one_line_at_the_top() -> None:
    top, *below = figures.thin_curve([3.0] * 4, 2, 2)
    assert top == "⠉⠉"
    assert below == ["⠀⠀"]


def test_an_empty_curve_has_its_height() -> None:
    assert len(figures.thin_curve([], 8, 3)) == 3
