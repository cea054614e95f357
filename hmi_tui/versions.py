"""Application and engine come from one package; after an upgrade one of them is still the old."""

from __future__ import annotations

import re

from engine.client import VERSION


def newer(one: str, other: str) -> bool:
    """Whether version `one` is newer than `other`, by their numbers."""
    return _numbers(one) > _numbers(other)


def remedy_for(engine: str, ours: str = VERSION) -> str:
    """What to do about an engine of version `engine` under an application of version `ours`."""
    if newer(engine, ours):
        return "The engine is newer: leave with q and start hmi again."
    return "The application is newer: hmi stop, then hmi, starts the engine anew."


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
