from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hmi_tui.cli.root import hmi
from tests.hmi_tui.cli.fake_engine import FakeEngine

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HMI_"):
            monkeypatch.delenv(name)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with FakeEngine(tmp_path / "engine.sock") as fake:
        yield fake


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `hmi ARGUMENTS...` in a home of its own; the fake engine is there if the test has it."""

    def invoke(*arguments: str, input: str | None = None, code: int = 0) -> Result:
        given = ["--home", str(tmp_path), *arguments]
        result = CliRunner().invoke(hmi, given, input=input, auto_envvar_prefix="HMI")
        assert result.exit_code == code, result.output
        return result

    return invoke


class Became(BaseException):
    def __init__(self, command: list[str]) -> None:
        super().__init__(command)
        self.command = command


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch, run: Run) -> Callable[..., list[str]]:
    """What `hmi ARGUMENTS...` would turn into."""

    def execv(_program: str, command: list[str]) -> None:
        raise Became(command)

    monkeypatch.setattr("os.execv", execv)

    def ask(*arguments: str) -> list[str]:
        with pytest.raises(Became) as became:
            run(*arguments)
        return became.value.command

    return ask
