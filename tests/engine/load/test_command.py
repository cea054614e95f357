from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.load.command import load as command
from tests.hmi_tui.cli.documents import a_vplm
from tests.hmi_tui.cli.fake_engine import FakeEngine, Problem, page, that_classifies


@pytest.fixture
def load(tmp_path: Path) -> list[str]:
    """The program's command line, aimed at an engine in `tmp_path`."""
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\n")
    place = ["--home", str(tmp_path), "--text", str(texts)]
    return [sys.executable, "-m", "engine.load", *place]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_loads_all_vplms_over_all_pages_and_reports(tmp_path: Path, load: list[str]) -> None:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        pages = {
            None: page(a_vplm("a/x"), next_cursor="c1", total=2),
            "c1": page(a_vplm("b/y"), total=2),
        }
        engine.on("GET", "/v1/vplms", lambda asked: pages[asked.query.get("cursor")])
        that_classifies(engine)
        done = _run([*load, "--rate", "200", "--duration", "0.5", "--json"])
        asked = engine.calls("POST", "/v1/classify")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["vplms"], report["tenants"], report["errors"]) == (2, 2, {})
    assert report["answered"] == report["sent"] == len(asked) > 50
    assert {one.json["model"] for one in asked} == {"a/x", "b/y"}
    assert "200 requests a second over 2 vPLMs" in done.stderr


def test_ctrl_c_ends_an_endless_run_with_its_report(tmp_path: Path, load: list[str]) -> None:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        engine.on("GET", "/v1/vplms", page(a_vplm("a/x")))
        that_classifies(engine)
        with subprocess.Popen(
            [*load, "--duration", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            assert "until Ctrl-C" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            report = process.stdout.read()
    assert process.returncode == 0
    assert "requests sent" in report


def test_without_vplms_it_ends_with_four(tmp_path: Path, load: list[str]) -> None:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        engine.on("GET", "/v1/vplms", page())
        done = _run(load)
    assert done.returncode == 4
    assert "hmi vplm create" in done.stderr


def test_without_an_engine_it_ends_with_three(load: list[str]) -> None:
    assert _run(load).returncode == 3


def test_it_needs_no_heavy_import() -> None:
    program = (
        "import sys, engine.load.command; "
        "print([m for m in ('torch', 'fastapi', 'store', 'textual') if m in sys.modules])"
    )
    assert _run([sys.executable, "-c", program]).stdout == "[]\n"


def test_the_reports_of_a_hot_tenant_and_a_bound_are_asked_for_by_flags(
    tmp_path: Path, load: list[str]
) -> None:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        engine.on("GET", "/v1/vplms", page(a_vplm("a/x"), a_vplm("b/y")))
        that_classifies(engine)
        flags = ("--ramp", "100:0.2,100..300:0.3", "--hot", "b:4", "--slo-ms", "60000", "--json")
        report = json.loads(_run([*load, *flags]).stdout)
    assert report["goodput"]["share"] == 1
    assert report["hot"]["sent"] > report["others"]["sent"] > 0
    assert report["hot"]["sent"] + report["others"]["sent"] == report["answered"]
    assert report["stage_s"]["load"]["p99_9"] == pytest.approx(0.003)
    assert report["tier_use"]["host"]["hits"] == 0


def test_clients_take_the_place_of_a_rate(tmp_path: Path, load: list[str]) -> None:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        engine.on("GET", "/v1/vplms", page(a_vplm("a/x")))
        that_classifies(engine)
        done = _run([*load, "--clients", "3", "--duration", "0.3"])
    assert "3 clients over 1 vPLMs" in done.stderr
    assert "Jain index" in done.stdout


def test_a_search_reports_every_rate_that_it_tried(tmp_path: Path, load: list[str]) -> None:
    refused = Problem(429, "queue_full", "full")
    with FakeEngine(tmp_path / "engine.sock") as engine:
        engine.on("GET", "/v1/vplms", page(a_vplm("a/x")))
        engine.on("POST", "/v1/classify", refused)
        flags = ("--find", "100", "--step", "1", "--rate", "4", "--json")
        done = _run([*load, *flags])
    curve = json.loads(done.stdout)
    assert curve["rate"] is None
    assert [point["rate"] for point in curve["points"]] == [1, 1, 2, 2, 4, 4]
    assert "too much" in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("--ramp", "fast"),
        ("--hot", "acme"),
        ("--hot", "acme:0.5"),
        ("--clients", "2", "--ramp", "5:1"),
        ("--ramp", "5:1", "--rate", "5"),
        ("--ramp", "5:1", "--duration", "5"),
        ("--clients", "2", "--find", "100"),
        ("--clients", "2", "--hot", "acme:2"),
        ("--live", "--clients", "2"),
        ("--live", "--ramp", "5:1"),
        ("--live", "--find", "100"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(wrong: tuple[str, ...]) -> None:
    assert CliRunner().invoke(command, wrong).exit_code == 2


def test_a_hot_tenant_that_is_not_asked_is_said(tmp_path: Path, load: list[str]) -> None:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        engine.on("GET", "/v1/vplms", page(a_vplm("a/x")))
        done = _run([*load, "--hot", "nobody:3"])
    assert done.returncode == 4
    assert "nobody" in done.stderr
