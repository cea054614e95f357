"""An appliance on the small backbone, opened on a folder, and ways to ask it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.appliance import Appliance
from engine.appliance.core import Core
from engine.config import Paths, Settings
from engine.knowledge.encoder_file import save_hplm
from engine.knowledge.hplm import Hplm
from engine.schema import (
    ClassifyRequest,
    ClassifyResponse,
    DomainCreate,
    Job,
    Mode,
    RebuildRequest,
    TenantCreate,
    Vplm,
    VplmCreate,
)
from engine.serving.work import Outcome, Ticket, Work

DEADLINE_S = 20.0
CORPUS = b"a good film\nthe film was very good\nmy order is late\nmoney back please\n"
TEXTS = (
    "a good film",
    "the parcel was very late, my order is not back!",
    "refund my card and bank account please",
    "dull",
    "the movie was great and the plot was not bad. it was very very good",
)
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
"""How far a probability may move with its batch mates: a product of another size rounds
differently."""


@pytest.fixture(scope="session")
def encoder_file(hplm: Hplm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "small.safetensors"
    save_hplm(hplm, path, {"made": "for tests"})
    return path


def small_settings(home: Path, checkpoint: Path, encoder: Path | None, **choices: Any) -> Settings:
    """As an operator would choose for this backbone, with room for a few dozen adapters."""
    given: dict[str, Any] = {"device": "cpu", "split": 2, "threads": 1, "device_cache": 4 << 20}
    given["table_cache"] = 4 << 20
    return Settings(
        paths=Paths.find(home), backbone=checkpoint, encoder=encoder, **{**given, **choices}
    )


@contextmanager
def opened(settings: Settings) -> Iterator[Appliance]:
    appliance = Appliance(settings)
    appliance.start()
    try:
        yield appliance
    finally:
        appliance.close()


def core_of(appliance: Appliance) -> Core:
    return appliance._core


def tolerance_of(appliance: Appliance) -> float:
    return TOLERANCE[core_of(appliance).backbone.dtype]


def classify(
    appliance: Appliance, model: str, texts: str | list[str], mode: Mode | None = None
) -> ClassifyResponse:
    request = ClassifyRequest(model=model, input=texts, mode=mode)
    return asyncio.run(appliance.classify(request))


def probs(
    appliance: Appliance, model: str, texts: Sequence[str] = TEXTS, mode: Mode | None = None
) -> list[list[float]]:
    return [row.probs for row in classify(appliance, model, list(texts), mode).data]


Ask = tuple[str, Mode, Sequence[str]]


def tickets(appliance: Appliance, asks: Sequence[Ask]) -> list[Ticket]:
    """Offer many requests in one instant, so that the next batch holds as many as it may."""
    core = core_of(appliance)
    works: list[Work] = []
    made: list[Ticket] = []
    for vplm, mode, texts in asks:
        model = core.models.take(vplm)
        ticket = Ticket(len(texts), core.tiers.tier(model.adapter))
        rows = core.backbone.tokenize(list(texts))
        works += [Work(model, mode, ids, ticket, i) for i, ids in enumerate(rows)]
        made.append(ticket)
    core.queue.offer(works)
    return made


def together(appliance: Appliance, asks: Sequence[Ask]) -> list[list[Outcome]]:
    return [ticket.future.result(DEADLINE_S) for ticket in tickets(appliance, asks)]


def same(
    left: Sequence[Sequence[float]], right: Sequence[Sequence[float]], tolerance: float
) -> bool:
    return all(
        len(a) == len(b) and bool(np.allclose(a, b, rtol=0, atol=tolerance))
        for a, b in zip(left, right, strict=True)
    )


def make_tenant(appliance: Appliance, name: str = "acme") -> None:
    appliance.create_tenant(TenantCreate(name=name))


def make_vplm(
    appliance: Appliance, id: str = "acme/a", labels: Sequence[str] = ("no", "yes"), **more: Any
) -> Vplm:
    tenant, name = id.split("/")
    request = VplmCreate(tenant=tenant, name=name, labels=list(labels), **{"rank": 4, **more})
    return appliance.create_vplm(request)


def make_domain(appliance: Appliance, name: str, parent: str = "general") -> None:
    """With a corpus and a table."""
    appliance.create_domain(DomainCreate(name=name, parent=parent))
    appliance.put_corpus(name, iter([CORPUS]))
    job = appliance.rebuild_domain(name, RebuildRequest(alpha=1.0))
    assert ended(appliance, job.id).state == "succeeded"


def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_S) -> None:
    """Wait for what another thread brings about."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        pause.wait(0.005)


def ended(appliance: Appliance, job: str, seconds: float = DEADLINE_S) -> Job:
    """The job once it has ended."""
    until(lambda: appliance.job(job).ended, f"the end of {job}", seconds)
    return appliance.job(job)
