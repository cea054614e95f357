from __future__ import annotations

import json
import mmap
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.bench import runs, training, training_run
from engine.bench.duels import Company, Curve, Duel, render_training
from engine.bench.memory import PeakMemory
from engine.bench.model import open_model
from engine.bench.sources import open_sources
from engine.bench.subject import ModelChoice, Subject
from engine.bench.tables import Tables
from engine.bench.training import Place, TrainingPlan
from engine.bench.training_run import measure_company, measure_duel

PLAN = TrainingPlan(
    epochs=12,
    lr=1e-2,
    full_lr=3e-3,
    batch_size=8,
    rank=4,
    looks=1,
    jobs=3,
    small_rows=40,
    mode="exact",
    table_cache=1 << 20,
)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process for each side takes its time; what they do is the same here."""

    def here(work: Callable[[Place, Any], Any], place: Place, what: object) -> Any:
        return work(place, what)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(training_run, "_apart", here)
    monkeypatch.setattr(training, "keep_freed_memory", lambda: True)


@pytest.fixture
def place(choice: ModelChoice, data: Path, tmp_path: Path) -> Place:
    sources = open_sources(data, (), {"films": "reviews", "plots": "reviews"})
    folder = tmp_path / "tables"
    # As those who open it see the model: through its file.
    Tables(folder, open_model(choice)).build(sources, ["reviews"], 0.5, lambda _: None)
    return Place(choice, sources, folder, PLAN, 1)


def test_both_sides_learn_and_are_held_to_what_both_reach(place: Place) -> None:
    duel = measure_duel(place, "films")
    assert duel.rows == 80
    # The adapter's begin with what its head says before the first step.
    for side, before in ((duel.adapter, 1), (duel.full, 0)):
        assert len(side.points) == PLAN.epochs + before
        assert side.best > 0.7
        seconds = [at for at, _ in side.points]
        assert seconds == sorted(seconds)
    assert duel.target == min(duel.adapter.best, duel.full.best)
    assert duel.time > 0


def test_jobs_in_one_pass_come_to_what_they_come_to_alone(place: Place) -> None:
    company = measure_company(place, ["films", "plots"])
    assert (company.jobs, company.rows) == (3, 40)
    assert company.apart <= 0.26
    assert company.weights_apart < 0.02
    assert company.pass_s > 0


def test_time_and_memory_are_shares_of_the_other_sides() -> None:
    slow = Curve(((1.0, 0.5), (8.0, 0.8), (20.0, 0.9)), 400 << 20)
    quick = Curve(((1.0, 0.6), (2.0, 0.8), (3.0, 0.79)), 100 << 20)
    duel = Duel("films", 80, quick, slow)
    assert (duel.target, duel.time, duel.memory) == (0.8, 0.25, 0.25)
    assert slow.reaches(0.95) is None
    text = render_training([duel], Company(8, 200, 40.0, 12.0, 6.0, 0.01, 1e-3))
    assert "median: 25% of the time, 25% of the memory" in text
    assert "one after the other" in text
    assert "2.00" in text


def test_a_run_keeps_what_it_has_measured(subject: Subject, tmp_path: Path) -> None:
    out = tmp_path / "training.json"
    plan = TrainingPlan(**{**asdict(PLAN), "epochs": 1, "jobs": 2})
    document, text = runs.run_training(subject, plan, out, lambda _: None)
    kept = json.loads(out.read_text())
    assert [each["dataset"] for each in kept["results"]["duels"]] == ["films", "plots"]
    assert kept["results"] == json.loads(document.json())["results"]
    assert "films" in text


def test_peak_memory_counts_what_came_and_went() -> None:
    # Pages of its own: what the allocator has kept of other tests would not count as new.
    size, private = 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with PeakMemory(torch.device("cpu")) as memory, mmap.mmap(-1, size, private) as held:
        while memory._most - memory._before < size:
            held[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
    assert memory.extra >= size
