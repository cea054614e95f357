"""What an accuracy run found, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from engine.bench.table import NOTHING, number, share, table


@dataclass(frozen=True, slots=True)
class Score:
    """One dataset and seed: shares of the test texts that each side answers rightly."""

    dataset: str
    domain: str
    seed: int
    rows: int
    texts: int
    exact: float
    plot: float
    hit_rate: float
    """Of the tokens of the test texts, in the domain's table."""
    exact_s: float
    plot_s: float
    """Seconds for training and answering."""

    @property
    def gap(self) -> float:
        """Points that plot loses against exact; negative where it wins."""
        return 100 * (self.exact - self.plot)


@dataclass(frozen=True, slots=True)
class Mean:
    """One dataset over its seeds."""

    dataset: str
    domain: str
    seeds: int
    exact: float
    plot: float
    gap: float
    spread: float | None
    """Standard deviation of the gap over the seeds; None for one seed."""
    hit_rate: float


def means(scores: Sequence[Score]) -> list[Mean]:
    """By dataset, in the order in which they first occur."""
    found: list[Mean] = []
    for name in dict.fromkeys(score.dataset for score in scores):
        own = [score for score in scores if score.dataset == name]
        gaps = [score.gap for score in own]
        found.append(
            Mean(
                dataset=name,
                domain=own[0].domain,
                seeds=len(own),
                exact=fmean(score.exact for score in own),
                plot=fmean(score.plot for score in own),
                gap=fmean(gaps),
                spread=stdev(gaps) if len(gaps) > 1 else None,
                hit_rate=fmean(score.hit_rate for score in own),
            )
        )
    return found


def render_scores(scores: Sequence[Score]) -> str:
    """A line a dataset, then the mean and the worst gap."""
    if not scores:
        return "nothing was measured"
    found = means(scores)
    text = table(
        ("DATASET", "DOMAIN", ">SEEDS", ">EXACT", ">PLOT", ">GAP, POINTS", ">+-", ">HITS"),
        (
            (
                one.dataset,
                one.domain,
                str(one.seeds),
                number(one.exact, 4),
                number(one.plot, 4),
                number(one.gap),
                NOTHING if one.spread is None else number(one.spread),
                share(one.hit_rate),
            )
            for one in found
        ),
    )
    worst = max(found, key=lambda one: one.gap)
    mean = fmean(one.gap for one in found)
    return f"{text}\n\nmean gap {mean:.2f} points, worst {worst.gap:.2f} ({worst.dataset})"


def score_results(scores: Sequence[Score]) -> dict[str, Any]:
    found = means(scores)
    return {
        "scores": [asdict(score) | {"gap": score.gap} for score in scores],
        "means": [asdict(one) for one in found],
        "mean_gap": fmean(one.gap for one in found) if found else None,
        "worst_gap": max((one.gap for one in found), default=None),
    }


def scores_of(results: dict[str, Any]) -> list[Score]:
    """The scores of a document that `score_results` made; KeyError or TypeError if it is none."""
    return [
        Score(**{name: value for name, value in each.items() if name != "gap"})
        for each in results["scores"]
    ]
