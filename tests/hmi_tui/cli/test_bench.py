from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from engine.bench.engine_commands import bench as measurements
from hmi_tui.cli.bench import bench
from hmi_tui.cli.root import hmi

Run = Callable[..., Result]


def test_a_measurement_is_a_process_with_the_same_flags(
    become: Callable[..., list[str]],
) -> None:
    command = become("bench", "lookup", "--sizes", "10k,1M", "--seed", "3", "--json")
    assert command[:5] == [sys.executable, "-P", "-m", "engine.bench", "lookup"]
    assert command[5:] == ["--sizes", "10k,1M", "--seed", "3", "--json"]


def test_flags_that_may_be_repeated_are_passed_on_each(become: Callable[..., list[str]]) -> None:
    against = ("--against", "transformers")
    command = become("bench", "throughput", "--domain", "a=x", *against, "--domain", "b=y")
    assert command[4:] == ["throughput", *against, "--domain", "a=x", "--domain", "b=y"]


def test_flags_can_come_from_variables(
    become: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMI_BENCH_ACCURACY_EPOCHS", "5")
    assert become("bench", "accuracy", "--resume")[4:] == ["accuracy", "--epochs", "5", "--resume"]


@pytest.mark.parametrize("name", ["lookup", "throughput", "accuracy", "load", "scale", "pipeline"])
def test_the_program_takes_the_flags_that_the_command_offers(name: str) -> None:
    place = {"--home", "--socket"}
    assert _flags(bench.commands[name]) == _flags(measurements.commands[name]) | place
    assert sorted(measurements.commands) == sorted(bench.commands)


def _flags(command: click.Command) -> set[str]:
    return {param.opts[0] for param in command.params if isinstance(param, click.Option)}


def test_bench_is_among_the_commands(run: Run) -> None:
    assert "bench" in hmi.list_commands(click.Context(hmi))
    assert "lookup" in run("bench", "--help").stdout


def test_bad_data_ends_with_the_programs_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hmi_tui.cli", "bench", "throughput", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "holds no dataset" in done.stderr


@pytest.mark.slow
def test_ctrl_c_reaches_the_measurement_which_leaves_nothing_behind(tmp_path: Path) -> None:
    small = ("--sizes", "1k", "--batches", "64", "--hit-rates", "1", "--lookups", "100")
    with subprocess.Popen(
        [sys.executable, "-m", "hmi_tui.cli", "bench", "lookup", *small, "--rows", "512M"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while "on disk" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []
