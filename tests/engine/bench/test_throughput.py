from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.bench.document import read_document
from engine.bench.runs import run_throughput
from engine.bench.speed import DatasetSpeed, render_speed
from engine.bench.subject import Subject
from engine.bench.throughput import ThroughputPlan
from engine.errors import Unavailable
from engine.knowledge.retrieved import Lookups

PLAN = ThroughputPlan(batch=8, adapters=4, rank=4, repeats=2, table_cache=1 << 20, seed=3)


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def test_every_dataset_is_measured_cold_and_warm_against_exact(
    subject: Subject, tmp_path: Path, said: list[str]
) -> None:
    out = tmp_path / "speed.json"
    plan = replace(PLAN, against=("transformers",))
    document, text = run_throughput(subject, plan, out, said.append)
    films, plots = document.results["datasets"]
    assert (films["dataset"], plots["dataset"]) == ("films", "plots")
    assert films["texts"] == 20
    assert {len(seconds) for seconds in films["batches"].values()} == {3}
    assert set(films["ratio"]) == {"exact", "uncached", "cold", "warm", "transformers"}
    assert films["ratio"]["exact"] == 1.0
    for side in ("uncached", "cold", "warm"):
        assert sum(films["lookups"][side].values()) == films["tokens"]
    assert films["lookups"]["uncached"]["cached"] == 0
    assert films["lookups"]["cold"]["hits"] == films["lookups"]["warm"]["hits"]
    assert films["lookups"]["warm"]["computed"] <= films["lookups"]["cold"]["computed"]
    assert "X TRANSFORMERS" in text
    assert "warm      " in text
    assert read_document(out, "throughput") == json.loads(document.json())
    assert any(line.startswith("films: exact") for line in said)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_few_texts_can_be_asked_for_and_the_seed_draws_them(
    subject: Subject, said: list[str]
) -> None:
    one = replace(subject, datasets=("films",))

    def tokens(seed: int) -> int:
        plan = replace(PLAN, texts=10, repeats=1, seed=seed)
        (found,) = run_throughput(one, plan, None, said.append)[0].results["datasets"]
        assert found["texts"] == 5
        assert said[-2].startswith("films: 5 texts, pass 1 of 1")
        return int(found["tokens"])

    assert tokens(0) == tokens(0)
    assert len({tokens(seed) for seed in range(4)}) > 1


def test_without_an_encoder_for_the_model_nothing_is_measured(subject: Subject) -> None:
    choice = replace(subject.model, encoder=None)
    with pytest.raises(Unavailable, match="no n-gram encoder") as caught:
        run_throughput(replace(subject, model=choice), PLAN, None, lambda _line: None)
    assert "--encoder" in caught.value.remedy


def test_ratios_are_of_sums_over_batches() -> None:
    lookups = Lookups(5, 2, 0, 3)
    one = DatasetSpeed(
        "films",
        "reviews",
        texts=64,
        tokens=640,
        entries=9,
        batches={
            "exact": [1.0, 3.0],
            "uncached": [2.0, 2.0],
            "cold": [1.0, 1.0],
            "warm": [0.5, 0.5],
        },
        lookups=dict.fromkeys(("uncached", "cold", "warm"), lookups),
        stages={},
    )
    assert (one.ratio("cold"), one.ratio("warm"), one.ratio("transformers")) == (2.0, 4.0, None)
    assert one.texts_per_s("exact") == 16.0
    assert "worst 2.00; warm: mean 4.00" in render_speed([one])
