from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

import engine.__main__ as engine_program
from engine.load.command import load as simulator
from hmi_tui.cli import load, serve

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


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(serve.serve, engine_program.serve), (load.load, simulator)],
    ids=["serve", "load"],
)
def test_the_program_takes_the_flags_that_the_command_offers(
    ours: click.Command, theirs: click.Command
) -> None:
    assert _flags(ours) == _flags(theirs)


def _flags(command: click.Command) -> dict[str, tuple[str, ...]]:
    options = (param for param in command.params if isinstance(param, click.Option))
    return {option.opts[0]: tuple(getattr(option.type, "choices", ())) for option in options}
