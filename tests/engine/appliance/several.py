"""Checkpoints to stand beside the engine's own, and engines that have imported them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.schema import BackboneImport
from tests.engine.appliance.small import (
    make_tenant,
    make_vplm,
    opened,
    probs,
    same,
    tolerance_of,
)
from tests.engine.conftest import WORDS, write_checkpoint

Answers = list[list[float]]
LABELS = ("a", "b", "c", "d")
MARKS = 9
"""Words before the first of a text's own: special tokens and punctuation."""


@pytest.fixture(scope="session")
def wide_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another hidden size than the own one's, and another number of layers."""
    return write_checkpoint(tmp_path_factory.mktemp("wide"), layers=3, hidden=48, seed=5)


@pytest.fixture(scope="session")
def twin_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The own one's shape to the last number: other weights, and words that have other ids."""
    words = [*WORDS[:MARKS], *reversed(WORDS[MARKS:])]
    return write_checkpoint(tmp_path_factory.mktemp("twin"), layers=4, seed=7, words=words)


def import_as(appliance: Appliance, folder: Path, name: str) -> str:
    """The id of what was imported."""
    return appliance.import_backbone(BackboneImport(path=str(folder), name=name, split=2)).id


def make_unlike(appliance: Appliance, vplm: str, others: Iterable[Answers], **more: Any) -> Answers:
    """Create it and ask it in exact mode. Adapters are of chance: it is made again until it answers
    every text unlike all `others`, so that another's answer is never taken for its own."""
    apart, known = 3 * tolerance_of(appliance), list(others)
    for _ in range(100):
        make_vplm(appliance, vplm, LABELS, **more)
        found = probs(appliance, vplm, mode="exact")
        if not any(
            same([a], [b], apart) for other in known for a, b in zip(found, other, strict=True)
        ):
            return found
        appliance.remove_vplm(vplm)
    raise AssertionError(f"{vplm} answers as another, whatever its adapter")


@pytest.fixture
def mixed(settings: Settings, wide_checkpoint: Path, twin_checkpoint: Path) -> Iterator[Appliance]:
    """A started engine with one tenant, acme, that has imported `wide` and `twin`."""
    with opened(settings) as engine:
        make_tenant(engine)
        import_as(engine, wide_checkpoint, "wide")
        import_as(engine, twin_checkpoint, "twin")
        yield engine
