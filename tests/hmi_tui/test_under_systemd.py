"""The unit that `hmi unit` prints, under systemd itself where there is one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from engine.client import Client, Paths
from hmi_tui.cli.root import hmi
from hmi_tui.engine_process import stop_engine
from tests.hmi_tui.under_systemd import Manager, manager

UNIT = "hmi.service"


@pytest.fixture(scope="module")
def systemd() -> Iterator[Manager]:
    with manager() as found:
        if found is None:
            pytest.skip("no systemd that may be started here")
        yield found


@pytest.fixture(scope="module")
def paths(systemd: Manager) -> Paths:
    """Of a home with the unit for it, whose watchdog waits less, to be seen at work."""
    home = systemd.home / "h"
    printed = CliRunner().invoke(hmi, ["unit", "--home", str(home)])
    (systemd.units / UNIT).write_text(printed.stdout)
    (systemd.units / f"{UNIT}.d").mkdir()
    quick = "[Service]\nWatchdogSec=8\nTimeoutAbortSec=2\n"
    (systemd.units / f"{UNIT}.d" / "quick.conf").write_text(quick)
    systemd.ctl("daemon-reload")
    return Paths.find(home)


def test_it_is_ready_when_it_says_so_and_comes_back_and_stays_stopped(
    systemd: Manager, paths: Paths
) -> None:
    """One engine's life, for each start takes seconds."""

    def pid() -> int:
        return int(systemd.tells(UNIT, "MainPID"))

    def back_after(restarts: int, before: int) -> None:
        def ready() -> bool:
            state = systemd.tells(UNIT, "ActiveState"), systemd.tells(UNIT, "NRestarts")
            return state == ("active", str(restarts))

        systemd.until(ready, f"restart {restarts}")
        assert client.readyz() == (True, [])
        assert client.status().engine.pid == pid() != before

    # Returns when the engine has told that it is ready, as its type is notify.
    systemd.ctl("start", UNIT)
    with Client(paths=paths, timeout=30) as client:
        assert client.readyz() == (True, [])
        first = pid()
        assert client.status().engine.pid == first
        client.create_tenant("acme")
        assert (paths.data.stat().st_mode & 0o777, paths.socket.stat().st_mode & 0o777) == (
            0o700,
            0o600,
        )

        os.kill(first, signal.SIGKILL)
        back_after(1, first)
        assert systemd.tells(UNIT, "Result") == "success"

        second = pid()
        os.kill(second, signal.SIGSTOP)
        back_after(2, second)
        assert client.tenant("acme").name == "acme"

    stop_engine(paths)
    systemd.until(lambda: systemd.tells(UNIT, "ActiveState") == "inactive", "the end")
    assert systemd.tells(UNIT, "Result") == "success"
    assert systemd.tells(UNIT, "ExecMainStatus") == "0"


def test_the_unit_has_no_word_that_systemd_does_not_know(systemd: Manager, paths: Paths) -> None:
    assert not systemd.tells(UNIT, "LoadError").strip('" ')
    assert systemd.tells(UNIT, "NotifyAccess") == "main"
    assert systemd.tells(UNIT, "ProtectSystem") == "full"
