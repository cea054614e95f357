from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.bench.engine_commands import bench
from engine.bench.subject import ModelChoice
from engine.errors import BadInput

SMALL = ("--sizes", "1k", "--batches", "64", "--hit-rates", "1", "--lookups", "100")


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(bench, list(arguments), auto_envvar_prefix="HMI_BENCH")
    assert result.exit_code == code, result.output
    return result


def test_a_measurement_prints_a_table_and_narrates_on_stderr() -> None:
    result = run("lookup", *SMALL, "--rows", "0")
    assert "FIND NS" in result.stdout
    assert "Python" in result.stdout.splitlines()[0]
    assert "1,000 entries" in result.stderr


def test_or_it_prints_a_document_and_keeps_it(tmp_path: Path) -> None:
    out = tmp_path / "lookup.json"
    result = run("lookup", *SMALL, "--rows", "1M", "--cache", "256K", "--json", "--out", str(out))
    document = json.loads(result.stdout)
    assert document == json.loads(out.read_text())
    assert (document["bench"], document["about"]["threads"]) == ("lookup", 1)
    assert document["settings"]["sizes"] == [1000]
    assert len(document["results"]["gather"]) == 4


def test_a_flag_can_come_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMI_BENCH_LOOKUP_SIZES", "500")
    assert "500 entries" in run("lookup", *SMALL[2:], "--rows", "0").stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("--sizes", "many"),
        ("--sizes", "0"),
        ("--hit-rates", "1.5"),
        ("--rows", "much"),
    ],
)
def test_what_is_no_number_is_a_usage_error(wrong: tuple[str, str]) -> None:
    run("lookup", *wrong, code=2)


def test_data_that_is_not_there_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    result = run("throughput", "--data", str(tmp_path), code=4)
    assert "holds no dataset" in result.stderr
    assert "corpora/NAME.txt.gz" in result.stderr
    run("accuracy", "--domain", "films", code=2)


def test_results_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    result = run("lookup", "--out", str(tmp_path / "no" / "out.json"), code=BadInput.exit_code)
    assert "cannot be written" in result.stderr


def test_throughput_and_accuracy_take_their_texts_and_model_from_flags(
    choice: ModelChoice, data: Path, tmp_path: Path
) -> None:
    given = [
        *("--data", str(data), "--datasets", "films", "--domain", "films=reviews"),
        *("--backbone", str(choice.backbone), "--split", "2", "--encoder", str(choice.encoder)),
        *("--threads", "1", "--dtype", "float32", "--table-cache", "1M", "--json"),
    ]
    speed = json.loads(run("throughput", *given, "--repeats", "1", "--rank", "4").stdout)
    assert speed["settings"]["split"] == 2
    assert speed["about"]["dtype"] == "float32"
    out = tmp_path / "scores.json"
    few = ("--seed", "5", "--seeds", "1", "--epochs", "1", "--rank", "4", "--out", str(out))
    scores = json.loads(run("accuracy", *given, *few).stdout)
    assert [s["seed"] for s in scores["results"]["scores"]] == [5]
    assert (
        json.loads(run("accuracy", *given, *few, "--resume").stdout)["results"]
        == (scores["results"])
    )


@pytest.mark.slow
def test_a_run_that_is_ended_early_leaves_nothing_behind(tmp_path: Path) -> None:
    # Writing a table of that size takes far longer than the signal does.
    command = [sys.executable, "-m", "engine.bench", "lookup", *SMALL, "--rows", "512M"]
    with subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while "on disk" not in process.stderr.readline():
            pass
        process.terminate()
        told = process.stderr.read()
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "runner"),
    [
        ("accuracy", "engine.bench.runs.run_accuracy"),
        ("throughput", "engine.bench.runs.run_throughput"),
        ("pipeline", "engine.bench.overlap.run_overlap"),
        ("scale", "engine.bench.scale.run_scale"),
        ("load", "engine.bench.reference.run_reference"),
    ],
)
def test_every_flag_of_a_measurement_reaches_its_plan(
    name: str, runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ReachedError(Exception):
        pass

    def reached(*_given: object, **_named: object) -> None:
        raise ReachedError

    monkeypatch.setattr(runner, reached)
    result = CliRunner().invoke(bench, [name], auto_envvar_prefix="HMI_BENCH")
    assert isinstance(result.exception, ReachedError), result.output
