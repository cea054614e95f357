from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from engine.size.machines import CPU, keep_measured

Run = Callable[..., Result]


def test_an_estimate_says_what_gives_first_and_what_it_rests_on(run: Run) -> None:
    told = run("size", "--memory", "16G", "--disk", "100G").stdout
    assert "10,000 vPLMs of 1,000 tenants, 167 texts/s" in told
    for words in ("comes first", "What helps:", "measured  ", "extrapolated  "):
        assert words in told
    assert "data sheet" not in told


def test_a_devices_figures_are_said_to_come_from_its_data_sheet(run: Run) -> None:
    told = run("size", "--device", "h200", "--backbone", "bert-base").stdout
    assert "extrapolated  compute and copies: NVIDIA H200 data sheet" in told
    assert "assumed: 35%" in told


def test_as_json_it_is_numbers_with_what_binds(run: Run) -> None:
    found = json.loads(run("size", "--vplms", "500", "--memory", "1G", "--json").stdout)
    assert found["demand"]["tenants"] == 50
    assert found["binding"] in {limit["name"] for limit in found["limits"]}
    assert found["holds"] == (max(limit["use"] for limit in found["limits"]) <= 1)
    assert found["coefficients"]["device"]["kind"] == "measured"


def test_what_was_calibrated_here_is_used(run: Run, tmp_path: Path) -> None:
    keep_measured(replace(CPU, source="my own machine"), tmp_path / "config.toml")
    assert "measured      my own machine" in run("size").stdout


def test_calibrating_is_a_process_of_its_own(
    become: Callable[..., list[str]], tmp_path: Path
) -> None:
    command = become("size", "--calibrate", "--vplms", "7")
    assert command == [
        *(sys.executable, "-P", "-m", "engine.bench.calibrate"),
        *("--home", str(tmp_path)),
    ]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (("--backbone", "nowhere"), 1),
        (("--split", "9"), 1),
        (("--rank", "100"), 1),
        (("--tenants", "20", "--vplms", "10"), 1),
        (("--hit-rate", "2"), 2),
        (("--device", "abacus"), 2),
    ],
)
def test_what_cannot_be_sized_is_refused(run: Run, wrong: tuple[str, ...], code: int) -> None:
    assert run("size", *wrong, code=code).stderr
