from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

from tests.engine.api import scripted
from tests.hmi_tui.cli.documents import a_vplm
from tests.hmi_tui.cli.fake_engine import FakeEngine, page

Run = Callable[..., Result]


def a_version(version: int, **changes: Any) -> dict[str, Any]:
    told = scripted.VERSIONS.data[0].model_dump()
    return told | {"version": version, "serving": False} | changes


def test_versions_are_listed_with_their_accuracies(engine: FakeEngine, run: Run) -> None:
    data = [
        a_version(3, accuracy=0.9, origin="trained", source="job-7", serving=True),
        a_version(2, accuracy=0.875, origin="upload", source=f"adapter {'ab' * 32}"),
        a_version(1),
    ]
    engine.on("GET", "/v1/vplms/acme/polarity/versions", {"vplm": "x", "data": data, "keeps": 10})
    newest, second, first = run("vplm", "versions", "acme/polarity").stdout.splitlines()[1:]
    assert newest.split()[:3] == ["*", "3", "90.0"]
    assert "job-7" in newest
    assert "adapter abababababab " in second
    assert first.split()[0] == "1"
    assert "random" in first
    assert run("vplm", "versions", "acme/polarity", "-q").stdout == "3\n2\n1\n"


def test_a_rollback_says_where_the_vplm_is_now(engine: FakeEngine, run: Run) -> None:
    made = a_vplm(version=4, accuracy=0.9).model_dump() | {"note": "Mind the domain."}
    engine.on("POST", "/v1/vplms/acme/polarity/rollback", made)
    result = run("vplm", "rollback", "acme/polarity", "2")
    assert result.stdout == "acme/polarity is at version 4, accuracy 90.0 %\n"
    assert result.stderr == "Mind the domain.\n"
    assert engine.asked[-1].json == {"version": 2}


def test_a_version_is_promoted_within_a_tenant(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/vplms/acme/staging/promote", a_vplm("acme/live", version=2))
    run("vplm", "promote", "acme/staging", "acme/live", "--version", "3")
    assert engine.asked[-1].json == {"to": "live", "version": 3}
    refused = run("vplm", "promote", "acme/staging", "globex/live", code=1)
    assert "of two tenants" in refused.stderr


def test_an_adapter_of_the_store_is_published(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/vplms/acme/polarity/versions", a_vplm(version=2))
    run("vplm", "publish", "acme/polarity", "ab")
    assert engine.asked[-1].json == {"adapter": "ab"}


def test_a_copy_says_what_became_of_its_head(engine: FakeEngine, run: Run) -> None:
    made = a_vplm("acme/b").model_dump() | {"started_from": "acme/a:3", "head": "fresh"}
    engine.on("POST", "/v1/vplms", made)
    result = run("vplm", "create", "acme/b", "--from", "acme/a", "--labels", "x,y")
    assert "keeps the bottlenecks of acme/a:3 and has a fresh head" in result.stderr
    asked = engine.asked[-1].json
    assert (asked["from_vplm"], asked["labels"], asked["domain"]) == ("acme/a", ["x", "y"], None)
    engine.on("POST", "/v1/vplms", made | {"head": "kept"})
    assert run("vplm", "create", "acme/b", "--starter", "praise:1").stderr == ""
    assert engine.asked[-1].json["from_starter"] == "praise:1"


def test_a_vplm_without_labels_or_a_start_is_refused(run: Run) -> None:
    assert "labels are needed" in run("vplm", "create", "acme/b", code=1).stderr


def test_show_says_what_a_model_of_its_own_would_take(engine: FakeEngine, run: Run) -> None:
    one = a_vplm(stored_bytes=400, dedicated_bytes=100_000, bert_base_bytes=400_000)
    engine.on("GET", "/v1/vplms/acme/polarity", one)
    told = run("vplm", "show", "acme/polarity").stdout
    assert "0.40 % of a private copy (98 KiB)" in told
    assert "0.10 % of a BERT-base (391 KiB)" in told


def test_starting_points_are_published_listed_and_removed(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/starters", scripted.STARTER)
    made = run("starter", "publish", "acme/polarity", "praise", "--own", "--task", "is it praise")
    assert made.stdout == "polarity:1\n"
    asked = engine.asked[-1].json
    assert (asked["owner"], asked["vplm"], asked["name"]) == ("acme", "acme/polarity", "praise")
    assert asked["card"]["task"] == "is it praise"
    engine.on("GET", "/v1/starters", page(scripted.STARTER))
    assert "is it praise" in run("starter", "ls", "--tenant", "acme").stdout
    assert engine.asked[-1].query["tenant"] == "acme"
    engine.on("GET", "/v1/starters/acme/praise:2", scripted.STARTER)
    assert "the operator, for every tenant" in run("starter", "show", "acme/praise:2").stdout
    engine.on("DELETE", "/v1/starters/praise:1", None)
    assert run("starter", "rm", "praise:1").stdout == "praise:1\n"


def test_backbones_are_listed_shown_imported_and_removed(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/backbones", {"data": [scripted.BACKBONE.model_dump()]})
    assert "small:1" in run("backbone", "ls").stdout
    engine.on("GET", "/v1/backbones/small", scripted.BACKBONE)
    assert "4, 2 of them from tables" in run("backbone", "show", "small").stdout
    engine.on("POST", "/v1/backbones", scripted.BACKBONE)
    made = run("backbone", "import", "some/dir", "--name", "small")
    assert made.stdout == "small:1\n"
    assert "hmi serve --backbone small:1 --split 2" in made.stderr
    assert engine.asked[-1].json["path"].startswith("/")
    loaded = {"state": "loaded", "memory_bytes": 3 << 20}
    engine.on("GET", "/v1/backbones", {"data": [{**scripted.BACKBONE.model_dump(), **loaded}]})
    assert "loaded" in (told := run("backbone", "ls").stdout)
    assert "3.0 MiB" in told
    engine.on("GET", "/v1/backbones/small", scripted.BACKBONE.model_copy(update=loaded))
    shown = run("backbone", "show", "small").stdout
    assert "loaded, beside the engine's own, 3.0 MiB of memory" in shown
    engine.on("DELETE", "/v1/backbones/small:1", None)
    run("backbone", "rm", "small:1")
