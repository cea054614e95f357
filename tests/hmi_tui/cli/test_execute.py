from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

import engine.__main__ as engine_program
from engine.load.command import load as simulator
from engine.training.pretrain.command import pretrain
from engine.upkeep import commands
from hmi_tui.cli import load, serve, upkeep
from hmi_tui.cli.pretrain import pretrain as offered

Run = Callable[..., Result]


def test_serve_becomes_the_engine_with_the_same_flags(
    become: Callable[..., list[str]], tmp_path: Path
) -> None:
    command = become("serve", "--device", "cpu", "--host-cache", "64M", "--threads", "1")
    assert command[:5] == [sys.executable, "-P", "-m", "engine", "serve"]
    assert command[5:7] == ["--home", str(tmp_path)]
    assert command[7:] == ["--device", "cpu", "--host-cache", str(64 << 20), "--threads", "1"]


def test_load_becomes_the_simulator_with_the_same_flags(become: Callable[..., list[str]]) -> None:
    command = become("load", "--rate", "5", "--json", "--zipf-s", "1.5")
    assert command[2:4] == ["-m", "engine.load"]
    assert command[-5:] == ["--rate", "5.0", "--zipf-s", "1.5", "--json"]


def test_arguments_follow_the_flags_and_are_not_taken_for_any(
    become: Callable[..., list[str]],
) -> None:
    command = become("backbone", "pretrain", "--corpus", "a.txt", "--seed", "3", "--", "--odd")
    assert command[2:5] == ["-m", "engine.training", "pretrain"]
    assert command[5:] == ["--corpus", "a.txt", "--seed", "3", "--", "--odd"]


def test_what_few_need_is_not_in_the_everyday_list(run: Run) -> None:
    assert "  pretrain " not in run("backbone", "--help").stdout
    assert "--corpus" in run("backbone", "pretrain", "--help").stdout


def test_pretraining_takes_the_flags_that_the_command_offers() -> None:
    ours, theirs = _flags(offered), _flags(pretrain)
    assert {name for name in ours if name not in ("--home", "--socket")} == set(theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (serve.serve, engine_program.serve),
        (load.load, simulator),
        (upkeep.backup, commands.backup),
        (upkeep.restore, commands.restore),
        (upkeep.fsck, commands.fsck),
        (upkeep.doctor, commands.doctor),
    ],
    ids=["serve", "load", "backup", "restore", "fsck", "doctor"],
)
def test_the_program_takes_the_flags_that_the_command_offers(
    ours: click.Command, theirs: click.Command
) -> None:
    assert _flags(ours) == _flags(theirs)


def _flags(command: click.Command) -> dict[str, tuple[str, ...]]:
    options = (param for param in command.params if isinstance(param, click.Option))
    return {option.opts[0]: tuple(getattr(option.type, "choices", ())) for option in options}
