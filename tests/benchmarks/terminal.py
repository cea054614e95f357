"""`hmi` in a terminal of its own: a real pty, what it writes, and when."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import psutil

COMMAND = (sys.executable, "-P", "-m", "hmi_tui.cli")
READ_BYTES = 1 << 16


class Terminal:
    """The far end of the pty. Bytes are kept with the instant at which they were read."""

    def __init__(self, pid: int, master: int, began: float) -> None:
        self.process = psutil.Process(pid)
        self.began = began
        self.on_text: Callable[[str], None] = lambda text: None
        """Told of all that the application writes, as it is read."""
        self._master = master
        self._text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

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

    def read_on(self, timeout: float) -> bool:
        """Take in what comes next; whether anything came in time."""
        return self._read(timeout)

    def hang_up(self) -> None:
        """Take the terminal away, as a closed window or a lost connection does."""
        os.close(self._master)
        self._master = -1

    def ended(self, timeout: float) -> int:
        """Wait for the application's end; its exit code. Raises psutil.TimeoutExpired."""
        return int(self.process.wait(timeout))

    def end(self) -> None:
        """Whatever state it is in."""
        with suppress(psutil.NoSuchProcess):
            self.process.kill()
        self.process.wait()
        if self._master >= 0:
            self.hang_up()

    def cpu_s(self) -> float:
        """Seconds of CPU that the application has taken, in all its threads."""
        # Linux's clock of a process; psutil's figures come in hundredths, a key takes less.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            text = self._decode(os.read(self._master, READ_BYTES))
        except OSError:
            return False
        self._text += text
        self.on_text(text)
        return True


@contextmanager
def terminal(
    arguments: Sequence[str],
    size: tuple[int, int],
    environment: Mapping[str, str],
    *,
    deaf: bool = False,
    command: Sequence[str] = COMMAND,
) -> Iterator[Terminal]:
    """Run `hmi ARGUMENTS...`, or another `command`, in a pty of `size` columns and rows.

    It is ended at the end. A `deaf` one ignores SIGHUP from its start, as under nohup.
    """
    began = time.perf_counter()
    pid, master = pty.fork()
    if pid == 0:
        columns, rows = size
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if deaf:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.execve(command[0], [*command, *arguments], {**os.environ, **environment})
    one = Terminal(pid, master, began)
    try:
        yield one
    finally:
        one.end()
