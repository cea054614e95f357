from __future__ import annotations

from pathlib import Path

import pytest

from engine.client import HmiError
from engine.schema import LoadBegun, LoadProgress, LoadReport, LoadRequest
from hmi_tui.load import kept
from hmi_tui.load.comparison import compare
from hmi_tui.load.kept import forget, keep, kept_runs
from hmi_tui.load.run import KEPT_SAMPLES, LoadRun


def a_run(id: str = "20261127-030000.000", **more: object) -> LoadRun:
    values = {"id": id, "name": "", "started_at": 1.0, "request": LoadRequest()}
    return LoadRun.model_validate(values | more)


def a_sample(at: float = 1.0, rate: float = 20.0) -> LoadProgress:
    return LoadProgress(
        at_s=at,
        rate=rate,
        offered_per_s=rate,
        answered_per_s=rate,
        errors_per_s=0,
        p50_s=None,
        p99_s=None,
        hit_rate=None,
        tiers={},
        late_p99_s=None,
        sent=20,
        answered=20,
        failed=0,
        in_flight=0,
    )


def a_report(p99_s: float | None = 0.04, **more: object) -> LoadReport:
    latency = None if p99_s is None else {"p50": 0.01, "p90": 0.02, "p99": p99_s, "p99_9": p99_s}
    values = {
        "seconds": 30.0,
        "vplms": 3,
        "tenants": 1,
        "sent": 600,
        "answered": 600,
        "errors": {},
        "offered_per_s": 20.0,
        "answered_per_s": 20.0,
        "goodput": None,
        "latency_s": latency,
        "mean_latency_s": None,
        "hit_rate": 0.7,
        "batch_size": 2.0,
        "tiers": {"device": 450, "host": 150},
        "sender_late_p99_s": 0.001,
        "ended_early": False,
    }
    return LoadReport.model_validate(values | more)


def test_a_run_goes_from_starting_to_ended_by_the_simulators_lines() -> None:
    run = a_run()
    states = [run.state]
    for line in (LoadBegun(vplms=3, tenants=1), a_sample(), a_report()):
        run = run.with_line(line)
        states.append(run.state)
    assert states == ["starting", "running", "running", "ended"]
    assert run.model_copy(update={"report": a_report(ended_early=True)}).state == "stopped"


def test_a_run_of_hours_keeps_its_last_minutes_alone() -> None:
    run = a_run()
    for at in range(KEPT_SAMPLES + 5):
        run = run.with_line(a_sample(float(at)))
    assert len(run.samples) == KEPT_SAMPLES
    assert run.samples[-1].at_s == KEPT_SAMPLES + 4


def test_a_kept_run_is_read_as_it_was_the_newest_first(tmp_path: Path) -> None:
    runs = [a_run(f"2026112{n}", report=a_report(), samples=[a_sample()]) for n in range(3)]
    for run in runs:
        keep(tmp_path / "load", run)
    assert kept_runs(tmp_path / "load") == runs[::-1]
    forget(tmp_path / "load", runs[1].id)
    forget(tmp_path / "load", "never kept")
    assert kept_runs(tmp_path / "load") == [runs[2], runs[0]]


def test_the_oldest_runs_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    for name in ("a", "b", "c"):
        keep(tmp_path, a_run(name))
    assert [run.id for run in kept_runs(tmp_path)] == ["c", "b"]


def test_a_damaged_file_does_not_hide_the_others(tmp_path: Path) -> None:
    keep(tmp_path, a_run("whole"))
    (tmp_path / "damaged.json").write_text("{")
    assert [run.id for run in kept_runs(tmp_path)] == ["whole"]
    assert kept_runs(tmp_path / "nowhere") == []


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HmiError, match="cannot be kept") as caught:
        keep(tmp_path / "file", a_run())
    assert caught.value.remedy


def test_two_runs_stand_beside_each_other_with_their_ratio() -> None:
    first = a_run(report=a_report(), samples=[a_sample()])
    second = a_run(report=a_report(0.02), samples=[a_sample(rate=40.0)])
    rows = {row.name: row for row in compare(first, second)}
    p99 = rows["p99"]
    assert (p99.first, p99.second, p99.ratio, p99.verdict) == (
        "40 ms",
        "20 ms",
        0.5,
        ("better", "good"),
    )
    assert (rows["on device"].first, rows["on host"].first) == ("75.0 %", "25.0 %")
    assert (rows["rate asked"].first, rows["rate asked"].second) == ("20/s", "20/s, changed")
    assert rows["offered/s"].verdict[0] == ""


def test_what_one_run_has_not_is_compared_with_nothing() -> None:
    rows = {
        row.name: row for row in compare(a_run(report=a_report(None)), a_run(report=a_report()))
    }
    assert (rows["p99"].first, rows["p99"].ratio) == ("–", None)  # noqa: RUF001
    assert rows["failed"].ratio is None
