"""What the load simulator is asked for and what it tells while it runs (`hmi load --live`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from engine.schema.base import Answer, Request, Tier


class LoadRequest(Request):
    """A run: `rate` in requests a second, `duration` in seconds, 0 for no end."""

    rate: float = Field(20.0, gt=0, le=1e5)
    duration: float = Field(60.0, ge=0)
    tenants: int | None = Field(None, ge=1)
    """Ask the vPLMs of the first so many tenants only."""
    popularity: Literal["uniform", "zipf"] = "uniform"
    zipf_s: float = Field(1.1, ge=0, le=10)
    arrivals: Literal["poisson", "gamma"] = "poisson"
    cv: float = Field(1.0, ge=0, le=100)
    text: str | None = None
    """A file with a text a line; the demo's texts without one."""
    slo_ms: float | None = Field(None, gt=0)
    seed: int = Field(0, ge=0)

    def flags(self) -> list[str]:
        """The request as flags of `hmi load`."""
        given = self.model_dump(exclude_none=True)
        return [word for name, value in given.items() for word in (_flag(name), str(value))]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class LoadBegun(Answer):
    """The first line: who is asked."""

    object: Literal["begun"] = "begun"
    vplms: int
    tenants: int


class LoadProgress(Answer):
    """A line a second. Rates and percentiles are of the time since the line before."""

    object: Literal["progress"] = "progress"
    at_s: float
    """Seconds since the run began."""
    rate: float
    """The rate in force, which `offered_per_s` scatters around."""
    offered_per_s: float
    answered_per_s: float
    errors_per_s: float
    p50_s: float | None
    p99_s: float | None
    hit_rate: float | None
    """Of the tables, among what was answered in plot mode."""
    tiers: dict[Tier, int]
    """Answers by where their adapter was when the request was accepted."""
    late_p99_s: float | None
    """How late requests left; large if the simulator, not the engine, is short of CPU."""
    sent: int
    answered: int
    failed: int
    """These three since the beginning."""
    in_flight: int


class LoadGoodput(Answer):
    slo_s: float
    share: float
    per_s: float


class LoadReport(Answer):
    """The last line: the report of `hmi load --json`, of which this is the part that is shown."""

    object: Literal["report"] = "report"
    seconds: float
    vplms: int
    tenants: int
    sent: int
    answered: int
    errors: dict[str, int]
    offered_per_s: float
    answered_per_s: float
    goodput: LoadGoodput | None
    latency_s: dict[str, float] | None
    """p50, p90, p99 and p99_9."""
    mean_latency_s: float | None
    hit_rate: float | None
    batch_size: float | None
    tiers: dict[Tier, int]
    sender_late_p99_s: float | None
    ended_early: bool


LoadLine = Annotated[LoadBegun | LoadProgress | LoadReport, Field(discriminator="object")]
"""What one line says."""

_LINE: TypeAdapter[LoadBegun | LoadProgress | LoadReport] = TypeAdapter(LoadLine)


def read_load_line(text: str | bytes) -> LoadBegun | LoadProgress | LoadReport:
    """The document that a line of `hmi load --live` holds. pydantic's ValidationError."""
    return _LINE.validate_json(text)
