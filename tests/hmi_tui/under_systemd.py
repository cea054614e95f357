"""A manager of systemd's own, of one user, beside whatever runs this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DEADLINE_S = 120.0
START_S = 30.0
MANAGER = Path("/lib/systemd/systemd")
# It asks whether the machine was booted by systemd; in a /run of its own the answer is yes.
_SCRIPT = f"mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec {MANAGER} --user"
_ALONE = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT)


class Manager:
    """Asked by systemctl; `home` is its user's."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.units = home / ".config" / "systemd" / "user"
        self.units.mkdir(parents=True)
        runtime = home / "run"
        runtime.mkdir(mode=0o700)
        self.environment = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
        }

    def ctl(self, *words: str) -> str:
        """What systemctl says. CalledProcessError if it refuses."""
        command = ["systemctl", "--user", *words]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=DEADLINE_S
        )
        done.check_returncode()
        return done.stdout.strip()

    def tells(self, unit: str, fact: str) -> str:
        return self.ctl("show", unit, f"--property={fact}", "--value")

    def until(self, true: Callable[[], bool], what: str) -> None:
        end, pause = time.monotonic() + DEADLINE_S, threading.Event()
        while not true():
            assert time.monotonic() < end, f"waited in vain for {what}"
            pause.wait(0.05)

    def comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it answers, in a while; it does not where it may not have what it needs."""
        end, pause = time.monotonic() + START_S, threading.Event()
        while process.poll() is None and time.monotonic() < end:
            with suppress(subprocess.SubprocessError):
                self.ctl("show-environment")
                return True
            pause.wait(0.05)
        return False


@contextmanager
def manager() -> Iterator[Manager | None]:
    """None where there is no systemd, or no right to give it a /run of its own."""
    if not MANAGER.exists() or os.geteuid() != 0 or shutil.which("unshare") is None:
        yield None
        return
    # Short: sockets are in it.
    with tempfile.TemporaryDirectory(prefix="hmi-sd-", ignore_cleanup_errors=True) as folder:
        one = Manager(Path(folder))
        with subprocess.Popen(
            _ALONE,
            env=one.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield one if one.comes_up(process) else None
            finally:
                with suppress(subprocess.SubprocessError):
                    one.ctl("stop", "hmi.service")
                process.terminate()
                try:
                    process.wait(DEADLINE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
