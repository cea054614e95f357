from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.view import TableView


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Steps this small take many times longer on several threads when others want the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def knowledge(hplm: Hplm, empty_view: TableView) -> Knowledge:
    return Knowledge("general", 0, empty_view, hplm.encoder, hplm.bridge)
