"""A run that another program watches and steers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from engine.load.live import BadOrderError, obey
from engine.load.progress import Progress
from engine.load.simulator import Simulator
from engine.schema import LoadBegun, LoadProgress, LoadReport, LoadRequest, read_load_line
from tests.engine.load.test_simulator import MODELS, Scripted, at_once
from tests.hmi_tui.cli.documents import a_vplm
from tests.hmi_tui.cli.fake_engine import FakeEngine, page, that_classifies


def test_an_order_sets_the_rate_in_requests_a_second() -> None:
    simulator = Simulator(Scripted(), MODELS)
    obey(simulator, 20.0, "rate 50\n")
    assert simulator.tempo.speed == 2.5


def test_an_order_stops_the_run_and_an_empty_line_does_nothing() -> None:
    simulator = Simulator(Scripted(), MODELS)
    obey(simulator, 20.0, "\n")
    assert not simulator.stopped
    obey(simulator, 20.0, "stop\n")
    assert simulator.stopped


@pytest.mark.parametrize("order", ["rate", "rate fast", "rate 0", "rate -3", "rate 1e9", "go 3"])
def test_an_order_that_is_none_is_refused_and_changes_nothing(order: str) -> None:
    simulator = Simulator(Scripted(), MODELS)
    with pytest.raises(BadOrderError, match=r"rate|order"):
        obey(simulator, 20.0, order)
    assert (simulator.tempo.speed, simulator.stopped) == (1.0, False)


async def test_progress_is_of_the_time_since_it_was_last_taken() -> None:
    simulator = Simulator(Scripted(), MODELS)
    progress = Progress(simulator, rate=20.0)
    await simulator.run(at_once(4))
    first, second = progress.take(), progress.take()
    assert (first.sent, first.answered, first.failed, first.rate) == (4, 4, 0, 20.0)
    assert (first.tiers, first.hit_rate) == ({"host": 4}, 0.5)
    assert first.p99_s is not None
    assert (second.offered_per_s, second.p99_s, second.tiers) == (0.0, None, {})
    assert read_load_line(first.model_dump_json()) == first


def test_a_request_becomes_the_flags_of_the_command() -> None:
    flags = LoadRequest(rate=5, tenants=3, slo_ms=250, text="a b.txt").flags()
    assert flags[flags.index("--rate") + 1] == "5.0"
    assert flags[flags.index("--tenants") + 1] == "3"
    assert flags[flags.index("--slo-ms") + 1] == "250.0"
    assert flags[flags.index("--text") + 1] == "a b.txt"


@contextmanager
def live_run(home: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """The simulator, steered through its pipes, on an engine that answers at once."""
    texts = home / "texts.txt"
    texts.write_text("one\ntwo\n")
    command = [sys.executable, "-m", "engine.load", "--home", str(home), "--text", str(texts)]
    with FakeEngine(home / "engine.sock") as engine:
        engine.on("GET", "/v1/vplms", page(a_vplm("a/x"), a_vplm("b/y")))
        that_classifies(engine)
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [*command, "--live", *flags], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def pipe_of(file: IO[str] | None) -> IO[str]:
    assert file is not None
    return file


def order(process: subprocess.Popen[str], text: str) -> None:
    stdin = pipe_of(process.stdin)
    stdin.write(f"{text}\n")
    stdin.flush()


def told(process: subprocess.Popen[str]) -> Any:
    return read_load_line(pipe_of(process.stdout).readline())


def test_the_rate_is_changed_while_the_run_lasts_and_stop_brings_the_report(
    tmp_path: Path,
) -> None:
    with live_run(tmp_path, "--rate", "2", "--duration", "0") as process:
        assert told(process) == LoadBegun(vplms=2, tenants=2)
        first = told(process)
        assert isinstance(first, LoadProgress)
        assert (first.rate, first.offered_per_s < 15) == (2.0, True)
        order(process, "rate 100")
        seen = [told(process) for _ in range(3)]
        assert all(one.rate == 100 for one in seen[1:])
        assert 60 < sum(one.offered_per_s for one in seen[1:]) / 2 < 140
        order(process, "rate fast")
        assert "is not a rate" in pipe_of(process.stderr).readline()
        order(process, "stop")
        *_, report = map(read_load_line, pipe_of(process.stdout))
        assert isinstance(report, LoadReport)
        assert (report.ended_early, report.errors) == (True, {})
        assert report.answered == report.sent > 100
        assert process.wait(10) == 0


def test_a_live_run_lasts_as_long_as_it_was_asked_to_though_its_rate_is_changed(
    tmp_path: Path,
) -> None:
    with live_run(tmp_path, "--rate", "5", "--duration", "2") as process:
        told(process)
        order(process, "rate 200")
        *_, report = map(read_load_line, pipe_of(process.stdout))
        assert isinstance(report, LoadReport)
        assert report.seconds == pytest.approx(2, abs=0.5)
        assert (report.sent > 100, report.ended_early) == (True, False)


def test_a_live_run_ends_when_its_steerer_is_gone(tmp_path: Path) -> None:
    with live_run(tmp_path, "--rate", "5", "--duration", "0") as process:
        told(process)
        pipe_of(process.stdin).close()
        last = pipe_of(process.stdout).readlines()[-1]
        assert json.loads(last)["object"] == "report"
        assert process.wait(10) == 0
