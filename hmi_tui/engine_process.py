"""The engine as a background process: start it, wait for it, stop it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from engine.client import Client, EngineNotRunning, HmiError, Paths, Unavailable
from hmi_tui.launch import Launch
from hmi_tui.signals import held_back

START_S = 120.0
STOP_S = 15.0
"""The engine promises to end within 10 s."""

ASK_S = 5.0
"""How long one that is to stop is waited for to answer."""
POLL_S = 0.1
TAIL_LINES = 12

Progress = Callable[[str], None]


def _silent(_line: str) -> None:
    return None


def engine_command(paths: Paths, arguments: Sequence[str] = ()) -> list[str]:
    """The command line of an engine on `paths`; what `arguments` says comes later and wins."""
    # -P: a folder named engine in the current directory must not be run instead of ours.
    command = [sys.executable, "-P", "-m", "engine", "serve"]
    if paths.data == paths.config.parent / "data":
        command += ["--home", str(paths.config.parent)]
    return [*command, "--socket", str(paths.socket), *arguments]


def ensure_engine(
    paths: Paths,
    arguments: Sequence[str] = (),
    timeout: float = START_S,
    progress: Progress = _silent,
    launch: Launch | None = None,
) -> bool:
    """Have a ready engine on `paths`; True if it had to be started. Raises as start_engine."""
    with Client(paths=paths, timeout=5.0) as client:
        running = client.livez()
    if not running:
        start_engine(paths, arguments, timeout, progress, launch)
        return True
    _await_ready(paths, None, timeout, progress)
    return False


def start_engine(
    paths: Paths,
    arguments: Sequence[str] = (),
    timeout: float = START_S,
    progress: Progress = _silent,
    launch: Launch | None = None,
) -> None:
    """Start an engine that outlives this process and wait until it is ready.

    `arguments` are flags of `hmi serve`; `progress` is told in words what the engine waits for.
    With `launch` it is started as an earlier engine on `paths` was, whatever `arguments` say.
    Raises Unavailable with the end of the log if the engine dies, or is not ready in `timeout`
    seconds; then, and on any other exception, nothing is left running.
    """
    paths.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(paths.log, flags, 0o600), "ab") as log:
        written_before = log.tell()
        # Its own session: Ctrl-C in this terminal and the terminal's end do not reach it. An
        # inherited stdin would steal the application's keys.
        process: subprocess.Popen[bytes] | None = None
        launch = launch or Launch(tuple(engine_command(paths, arguments)), None, None)
        try:
            with held_back():
                process = subprocess.Popen(
                    launch.command,
                    cwd=launch.folder,
                    env=launch.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            _await_ready(paths, process, timeout, progress)
        except _DiedError as died:
            raise _death(paths, died.code, written_before) from None
        except BaseException:
            if process is not None:
                _end(process)
            raise
    # Collect its exit status when it ends, or it stays in the process table as a zombie.
    threading.Thread(target=process.wait, name="engine-reaper", daemon=True).start()


def stop_engine(paths: Paths, timeout: float = STOP_S, *, kill: bool = False) -> None:
    """Ask the engine on `paths` to end and wait until its process is gone.

    Raises EngineNotRunning if there is none, Unavailable if it has not ended in `timeout`
    seconds, unless it is to be killed then.
    """
    with Client(paths=paths, timeout=ASK_S) as client:
        process = _process(paths, client)
        try:
            client.stop()
        except HmiError:
            if process is None or not kill:
                raise
            process.terminate()
    if process is None:
        return
    try:
        process.wait(timeout)
    except psutil.TimeoutExpired:
        if not kill:
            raise Unavailable(
                f"The engine (pid {process.pid}) has not ended within {timeout:.0f} s.",
                remedy="Look at hmi logs; hmi stop --kill ends it, and loses no data.",
            ) from None
        # Whoever looks is to see that it was stopped: one that died leaves its pid there.
        with suppress(FileNotFoundError):
            os.truncate(paths.lock, 0)
        process.kill()


def _process(paths: Paths, client: Client) -> psutil.Process | None:
    """The process of the engine that answers `client`; its handle outlives a reused pid."""
    try:
        pid = client.status().engine.pid
    except EngineNotRunning:
        raise
    except HmiError:
        # Starting, or stuck. Somebody accepts connections, so the lock file is no leftover.
        pid = _lock_holder(paths)
    try:
        return psutil.Process(pid) if pid > 0 else None
    except psutil.NoSuchProcess:
        return None


def _lock_holder(paths: Paths) -> int:
    try:
        text = paths.lock.read_text()
    except OSError:
        return 0
    digits = re.search(r"[0-9]+", text)
    return int(digits[0]) if digits else 0


class _DiedError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _await_ready(
    paths: Paths, process: subprocess.Popen[bytes] | None, timeout: float, progress: Progress
) -> None:
    deadline = time.monotonic() + timeout
    told = ""
    with Client(paths=paths, timeout=5.0) as client:
        while True:
            # Looked at before asking: an engine that found another in its place ends at once,
            # and then it is the other that answers.
            code = process.poll() if process is not None else None
            ready, reasons = _readiness(client)
            if ready:
                return
            if code is not None and not client.livez():
                raise _DiedError(code)
            news = ", ".join(reasons)
            if news != told:
                progress(news)
                told = news
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The engine is not ready after {timeout:.0f} s: {news}.",
                    remedy=f"Its log is {paths.log}.",
                )
            time.sleep(POLL_S)


def _readiness(client: Client) -> tuple[bool, list[str]]:
    try:
        return client.readyz()
    except HmiError:
        return False, ["starting the engine"]


def _death(paths: Paths, code: int, written_before: int) -> Unavailable:
    with paths.log.open("rb") as log:
        log.seek(written_before)
        lines = log.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
    last = "\n".join(f"  {line}" for line in lines)
    how = f"with code {code}" if code >= 0 else f"by signal {-code}"
    return Unavailable(
        f"The engine ended {how} while starting. Its last words:\n{last}\n",
        remedy=f"Its log is {paths.log}.",
        code="engine_failed",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
