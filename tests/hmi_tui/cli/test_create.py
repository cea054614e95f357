from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.hmi_tui.cli.documents import a_domain, a_new_tenant, a_vplm
from tests.hmi_tui.cli.fake_engine import FakeEngine, page

Run = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.toml"
    path.write_text(
        '[tenants.acme]\n[tenants.globex]\n[vplms."acme/polarity"]\nlabels = ["no", "yes"]\n'
    )
    return path


@pytest.fixture
def asked(engine: FakeEngine) -> FakeEngine:
    """An engine that has globex alone."""
    engine.on("GET", "/v1/tenants", page(a_new_tenant("globex")))
    engine.on("GET", "/v1/domains", {"data": [a_domain().model_dump()]})
    engine.on("GET", "/v1/vplms", page())
    engine.on("POST", "/v1/tenants", lambda asked: a_new_tenant(asked.json["name"]))
    engine.on("POST", "/v1/vplms", a_vplm())
    return engine


def changes(engine: FakeEngine) -> list[str]:
    return [f"{one.method} {one.path}" for one in engine.asked if one.method != "GET"]


def test_a_file_is_applied_with_a_line_for_each_thing_and_a_summary(
    asked: FakeEngine, run: Run, file: Path
) -> None:
    result = run("create", "-f", str(file))
    lines = result.stdout.splitlines()
    assert lines[0] == "+ tenant acme"
    assert lines[1].startswith("    API key, shown this once: ")
    assert lines[2:] == ["= tenant globex", "+ vplm acme/polarity  no, yes"]
    assert result.stderr == "2 created, 0 changed, 1 unchanged.\n"
    assert changes(asked) == ["POST /v1/tenants", "POST /v1/vplms"]


def test_a_dry_run_shows_the_difference_and_changes_nothing(
    asked: FakeEngine, run: Run, file: Path
) -> None:
    result = run("create", "-f", str(file), "--dry-run")
    assert result.stdout.splitlines() == [
        "+ tenant acme",
        "= tenant globex",
        "+ vplm acme/polarity  no, yes",
    ]
    assert "2 to create, 0 to change, 1 as they should be" in result.stderr
    assert changes(asked) == []


def test_a_document_says_what_was_done(asked: FakeEngine, run: Run, file: Path) -> None:
    told = json.loads(run("create", "-f", str(file), "--json").stdout)
    assert (told["created"], told["changed"], told["unchanged"]) == (2, 0, 1)
    assert [step["sign"] for step in told["steps"]] == ["+", "=", "+"]
    assert told["steps"][0]["api_key"]
    assert run("create", "-f", str(file), "-q").stdout == "acme\nacme/polarity\n"


def test_a_file_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    assert "nothing.toml cannot be read" in run("create", "-f", "nothing.toml", code=1).stderr
