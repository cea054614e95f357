from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.appliance import Appliance, generator_stack
from engine.config import Settings
from tests.engine.appliance.small import encoder_file, make_tenant, opened, small_settings
from tests.engine.appliance.trained import furnished, mid_training
from tests.engine.forked import fork_server, forked_training

__all__ = ["encoder_file", "fork_server", "forked_training", "furnished", "mid_training"]


@pytest.fixture(autouse=True)
def _no_bundled_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes two thirds of a small engine's start, and most tests ask it nothing."""
    monkeypatch.setattr(generator_stack, "bundled_generator", lambda: None)


@pytest.fixture(autouse=True)
def _starts_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vPLM starts at random. Here the first of a test starts at 0, the next at 1, and so on: what
    a training makes of them is then the same each time, and no test fails by a bad draw."""
    seeds = count()
    monkeypatch.setattr(
        "engine.appliance.starting.secrets", SimpleNamespace(randbits=lambda bits: next(seeds))
    )


@pytest.fixture
def settings(tmp_path: Path, checkpoint: Path, encoder_file: Path) -> Settings:
    return small_settings(tmp_path / "home", checkpoint, encoder_file)


@pytest.fixture
def appliance(settings: Settings) -> Iterator[Appliance]:
    """A started engine with one tenant, acme."""
    with opened(settings) as engine:
        make_tenant(engine)
        yield engine


@pytest.fixture
def in_turn(settings: Settings) -> Iterator[Appliance]:
    """The same, which takes nothing from its queue while a batch is computed."""
    with opened(replace(settings, pipeline="off")) as engine:
        make_tenant(engine)
        yield engine
