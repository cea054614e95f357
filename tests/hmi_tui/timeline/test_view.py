from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmi_tui.timeline.view import SPANS, View


def test_a_live_view_follows_the_clock_and_a_held_one_does_not() -> None:
    assert View(1.0, 10.0).following(9.0).end == 9.0
    assert View(1.0, 10.0, live=False).following(9.0).end == 1.0


@given(st.integers(-20, 20), st.floats(0.0, 10.0))
def test_zooming_a_held_view_leaves_an_instant_in_its_place(steps: int, about: float) -> None:
    view = View(10.0, 10.0, live=False)
    zoomed = view.zoomed(steps, about)
    assert zoomed.span in SPANS
    place = (about - zoomed.begin) / zoomed.span
    assert place == pytest.approx(about / 10.0, abs=1e-6)


def test_zooming_a_live_view_keeps_the_newest_at_the_right() -> None:
    zoomed = View(10.0, 10.0).zoomed(1, 2.0)
    assert (zoomed.end, zoomed.span, zoomed.live) == (10.0, 5.0, True)


def test_zoom_ends_at_the_closest_and_at_the_furthest() -> None:
    assert View(span=SPANS[0]).zoomed(1, 0.0).span == SPANS[0]
    assert View(span=SPANS[-1]).zoomed(-1, 0.0).span == SPANS[-1]


def test_scrolling_holds_the_view_and_stays_on_what_there_is() -> None:
    view = View(100.0, 10.0).scrolled(-1, first=80.0, last=100.0)
    assert (view.end, view.live) == (97.5, False)
    assert view.scrolled(9, 80.0, 100.0).end == 100.0
    assert view.scrolled(-99, 80.0, 100.0).begin < 80.0 < view.scrolled(-99, 80.0, 100.0).end


@given(st.floats(0, 100), st.floats(0, 5))
def test_what_is_to_be_seen_is_in_view(start: float, seconds: float) -> None:
    view = View(50.0, 10.0).showing(start, start + seconds)
    assert not view.live
    assert view.begin <= start
    assert start + seconds <= view.end + 1e-9 or view.begin > start + seconds - 10.0
