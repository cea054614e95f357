from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.schema import TraceEvent
from hmi_tui.timeline.lanes import Bar, Interval, bars, crowded, length, union, without

INTERVALS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda p: (float(p[0]), float(sum(p)))),
    max_size=8,
)


def covers(intervals: list[Interval], at: float) -> bool:
    return any(start <= at < end for start, end in intervals)


@given(INTERVALS, INTERVALS, INTERVALS)
def test_intervals_are_sets_of_instants(
    a: list[Interval], b: list[Interval], c: list[Interval]
) -> None:
    lanes = [union(a), union(b), union(c)]
    both = crowded(lanes, 2)
    rest = without(lanes[0], lanes[1])
    for tick in range(40):
        at = tick + 0.5
        assert covers(lanes[0], at) == covers(a, at)
        assert covers(rest, at) == (covers(a, at) and not covers(b, at))
        assert covers(both, at) == (sum(covers(lane, at) for lane in lanes) >= 2)
    assert length(rest) <= length(lanes[0])


@given(INTERVALS)
def test_a_union_does_not_overlap_itself(some: list[Interval]) -> None:
    joined = union(some)
    assert all(before[1] < after[0] for before, after in pairwise(joined))


def test_bars_are_the_complete_events_in_seconds_by_start() -> None:
    def event(ph: str, lane: str, ts: float) -> TraceEvent:
        return TraceEvent.model_validate(
            {"ph": ph, "cat": lane, "name": "n", "pid": 1, "tid": 1, "ts": ts, "dur": 5e5}
            | {"args": {"batch": 3}}
        )

    found = bars([event("X", "compute", 2e6), event("X", "load", 1e6), event("s", "flow", 0)])
    assert found == [Bar("load", "n", 1.0, 1.5, 3), Bar("compute", "n", 2.0, 2.5, 3)]
