"""Trainings as the engine sees them: who may be taken together, and the process that does it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from engine.appliance.core import Core
from engine.appliance.made_for import backbone_of
from engine.appliance.training_party import TrainingParty
from engine.errors import HmiError
from engine.schema import TrainRequest
from engine.training.job import JobContext, Outcome, Together
from engine.training.worker import process
from engine.training.worker.messages import Site
from engine.training.worker.process import TrainingProcess
from store.errors import StoreError
from store.rows import JobRow

HPLMS, STATES, ROWS = "hplms", "states", "rows"


class Trainings:
    """The engine's one training process, and what it is asked for. `close` once."""

    def __init__(self, core: Core) -> None:
        self._core = core
        own = core.backbone
        self.process = TrainingProcess(self._site(own.checkpoint.folder, own.split), process.launch)
        self._sweep()

    def kind(self, params: dict[str, Any]) -> Hashable:
        """Adapters of one backbone and one rank learn in one pass."""
        request = TrainRequest.model_validate(_asked(params))
        try:
            vplm = self._core.catalogue.vplms.get(request.vplm)
        except StoreError:
            return request.vplm
        return vplm.kind, vplm.backbone, request.rank or vplm.rank

    def run(
        self, party: Sequence[JobContext], end: Callable[[JobContext, Outcome], None], *, idle: bool
    ) -> None:
        """See engine.training.job.Together."""
        requests = {one: TrainRequest.model_validate(_asked(one.params)) for one in party}
        self._turn_to(next(iter(requests.values())))
        TrainingParty(self._core, self.process, requests, end, idle=idle).run()

    def again(self, row: JobRow) -> Together | None:
        """How a job that an engine left unfinished goes on."""
        return self if row.type == "train" else None

    def close(self) -> None:
        self.process.stop()

    def _turn_to(self, request: TrainRequest) -> None:
        """Have the process hold the backbone that the party's vPLMs have: another is another
        process, and there is one at a time. A decoder stands beside whichever it holds."""
        try:
            vplm = self._core.catalogue.vplms.get(request.vplm)
            if vplm.task == "generate":
                return
            known = backbone_of(self._core, vplm)
        except (HmiError, StoreError):
            # Its job will say so.
            return
        site = self._site(known.folder, known.split)
        if site != self.process.site:
            self.process.stop()
            self.process = TrainingProcess(site, process.launch)

    def _site(self, backbone: Path, split: int) -> Site:
        core, folder = self._core, self._core.settings.paths.training
        own, stack = core.backbone, core.generators
        return Site(
            backbone=backbone,
            split=split,
            device=str(own.device),
            dtype=str(own.dtype).removeprefix("torch."),
            threads=max(1, len(os.sched_getaffinity(0)) // 2),
            generator=None if stack is None else stack.decoder.checkpoint.folder,
            generator_split=0 if stack is None else stack.decoder.split,
            tables=core.settings.paths.tables,
            blobs=core.settings.paths.blobs,
            datasets=folder / ROWS,
            states=folder / STATES,
        )

    def _sweep(self) -> None:
        """Remove what no job will read: checkpoints of trainings that ended well or are gone, and
        states, which a crash of the machine may have torn."""
        folder = self._core.settings.paths.training
        unfinished = {row.id for row in self._core.catalogue.jobs.unfinished()}
        failed = {row.id for row in self._core.catalogue.jobs.page("failed", 100)[0]}
        for path in folder.glob("train-*"):
            job, _, kind = path.name.partition(".")
            keep = unfinished | (failed if kind.startswith("checkpoint") else set())
            if job not in keep:
                path.unlink(missing_ok=True)
        for part in (HPLMS, STATES, ROWS):
            shutil.rmtree(folder / part, ignore_errors=True)


def _asked(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name in TrainRequest.model_fields}
