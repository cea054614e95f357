"""Who may import whom, by contract (pyproject.toml) and by what is loaded in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
INSIDE = tuple(
    f"engine.{part}"
    for part in (
        "api",
        "appliance",
        "bench",
        "knowledge",
        "memory",
        "model",
        "serving",
        "telemetry",
        "training",
    )
)
HEAVY = ("torch", "transformers", "safetensors", "fastapi", "starlette", "uvicorn", "sqlite_utils")

RUN = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    try:
        {code}
    except SystemExit as end:
        assert end.code == {exit}, end.code
print(json.dumps(sorted(sys.modules)))
"""


def loaded(code: str, exit: int = 0) -> set[str]:
    """Modules that a fresh process has loaded after `code` (one line)."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(code=code, exit=exit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def among(modules: set[str], unwanted: tuple[str, ...]) -> set[str]:
    return {m for m in modules if any(m == u or m.startswith(f"{u}.") for u in unwanted)}


def test_the_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["hmi_tui.app", "hmi_tui.cli", "hmi_tui.cli.root"])
def test_the_application_never_loads_the_engines_inside(module: str) -> None:
    modules = loaded(f"import {module}")
    assert module in modules
    assert not among(modules, (*HEAVY, *INSIDE, "store"))


def test_the_client_loads_neither_torch_nor_the_server_nor_the_store() -> None:
    modules = loaded("import engine.client, engine.schema")
    assert "engine.client" in modules
    assert not among(modules, (*HEAVY, *INSIDE, "store", "textual", "hmi_tui", "numpy"))


def test_sizing_an_appliance_loads_no_model_and_no_server() -> None:
    code = "sys.argv = ['hmi', 'size', '--json']; from hmi_tui.cli import main; main()"
    modules = loaded(code)
    assert "engine.size.estimate" in modules
    assert not among(modules, (*HEAVY, *INSIDE, "store", "textual"))


def test_the_store_loads_none_of_the_others() -> None:
    names = ", ".join(f"store.{p.stem}" for p in (ROOT / "store").glob("*.py") if p.stem[0] != "_")
    modules = loaded(f"import {names}")
    assert "store.catalogue" in modules
    assert not among(modules, ("engine", "hmi_tui", "torch", "fastapi", "textual", "pydantic"))


@pytest.mark.parametrize(
    ("command", "exit"),
    [
        ("--help", 0),
        ("status", 3),
        ("status --json", 3),
        ("vplm ps", 3),
        ("domain ls", 3),
        ("classify acme/a text", 3),
    ],
)
def test_a_quick_command_loads_no_application_no_server_and_no_model(
    command: str, exit: int, tmp_path: Path
) -> None:
    arguments = ["hmi", *command.split()]
    environment = f"import os; os.environ['HMI_HOME'] = {str(tmp_path)!r}"
    code = f"{environment}; sys.argv = {arguments!r}; from hmi_tui.cli import main; main()"
    modules = loaded(code, exit)
    assert "hmi_tui.cli.root" in modules
    assert not among(modules, (*HEAVY, *INSIDE, "store", "textual", "hmi_tui.app", "numpy"))


def test_an_asked_for_help_of_the_engine_loads_no_torch() -> None:
    code = "sys.argv = ['engine', 'serve', '--help']; from engine.__main__ import main; main()"
    assert not among(loaded(code), ("torch", "fastapi", "store", "textual", "hmi_tui"))
