"""The load simulator as a process beside the application; it never outlives it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress

from pydantic import ValidationError

from engine.client import Paths
from engine.schema import LoadBegun, LoadProgress, LoadReport, LoadRequest, read_load_line

SAID = 2000
"""Bytes of the last words that are kept of a simulator that failed."""

Line = LoadBegun | LoadProgress | LoadReport


def simulator_command(paths: Paths, request: LoadRequest) -> list[str]:
    """The command line of a simulator that asks the engine on `paths` for `request`."""
    # -P: a folder named engine in the current directory must not be run instead of ours.
    command = [sys.executable, "-P", "-m", "engine.load", "--live"]
    if paths.data == paths.config.parent / "data":
        command += ["--home", str(paths.config.parent)]
    return [*command, "--socket", str(paths.socket), *request.flags()]


class SimulatorProcess:
    """Starts `command`. In the loop that is running now, `told` gets each line, and `ended` the
    exit code and the last words, once.

    The child has pipes of its own, so it takes no keys; when this process ends, however it ends,
    the child's stdin does, and the child stops.
    """

    def __init__(
        self,
        command: list[str],
        told: Callable[[Line], None],
        ended: Callable[[int, str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = told
        self._ended = ended
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by the reader
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={k: v for k, v in os.environ.items() if not k.startswith("HMI_LOAD_")},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="simulator-reader", daemon=True)
        self._reader.start()

    def order(self, text: str) -> None:
        """Send a line to its stdin; one that has ended hears nothing."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError, ValueError):
            stdin.write(f"{text}\n".encode())
            stdin.flush()

    def kill(self) -> None:
        """End it at once, without a report."""
        self._process.kill()
        self._reader.join()

    def _read(self) -> None:
        process, errors = self._process, self._errors
        assert process.stdout is not None
        assert process.stdin is not None
        with process.stdout as lines, errors:
            for line in lines:
                with suppress(ValidationError):
                    self._call(self._told, read_load_line(line))
            code = process.wait()
            size = errors.seek(0, os.SEEK_END)
            errors.seek(max(0, size - SAID))
            said = errors.read().decode(errors="replace").strip()
        with suppress(OSError):
            process.stdin.close()
        self._call(self._ended, code, said)

    def _call(self, function: Callable[..., None], *values: object) -> None:
        # The application may have left its loop; then nobody is there to be told.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *values)
