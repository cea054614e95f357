from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.bench.overlap import PLACES, OverlapCell, OverlapPlan, render_overlap, run_overlap
from engine.bench.subject import Subject

PLAN = OverlapPlan(vplms=16, clients=4, texts=48, rounds=1, rank=4, labels=2)


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


@pytest.fixture
def _left_alone() -> Iterator[None]:
    """What the suite keeps out of the collector's rounds is so again after the engines' end."""
    yield
    gc.freeze()


@pytest.mark.slow
@pytest.mark.usefixtures("_left_alone")
def test_near_and_far_adapters_are_served_overlapping_and_in_turn(
    subject: Subject, tmp_path: Path, said: list[str]
) -> None:
    own = replace(subject, model=replace(subject.model, device="cpu"))
    document, text = run_overlap(own, PLAN, said.append)
    cells = document.results["cells"]
    assert {(cell["place"], cell["pipeline"]) for cell in cells} == {
        (place, side) for place in PLACES for side in ("on", "off")
    }
    assert all(cell["texts_per_s"] > 0 and len(cell["rounds"]) == 1 for cell in cells)
    hits = {cell["place"]: cell["device_hits"] for cell in cells}
    assert hits["device"] > 0.8
    assert hits["host"] < 0.5
    assert hits["disk"] < 0.5
    assert "ON/OFF" in text
    assert len(said) == len(cells)
    assert document.settings["dataset"] == "films"
    assert not any((tmp_path / "temporary").iterdir())


def test_the_table_shows_what_overlapping_brings_and_what_missing_costs() -> None:
    cells = [
        OverlapCell(place, side, speed, [speed], 0.25)
        for place, on in zip(PLACES, (120.0, 110.0, 90.0), strict=True)
        for side, speed in (("on", on), ("off", 80.0))
    ]
    device, _, disk = render_overlap(cells).splitlines()[1:4]
    assert device.split() == ["device", "120.0", "80.0", "1.50", "100%", "25%"]
    assert disk.split() == ["disk", "90.0", "80.0", "1.12", "75%", "25%"]
