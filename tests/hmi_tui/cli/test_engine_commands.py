from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from engine.client import Paths
from engine.schema import (
    BackboneStatus,
    DeviceProcess,
    DeviceStatus,
    GeneratorStatus,
    LoadedBackbone,
)
from tests.hmi_tui.cli.documents import a_status
from tests.hmi_tui.cli.fake_engine import FakeEngine
from tests.hmi_tui.dying import mortal

Run = Callable[..., Result]


def test_status_for_people_names_device_and_rates(engine: FakeEngine, run: Run) -> None:
    told = run("status").stdout
    assert "no NVIDIA device" in told
    assert "1.5 requests/s" in told


def test_status_names_what_slows_a_device_and_who_shares_it(engine: FakeEngine, run: Run) -> None:
    device = DeviceStatus(
        kind="cuda",
        name="NVIDIA Test",
        note="",
        power_w=690,
        power_limit_w=700,
        sm_mhz=1200,
        sm_max_mhz=1980,
        slowed_by=["power limit"],
        received_per_s=2 << 20,
        sent_per_s=0,
        mps=True,
        others=[DeviceProcess(pid=7, name="python3", bytes=3 << 30)],
        slowdown=1.25,
    )
    engine.on("GET", "/v1/status", a_status(7).model_copy(update={"device": device}))
    told = run("status").stdout
    for words in (
        "SM 1200 of 1980 MHz",
        "slowed by    power limit",
        "690 W of 700 W",
        "2.0 MiB/s received",
        "by MPS, python3 (pid 7) 3.0 GiB",
        "1.25 times their predicted time",
    ):
        assert words in told


def test_status_tells_what_generates_and_how(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/status", a_status(7))
    assert "generat" not in run("status").stdout
    backbone = BackboneStatus(
        name="small",
        sha256="ab",
        layers=6,
        split=4,
        hidden=8,
        max_tokens=9,
        dtype="bfloat16",
        parameters=7,
        bytes=1 << 20,
    )
    found = GeneratorStatus(
        backbone=backbone,
        fallback="There is no n-gram encoder.",
        waiting=2,
        waiting_tokens=80,
        living=3,
        cache_used_bytes=1 << 20,
        cache_bytes=4 << 20,
        tokens_per_s=123.4,
        adapters=1,
    )
    engine.on("GET", "/v1/status", a_status(7).model_copy(update={"generators": found}))
    told = run("status").stdout
    assert "small, 6 layers, all computed, bfloat16, 1.0 MiB" in told
    assert "3 texts, 2 wait (80 tokens), 123 tokens/s, cache 1.0 MiB of 4.0 MiB" in told
    tabled = found.model_copy(update={"fallback": None})
    engine.on("GET", "/v1/status", a_status(7).model_copy(update={"generators": tabled}))
    assert "small, 6 layers, the lower 4 from tables" in run("status").stdout


def test_status_names_the_backbones_beside_the_engines_own(engine: FakeEngine, run: Run) -> None:
    own = LoadedBackbone(
        id="small:1", sha256="ab", own=True, vplms=9, waiting=0, by_owner={"backbone": 1 << 20}
    )
    more = {"id": "wide:1", "own": False, "vplms": 2, "waiting": 3, "fallback": "No encoder."}
    found = [own, own.model_copy(update=more)]
    engine.on("GET", "/v1/status", a_status(7).model_copy(update={"backbones": found}))
    told = run("status").stdout
    assert "wide:1, 2 vPLMs, exact mode, 3 texts wait, 1.0 MiB" in told
    assert "small:1" not in told


def test_status_as_json_is_the_engines_document(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/status", a_status(7))
    assert json.loads(run("status", "--json").stdout) == a_status(7).model_dump(mode="json")
    assert run("status", "-q").stdout == "7\n"


def test_info_works_without_an_engine(run: Run, tmp_path: Path) -> None:
    document = json.loads(run("info", "--json").stdout)
    assert document["engine"] is None
    assert document["paths"]["socket"] == str(tmp_path / "engine.sock")


def test_info_names_the_running_engines_version(engine: FakeEngine, run: Run) -> None:
    assert json.loads(run("info", "--json").stdout)["engine"] == "0.1.0"


def test_logs_print_the_last_lines(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "state" / "engine.log"
    log.parent.mkdir()
    log.write_text("".join(f"line {i}\n" for i in range(10)))
    assert run("logs", "-n", "2").stdout == "line 8\nline 9\n"


def test_logs_without_a_log_end_with_four(run: Run) -> None:
    run("logs", code=4)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_prints_a_script_for_hmi(run: Run, shell: str) -> None:
    assert "_HMI_COMPLETE" in run("completion", shell).stdout


def test_an_engine_that_hangs_is_killed_if_that_is_asked_for(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths.find(tmp_path, tmp_path / "engine.sock")
    monkeypatch.setattr("hmi_tui.engine_process.ASK_S", 0.05)
    with mortal(paths) as process:
        process.send_signal(signal.SIGSTOP)
        run("stop", "--timeout", "0.05", code=1)
        assert process.poll() is None
        assert "has ended" in run("stop", "--timeout", "0.05", "--kill").stderr
        assert process.wait(20) == -signal.SIGKILL
        assert paths.lock.read_text() == "", "it was stopped, and did not die"


def test_stopping_without_an_engine_ends_with_three(run: Run) -> None:
    run("stop", code=3)
