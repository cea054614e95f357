from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.arrivals import ramped
from engine.load.ramp import Piece, Ramp, parse_ramp

rates = st.floats(0.1, 1000)
pieces = st.builds(Piece, rates, rates, st.floats(0.1, 100))


def test_pieces_are_at_one_rate_or_go_from_one_to_another() -> None:
    assert parse_ramp("50:30, 50..400:60") == (Piece(50, 50, 30), Piece(50, 400, 60))


@pytest.mark.parametrize("wrong", ["", "50", "50:", "a:3", "50..:3", "0:10", "5:0", "1.2.3:4"])
def test_what_is_no_ramp_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"RATE:SECONDS|asks for nothing"):
        parse_ramp(wrong)


@given(st.lists(pieces, min_size=1, max_size=5), st.floats(0, 0.999), st.floats(0, 0.999))
def test_time_goes_on_with_the_requests_and_stays_inside(
    given_pieces: list[Piece], one: float, other: float
) -> None:
    ramp, total = Ramp(given_pieces), sum(piece.requests for piece in given_pieces)
    first, second = (ramp.at(share * total) for share in sorted((one, other)))
    assert first is not None
    assert second is not None
    assert 0 <= first <= second <= ramp.seconds * (1 + 1e-9)
    assert ramp.at(total) is None


@given(pieces, st.floats(0, 0.999))
def test_the_clock_runs_as_the_rate_says(piece: Piece, share: float) -> None:
    at = piece.at(share * piece.requests)
    slope = (piece.last - piece.first) / piece.seconds
    assert piece.first * at + slope * at**2 / 2 == pytest.approx(share * piece.requests, rel=1e-6)


def test_a_rising_rate_brings_more_at_the_end() -> None:
    ramp = Ramp(parse_ramp("0..200:30"))
    due = np.array(list(ramped(ramp, 1.0, "poisson", 1.0, np.random.default_rng(0))))
    counts = [((due >= at) & (due < at + 10)).sum() for at in (0, 10, 20)]
    assert counts == pytest.approx([333, 1000, 1667], rel=0.15)
