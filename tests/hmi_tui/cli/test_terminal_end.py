"""The application in a real terminal that goes away, or under a signal."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.terminal import COMMAND, Terminal, terminal

SIZE = (80, 24)
SOON_S = 60.0
"""Far more than it takes, even on a machine that does something else; a spin lasts for ever."""

ENTERED = r"\x1b\[\?1049h"
LEFT = r"\x1b\[\?1049l"
"""What a terminal is told at the beginning and at the end of a full-screen program."""


@contextmanager
def opened(home: Path, *, deaf: bool = False) -> Iterator[Terminal]:
    """`hmi --read-only` on a home without an engine, painted."""
    environment = {"HMI_HOME": str(home), "TERM": "xterm-256color"}
    with terminal(["--read-only"], SIZE, environment, deaf=deaf) as one:
        one.wait_for("Overview", SOON_S)
        one.wait_for("is not running", SOON_S)
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("deaf", [False, True], ids=["with SIGHUP", "with SIGHUP ignored"])
def test_a_terminal_that_goes_away_takes_the_application_along(tmp_path: Path, deaf: bool) -> None:
    with opened(tmp_path, deaf=deaf) as one:
        one.hang_up()
        assert one.ended(SOON_S) == 128 + signal.SIGHUP


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(
    tmp_path: Path, signum: signal.Signals
) -> None:
    with opened(tmp_path) as one:
        one.process.send_signal(signum)
        one.wait_for(LEFT, SOON_S)
        assert one.ended(SOON_S) == 128 + signum


@pytest.mark.slow
def test_one_that_was_stopped_from_outside_goes_on_and_is_quit_by_its_key(tmp_path: Path) -> None:
    with opened(tmp_path) as one:
        for _ in range(3):
            one.process.send_signal(signal.SIGSTOP)
            one.write("")
            one.process.send_signal(signal.SIGCONT)
            one.wait_for(ENTERED, SOON_S)
        one.write("q")
        one.wait_for(LEFT, SOON_S)
        assert one.ended(SOON_S) == 0


MEASURES = """
import sys, time
from pathlib import Path
import psutil
from tests.benchmarks.application import engine_on
from tests.benchmarks.terminal import terminal

with engine_on(Path(sys.argv[1]), 30, live=True) as found, terminal([], (80, 24), found) as one:
    one.wait_for("req/s", 60)
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_measurement_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEASURES, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        begun = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(begun) == 2, "the application and the scripted engine"
    _, alive = psutil.wait_procs(begun, SOON_S)
    assert alive == []


@pytest.mark.slow
def test_an_application_that_nobody_would_see_is_not_opened(tmp_path: Path) -> None:
    environment = {"HMI_HOME": str(tmp_path), "TERM": "xterm-256color"}
    program = f"{shlex.join(COMMAND)} --read-only 2> {shlex.quote(str(tmp_path / 'errors'))}"
    with terminal([program], SIZE, environment, command=("/bin/sh", "-c")) as one:
        assert one.ended(SOON_S) == 1
    assert "needs a terminal" in (tmp_path / "errors").read_text()
