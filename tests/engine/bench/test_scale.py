from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.bench.cliff import Cell, Registered, draw_cliff, render_scale
from engine.bench.population import Population
from engine.bench.reference import LoadPlan, run_reference
from engine.bench.scale import ScalePlan, run_scale
from engine.bench.sources import Sources, open_sources
from engine.bench.subject import ModelChoice

DOMAINS = {"films": "reviews", "plots": "reviews"}


@pytest.fixture
def sources(data: Path) -> Sources:
    return open_sources(data, (), DOMAINS)


@pytest.fixture
def serve(choice: ModelChoice) -> tuple[str, ...]:
    """Flags of an engine on the small model."""
    given = ("--backbone", choice.backbone), ("--encoder", choice.encoder), ("--split", 2)
    return tuple(str(word) for pair in (*given, ("--device", "cpu")) for word in pair)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where throw-away homes are made: short, for a socket's name is."""
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def cell(share: float, answered: float, p99: float, popularity: str = "uniform") -> Cell:
    slots = round(100 * share)
    return Cell(100, 100, share, slots, popularity, answered, p99 / 2, p99, share, 0)


def test_runs_are_compared_with_the_one_that_has_all_resident() -> None:
    cells = [cell(1.0, 200, 0.1), cell(0.05, 180, 0.12), cell(0.05, 5, 9.0, "zipf")]
    told = render_scale([Registered(100, 50, 0.5, 1 << 30)], cells)
    few = next(line for line in told.splitlines() if "5%" in line and "uniform" in line).split()
    assert "0.90" in few
    assert "1.20" in few
    made = told.splitlines()[1].split()
    assert made == ["100", "50", "0.5", "10.0", "1.00"]
    assert draw_cliff(cells).count("<polyline") == 2


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_scale_run_measures_every_cell_and_leaves_nothing(
    sources: Sources, serve: tuple[str, ...], said: list[str], temporary: Path
) -> None:
    out = temporary / "scale.json"
    before = {*temporary.iterdir(), out}
    plan = ScalePlan((20,), (0.5, 1.0), ("uniform",), clients=4, seconds=0.6, rank=4, serve=serve)
    document, text, picture = run_scale(plan, sources, 1, out, said.append)
    assert [(one["vplms"], one["added"]) for one in document.results["registered"]] == [(20, 20)]
    cells = document.results["cells"]
    assert [(cell["vplms"], cell["slots"]) for cell in cells] == [(20, 10), (20, 20)]
    assert all(cell["answered_per_s"] > 0 and not cell["failed"] for cell in cells)
    assert cells[1]["device_hits"] == 1
    assert json.loads(document.json())["about"]["threads"] == 1
    assert "OF ALL" in text
    assert picture.startswith("<svg")
    assert json.loads(out.read_text())["results"]["cells"] == cells
    assert set(temporary.iterdir()) == before


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_reference_load_reports_creation_restart_and_load(
    sources: Sources, serve: tuple[str, ...], said: list[str], temporary: Path
) -> None:
    before = set(temporary.iterdir())
    people = Population(tenants=4, each=3, rank=4, labels=3)
    plan = LoadPlan(people, rate=30, duration=2, slo_ms=60_000, serve=serve)
    document, text = run_reference(plan, sources, 1, said.append)
    results = document.results
    assert results["created"]["vplms"] == 12
    assert len(results["created"]["tenths"]) == 10
    assert results["load"]["errors"] == {}
    assert results["load"]["vplms"] == 12
    assert results["load"]["goodput"]["share"] == 1
    assert results["engine"]["resident_bytes"] > 0
    assert results["find"] is None
    assert len(results["newcomers"]["answered_s"]) > 0 == results["newcomers"]["failed"]
    for told in ("12 vPLMs in", "ready after", "end to end", "queue", "outside", "device tier"):
        assert told in text
    assert set(temporary.iterdir()) == before
