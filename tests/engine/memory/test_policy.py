from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.memory import policy
from engine.memory.policy import DecayedFrequency, EvictionPolicy, LeastRecent, best_policy

NAMES = "abcdefgh"
Deed = tuple[str, str]
deeds = st.lists(
    st.tuples(st.sampled_from(["touch", "add", "remove", "forget", "pop"]), st.sampled_from(NAMES)),
    max_size=80,
)


def _score(history: list[tuple[int, str]], name: str, half_life: float | None) -> float:
    """From the definition: the last touch, or the sum of all of them, each faded."""
    times = [at for at, who in history if who == name]
    if half_life is None:
        return max(times, default=-1)
    return math.fsum(2.0 ** (at / half_life) for at in times)


@pytest.mark.parametrize("half_life", [None, 0.7, 3.0, 1000.0])
@given(done=deeds)
def test_the_candidate_that_goes_first_is_the_one_the_definition_says(
    half_life: float | None, done: list[Deed]
) -> None:
    tested: EvictionPolicy = LeastRecent() if half_life is None else DecayedFrequency(half_life)
    candidates: set[str] = set()
    history: list[tuple[int, str]] = []
    touches = 0
    for deed, name in done:
        if deed == "touch":
            touches += 1
            tested.touch(name)
            history.append((touches, name))
        elif deed == "add":
            tested.add(name)
            candidates.add(name)
        elif deed == "remove":
            tested.remove(name)
            candidates.discard(name)
        elif deed == "forget":
            tested.forget(name)
            candidates.discard(name)
            history = [(at, who) for at, who in history if who != name]
        else:
            victim = tested.pop()
            assert (victim is None) == (not candidates)
            if victim is not None:
                scores = {n: _score(history, n, half_life) for n in candidates}
                assert scores[victim] == pytest.approx(min(scores.values()))
                candidates.remove(victim)
        assert len(tested) == len(candidates)
        assert all((n in tested) == (n in candidates) for n in NAMES)


def test_a_victim_that_is_put_back_keeps_its_place() -> None:
    tested = LeastRecent()
    for name in "abc":
        tested.touch(name)
        tested.add(name)
    assert tested.pop() == "a"
    tested.add("a")
    assert [tested.pop() for _ in range(4)] == ["a", "b", "c", None]


def test_what_was_asked_for_often_outlives_a_sweep_and_is_outlived_once_it_is_old() -> None:
    tested = DecayedFrequency(half_life=10)
    for _ in range(8):
        tested.touch("often")
    tested.add("often")
    for n in range(20):
        tested.touch(f"swept {n}")
        tested.add(f"swept {n}")
        assert tested.pop() == f"swept {n}"
    for _ in range(20):
        tested.touch("new")
    tested.add("new")
    assert tested.pop() == "often"


def test_an_adapter_that_went_and_comes_again_has_not_lost_its_past() -> None:
    tested = best_policy()
    for name in ("known", "known", "other"):
        tested.touch(name)
    tested.add("known")
    assert tested.pop() == "known"
    tested.touch("other")
    tested.touch("known")
    tested.add("known")
    tested.add("other")
    assert tested.pop() == "other"


@pytest.mark.parametrize("made", [LeastRecent, best_policy])
def test_neither_the_heap_nor_the_memory_of_the_past_grows_without_end(
    made: Callable[[], EvictionPolicy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "_REMEMBERED", 50)
    tested = made()
    tested.touch("stays")
    tested.add("stays")
    for n in range(1000):
        tested.touch(str(n))
        tested.touch("busy")
        tested.add("busy")
    assert len(tested._scores) <= 50
    assert len(tested._heap) < 200
    assert Counter(tested.pop() for _ in range(3)) == Counter(["stays", "busy", None])


@pytest.mark.parametrize("half_life", [None, 3.0, 1000.0])
@given(done=deeds)
def test_who_is_hotter_goes_later(half_life: float | None, done: list[Deed]) -> None:
    tested: EvictionPolicy = LeastRecent() if half_life is None else DecayedFrequency(half_life)
    history: list[tuple[int, str]] = []
    for deed, name in done:
        if deed == "touch":
            history.append((len(history) + 1, name))
            tested.touch(name)
    known = sorted({name for _, name in history})
    by_score = sorted(known, key=lambda name: _score(history, name, half_life))
    heats = [tested.heat(name) for name in by_score]
    assert heats == sorted(heats)
    assert all(heat > 0 for heat in heats)
    assert tested.heat("never") == 0


def test_heat_is_the_count_that_halves_after_every_half_life() -> None:
    tested = DecayedFrequency(half_life=4)
    for name in "aabbbb":
        tested.touch(name)
    assert tested.heat("a") == pytest.approx(2 ** (-5 / 4) + 2 ** (-4 / 4))
    assert tested.heat("b") == pytest.approx(sum(2 ** (-n / 4) for n in range(4)))
