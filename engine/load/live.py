"""A run that another program watches and steers: JSON a line on stdout, orders on stdin."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from engine.load.progress import Progress
from engine.load.simulator import Simulator

EVERY_S = 1.0
MOST = 1e5
"""Requests a second, as the flag --rate."""
READ = 4096


class BadOrderError(ValueError):
    """An order that cannot be followed, in words."""


def write_line(document: dict[str, Any]) -> None:
    """One document on one line, at once."""
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def tell_live(simulator: Simulator, rate: float) -> None:
    """A line each second until cancelled; `rate` is the plan's own."""
    progress = Progress(simulator, rate)
    while True:
        await asyncio.sleep(EVERY_S)
        write_line(progress.take().model_dump(mode="json"))


def obey(simulator: Simulator, rate: float, order: str) -> None:
    """Do what a line of stdin says: `rate N` or `stop`. Raises BadOrderError."""
    word, _, rest = order.strip().partition(" ")
    if word == "stop" and not rest:
        simulator.stop()
    elif word == "rate":
        simulator.pace(_rate_of(rest) / rate)
    elif order.strip():
        raise BadOrderError(f"{order.strip()!r} is no order; write rate N or stop.")


def _rate_of(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MOST:
        raise BadOrderError(f"{text!r} is not a rate; give requests a second, up to {MOST:g}.")
    return rate


def follow_orders(simulator: Simulator, rate: float, complain: Callable[[str], None]) -> None:
    """Follow the orders on stdin. Its end is the order to stop: who steered the run has gone."""
    loop = asyncio.get_running_loop()

    def follow(line: str) -> None:
        try:
            obey(simulator, rate, line)
        except BadOrderError as error:
            complain(str(error))

    def read() -> None:
        # The loop may have ended before the orders do.
        with suppress(RuntimeError):
            for line in _lines(sys.stdin.fileno()):
                loop.call_soon_threadsafe(follow, line)

    # A thread, because the loop cannot wait for every kind of file; reading past Python's own
    # buffer, whose lock would otherwise be held when the program ends.
    threading.Thread(target=read, name="orders", daemon=True).start()


def _lines(file: int) -> Iterator[str]:
    buffer = b""
    while data := os.read(file, READ):
        *whole, buffer = (buffer + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    yield "stop"
