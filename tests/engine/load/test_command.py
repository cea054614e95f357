from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hmi_tui.cli.documents import a_vplm
from tests.hmi_tui.cli.fake_engine import FakeEngine, page, that_classifies


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
