"""What a run has done so far, as whoever watches it sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Series = list[tuple[int, float]]
LIKELIHOOD = "likelihood of a token"
"""The metric of what generates: one over its perplexity."""


def told(metric: str, value: float) -> str:
    """A value of a task's own metric in words."""
    if metric == LIKELIHOOD:
        return f"perplexity {1 / value:.2f}"
    return f"{metric} {value:.3f}"


@dataclass(slots=True)
class TrainReport:
    """The series grow as the run goes on."""

    rows: int = 0
    held_out: int = 0
    truncated: int = 0
    step: int = 0
    progress: float = 0.0
    message: str = ""
    metric: str = ""
    """What `accuracy` counts."""
    loss: Series = field(default_factory=list)
    accuracy: Series = field(default_factory=list)
    """The task's own metric; see Score."""
    confusion: dict[str, Any] = field(default_factory=dict)
    """Of the last evaluation; see engine.training.confusion."""
    classes: list[dict[str, Any]] = field(default_factory=list)
    """Of the last evaluation; see engine.training.per_class."""
    measures: dict[str, float] = field(default_factory=dict)
    """All metrics of the last evaluation by name."""
    kept: int = -1
    """Which of `accuracy` belongs to the weights that the run comes to."""

    @property
    def value(self) -> float:
        """The held-out metric of the weights that the run comes to."""
        return self.accuracy[self.kept][1]
