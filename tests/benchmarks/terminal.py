"""`hmi` in a terminal of its own: a real pty, what it writes, and when."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil

COMMAND = (sys.executable, "-P", "-m", "hmi_tui.cli")
READ_BYTES = 1 << 16


class Terminal:
    """The far end of the pty. Bytes are kept with the instant at which they were read."""

    def __init__(self, pid: int, master: int, began: float) -> None:
        self.process = psutil.Process(pid)
        self.began = began
        self._master = master
        self._text = ""

    def write(self, keys: str) -> float:
        """Type `keys`; what was written until now is forgotten. The instant of typing."""
        self.drain()
        self._text = ""
        now = time.perf_counter()
        os.write(self._master, keys.encode())
        return now

    def wait_for(self, pattern: str, timeout: float = 30.0) -> tuple[float, re.Match[str]]:
        """When text that matches was first there, and the match."""
        wanted, end = re.compile(pattern), time.perf_counter() + timeout
        while True:
            found = wanted.search(self._text)
            if found:
                return time.perf_counter(), found
            left = end - time.perf_counter()
            if left <= 0 or not self._read(left):
                raise TimeoutError(f"no {pattern!r} in the terminal: {self._text[-2000:]!r}")

    def drain(self, seconds: float = 0.0) -> None:
        """Take in what is written for so long."""
        end = time.perf_counter() + seconds
        while self._read(max(0.0, end - time.perf_counter())):
            pass

    def cpu_s(self) -> float:
        """Seconds of CPU that the application has taken."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            self._text += os.read(self._master, READ_BYTES).decode(errors="replace")
        except OSError:
            return False
        return True


@contextmanager
def terminal(
    arguments: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]
) -> Iterator[Terminal]:
    """Run `hmi ARGUMENTS...` in a pty of `size` columns and rows; it is ended at the end."""
    began = time.perf_counter()
    pid, master = pty.fork()
    if pid == 0:
        columns, rows = size
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execve(COMMAND[0], [*COMMAND, *arguments], {**os.environ, **environment})
    try:
        yield Terminal(pid, master, began)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(master)
