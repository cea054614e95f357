from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError

import pytest

from engine.errors import Unavailable
from engine.serving.work import Ticket
from tests.engine.serving.works import OUTCOME


def test_the_last_text_ends_the_request_whatever_the_order() -> None:
    ticket = Ticket(3, "disk")
    for index in (2, 0):
        ticket.deliver(index, OUTCOME)
        assert not ticket.given_up
    ticket.deliver(1, OUTCOME)
    assert ticket.future.result(0) == [OUTCOME] * 3


def test_the_first_error_ends_the_request_and_later_news_changes_nothing() -> None:
    ticket = Ticket(2, "disk")
    error = Unavailable("first")
    ticket.fail(error)
    assert ticket.given_up
    ticket.fail(Unavailable("second"))
    ticket.deliver(0, OUTCOME)
    ticket.deliver(1, OUTCOME)
    assert ticket.future.exception(0) is error


def test_a_cancelled_request_is_given_up_and_takes_no_answer() -> None:
    ticket = Ticket(1, "disk")
    assert ticket.future.cancel()
    assert ticket.given_up
    ticket.deliver(0, OUTCOME)
    ticket.fail(Unavailable("late"))
    with pytest.raises(CancelledError):
        ticket.future.result(0)


def test_an_answered_request_cannot_be_cancelled_or_failed() -> None:
    ticket = Ticket(1, "disk")
    ticket.deliver(0, OUTCOME)
    ticket.fail(Unavailable("late"))
    assert not ticket.future.cancel()
    assert ticket.future.result(0) == [OUTCOME]


def race(ticket: Ticket) -> list[Exception]:
    """Answer, fail and cancel it at the same instant; what any of them raised."""
    start = threading.Barrier(3)
    broken: list[Exception] = []

    def at_once(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
        except Exception as error:  # noqa: BLE001  the test looks at it
            broken.append(error)

    acts: list[Callable[[], object]] = [
        lambda: ticket.deliver(0, OUTCOME),
        lambda: ticket.fail(Unavailable("no")),
        ticket.future.cancel,
    ]
    threads = [threading.Thread(target=at_once, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return broken


def test_answer_error_and_cancellation_at_once_end_the_request_exactly_one_way() -> None:
    for _ in range(300):
        ticket = Ticket(1, "disk")
        assert race(ticket) == []
        assert ticket.given_up
        if not ticket.future.cancelled():
            failed = ticket.future.exception(0) is not None
            assert failed or ticket.future.result(0) == [OUTCOME]
