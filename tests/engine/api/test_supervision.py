"""What a supervisor is told, and what clients are told of a stop before it comes."""

from __future__ import annotations

import logging
import os
import socket
import threading
from pathlib import Path

import pytest

from engine.api import supervision
from engine.api.notify import notify
from engine.appliance import Appliance
from engine.config import Paths, Settings
from tests.engine.api.running import Running, until


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The socket that systemd would read."""
    path = tmp_path / "notify"
    messages = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    messages.bind(str(path))
    messages.settimeout(20)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    return messages


def test_beats_and_a_hang_reach_the_supervisor_and_the_process_ends(
    supervisor: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[int] = []
    over = threading.Event()

    def end(code: int) -> None:
        ended.append(code)
        over.set()

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(supervision, "SEEN_S", 0.01)
    appliance = Appliance(Settings(paths=Paths.find(tmp_path)))
    supervision.supervise(appliance)
    with supervisor:
        appliance.on_beat()
        assert supervisor.recv(100) == b"WATCHDOG=1"
        with caplog.at_level(logging.CRITICAL):
            appliance.on_hung("one batch has been in the stage compute for 61 s")
        assert supervisor.recv(100).startswith(b"STATUS=hung: one batch")
    assert over.wait(20)
    assert ended == [supervision.HUNG_EXIT]
    assert "supervisor" in caplog.text


def test_without_a_supervisor_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("WATCHDOG=1")


def test_an_engine_that_is_to_stop_says_so_before_it_lets_nobody_in(
    mortal: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.api.server.DRAIN_S", 2.0)
    with mortal.client() as client, mortal.http() as http:
        until(lambda: client.readyz()[0], "readiness")
        mortal.stop()
        until(lambda: not client.readyz()[0], "the end of readiness")
        assert client.readyz() == (False, ["stopping"])
        refused = http.get("/v1/status")
        assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
        assert "stopping" in refused.json()["detail"]
        assert http.get("/livez").status_code == 200


def test_what_waits_is_refused_when_a_stop_takes_long(
    mortal: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "WAIT_S", 0.01)
    with mortal.client() as client:
        until(lambda: client.readyz()[0], "readiness")
    mortal.stop()
    until(lambda: ("refuse_waiting", ()) in mortal.appliance.calls, "the refusal")
