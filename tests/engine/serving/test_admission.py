from __future__ import annotations

from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import QuotaExceeded
from engine.serving.admission import Admission, TenantTerms
from tests.engine.serving.works import Clock


def admission(clock: Clock, **terms: TenantTerms) -> Admission:
    return Admission(lambda tenant: terms.get(tenant, TenantTerms()), clock)


def test_who_has_no_quota_is_never_refused() -> None:
    gate = admission(Clock())
    with ExitStack() as open_:
        for _ in range(1000):
            open_.enter_context(gate.admit("acme"))


def test_a_second_of_requests_may_come_at_once_and_no_more() -> None:
    clock = Clock()
    gate = admission(clock, acme=TenantTerms(rps=4))
    for _ in range(4):
        with gate.admit("acme"):
            pass
    with pytest.raises(QuotaExceeded, match=r"quota of 4 requests a second \(rps\)") as refused:
        gate.admit("acme").__enter__()
    assert refused.value.code == "quota_rps"
    assert refused.value.retry_after == pytest.approx(0.25)
    assert (refused.value.status, refused.value.exit_code) == (429, 5)
    clock.now += 0.25
    with gate.admit("acme"):
        pass


def test_less_than_one_request_a_second_is_one_at_a_time() -> None:
    clock = Clock()
    gate = admission(clock, acme=TenantTerms(rps=0.1))
    with gate.admit("acme"):
        pass
    with pytest.raises(QuotaExceeded) as refused:
        gate.admit("acme").__enter__()
    assert refused.value.retry_after == pytest.approx(10)


def test_requests_in_flight_are_limited_and_come_free_again_however_they_end() -> None:
    clock = Clock()
    gate = admission(clock, acme=TenantTerms(concurrency=2))
    ends = ExitStack()
    for _ in range(2):
        ends.enter_context(gate.admit("acme"))
    with pytest.raises(QuotaExceeded, match=r"2 requests in flight, and its quota is 2"):
        gate.admit("acme").__enter__()
    with gate.admit("globex"):
        pass
    with pytest.raises(RuntimeError, match="broken"), ends:
        raise RuntimeError("broken")
    with gate.admit("acme"), gate.admit("acme"):
        pass


def test_a_refused_request_uses_up_nothing() -> None:
    clock = Clock()
    gate = admission(clock, acme=TenantTerms(rps=2, concurrency=1))
    with gate.admit("acme"):
        for _ in range(5):
            with pytest.raises(QuotaExceeded) as refused:
                gate.admit("acme").__enter__()
            assert refused.value.code == "quota_concurrency"
    with gate.admit("acme"):
        pass


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.floats(0.2, 20))
def test_no_more_than_the_rate_and_one_burst_gets_in(gaps: list[float], rps: float) -> None:
    clock = Clock()
    gate = admission(clock, acme=TenantTerms(rps=rps))
    admitted = 0
    for gap in gaps:
        clock.now += gap
        with suppress(QuotaExceeded), gate.admit("acme"):
            admitted += 1
    assert 1 <= admitted <= max(1.0, rps) + rps * sum(gaps) + 1e-6


def test_tenants_that_have_gone_quiet_are_forgotten() -> None:
    clock = Clock()
    gate = Admission(lambda _: TenantTerms(rps=1), clock)
    for i in range(5000):
        clock.now += 0.01
        with gate.admit(f"t{i}"):
            pass
    assert len(gate._accounts) <= 1024
