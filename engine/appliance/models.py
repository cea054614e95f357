"""The vPLMs as serving sees them: one look-up in memory per request, none in the catalogue."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import cast, get_args

from engine.errors import NotFound
from engine.knowledge.retrieve import MissPolicy
from engine.memory.tiers import AdapterTiers
from engine.serving.work import Mode, ServedModel, TaskName
from store.catalogue import Catalogue
from store.rows import VplmRow


def perplexity_of(task: str, accuracy: float | None) -> float | None:
    """What a generator's held-out accuracy, the likelihood of a token, is one over."""
    return 1 / accuracy if accuracy and task == "generate" else None


def miss_of(row: VplmRow) -> MissPolicy | None:
    """The vPLM's own miss policy; None where the engine's holds."""
    if row.miss is None:
        return None
    return "backoff" if row.miss == "backoff" else "compute"


def task_name(task: str) -> TaskName:
    """The catalogue's word as one of the known ones."""
    return cast("TaskName", task) if task in get_args(TaskName) else "classify"


class ModelBook:
    """Follows the catalogue; whoever changes a vPLM there puts or drops it here."""

    def __init__(self, catalogue: Catalogue, tiers: Callable[[str], AdapterTiers | None]) -> None:
        """`tiers` are those of the adapters of vPLMs of a backbone, None while it is not loaded."""
        self._tiers = tiers
        self._models: dict[str, ServedModel] = {}
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        """Requests since start, by vPLM."""
        for row in catalogue.vplms.all():
            self.put(row)

    def take(self, vplm: str) -> ServedModel:
        """The vPLM as it is now. NotFound."""
        try:
            return self._models[vplm]
        except KeyError:
            raise NotFound(
                f'There is no vPLM "{vplm}".', remedy="hmi vplm ls lists them."
            ) from None

    def put(self, row: VplmRow) -> None:
        """The vPLM is new or has changed."""
        mode: Mode = "exact" if row.mode == "exact" else "plot"
        with self._lock:
            self._models[row.id] = ServedModel(
                row.id,
                row.tenant,
                row.domain,
                row.adapter,
                row.labels,
                mode,
                miss_of(row),
                row.version,
                task_name(row.task),
                row.backbone,
            )
        if row.pinned and (tiers := self._tiers(row.backbone)) is not None:
            tiers.pin(row.adapter, pinned=True)

    def drop(self, vplm: str) -> None:
        """The vPLM is gone."""
        with self._lock:
            self._models.pop(vplm, None)
            self.requests.pop(vplm, None)
