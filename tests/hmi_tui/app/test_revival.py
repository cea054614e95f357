"""Which engines are called dead: those that were killed, not those that were stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.client import Paths
from hmi_tui.engine_process import stop_engine
from hmi_tui.launch import Launch, launch_of
from hmi_tui.revival import TIMES, WITHIN_S, Revival
from tests.hmi_tui.cli import fake_engine
from tests.hmi_tui.dying import SERVE, mortal


def seen(paths: Paths, process: subprocess.Popen[bytes]) -> Revival:
    revival = Revival(paths)
    revival.seen(process.pid)
    assert revival.death() is None, "it lives"
    return revival


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_one_that_was_killed_died_and_that_is_told_once(paths: Paths, tmp_path: Path) -> None:
    with mortal(paths, *SERVE, "--threads", "1", folder=tmp_path, HMI_MISS="backoff") as process:
        revival = seen(paths, process)
        kill(process)
        death = revival.death()
        assert death is not None
        assert death.again
        assert not death.launch.supervised
        assert revival.death() is None
    command = (sys.executable, fake_engine.__file__, str(paths.socket), *SERVE, "--threads", "1")
    assert (death.launch.command, death.launch.folder) == (command, str(tmp_path))
    assert death.launch.environment is not None
    assert death.launch.environment["HMI_MISS"] == "backoff"
    assert revival.launch == death.launch


def test_one_whose_parent_has_not_noticed_yet_is_dead(paths: Paths) -> None:
    with mortal(paths, *SERVE) as process:
        revival = seen(paths, process)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert revival.death() is not None


def test_one_that_ended_in_order_did_not_die(paths: Paths) -> None:
    with mortal(paths, *SERVE) as process:
        revival = seen(paths, process)
        stop_engine(paths)
        process.wait()
        assert revival.death() is None
        paths.lock.write_text(f"{process.pid}\n")
        assert revival.death() is None, "what comes later is not looked at"


def test_one_that_had_to_be_killed_to_stop_it_did_not_die(paths: Paths) -> None:
    with mortal(paths, *SERVE) as process:
        revival = seen(paths, process)
        process.send_signal(signal.SIGSTOP)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hmi_tui.engine_process.ASK_S", 0.05)
            stop_engine(paths, timeout=0.05, kill=True)
        process.wait()
        assert revival.death() is None


def test_what_is_no_engine_to_be_seen_from_here_is_never_called_dead(paths: Paths) -> None:
    with mortal(paths) as process:
        revival = seen(paths, process)
        kill(process)
        assert revival.death() is None
        assert revival.launch is None
    for pid in (process.pid, -1):
        revival.seen(pid)
        assert revival.death() is None


def test_one_that_a_supervisor_looks_after_is_left_to_it(paths: Paths) -> None:
    with mortal(paths, *SERVE, NOTIFY_SOCKET="/run/nobody") as process:
        revival = seen(paths, process)
        kill(process)
        death = revival.death()
    assert death is not None
    assert death.launch.supervised
    assert revival.launch is None


def test_one_that_dies_again_and_again_is_left_dead_for_a_while(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    with mortal(paths, *SERVE) as process:
        launch = launch_of(psutil.Process(process.pid))
        process.kill()
    revival = Revival(paths, clock=lambda: now)
    monkeypatch.setattr("hmi_tui.revival.launch_of", lambda _: launch)
    monkeypatch.setattr("hmi_tui.revival._lives", lambda _: False)
    paths.lock.write_text(f"{os.getpid()}\n")

    def dies() -> tuple[bool, int]:
        revival.seen(os.getpid())
        death = revival.death()
        assert death is not None
        return death.again, death.times

    assert [dies()[0] for _ in range(TIMES)] == [True] * TIMES
    assert dies() == (False, TIMES + 1)
    now += WITHIN_S + 1
    assert dies() == (True, 1)


def test_a_folder_that_is_gone_is_not_started_in(paths: Paths, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with mortal(paths, *SERVE, folder=folder) as process:
        folder.rmdir()
        launch = launch_of(psutil.Process(process.pid))
    assert isinstance(launch, Launch)
    assert launch.folder is None
