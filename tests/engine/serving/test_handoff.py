from __future__ import annotations

import threading

from engine.serving.handoff import Handoff


def test_things_come_out_in_the_order_in_which_they_were_handed_over() -> None:
    line: Handoff[int] = Handoff(room=3)
    for thing in range(3):
        line.put(thing)
    assert [line.take() for _ in range(3)] == [0, 1, 2]


def test_whoever_hands_over_waits_until_there_is_room() -> None:
    line: Handoff[int] = Handoff()
    line.put(1)
    handed = threading.Event()

    def put() -> None:
        line.put(2)
        handed.set()

    other = threading.Thread(target=put)
    other.start()
    assert not handed.is_set()
    assert line.take() == 1
    assert handed.wait(10)
    assert line.take() == 2
    other.join(10)


def test_a_closed_line_is_emptied_before_it_ends() -> None:
    line: Handoff[int] = Handoff(room=2)
    line.put(1)
    line.close()
    assert line.take() == 1
    assert line.take() is None
    assert line.take() is None


def test_closing_wakes_all_who_wait() -> None:
    line: Handoff[int] = Handoff()
    got: list[int | None] = []
    waiting = [threading.Thread(target=lambda: got.append(line.take())) for _ in range(3)]
    for thread in waiting:
        thread.start()
    line.close()
    for thread in waiting:
        thread.join(10)
    assert got == [None, None, None]
