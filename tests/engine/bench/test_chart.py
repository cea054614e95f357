from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bench.chart import Chart, Series

SVG = "{http://www.w3.org/2000/svg}"
values = st.floats(0, 1e9)
points = st.lists(st.tuples(st.floats(0.01, 1e6), values), min_size=1, max_size=20)


def drawn(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.svg())


def words(root: ET.Element) -> list[str]:
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


@given(st.lists(points, min_size=1, max_size=7), st.booleans())
def test_every_point_lies_inside_the_axes(
    lines: list[list[tuple[float, float]]], log: bool
) -> None:
    series = [Series(f"line {i}", each) for i, each in enumerate(lines)]
    chart = Chart("t", "x", "y", series, log_x=log)
    circles = list(drawn(chart).iter(f"{SVG}circle"))
    assert len(circles) == sum(map(len, lines))
    for circle in circles:
        assert 64 - 0.1 <= float(circle.attrib["cx"]) <= chart.width - 24 + 0.1
        assert 40 - 0.1 <= float(circle.attrib["cy"]) <= chart.height - 56 + 0.1


def test_it_names_axes_and_lines_and_writes_shares_as_percent() -> None:
    line = Series("1,000 vPLMs <zipf>", [(0.05, 80), (1.0, 100)])
    told = words(drawn(Chart("A & B", "slots", "answers", [line], percent=True)))
    for name in ("A & B", "slots", "answers", "1,000 vPLMs <zipf>", "5 %", "100 %", "0", "100"):
        assert name in told


def test_lines_differ_by_more_than_colour_and_dark_pages_have_their_own() -> None:
    series = [Series(str(i), [(1, i), (2, i)]) for i in range(4)]
    root = drawn(Chart("t", "x", "y", series))
    looks = {
        (line.attrib["stroke"], line.attrib["stroke-dasharray"])
        for line in root.iter(f"{SVG}polyline")
    }
    assert len({dash for _, dash in looks}) == len({colour for colour, _ in looks}) == 4
    assert "prefers-color-scheme: dark" in "".join(root.itertext())


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="points"):
        Chart("t", "x", "y", []).svg()
