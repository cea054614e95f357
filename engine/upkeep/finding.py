"""What a check of the doctor's comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do unless that is ok."""

    subject: str
    verdict: Verdict
    what: str
    remedy: str = ""
