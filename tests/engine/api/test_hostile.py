"""The short form of tests.benchmarks.fuzz: every kind of hostile call, on the API alone."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from engine.client import Client
from tests.benchmarks.fuzz.hostile import KINDS, Keyring, hostile_calls
from tests.benchmarks.fuzz.siege import besiege
from tests.engine.api.running import DEADLINE_S, Running, running
from tests.engine.api.scripted import ScriptedAppliance

CALLS = 400


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("e"), ScriptedAppliance(), listen="127.0.0.1:0") as engine:
        # Only the operator's key is tried on this route, and it would end the engine.
        engine.app.state.stop = lambda: None
        yield engine


async def test_hostile_calls_are_refused_and_harm_nobody(outside: Running) -> None:
    assert outside.network is not None
    host, port = outside.network.listener.getsockname()
    keys = Keyring(["hmi-operator", "hmi-acme"], "globex", "hmi-globex")
    calls = hostile_calls(7, keys, slow=0)
    verdict = await besiege(host, port, calls, CALLS, at_once=8)
    assert verdict.wrong == []
    assert verdict.calls == CALLS
    assert set(verdict.by_kind) == {*KINDS, "good faith"}
    # They come further than the door: some are answered as calls in good faith are.
    assert {"200", "400", "401", "404", "422", "431", "hung up"} <= set(verdict.by_status)
    with Client(url=outside.url, key="hmi-acme", timeout=DEADLINE_S) as client:
        assert client.classify("acme/polarity", "good").labels
    lines = psutil.Process().net_connections("tcp")
    assert sum(line.laddr.port == port and line.status == "ESTABLISHED" for line in lines) <= 1
