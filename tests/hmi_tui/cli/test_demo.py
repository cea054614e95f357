from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.client import Client, Damaged, Paths
from engine.schema import LoadRequest
from hmi_tui.demo.manifest import read_manifest
from hmi_tui.demo.run import run_headless, run_in_application
from hmi_tui.demo.steps import Steps
from tests.hmi_tui.cli import fake_engine

PROGRAM = f"""
import sys
from hmi_tui import engine_process
engine_process.engine_command = lambda paths, _arguments=(): [
    sys.executable, {fake_engine.__file__!r}, str(paths.socket)]
from hmi_tui.cli import main
main()
"""


def _demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )


def _left_behind(folder: Path) -> list[str]:
    """Files in `folder` and processes that work there."""
    files = [str(path) for path in folder.iterdir()]
    running = [
        " ".join(process.info["cmdline"] or ())
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or ())
    ]
    return files + running


def test_the_headless_demo_reports_and_leaves_nothing(tmp_path: Path) -> None:
    with _demo(tmp_path, "--seconds", "1", "--rate", "30", "--json") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["trained"]["held_out"] == 0.9
    assert set(report["trained"]["measured"]) == {"plot", "exact"}
    assert report["written"]["vplm"] == "acme/letters"
    assert report["written"]["texts"] == {"plot": " in plot mode", "exact": " in exact mode"}
    assert report["load"]["answered"] == report["load"]["sent"] > 10
    assert report["steps"][0]["name"].startswith("starting an engine")
    assert "domain clinic" in err
    assert _left_behind(tmp_path) == []


def test_the_report_for_people_has_tree_accuracy_and_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(
        "hmi_tui.engine_process.engine_command",
        lambda paths, _arguments: [sys.executable, fake_engine.__file__, str(paths.socket)],
    )
    told: list[str] = []
    text = run_headless(0.5, 50, told.append).text()
    for expected in (
        "└─ support",
        "held-out accuracy",
        "requests/s",
        "latency p50",
        "backbone",
        "Thank you for in plot",
    ):
        assert expected in text
    assert _left_behind(tmp_path) == []


def test_on_a_terminal_the_application_opens_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(
        "hmi_tui.engine_process.engine_command",
        lambda paths, _arguments: [sys.executable, fake_engine.__file__, str(paths.socket)],
    )
    seen: list[LoadRequest] = []

    def application(paths: Paths, *, load: LoadRequest) -> None:
        with Client(paths=paths) as client:
            assert client.livez()
        seen.append(load)

    monkeypatch.setattr("hmi_tui.app.run", application)
    run_in_application(50, lambda _line: None)
    assert seen == [LoadRequest(rate=50, duration=0, popularity="zipf")]
    assert _left_behind(tmp_path) == []


@pytest.mark.parametrize("when", ["starting an engine", "load:"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_ended_at_any_moment_it_cleans_up(
    tmp_path: Path, when: str, signum: signal.Signals
) -> None:
    with _demo(tmp_path, "--headless", "--seconds", "60") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if when in line:
                break
        process.send_signal(signum)
        rest = process.stderr.read()
    assert process.returncode == 128 + signum
    assert "Traceback" not in rest
    assert _left_behind(tmp_path) == []


def test_parents_are_built_before_their_children(tmp_path: Path) -> None:
    listed = [
        {"name": "leaf", "parent": "mid", "corpus": "l.txt"},
        {"name": "mid", "parent": "general", "corpus": "m.txt"},
        {"name": "general", "parent": None, "corpus": "g.txt"},
    ]
    dataset = {"file": "t.jsonl", "labels": ["a", "b"], "domain": "mid"}
    generator = {"text": "l.txt", "domain": "leaf", "prompt": "Once"}
    document = {"domains": listed, "dataset": dataset, "generator": generator}
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    names = [one.name for one in read_manifest(tmp_path).domains]
    assert names.index("mid") < names.index("leaf")
    assert len(names) == 3


def test_a_manifest_that_makes_no_sense_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        read_manifest(tmp_path)
    orphan = [{"name": "leaf", "parent": "nobody", "corpus": "l.txt"}]
    (tmp_path / "manifest.json").write_text(json.dumps({"domains": orphan}))
    with pytest.raises(Damaged, match="leaf"):
        read_manifest(tmp_path)


def test_the_shipped_manifest_names_files_that_exist() -> None:
    manifest = read_manifest()
    assert len(manifest.domains) >= 4
    files = [one.corpus for one in manifest.domains]
    files += [manifest.dataset.train, manifest.generator.text]
    assert all(file.is_file() for file in files)


def test_steps_tell_at_once_and_keep_their_seconds() -> None:
    told: list[str] = []
    steps = Steps(told.append)
    with steps.step("one"):
        assert told[0].endswith("one")
    assert [step.name for step in steps.done] == ["one"]
    assert steps.done[0].seconds >= 0
