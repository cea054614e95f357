"""What every part goes by: what fails, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.client import EngineNotRunning, HmiError


@dataclass
class Script:
    """`down` makes every call fail as if nobody listened, `failing` as it says."""

    down: bool = False
    failing: HmiError | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]

    def _answer(self, *call: Any) -> None:
        if self.down:
            raise EngineNotRunning("Nobody answers on engine.sock.", remedy="Start it: hmi serve.")
        if call:
            self.calls.append(call)
        if self.failing is not None:
            raise self.failing
