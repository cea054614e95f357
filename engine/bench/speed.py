"""What a throughput run found, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from engine.bench.table import number, share, table
from engine.knowledge.retrieved import Lookups

EXACT, COLD, WARM, UNCACHED, TRANSFORMERS = "exact", "cold", "warm", "uncached", "transformers"

MEANING = """\
exact     the backbone's own lower layers
uncached  tables from the corpus alone, and no cache of computed rows
cold      the same tables, a row cache that starts empty and fills as the texts pass
warm      the same tables, a row cache through which the other half of the test texts has passed
Times are sums over batches of each batch's median over the passes; sides take turns batch by batch.
X is exact's time over theirs."""


@dataclass(frozen=True, slots=True)
class DatasetSpeed:
    """One dataset: by side, every batch's median seconds and where its rows came from."""

    dataset: str
    domain: str
    texts: int
    tokens: int
    entries: int
    """N-grams that the domain's view can hit."""
    batches: dict[str, list[float]]
    lookups: dict[str, Lookups]
    stages: dict[str, dict[str, float]]
    """Seconds in retrieve, load and compute, by side: sums of the same kind."""

    def seconds(self, side: str) -> float:
        return sum(self.batches[side])

    def texts_per_s(self, side: str) -> float | None:
        return self.texts / self.seconds(side) if side in self.batches else None

    def ratio(self, side: str) -> float | None:
        """How many times as fast as exact mode."""
        return self.seconds(EXACT) / self.seconds(side) if side in self.batches else None

    def result(self) -> dict[str, Any]:
        sides = list(self.batches)
        return asdict(self) | {
            "texts_per_s": {side: self.texts_per_s(side) for side in sides},
            "ratio": {side: self.ratio(side) for side in sides},
        }


def render_speed(found: Sequence[DatasetSpeed]) -> str:
    plain = any(TRANSFORMERS in one.batches for one in found)
    heads = [
        *("DATASET", "DOMAIN", ">TEXTS", ">TOKENS", ">EXACT/S", ">COLD/S", ">WARM/S"),
        *(
            ">X UNCACHED",
            ">X COLD",
            ">X WARM",
            ">HITS",
            ">COLD CACHED",
            ">WARM CACHED",
            ">WARM MISS",
        ),
        *([">X TRANSFORMERS"] if plain else []),
    ]
    text = table(heads, (_line(one, plain=plain) for one in found))
    worst = {side: min(_ratios(found, side)) for side in (COLD, WARM)}
    mean = {side: fmean(_ratios(found, side)) for side in (COLD, WARM)}
    summary = (
        f"cold: mean {mean[COLD]:.2f}, worst {worst[COLD]:.2f}; "
        f"warm: mean {mean[WARM]:.2f}, worst {worst[WARM]:.2f} times exact"
    )
    return f"{text}\n\n{summary}\n\n{MEANING}"


def speed_results(found: Sequence[DatasetSpeed]) -> dict[str, Any]:
    return {"datasets": [one.result() for one in found], "meaning": MEANING}


def _ratios(found: Sequence[DatasetSpeed], side: str) -> list[float]:
    return [ratio for one in found if (ratio := one.ratio(side)) is not None]


def _line(one: DatasetSpeed, *, plain: bool) -> list[str]:
    cold, warm = one.lookups[COLD], one.lookups[WARM]
    cells = [
        one.dataset,
        one.domain,
        f"{one.texts:,}",
        number(one.tokens / one.texts, 1),
        *(number(one.texts_per_s(side), 1) for side in (EXACT, COLD, WARM)),
        *(number(one.ratio(side)) for side in (UNCACHED, COLD, WARM)),
        share(cold.hits / cold.tokens),
        share(cold.cached / cold.tokens),
        share(warm.cached / warm.tokens),
        share((warm.computed + warm.backed_off) / warm.tokens),
    ]
    return [*cells, number(one.ratio(TRANSFORMERS))] if plain else cells
