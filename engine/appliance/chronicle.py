"""What happens, told to everybody who wants to know: spans, metrics and events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from engine.knowledge.retrieved import Lookups
from engine.memory.counters import Move
from engine.serving.generation.rounds import RoundRecord
from engine.serving.record import BatchRecord
from engine.telemetry.events import EventLog
from engine.telemetry.metrics import Metrics
from engine.telemetry.spans import (
    STAGES,
    Lane,
    Level,
    Span,
    SpanRing,
    Stage,
    stage_starts,
    wall_clock,
)
from engine.training.job import JobContext
from store.rows import JobRow

_LANES: dict[str, Lane] = {"host": "prefetch", "device": "swap"}
_NAMED = 12
"""Characters of an adapter's id that tell it from others."""
_LARGEST = 8
"""Tenants of a batch that are named."""


class Chronicle:
    """Its methods are called by whoever does what they tell of, in any thread."""

    def __init__(
        self,
        events: EventLog,
        metrics: Metrics,
        totals: Counter[str],
        waiting: Callable[[], int],
        swapped: Callable[[], None],
    ) -> None:
        """`waiting` counts the texts in the queue; `swapped` is called after every batch."""
        self.spans = SpanRing()
        self.wall = wall_clock()
        """Unix time at perf_counter's zero."""
        self._events = events
        self._metrics = metrics
        self._totals = totals
        self._waiting = waiting
        self._swapped = swapped

    def batch(self, record: BatchRecord) -> None:
        """A batch is through."""
        stages: dict[Stage, float] = {"queue": record.taken - record.oldest}
        for stage in STAGES:
            stages.setdefault(stage, record.seconds.get(stage, 0.0))
        starts = stage_starts(record.oldest, stages, record.began)
        self._trace(record, stages, starts)
        self._metrics.observe_batch(stages, record.texts)
        self._looked_up(record.lookups)
        self._totals["batches"] += 1
        self._swapped()
        self._events.emit(
            "span",
            {
                "batch": record.number,
                "texts": record.texts,
                "tokens": record.tokens,
                "models": record.models,
                "seconds": {stage: round(value, 6) for stage, value in stages.items()},
                "began": {stage: round(at + self.wall, 6) for stage, at in starts.items()},
            },
        )

    def move(self, move: Move) -> None:
        """An adapter has come up a tier."""
        name = move.adapter[:_NAMED]
        span = Span(_LANES[move.tier], name, move.start, move.seconds, bytes=move.bytes)
        self.spans.record(span)
        if move.tier == "device":
            self._metrics.observe_swap()

    def round(self, record: RoundRecord) -> None:
        """The decoder's batch is a round further."""
        seconds = record.retrieve_s + record.compute_s
        parts = [
            f"{phase} {tokens}"
            for phase, tokens in (("prefill", record.prefill), ("decode", record.decode))
            if tokens
        ]
        self.spans.record(
            Span(
                "generate",
                " + ".join(parts),
                record.began,
                seconds,
                tokens=record.prefill + record.decode,
                models=record.models,
            )
        )
        self._metrics.observe_round(record.prefill, record.decode, seconds)
        self._looked_up(record.lookups)

    def job(self, row: JobRow, context: JobContext) -> None:
        """A job has changed."""
        if row.started_at is not None and row.finished_at is not None:
            seconds = row.finished_at - row.started_at
            name = f"{row.type} {row.subject} {row.state}"
            self.spans.record(Span("job", name, row.started_at - self.wall, seconds))
        self._events.emit(
            "job",
            {
                "id": row.id,
                "type": row.type,
                "subject": row.subject,
                "state": row.state,
                "progress": round(context.progress, 4),
                "message": context.message,
            },
        )

    def _looked_up(self, lookups: Iterable[tuple[str, Lookups]]) -> None:
        for domain, found in lookups:
            self._metrics.observe_lookups(
                domain, found.hits, found.computed, found.cached, found.backed_off
            )

    def _trace(
        self, record: BatchRecord, stages: dict[Stage, float], starts: dict[Stage, float]
    ) -> None:
        looked_up = sum(found.tokens for _, found in record.lookups)
        hits = sum(found.hits for _, found in record.lookups)
        self.spans.record(
            *(
                Span(
                    lane=stage,
                    name=f"batch {record.number}",
                    start=starts[stage],
                    seconds=stages[stage],
                    batch=record.number,
                    texts=record.texts,
                    tokens=record.tokens,
                    models=record.models,
                    tenants=len(record.tenants),
                    misses=looked_up - hits if looked_up and stage == "retrieve" else None,
                    largest=record.tenants[:_LARGEST] if stage == "compute" else (),
                    vplms=record.vplms if stage == "compute" else (),
                )
                for stage in STAGES
            )
        )
        hit_rate = hits / looked_up if looked_up else None
        self.spans.level(Level(starts["compute"], self._waiting(), hit_rate))
