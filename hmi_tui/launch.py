"""How an engine that runs was started, so that it can be started again in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_SERVE = ("-m", "engine", "serve")
_SUPERVISOR = "NOTIFY_SOCKET"
"""systemd gives it to services that tell it when they are ready, as `hmi unit`'s does."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, and the folder and the environment that it runs in; None: this process's."""

    command: tuple[str, ...]
    folder: str | None
    environment: Mapping[str, str] | None

    @property
    def supervised(self) -> bool:
        """Whether somebody else starts it again when it dies."""
        return self.environment is not None and _SUPERVISOR in self.environment


def launch_of(process: psutil.Process) -> Launch | None:
    """How this engine was started; None if it is none, or nobody may look at it."""
    try:
        with process.oneshot():
            folder = process.cwd()
            found = Launch(
                tuple(process.cmdline()),
                folder if Path(folder).is_dir() else None,
                process.environ(),
            )
    except (psutil.Error, OSError):
        return None
    words = found.command
    return found if _SERVE in zip(words, words[1:], words[2:], strict=False) else None
