"""Domains whose encoders are trained on the small backbone, and what is left of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from safetensors import safe_open

from engine.appliance import Appliance
from engine.appliance.encoder_training import checkpoint_of
from engine.config import Settings
from engine.knowledge.distil import Distillation
from engine.schema import Job, RebuildRequest
from tests.engine.appliance.small import (
    core_of,
    ended,
    make_domain,
    make_vplm,
    probs,
    until,
)

MINUTES = 0.005
WORDS = [
    *("the", "a", "good", "bad", "film", "movie", "was", "is", "very", "not"),
    *("dull", "great", "plot", "order", "money", "late"),
]
MODELS = ("acme/general", "acme/reviews", "acme/films")


def corpus(lines: int = 160) -> bytes:
    rng = random.Random(0)
    return b"".join(
        " ".join(rng.choices(WORDS, k=rng.randint(4, 12))).encode() + b"\n" for _ in range(lines)
    )


def train(appliance: Appliance, name: str, minutes: float = MINUTES, **more: Any) -> Job:
    request = RebuildRequest(alpha=0.9, train_minutes=minutes, **more)
    return ended(appliance, appliance.rebuild_domain(name, request).id)


def answers(appliance: Appliance) -> dict[str, list[list[float]]]:
    return {model: probs(appliance, model) for model in MODELS}


def states(appliance: Appliance) -> dict[str, str]:
    return {d.name: d.state for d in appliance.domains().data}


def checkpoints(settings: Settings) -> list[str]:
    folder = settings.paths.training
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def kept(appliance: Appliance, domain: str) -> list[str]:
    """The files of a checkpoint: itself, and its checksum."""
    core = core_of(appliance)
    name = checkpoint_of(core, domain, core.stack.sha256).name
    return [name, f"{name}.sum"]


def encoders(settings: Settings) -> list[str]:
    """Encoder files in the blob store."""
    found = []
    for path in settings.paths.blobs.glob("*/*.safetensors"):
        with safe_open(path, framework="np") as file:
            if "bridge_widths" in (file.metadata() or {}):
                found.append(path.stem)
    return found


@pytest.fixture
def furnished(appliance: Appliance) -> Appliance:
    """general over reviews over films, all with corpora, the two with tables and a vPLM in each."""
    appliance.put_corpus("general", iter([corpus()]))
    make_domain(appliance, "reviews")
    appliance.put_corpus("reviews", iter([corpus()]))
    make_domain(appliance, "films", "reviews")
    for model in MODELS:
        make_vplm(appliance, model, domain=model.removeprefix("acme/"))
    return appliance


@pytest.fixture
def mid_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Training waits, once a few steps are done, for its cancellation; the event says that it is
    there. It is set from then on, and training does not wait again."""
    reached = threading.Event()
    learn = Distillation._learn
    run = Distillation.run

    def slow(self: Distillation, *arguments: Any) -> None:
        learn(self, *arguments)
        if self.step == 5:
            reached.set()

    def held(self: Distillation, report: Any, tick: Any, cancelled: Callable[[], bool]) -> Any:
        def asked() -> bool:
            if self.step == 5:
                until(cancelled, "the cancellation")
            return cancelled()

        return run(self, report, tick, asked)

    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "_learn", slow)
        patch.setattr(Distillation, "run", held)
        yield reached
