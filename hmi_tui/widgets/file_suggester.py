"""Completes the path of a file while it is typed; the right arrow takes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.suggester import Suggester


class FileSuggester(Suggester):
    """Suggests the first entry, by name, that begins as typed. Reads the folder in a thread."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(complete, value) if value else None


def complete(typed: str) -> str | None:
    """`typed` with the rest of the first matching name; folders end in a slash."""
    folder, slash, start = typed.rpartition("/")
    try:
        place = Path((folder or "/") if slash else ".").expanduser()
        names = sorted(
            entry.name + ("/" if entry.is_dir() else "")
            for entry in place.iterdir()
            if entry.name.startswith(start) and (start or not entry.name.startswith("."))
        )
    except OSError:
        return None
    return f"{folder}{slash}{names[0]}" if names else None
