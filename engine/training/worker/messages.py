"""What the engine and the training process say to each other over their socket pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import HmiError
from engine.knowledge.retrieve import Damage
from engine.serving.work import TaskName
from engine.training.checkpoint import Origin
from engine.training.report import TrainReport


@dataclass(frozen=True, slots=True)
class Site:
    """All that a training process has in common with its engine; told once, at its start."""

    backbone: Path | None
    split: int
    device: str
    dtype: str
    threads: int
    generator: Path | None
    """The decoder's folder, read when a generator is first trained; None: there are none."""
    generator_split: int
    tables: Path
    blobs: Path
    datasets: Path
    states: Path


@dataclass(frozen=True, slots=True)
class KnowledgeFiles:
    """A domain's knowledge as files: its tables (domain, epoch, encoder), nearest first, and what
    computes a row that they lack."""

    domain: str
    epoch: int
    tables: tuple[tuple[str, int, str], ...]
    hplm: Path | None
    fingerprint: str
    damage: Damage | None


@dataclass(frozen=True, slots=True)
class JobFiles:
    """One training: where its rows and its start lie, and where what it makes goes.

    `start` None makes a fresh adapter of rank `rank` at `places`; `current` is what the vPLM
    answers with, to be judged by the same held-out rows, if it has been trained. `resumed` is a
    checkpoint of another job whose weights are the start.
    """

    id: str
    task: TaskName
    labels: tuple[str, ...]
    dataset: str
    knowledge: KnowledgeFiles
    rank: int
    places: tuple[str, ...]
    start: str | None
    current: str | None
    resumed: Path | None
    checkpoint: Path
    result: Path
    origin: Origin


@dataclass(frozen=True, slots=True)
class Begin:
    """Train these in one pass. All have adapters of one rank, and are generators or none is."""

    jobs: tuple[JobFiles, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """That job is cancelled; nothing of it is kept."""

    job: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Stand still from the next step on, or go on again."""

    still: bool


@dataclass(frozen=True, slots=True)
class Release:
    """Write checkpoints and end the shift."""


Order = Begin | Drop | Pause | Release


@dataclass(frozen=True, slots=True)
class Ready:
    """The backbone is loaded; `seconds` since the process began."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """How far a job is."""

    job: str
    report: TrainReport


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed, in words."""

    detail: str
    remedy: str
    code: str

    def error(self) -> HmiError:
        return HmiError(self.detail, remedy=self.remedy, code=self.code)


@dataclass(frozen=True, slots=True)
class Ended:
    """A job's part in the shift is over: without a `failure`, and not `released`, its result is
    written. `before` is the held-out metric of what the vPLM answers with now."""

    job: str
    report: TrainReport
    failure: Failure | None = None
    released: bool = False
    before: float | None = None


@dataclass(frozen=True, slots=True)
class ShiftOver:
    """Nothing is left to do; the next `Begin` is welcome."""


News = Ready | Told | Ended | ShiftOver
