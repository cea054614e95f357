"""What all documents share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Mode = Literal["plot", "exact"]
Tier = Literal["disk", "host", "device"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]

MAX_INPUTS = 1024
MAX_LABELS = 4096
MAX_COUNT = 100_000


class Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
