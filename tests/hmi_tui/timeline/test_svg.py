from __future__ import annotations

import xml.etree.ElementTree as ET

from hmi_tui.timeline.lanes import Bar
from hmi_tui.timeline.svg import draw

SVG = "{http://www.w3.org/2000/svg}"


def batches(count: int) -> list[Bar]:
    return [
        Bar(lane, f"batch {n}", n + at, n + at + 0.9, n)
        for n in range(count)
        for at, lane in enumerate(("retrieve", "load", "compute"))
    ]


def texts(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def test_a_picture_has_a_row_for_each_lane_that_worked() -> None:
    root = ET.fromstring(draw(batches(4)))
    lanes = [name for name in texts(root) if name.isalpha()]
    assert lanes == ["retrieve", "load", "compute"]
    assert len(list(root.iter(f"{SVG}rect"))) == 12


def test_bars_lie_inside_the_picture() -> None:
    root = ET.fromstring(draw([Bar("job", "train <x> & y", -50, 500, None), *batches(40)]))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rect in root.iter(f"{SVG}rect"):
        box = {name: float(rect.attrib[name]) for name in ("x", "y", "width", "height")}
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        assert 0 <= box["y"] <= box["y"] + box["height"] <= height


def test_only_so_many_batches_are_drawn() -> None:
    drawn = {int(name) for name in texts(ET.fromstring(draw(batches(50), 5))) if name.isdigit()}
    assert set(range(22, 27)) <= drawn
    assert not drawn & set(range(15))


def test_bars_that_overlap_lie_in_rows_of_their_own() -> None:
    overlapping = [Bar("queue", f"batch {n}", 0, 9, n) for n in (1, 2)] + batches(4)
    rects = ET.fromstring(draw(overlapping)).iter(f"{SVG}rect")
    queued = [rect.attrib["y"] for rect in rects if (rect[0].text or "").startswith("queue")]
    assert len(set(queued)) == 2


def test_a_trace_without_a_batch_is_an_empty_picture() -> None:
    assert list(ET.fromstring(draw([])).iter(f"{SVG}rect")) == []


def test_dark_pages_get_light_words() -> None:
    assert "prefers-color-scheme:dark" in draw(batches(1))
