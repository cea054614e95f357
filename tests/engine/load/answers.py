"""Answers as the simulator sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.client import LeanAnswer, LeanTiming

TIMING = LeanTiming(0.001, 0.002, 0.003, 0.004, 0.5, 4, "host")


def an_answer(tokens: int = 5, **changes: Any) -> LeanAnswer:
    return LeanAnswer(replace(TIMING, **changes), tokens)
