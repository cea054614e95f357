"""The engine's log: lines for people or JSON for machines, with the request that each is about, in
a file that does not grow for ever."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

MAX_BYTES = 16 << 20
KEPT = 3
"""Earlier files beside the one that is written: .1 is the newest."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that the current task or thread works for."""

_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s"


def log_to_stderr(form: str = "text", path: Path | None = None, limit: int = MAX_BYTES) -> None:
    """From info on; the server's own chatter only from warnings on. `form` is text or json.

    If stderr is the file `path`, it is rotated when it is longer than `limit`.
    """
    handler = RotatingStderr(path, limit)
    handler.setFormatter(JsonLines() if form == "json" else Lines(_PLAIN))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


class Lines(logging.Formatter):
    """A line an entry, with the request's id at its end."""

    def format(self, record: logging.LogRecord) -> str:
        request = request_id.get()
        record.about = f" [request {request}]" if request else ""
        return super().format(record)


class JsonLines(logging.Formatter):
    """A JSON object a line: time (ISO 8601, UTC), level, logger, message; request and exception
    where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            entry["request"] = request
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class RotatingStderr(logging.StreamHandler[TextIO]):
    """Writes to stderr. Where that is a file of our own, stdout and stderr go on in a new one when
    it is full, so that what native code writes goes there as well."""

    def __init__(self, path: Path | None, limit: int) -> None:
        super().__init__(sys.stderr)
        self._path, self._limit = path, limit

    def emit(self, record: logging.LogRecord) -> None:
        if self._path is not None and self._is_full(self._path):
            try:
                rotate(self._path)
            except OSError:
                # Where there is no room for another file, this one goes on.
                self._path = None
        super().emit(record)

    def _is_full(self, path: Path) -> bool:
        try:
            about = os.fstat(sys.stderr.fileno())
            return about.st_size > self._limit and os.path.samestat(about, path.stat())
        except (OSError, ValueError):
            return False


def rotate(path: Path) -> None:
    """Begin a new file at `path`, to which stdout and stderr go; the earlier ones move up."""
    for number in range(KEPT, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
