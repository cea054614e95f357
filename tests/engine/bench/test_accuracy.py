from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from torch import Tensor

from engine.bench import accuracy_run
from engine.bench.accuracy import AccuracyPlan, measure_accuracy
from engine.bench.document import read_document
from engine.bench.model import Model
from engine.bench.runs import Repeats, run_accuracy
from engine.bench.scores import Score, means, render_scores, score_results, scores_of
from engine.bench.sources import open_sources
from engine.bench.subject import Subject
from engine.bench.tables import Tables
from engine.errors import BadInput, Conflict, Damaged
from engine.training import learner
from engine.training.states import StateCache

PLAN = AccuracyPlan(epochs=2, lr=1e-2, batch_size=8, rank=4, table_cache=1 << 20)
SCORE = Score("films", "reviews", 0, 80, 40, 0.9, 0.88, 0.5, 1.0, 2.0)


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def test_both_sides_learn_and_the_seed_decides_everything(
    model: Model, data: Path, tmp_path: Path
) -> None:
    sources = open_sources(data, ("films",), {"films": "reviews"})
    tables = Tables(tmp_path / "tables", model)
    tables.build(sources, ["reviews"], 0.5, lambda _line: None)
    knowledge, dataset = tables.knowledge("reviews", 1 << 20), sources.dataset("films")
    plan = replace(PLAN, epochs=15)
    first, again = (measure_accuracy(model, dataset, knowledge, plan, 1) for _ in range(2))
    assert first.exact > 0.7
    assert first.plot > 0.7
    assert 0 < first.hit_rate < 1
    assert replace(again, exact_s=0, plot_s=0) == replace(first, exact_s=0, plot_s=0)
    few = measure_accuracy(model, dataset, knowledge, replace(PLAN, rows=30), 1)
    assert (few.rows, few.texts) == (30, 40)


def test_the_exact_side_never_sees_a_state_from_tables(
    model: Model, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[set[bool]] = []

    class Watched(StateCache):
        def _compute(self, which: list[int]) -> list[Tensor]:
            computed[-1].add(self._exact)
            return super()._compute(which)

        def __init__(self, *given: object, **more: object) -> None:
            computed.append(set())
            super().__init__(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(learner, "StateCache", Watched)
    sources = open_sources(data, ("films",), {"films": "reviews"})
    tables = Tables(tmp_path / "tables", model)
    tables.build(sources, ["reviews"], 0.5, lambda _line: None)
    measure_accuracy(model, sources.dataset("films"), tables.knowledge("reviews"), PLAN, 0)
    exact, plot = computed
    assert (exact, plot) == ({True}, {False})


def test_scores_are_kept_as_they_come_and_a_run_can_be_resumed(
    subject: Subject, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.json"
    real = measure_accuracy
    left = [3]

    def interrupted(*given: object) -> Score:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(accuracy_run, "measure_accuracy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_accuracy(subject, PLAN, Repeats(range(2)), out, said.append)
    kept = scores_of(read_document(out, "accuracy")["results"])
    assert [(s.dataset, s.seed) for s in kept] == [("films", 0), ("films", 1), ("plots", 0)]
    assert list((tmp_path / "temporary").iterdir()) == []

    left[0] = 1
    document, text = run_accuracy(subject, PLAN, Repeats(range(2), resume=True), out, said.append)
    scores = scores_of(document.results)
    assert [(s.dataset, s.seed) for s in scores] == [
        ("films", 0),
        ("films", 1),
        ("plots", 0),
        ("plots", 1),
    ]
    assert scores[:3] == kept
    assert "plots seed 1" in said[-1]
    assert "1 of 1" in said[-1]
    assert "mean gap" in text
    assert read_document(out, "accuracy") == json.loads(document.json())


def test_results_that_are_there_are_neither_lost_nor_mixed_with_others(
    subject: Subject, tmp_path: Path
) -> None:
    out = tmp_path / "scores.json"
    one = replace(subject, datasets=("films",))
    run_accuracy(one, PLAN, Repeats(range(1)), out, lambda _line: None)
    with pytest.raises(Conflict, match="there already"):
        run_accuracy(one, PLAN, Repeats(range(1)), out, lambda _line: None)
    longer = replace(PLAN, epochs=3)
    with pytest.raises(BadInput, match="epochs 2 and not 3"):
        run_accuracy(one, longer, Repeats(range(1), resume=True), out, lambda _line: None)
    out.write_text('{"bench": "accuracy", "settings": {}, "results": {"scores": [{}]}}')
    with pytest.raises(Damaged, match="cannot be resumed"):
        run_accuracy(one, PLAN, Repeats(range(1), resume=True), out, lambda _line: None)
    with pytest.raises(BadInput, match="nothing to resume"):
        run_accuracy(one, PLAN, Repeats(range(1), resume=True), None, lambda _line: None)


@pytest.mark.slow
def test_two_processes_find_what_one_finds(subject: Subject, said: list[str]) -> None:
    one, two = (
        scores_of(
            run_accuracy(subject, PLAN, Repeats(range(1), jobs), None, said.append)[0].results
        )
        for jobs in (1, 2)
    )
    assert [(s.dataset, s.exact, s.plot) for s in two] == [
        (s.dataset, s.exact, s.plot) for s in one
    ]


def test_a_dataset_is_summed_up_over_its_seeds() -> None:
    scores = [
        SCORE,
        replace(SCORE, seed=1, exact=0.92, plot=0.92),
        replace(SCORE, dataset="plots", exact=0.5, plot=0.51),
    ]
    films, plots = means(scores)
    assert films.seeds == 2
    assert films.gap == pytest.approx(1.0)
    assert films.spread == pytest.approx(2**0.5)
    assert plots.gap == pytest.approx(-1.0)
    assert plots.spread is None
    shown = render_scores(scores)
    assert shown.endswith("mean gap 0.00 points, worst 1.00 (films)")
    assert scores_of(score_results(scores)) == scores
    assert score_results(scores)["scores"][0] == asdict(SCORE) | {"gap": SCORE.gap}
    assert render_scores([]) == "nothing was measured"
