from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from hmi_tui.cli.root import hmi
from tests.hmi_tui.cli.documents import a_job, a_tenant
from tests.hmi_tui.cli.fake_engine import FakeEngine, page

Run = Callable[..., Result]
HEAVY = ("textual", "fastapi", "sqlite_utils", "torch", "transformers", "store", "engine.api")


def every_command() -> Iterator[tuple[str, click.Command]]:
    def below(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                found = command.get_command(click.Context(command), name)
                assert found is not None
                yield from below(found, f"{path} {name}")
        else:
            yield path.strip(), command

    yield from below(hmi, "")


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS)
def test_every_flag_has_its_twin_in_the_help(path: str) -> None:
    result = CliRunner().invoke(hmi, [*path.split(), "--help"], auto_envvar_prefix="HMI")
    assert result.exit_code == 0
    options = [one for one in COMMANDS[path].params if isinstance(one, click.Option)]
    assert " ".join(result.stdout.split()).count("[env var: HMI_") == len(options)
    for option in options:
        assert option.show_envvar, option.name


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does_in_one_short_sentence(path: str) -> None:
    first = (COMMANDS[path].help or "").split("\n")[0]
    assert first.endswith(".")
    assert len(first) < 80


@pytest.mark.parametrize("path", sorted(set(COMMANDS) - {"demo"}))
def test_the_place_may_be_given_after_any_command(path: str) -> None:
    assert {"home", "socket"} <= {param.name for param in COMMANDS[path].params}


READING = [
    path
    for path in COMMANDS
    if path.split()[-1] in ("ls", "ps", "show", "status", "info", "ngrams")
]


@pytest.mark.parametrize("path", READING)
def test_reading_commands_speak_json_and_quietly(path: str) -> None:
    flags = {flag for param in COMMANDS[path].params for flag in param.opts}
    assert {"--json", "-q"} <= flags


def test_json_and_quiet_exclude_each_other(run: Run) -> None:
    run("tenant", "ls", "--json", "-q", code=2)


def test_without_an_engine_commands_end_with_three(run: Run) -> None:
    result = run("tenant", "ls", code=3)
    assert "hmi serve" in result.stderr
    assert result.stdout == ""


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    run("frobnicate", code=2)


def test_the_last_place_given_wins_and_variables_lose(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine.on("GET", "/v1/tenants", page())

    def code(*arguments: str) -> int:
        return CliRunner().invoke(hmi, list(arguments), auto_envvar_prefix="HMI").exit_code

    here, elsewhere = str(tmp_path), str(tmp_path / "other")
    assert code("--home", elsewhere, "tenant", "ls", "--home", here) == 0
    assert code("--home", here, "tenant", "ls", "--home", elsewhere) == 3
    assert code("tenant", "ls", "--socket", str(engine.socket)) == 0
    monkeypatch.setenv("HMI_HOME", elsewhere)
    assert code("tenant", "ls") == 3
    assert code("--home", here, "tenant", "ls") == 0
    assert code("tenant", "ls", "--home", here) == 0
    monkeypatch.setenv("HMI_HOME", here)
    assert code("tenant", "ls") == 0


def test_a_flag_can_come_from_its_variable(
    engine: FakeEngine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.on("GET", "/v1/tenants", page(a_tenant("a")))
    monkeypatch.setenv("HMI_TENANT_LS_SORT", "-name")
    monkeypatch.setenv("HMI_QUIET", "1")
    assert run("tenant", "ls").stdout == "a\n"
    assert engine.asked[-1].query["sort"] == "-name"


def test_without_a_terminal_the_application_says_so(run: Run) -> None:
    assert "needs a terminal" in run(code=1).stderr


@pytest.mark.usefixtures("engine")
def test_the_application_says_on_leaving_that_the_engine_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr("hmi_tui.cli.root.on_terminal", lambda: True)
    monkeypatch.setattr("hmi_tui.app.run", lambda paths, **how: opened.append(how))
    told = run().stderr
    assert opened == [{"read_only": False}]
    assert "goes on" in told
    assert "hmi stop" in told


@pytest.mark.usefixtures("engine")
def test_the_application_may_be_opened_to_look_only(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr("hmi_tui.cli.root.on_terminal", lambda: True)
    monkeypatch.setattr("hmi_tui.app.run", lambda paths, **how: opened.append(how))
    run("--read-only")
    assert opened == [{"read_only": True}]
    assert "no command takes it" in run("--read-only", "stop", code=2).stderr


def test_listing_needs_no_heavy_import(engine: FakeEngine) -> None:
    engine.on("GET", "/v1/vplms", page())
    program = (
        "import atexit, sys; from hmi_tui.cli import main; "
        f"atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules])); main()"
    )
    done = _python("-c", program, "vplm", "ps", "-q", "--socket", str(engine.socket))
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_help_needs_neither_the_schema_nor_the_client() -> None:
    program = (
        "import atexit, sys; from hmi_tui.cli import main; "
        "atexit.register(lambda: print([m for m in ('pydantic', 'httpx2', 'asyncio') "
        "if m in sys.modules])); main()"
    )
    assert _python("-c", program, "--help").stdout.endswith("[]\n")


def test_a_reader_that_has_seen_enough_causes_no_noise(engine: FakeEngine) -> None:
    engine.on("GET", "/v1/tenants", page(*[a_tenant(f"tenant-{i:05}") for i in range(5000)]))
    with _hmi("tenant", "ls", "--socket", str(engine.socket)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_output_that_cannot_be_written_is_one_error_and_no_traceback(engine: FakeEngine) -> None:
    engine.on("GET", "/v1/tenants", page(a_tenant("acme")))
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "hmi_tui.cli", "tenant", "ls"]
        ended = subprocess.run(
            [*command, "--socket", str(engine.socket)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == "hmi: The output: No space left on device.\n"


def test_ctrl_c_is_quiet_and_says_that_the_job_goes_on(engine: FakeEngine) -> None:
    # The job never ends, so its stream is asked for again and again.
    engine.on("GET", "/v1/jobs/j1/events", [a_job("running", 0.5)])
    engine.on("GET", "/v1/jobs/j1", a_job("running", 0.5))
    engine.on("POST", "/v1/domains/x/rebuild", {"id": "j1"})
    with _hmi("domain", "rebuild", "x", "--socket", str(engine.socket)) as process:
        assert process.stderr is not None
        assert "50%" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    assert "goes on" in told
    assert "Traceback" not in told
    assert "Aborted" not in told


def test_nothing_is_coloured_when_it_is_not_wanted(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("info").output


def _hmi(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hmi_tui.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "100"},
    )


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
