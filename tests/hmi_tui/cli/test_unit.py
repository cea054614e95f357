"""What `hmi unit` prints names this installation, and only series that the engine has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from engine.api.supervision import HUNG_EXIT
from engine.config import assets_dir
from engine.telemetry.metrics import Metrics

Run = Callable[..., Result]
_SERIES = re.compile(r"\bhmi_[a-z_]+")


@pytest.fixture
def series() -> set[str]:
    metrics = Metrics()
    metrics.observe_request("acme", "ok", 0.1, 1, 1)
    metrics.observe_batch({"compute": 0.1}, 1)
    metrics.observe_lookups("general", 1, 1)
    metrics.observe_refusal("queue_full")
    metrics.job_ended("train", "failed")
    text = metrics.render().decode()
    # Families without samples are declared all the same; counters end in _total.
    return set(_SERIES.findall(text)) | {
        f"{name}_total" for name in re.findall(r"# TYPE (hmi_\w+) counter", text)
    }


def test_the_unit_starts_this_command_on_this_home(run: Run, tmp_path: Path) -> None:
    unit = run("unit").stdout
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert f"serve --home {tmp_path} --socket " in start
    assert "{" not in unit
    assert "Type=notify" in unit
    assert "WatchdogSec=" in unit
    assert "UMask=0077" in unit
    # on-failure: an engine that ended itself because it hung, or that was killed, comes back.
    assert "Restart=on-failure" in unit
    assert HUNG_EXIT != 0


def test_the_unit_of_a_home_with_blanks_and_percents_is_quoted(run: Run, tmp_path: Path) -> None:
    unit = run("unit", "--home", str(tmp_path / "a home of 100%")).stdout
    assert f'--home "{tmp_path}/a home of 100%%" ' in unit


@pytest.mark.parametrize("kind", ["alerts.yml", "dashboard.json"])
def test_alerts_and_panels_ask_for_series_that_there_are(kind: str, series: set[str]) -> None:
    text = (assets_dir() / "operations" / kind).read_text()
    asked = set(_SERIES.findall(text))
    assert len(asked) >= 8
    assert asked - series == set()


def test_every_alert_says_what_is_wrong_and_what_to_do(run: Run) -> None:
    alerts = run("unit", "alerts").stdout.split("- alert: ")[1:]
    assert len(alerts) >= 8
    for alert in alerts:
        for part in ("expr:", "severity:", "summary:", "remedy:"):
            assert part in alert


def test_the_dashboard_is_grafanas(run: Run) -> None:
    dashboard = json.loads(run("unit", "dashboard").stdout)
    panels = dashboard["panels"]
    assert len(panels) == len({panel["id"] for panel in panels}) >= 12
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(target["expr"] for panel in panels for target in panel["targets"])
