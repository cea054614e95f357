from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.api.running import Running, running
from tests.engine.api.scripted import ScriptedAppliance


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("e"), ScriptedAppliance()) as server:
        yield server


@pytest.fixture
def engine(shared: Running) -> Running:
    """A running engine whose appliance has forgotten earlier tests. Do not stop it."""
    shared.appliance.forget()
    return shared


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Running]:
    """A running engine of this test alone, which may be stopped."""
    with running(tmp_path, ScriptedAppliance()) as server:
        yield server
