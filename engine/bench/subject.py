"""What is measured, and on which texts, as the command line says it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """None is the bundled one; `dtype` "auto" is what serving takes."""

    backbone: Path | None = None
    split: int | None = None
    encoder: Path | None = None
    encoders: Path | None = None
    """A folder of domains' own encoders, DOMAIN.safetensors; the others inherit."""
    device: str = "cpu"
    dtype: str = "auto"


@dataclass(frozen=True, slots=True)
class Subject:
    """`data` None stands for the project's own texts, no `datasets` for all of them.

    `domains` says which corpus belongs to a dataset; `threads` 0 is one a core.
    """

    model: ModelChoice = ModelChoice()
    data: Path | None = None
    datasets: tuple[str, ...] = ()
    domains: Mapping[str, str] = field(default_factory=dict)
    threads: int = 0

    @property
    def cores(self) -> int:
        """The threads that are meant."""
        return self.threads or len(os.sched_getaffinity(0))
