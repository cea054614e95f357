"""Processes that measure side by side: two of one thread each use two cores better than one of two.

They make no files and know no terminal: whoever started them tidies up, and ends them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar, cast

from engine.errors import HmiError

T = TypeVar("T")
R = TypeVar("R")

Open = Callable[[], Callable[[T], R]]
"""Run once in each process; makes what is called with every task there. Both are pickled."""

_END_S = 5.0


class Crew(Generic[T, R]):
    """A context manager; leaving it ends the processes, whatever they are doing."""

    def __init__(
        self, members: int, open_: Open[T, R], environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` are variables that the processes have besides those of this one."""
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(members):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, open_), daemon=True)
            with _environment(environment or {}):
                process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Crew[T, R]:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(_END_S)
            if process.exitcode is None:
                process.kill()
                process.join()
        for pipe in self._pipes:
            pipe.close()

    def run(self, tasks: Sequence[T]) -> Iterator[R]:
        """Results as they come. An error of a task is raised here; the others are given up."""
        left = list(reversed(tasks))
        busy: set[Connection] = set()
        for pipe in self._pipes:
            if left:
                pipe.send(left.pop())
                busy.add(pipe)
        while busy:
            for ready in wait(list(busy)):
                pipe = cast("Connection", ready)
                result = self._result(pipe)
                if left:
                    pipe.send(left.pop())
                else:
                    busy.discard(pipe)
                yield result

    def _result(self, pipe: Connection) -> R:
        try:
            result, error = pipe.recv()
        except EOFError:
            raise HmiError(
                "A measuring process ended before its time.",
                remedy="Memory may have run out: measure with --jobs 1, or fewer --rows.",
            ) from None
        if error is not None:
            raise error
        return cast("R", result)


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _work(pipe: Connection, open_: Open[T, R]) -> None:
    # Ctrl-C goes to every process of the terminal; the one that started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        measure = open_()
        while True:
            pipe.send((measure(pipe.recv()), None))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - raised where the result is waited for
        pipe.send((None, error))
