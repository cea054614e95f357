from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from engine.client import Client, EngineNotRunning, Paths, Unavailable
from hmi_tui import engine_process
from hmi_tui.engine_process import engine_command, ensure_engine, start_engine, stop_engine
from tests.hmi_tui.cli import fake_engine


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.find(tmp_path, tmp_path / "engine.sock")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, paths: Paths) -> None:
    command = [sys.executable, fake_engine.__file__, str(paths.socket)]
    monkeypatch.setattr(engine_process, "engine_command", lambda *_: command)


def _instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    command = [sys.executable, "-c", program]
    monkeypatch.setattr(engine_process, "engine_command", lambda *_: command)


def test_the_command_names_home_and_socket_and_lets_arguments_win(paths: Paths) -> None:
    command = engine_command(paths, ["--device", "cpu"])
    assert command[1:5] == ["-P", "-m", "engine", "serve"]
    assert command[5:] == [
        *("--home", str(paths.config.parent)),
        *("--socket", str(paths.socket)),
        *("--device", "cpu"),
    ]


@pytest.mark.usefixtures("fake")
def test_an_engine_is_started_once_and_stopped(paths: Paths) -> None:
    told: list[str] = []
    assert ensure_engine(paths, progress=told.append)
    assert not ensure_engine(paths)
    with Client(paths=paths) as client:
        pid = client.status().engine.pid
    assert told == ["starting the engine"]
    stop_engine(paths)
    assert not psutil.pid_exists(pid)
    with pytest.raises(EngineNotRunning):
        stop_engine(paths)


def test_an_engine_that_dies_is_told_with_its_last_words(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.log.parent.mkdir(parents=True)
    paths.log.write_text("words of an earlier engine\n")
    _instead(monkeypatch, "import sys; sys.exit('the backbone is corrupted')")
    with pytest.raises(Unavailable, match="the backbone is corrupted") as raised:
        start_engine(paths)
    assert "earlier" not in str(raised.value)
    assert str(paths.log) in raised.value.remedy


def test_an_engine_that_is_never_ready_is_ended(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path(paths.state)
    _instead(
        monkeypatch,
        f"import os, signal; open({str(here / 'pid')!r}, 'w').write(str(os.getpid())); "
        "signal.pause()",
    )

    def written(_line: str) -> None:
        """Wait for the process to have begun, so that its pid is known below."""
        while not (here / "pid").exists() or not (here / "pid").read_text():
            pass

    with pytest.raises(Unavailable, match="not ready"):
        start_engine(paths, timeout=0.0, progress=written)
    assert not psutil.pid_exists(int((here / "pid").read_text()))


def test_an_interrupted_start_leaves_nothing_running(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    _instead(monkeypatch, "import signal; signal.pause()")
    before = set(psutil.Process().children())

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_engine(paths, progress=interrupt)
    assert set(psutil.Process().children()) == before
