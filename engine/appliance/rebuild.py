"""The rebuild job: train a node's encoder if asked to, build its table, publish both at once."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.appliance.core import Core
from engine.appliance.encoder_training import checkpoint_of, train_encoder
from engine.appliance.stack import Stack
from engine.knowledge.build import WANTED, BuildPlan, BuildReport, build_table
from engine.knowledge.choice import wanted_by_several
from engine.knowledge.hplm import Hplm
from engine.knowledge.view import TableView
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import Keys
from engine.model.rows import row_bytes
from engine.schema import RebuildRequest
from engine.telemetry.spans import Span
from engine.training.job import JobContext
from store import sums
from store.errors import StoreError
from store.rows import DomainRow, EpochRow

log = logging.getLogger(__name__)

_TRAINING = 0.9
"""Share of the progress bar that training takes, where there is any."""


class Rebuild:
    """One run; the old epoch serves until the new one does, and for ever if that fails."""

    def __init__(
        self, core: Core, stack: Stack, name: str, request: RebuildRequest, context: JobContext
    ) -> None:
        """For the backbone of `stack`."""
        self._core, self._stack, self._name = core, stack, name
        self._request, self._context = request, context
        self._before = core.catalogue.domains.get(name, stack.sha256)
        self._blob: str | None = self._before.encoder
        self._general: Hplm | None = None

    def run_kept(self) -> dict[str, Any]:
        """`run`; the encoder that it stores is safe from garbage collection until the domain's."""
        with self._core.blobs.keeping():
            return self.run()

    def run(self) -> dict[str, Any]:
        """Do it; the job's result. Raises Cancelled, BadInput or StoreError."""
        core, stack, name = self._core, self._stack, self._name
        core.catalogue.domains.change(name, stack.sha256, state="rebuilding")
        epoch = core.catalogue.domains.next_epoch(name)
        try:
            result: dict[str, Any] = {}
            encoder = stack.tree.take(name).encoder
            if self._request.train_minutes > 0:
                encoder, result = self._train()
            report = self._build(epoch, encoder)
            self._publish(epoch)
        except BaseException:
            self._undo(epoch)
            raise
        undone = self._round_off(report, epoch)
        core.events.emit("epoch", {"domain": name, "epoch": epoch, "entries": report.entries})
        self._context.message = f"epoch {epoch}: {_told(report)}{undone}"
        shares = {key: round(getattr(report, key), 4) for key in ("coverage_before", "coverage")}
        return result | asdict(report) | shares | {"epoch": epoch}

    def _train(self) -> tuple[NgramEncoder, dict[str, Any]]:
        trained = train_encoder(
            self._core,
            self._stack,
            self._before,
            self._request,
            self._context,
            self._progress(0.0, _TRAINING),
        )
        self._blob = trained.blob
        if self._before.parent is None:
            self._general = trained.hplm
        return trained.hplm.encoder, trained.result

    def _build(self, epoch: int, encoder: NgramEncoder) -> BuildReport:
        core, stack, name, request = self._core, self._stack, self._name, self._request
        parent = stack.tree.inherited(name)
        hidden = stack.backbone.shape.hidden
        start = _TRAINING if request.train_minutes > 0 else 0.0
        with core.tables.writer(name, epoch, (row_bytes(hidden),), "int8") as writer:
            report = build_table(
                writer,
                core.corpora.lines(name) if core.corpora.exists(name) else (),
                self._before.corpus_lines,
                stack.backbone,
                encoder,
                TableView(name, (), hidden) if parent is None else parent.view,
                self._plan(),
                self._progress(start, 1.0),
                self._context.cancelled,
            )
            writer.meta["alpha"] = request.alpha
            writer.commit()
        return report

    def _plan(self) -> BuildPlan:
        request, now = self._request, self._stack.tree.take(self._name)
        return BuildPlan(
            alpha=request.alpha,
            budget=request.budget_bytes,
            threshold=request.threshold,
            traffic_weight=request.traffic_weight,
            asked=now.traffic.asked(now.view),
            before=now.view,
            shared=wanted_by_several(wanted_below(self._core, self._stack, self._name)),
        )

    def _publish(self, epoch: int) -> None:
        core, stack, name = self._core, self._stack, self._name
        with core.changing:
            row: DomainRow = core.catalogue.domains.change(
                name,
                stack.sha256,
                epoch=epoch,
                state="ready",
                encoder=self._blob,
                params=self._before.params | self._request.model_dump(),
            )
            began = time.perf_counter()
            stack.tree.put(row, self._general)
            seconds = time.perf_counter() - began
            core.chronicle.spans.record(Span("epoch", f"{name} {epoch}", began, seconds))
            core.events.emit("publish", {"domain": name, "seconds": round(seconds, 6)})

    def _round_off(self, report: BuildReport, epoch: int) -> str:
        """What is to follow a publication; what of it failed, in words.

        The epoch serves and goes on serving, so none of this makes the rebuild a failed one. The
        next start removes what was to be removed.
        """
        core, stack, name, before = self._core, self._stack, self._name, self._before
        steps: dict[str, Callable[[], object]] = {
            "it is not noted for comparisons": lambda: self._enter(report, epoch),
            "the table before it is not removed": lambda: core.tables.remove(name, before.epoch),
            "what traffic asked for is not saved": lambda: stack.ledger.save(name),
        }
        if self._request.train_minutes > 0:
            checkpoint = checkpoint_of(core, name, stack.sha256)
            steps["the training's checkpoint is not removed"] = lambda: sums.remove(checkpoint)
        if (old := before.encoder) is not None and old != self._blob:
            steps["the encoder before it is not removed"] = lambda: core.leftovers.forget(old)
        undone = ""
        for failed, step in steps.items():
            try:
                step()
            except Exception as error:
                log.exception("epoch %d of %s is published, but %s", epoch, name, failed)
                undone += f"; but {failed}: {error}"
        return undone

    def _enter(self, report: BuildReport, epoch: int) -> None:
        """Note what was published, for whoever compares it with what comes after."""
        stack, name = self._stack, self._name
        own = stack.tree.own(name)
        row = EpochRow(
            domain=name,
            epoch=epoch,
            entries=report.entries,
            bytes=0 if own is None else own.nbytes,
            alpha=self._request.alpha,
            coverage=report.coverage,
            encoder=self._blob,
            seconds=report.seconds,
            published_at=time.time(),
            backbone=stack.sha256,
        )
        stack.epochs.publish(row, self._before.epoch)

    def _undo(self, epoch: int) -> None:
        """Leave nothing of an epoch that was not published. One that was, stays: what failed
        after it is tried again at the next start."""
        core, name, before = self._core, self._name, self._before
        with contextlib.suppress(StoreError), core.changing:
            if core.catalogue.domains.get(name, before.backbone).epoch != before.epoch:
                return
            core.catalogue.domains.change(name, before.backbone, state=before.state)
            core.tables.remove(name, epoch)
            if self._blob is not None and self._blob != before.encoder:
                core.leftovers.forget(self._blob)

    def _progress(self, start: float, end: float) -> Callable[[float, str], None]:
        def update(share: float, message: str) -> None:
            self._context.update(start + (end - start) * share, message)

        return update


def wanted_below(core: Core, stack: Stack, name: str) -> list[Keys]:
    """What each child that has a table and the node's own encoder would store if it stood alone."""
    found: list[Keys] = []
    for row in core.catalogue.domains.all(stack.sha256):
        if row.parent == name and row.encoder is None and row.epoch:
            # A child whose table is damaged, or changes right now, has its say next time.
            with contextlib.suppress(StoreError):
                table = core.tables.open(row.name, row.epoch)
                found.append(np.asarray(table.arrays.get(WANTED, table.keys), dtype=np.int64))
    return found


def _told(report: BuildReport) -> str:
    """What the rebuild came to, in a line."""
    of = "the corpus's trigrams" if report.lookups == 0 else "corpus and traffic"
    learnt = "" if report.lookups == 0 else f" (before: {report.coverage_before:.0%})"
    moved = f", {report.promoted:,} promoted" if report.promoted else ""
    moved += f", {report.evicted:,} evicted" if report.evicted else ""
    moved += f", {report.shared:,} shared by nodes below" if report.shared else ""
    return (
        f"{report.entries:,} entries{moved}, {report.coverage:.0%} of {of} covered{learnt}, "
        f"in {report.seconds:.0f} s"
    )
