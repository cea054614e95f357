from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from engine.schema import Trace
from engine.telemetry.spans import LANES, Level, Span
from engine.telemetry.trace import trace_events
from tests.hmi_tui.cli.fake_engine import FakeEngine

Run = Callable[..., Result]


def traced(batches: int) -> dict[str, object]:
    spans = [
        Span(lane, f"batch {n}", n + i / 4, 0.25, batch=n)
        for n in range(batches)
        for i, lane in enumerate(LANES[:4])
    ]
    document: dict[str, object] = json.loads(
        Trace(events=list(trace_events(spans, [Level(0.5, 3, 0.5)], 0.0))).json_text()
    )
    return document


def test_a_trace_is_written_and_summed_up(engine: FakeEngine, run: Run, tmp_path: Path) -> None:
    engine.on("GET", "/v1/trace", traced(3))
    file, picture = tmp_path / "t.json", tmp_path / "t.svg"
    result = run("trace", str(file), "--seconds", "12", "--svg", str(picture))
    assert engine.asked[-1].query == {"seconds": "12.0"}
    assert "compute busy" in result.stdout
    assert "ui.perfetto.dev" in result.stderr
    written = json.loads(file.read_text())
    assert written == traced(3)
    for event in written["traceEvents"]:
        assert {"ph", "ts", "pid", "tid", "name"} <= event.keys()
    assert picture.read_text().startswith("<svg")


def test_without_a_batch_it_says_what_to_do(engine: FakeEngine, run: Run, tmp_path: Path) -> None:
    engine.on("GET", "/v1/trace", traced(0))
    result = run("trace", str(tmp_path / "t.json"))
    assert result.stdout == ""
    assert "ask something" in result.stderr


def test_a_folder_that_is_not_there_is_said_before_the_engine_is_asked(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    result = run("trace", str(tmp_path / "none" / "t.json"), code=1)
    assert "There is no folder" in result.stderr
    assert engine.calls("GET", "/v1/trace") == []


def test_no_time_at_all_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    run("trace", str(tmp_path / "t.json"), "--seconds", "0", code=2)
