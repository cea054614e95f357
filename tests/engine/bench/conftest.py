from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench.model import Model
from engine.bench.subject import ModelChoice, Subject
from engine.knowledge.encoder_file import save_hplm
from engine.knowledge.hplm import Hplm
from engine.model.backbone import Backbone
from tests.engine.bench.small_data import texts, write_corpus, write_rows
from tests.engine.forked import fork_server

__all__ = ["fork_server"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Datasets `films` and `plots`; corpora `general` and, for both, `reviews`."""
    folder = tmp_path / "data"
    for seed, name in enumerate(("films", "plots")):
        write_rows(folder / name / "train.jsonl.gz", texts(80, 2 * seed))
        write_rows(folder / name / "test.jsonl.gz", texts(40, 2 * seed + 1))
    write_corpus(folder / "corpora" / "general.txt.gz", [t for t, _ in texts(40, 10)])
    write_corpus(folder / "corpora" / "reviews.txt.gz", [t for t, _ in texts(120, 11)])
    return folder


@pytest.fixture(autouse=True)
def _short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.bench.lookup._ROUND", 256)


@pytest.fixture
def said() -> list[str]:
    """What a run said on the way; its `append` is a run's `say`."""
    return []


@pytest.fixture(scope="session")
def model(backbone: Backbone, hplm: Hplm) -> Model:
    return Model(backbone, hplm)


@pytest.fixture(scope="session")
def choice(checkpoint: Path, model: Model, tmp_path_factory: pytest.TempPathFactory) -> ModelChoice:
    """The small model as files."""
    encoder = tmp_path_factory.mktemp("encoder") / "general.safetensors"
    save_hplm(model.hplm, encoder, {})
    return ModelChoice(checkpoint, 2, encoder, dtype="float32")


@pytest.fixture
def subject(choice: ModelChoice, data: Path) -> Subject:
    return Subject(choice, data, (), {"films": "reviews", "plots": "reviews"}, threads=1)
