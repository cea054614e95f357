"""The end of the terminal, or a signal, ends the application: in order if it can, but soon."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hmi_tui.signals import handling

GRACE_S = 2.0
"""From the end of the terminal to that of the process, if the application does not leave."""

STREAMS = (0, 1, 2)


class Ending:
    """Why the application had to leave: 0, or the number of a signal; SIGHUP for a terminal that
    went away without one."""

    def __init__(self) -> None:
        self.signum = 0


@contextmanager
def ended_with_terminal(
    leave: Callable[[int], object], *, grace: float = GRACE_S
) -> Iterator[Ending]:
    """Inside, `leave` is called, from another thread and with the exit code, once the terminal
    has gone away or SIGHUP or SIGTERM has come; the process ends `grace` seconds later if the
    block has not.

    A terminal that is gone can always be read, and has nothing: whoever waits for its keys goes
    round for ever. SIGHUP alone does not do: nohup has it ignored, and it reaches only those
    whose controlling terminal it was. Only the main thread may.
    """
    ours, theirs = os.pipe()
    ending, over = Ending(), threading.Event()

    def tell(signum: int, _frame: FrameType | None) -> None:
        os.write(theirs, bytes([signum]))

    def watch() -> None:
        ending.signum = _await_the_end(ours)
        if ending.signum:
            code = 128 + ending.signum
            _let_go_of_what_is_gone()
            leave(code)
            if not over.wait(grace):
                os._exit(code)

    watcher = threading.Thread(target=watch, name="terminal-end", daemon=True)
    try:
        with handling({signal.SIGHUP: tell, signal.SIGTERM: tell}):
            watcher.start()
            yield ending
    finally:
        over.set()
        os.close(theirs)
        watcher.join()
        os.close(ours)


def _await_the_end(pipe: int) -> int:
    """The signal that came through `pipe`, SIGHUP if the terminal went away, 0 if the pipe did."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(0, 0)  # a hang-up is told unasked
    while True:
        events = dict(poll.poll())
        if pipe in events:
            told = os.read(pipe, 1)
            return told[0] if told else 0
        if _gone(events[0]):
            return signal.SIGHUP


def _gone(events: int) -> bool:
    return bool(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL))


def _let_go_of_what_is_gone() -> None:
    """Let what is still written go nowhere, and what still reads wait: neither fails, nor spins."""
    poll = select.poll()
    for stream in STREAMS:
        poll.register(stream, 0)
    gone = [stream for stream, events in poll.poll(0) if _gone(events)]
    if not gone:
        return
    nothing, _kept_open = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in gone:
        os.dup2(nothing if stream == 0 else nowhere, stream)
