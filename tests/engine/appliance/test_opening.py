from __future__ import annotations

from engine.appliance.opening import Opening


def test_each_phase_lasts_until_the_next_begins_and_the_last_until_it_is_asked() -> None:
    now = [10.0]
    opening = Opening(lambda: now[0])
    now[0] = 10.5
    opening.begin("opening the store")
    now[0] = 10.7
    opening.begin("loading the backbone")
    now[0] = 12.0
    assert opening.account() == "opening the store 0.2 s, loading the backbone 1.3 s"
