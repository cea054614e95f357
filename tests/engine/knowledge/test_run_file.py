from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from engine.errors import Damaged
from engine.knowledge.run_file import KeptRun, RunOrigin, go_on, keep_run, kept_run


@dataclass(frozen=True, slots=True)
class Origin(RunOrigin):
    text_sha256: str
    seed: int


ORIGIN = Origin("ab", 1)
WEIGHT = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    keep_run(tmp_path / "run", ORIGIN, {"weight": WEIGHT}, {"step": 7})
    return tmp_path / "run"


def test_a_run_is_taken_up_where_it_was(path: Path) -> None:
    taken: list[KeptRun] = []
    assert go_on(path, Origin("ab", 1), taken.append)
    assert torch.equal(taken[0].tensors["weight"], WEIGHT)
    assert taken[0].done == {"step": 7}
    assert path.exists()


def test_another_run_is_not_taken_up_and_its_file_goes(path: Path) -> None:
    taken: list[KeptRun] = []
    assert not go_on(path, Origin("ab", 2), taken.append)
    assert taken == []
    assert not path.exists()


def test_where_there_is_none_nothing_is_taken_up(tmp_path: Path) -> None:
    assert not go_on(tmp_path / "none", ORIGIN, lambda _: None)
    with pytest.raises(FileNotFoundError):
        kept_run(tmp_path / "none")


def test_a_torn_file_is_told_and_removed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(Damaged, match="cannot be read"):
        kept_run(path)
    assert not go_on(path, ORIGIN, lambda _: None)
    assert not path.exists()


def test_a_run_that_lacks_a_part_is_removed(path: Path) -> None:
    def take_up(kept: KeptRun) -> None:
        kept.tensors["bias"]

    assert not go_on(path, ORIGIN, take_up)
    assert not path.exists()
