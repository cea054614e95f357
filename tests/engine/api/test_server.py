from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.api.sockets import bound, owned
from engine.client import Client
from engine.config import Paths
from engine.errors import BadInput, EngineNotRunning, Refused, SocketBusy
from tests.engine.api.running import DEADLINE_S, spawn, until


@contextmanager
def process(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """An engine of its own that answers; killed at the end if it still runs."""
    engine = spawn(home, *arguments)
    with engine, Client(Paths.find(home).socket) as client:
        try:
            until(lambda: client.livez() or engine.poll() is not None, "the start")
            yield engine, client
        finally:
            engine.kill()


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly_with_an_event_stream_open(
    tmp_path: Path, order: signal.Signals
) -> None:
    with process(tmp_path) as (engine, client):
        until(lambda: client.readyz()[0], "readiness")
        assert stat.S_IMODE((tmp_path / "engine.sock").stat().st_mode) == 0o600
        stream = client.watch_job("j1")
        assert next(stream).state == "running"
        engine.send_signal(order)
        assert engine.wait(10) == 0
        with pytest.raises(EngineNotRunning):
            list(stream)
        assert not (tmp_path / "engine.sock").exists()
        assert engine.stderr is not None
        shown = engine.stderr.read()
    assert "Traceback" not in shown
    said = ("Serving on", "Ready after", "Stopping", "Stopped")
    assert [words for words in said if words not in shown] == []


def test_a_call_can_end_the_process(tmp_path: Path) -> None:
    with process(tmp_path) as (engine, client):
        client.stop()
        assert engine.wait(10) == 0
    assert not (tmp_path / "engine.sock").exists()


def test_a_second_engine_is_refused_with_the_pid_and_the_first_lives_on(tmp_path: Path) -> None:
    with process(tmp_path) as (engine, client):
        second = spawn(tmp_path)
        _, shown = second.communicate(timeout=DEADLINE_S)
        assert second.returncode == 1
        assert f"An engine (pid {engine.pid}) holds the socket" in shown
        assert "hmi stop" in shown
        other_socket = spawn(tmp_path, "x", str(tmp_path / "other.sock"))
        _, shown = other_socket.communicate(timeout=DEADLINE_S)
        assert other_socket.returncode == 1
        assert f"An engine (pid {engine.pid}) holds the data" in shown
        assert client.livez()


def test_the_socket_of_a_killed_engine_is_replaced(tmp_path: Path) -> None:
    with process(tmp_path) as (engine, client):
        engine.kill()
        engine.wait()
        assert (tmp_path / "engine.sock").exists()
        assert Paths.find(tmp_path).lock.read_text() == f"{engine.pid}\n", "it died"
        assert client.livez() is False
    with process(tmp_path) as (_, client):
        assert client.livez()


def test_a_start_that_fails_ends_the_process_with_its_error(tmp_path: Path) -> None:
    engine = spawn(tmp_path, "failing")
    _, shown = engine.communicate(timeout=DEADLINE_S)
    assert engine.returncode == 1
    assert "Error: model.safetensors is cut short. Copy it." in shown
    assert not (tmp_path / "engine.sock").exists()


@pytest.mark.parametrize("trouble", ["stuck", "slow"])
def test_what_does_not_end_by_itself_is_ended(tmp_path: Path, trouble: str) -> None:
    with process(tmp_path, trouble) as (engine, client):
        until(lambda: trouble == "slow" or client.readyz()[0], "readiness")
        engine.terminate()
        # A start that hangs is nothing worse than a start cut short; a close is.
        assert engine.wait(10) == (0 if trouble == "slow" else 1)
    assert not (tmp_path / "engine.sock").exists()
    assert Paths.find(tmp_path).lock.read_text() == "", "it was stopped"


def test_a_supervisor_is_told_when_the_engine_is_ready_and_when_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with process(tmp_path / "home") as (engine, _):
            assert supervisor.recv(100) == b"READY=1"
            engine.terminate()
            assert supervisor.recv(100) == b"STOPPING=1"
            assert engine.wait(10) == 0


def test_folders_are_private_and_the_lock_names_the_holder(tmp_path: Path) -> None:
    paths = Paths.find(tmp_path / "a" / "home")
    with owned(paths):
        assert stat.S_IMODE(paths.socket.parent.stat().st_mode) == 0o700
        assert paths.lock.read_text() == f"{os.getpid()}\n"
        with pytest.raises(SocketBusy, match=str(os.getpid())), owned(paths):
            pass
    with owned(paths):
        pass


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(BadInput, match="not a socket"), bound(tmp_path / "s"):
        pass
    assert (tmp_path / "s").read_text() == "precious"


def test_a_socket_that_somebody_answers_on_is_not_stolen(tmp_path: Path) -> None:
    with (
        bound(tmp_path / "s"),
        pytest.raises(SocketBusy, match=f"pid {os.getpid()}"),
        bound(tmp_path / "s"),
    ):
        pass
    assert not (tmp_path / "s").exists()


def test_a_folder_of_another_user_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    os.chown(tmp_path, 1234, -1) if os.geteuid() == 0 else None
    with pytest.raises(Refused, match="another user"), owned(Paths.find(tmp_path)):
        pass


def test_a_path_that_the_system_cannot_bind_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    home = tmp_path / ("x" * 100)
    with pytest.raises(BadInput, match="107"), owned(Paths.find(home)):
        pass
    assert not home.exists()


def _serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_refuses_wrong_usage_with_2_and_wrong_places_with_1(tmp_path: Path) -> None:
    usage = _serve("--host-cache", "plenty")
    assert usage.returncode == 2
    assert "'plenty' is not a size" in usage.stderr
    place = _serve("--home", str(tmp_path), "--socket", "/tmp/" + "x" * 120)
    assert place.returncode == 1
    assert place.stderr.startswith("Error: The socket path has 125 bytes")
    assert "--socket" in place.stderr
    (tmp_path / "file").touch()
    taken = _serve("--home", str(tmp_path / "file"))
    assert taken.returncode == 1
    assert taken.stderr.startswith(f"Error: {tmp_path / 'file'}: File exists.")
    assert "--home" in taken.stderr


def test_every_flag_has_its_twin_in_the_environment() -> None:
    import click

    from engine.__main__ import serve

    flags = [each for each in serve.params if isinstance(each, click.Option)]
    assert {flag.opts[0] for flag in flags} >= {"--home", "--socket", "--device", "--threads"}
    for flag in flags:
        assert flag.name is not None
        assert flag.envvar == f"HMI_{flag.name.upper()}"
        assert flag.show_envvar
        assert flag.help
