"""The engine's model path without queue and HTTP: token ids in, probabilities out."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.knowledge.retrieve import Knowledge, MissPolicy
from engine.knowledge.retrieved import Lookups
from engine.memory.arena import HEAD_ROWS_PER_SLOT, AdapterArena
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterWeights
from engine.model.backbone import Backbone
from engine.serving.batch import form_batch
from engine.serving.stages import compute_stage, load_stage, retrieve_stage
from engine.serving.work import Mode, ServedModel, Ticket, Work

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Answers:
    """Of one batch: each text's probabilities, in the order asked, and where its rows came from.

    `lookups` is None in exact mode; `seconds` are by stage.
    """

    probs: list[list[float]]
    lookups: Lookups | None
    seconds: dict[str, float]


class _InMemory:
    """The disk tier of an engine whose adapters were just made."""

    def __init__(self, adapters: dict[str, AdapterWeights]) -> None:
        self._adapters = adapters

    def read(self, adapter: str) -> AdapterWeights:
        return self._adapters[adapter]


class ModelPath:
    """vPLMs of one shape, all of them resident, served by the stages of the pipeline."""

    def __init__(
        self,
        backbone: Backbone,
        adapters: Sequence[AdapterWeights],
        labels: tuple[str, ...],
        domain: str,
        miss: MissPolicy = "compute",
    ) -> None:
        self._backbone = backbone
        self._miss: MissPolicy = miss
        names = [f"adapter-{i:04}" for i in range(len(adapters))]
        held = dict(zip(names, adapters, strict=True))
        shape = adapters[0].shape
        slot = (shape.parameters + HEAD_ROWS_PER_SLOT * (shape.hidden + 1)) * _FLOAT_BYTES
        slots = max(len(adapters), math.ceil(len(adapters) * len(labels) / HEAD_ROWS_PER_SLOT))
        arena = AdapterArena(shape, slots * slot, backbone.device, backbone.dtype)
        self._tiers = AdapterTiers(_InMemory(held), arena, sum(a.nbytes for a in adapters))
        self._models = [
            ServedModel(f"bench/{name}", "bench", domain, name, labels, "plot") for name in names
        ]

    def run(
        self, rows: Sequence[list[int]], mode: Mode, knowledge: Knowledge | None = None
    ) -> Answers:
        """Answer a batch of token ids, text i for vPLM i (in turn, if there are more texts).

        Plot mode needs the `knowledge` of the domain.
        """
        ticket = Ticket(len(rows), "device")
        count = len(self._models)
        works = [Work(self._models[i % count], mode, ids, ticket, i) for i, ids in enumerate(rows)]

        def take(_domain: str) -> Knowledge:
            assert knowledge is not None, "plot mode needs a domain's knowledge"
            return knowledge

        marks = [time.perf_counter()]
        batch = form_batch(0, works, take, marks[0], self._miss)
        retrieve_stage(batch)
        marks.append(time.perf_counter())
        load_stage(batch, self._tiers, batch.adapters)
        marks.append(time.perf_counter())
        try:
            found = compute_stage(batch, self._backbone, self._tiers)
        finally:
            self._tiers.release(batch.adapters)
        marks.append(time.perf_counter())
        for error in batch.errors.values():
            raise error
        probs: list[list[float]] = [[]] * len(rows)
        for work, answer in zip(batch.works, found, strict=True):
            probs[work.index] = answer
        retrieved = batch.groups[0].retrieved
        stages = ("retrieve", "load", "compute")
        spent = (after - before for before, after in pairwise(marks))
        return Answers(
            probs,
            None if retrieved is None else retrieved.lookups(),
            dict(zip(stages, spent, strict=True)),
        )


def together(parts: Sequence[Lookups]) -> Lookups:
    """All of them in one."""
    return Lookups(
        hits=sum(each.hits for each in parts),
        cached=sum(each.cached for each in parts),
        backed_off=sum(each.backed_off for each in parts),
        computed=sum(each.computed for each in parts),
    )
