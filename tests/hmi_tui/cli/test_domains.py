from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from pydantic import BaseModel

from hmi_tui.cli.tree import branches
from tests.hmi_tui.cli.documents import a_domain, a_job
from tests.hmi_tui.cli.fake_engine import FakeEngine, Problem

Run = Callable[..., Result]

TREE = [
    a_domain("general"),
    a_domain("support", "general"),
    a_domain("billing", "support"),
    a_domain("clinic", "general"),
]


def test_the_tree_is_drawn_with_its_branches() -> None:
    assert [stem + one.name for stem, one in branches(TREE)] == [
        "general",
        "├─ support",
        "│  └─ billing",
        "└─ clinic",
    ]


def test_ls_shows_entries_bytes_hit_rate_and_epoch(engine: FakeEngine, run: Run) -> None:
    engine.on("GET", "/v1/domains", {"data": [one.model_dump() for one in TREE]})
    lines = run("domain", "ls").stdout.splitlines()
    assert lines[0].split() == [
        "DOMAIN",
        "ENTRIES",
        "BYTES",
        "SEEN",
        "HIT",
        "RATE",
        "EPOCH",
        "VPLMS",
        "STATE",
    ]
    assert lines[3].split()[:2] == ["│", "└─"]
    assert "70.0 %" in lines[1]
    assert run("domain", "ls", "-q").stdout == "general\nsupport\nbilling\nclinic\n"


def test_what_is_damaged_is_told_once_and_shown(engine: FakeEngine, run: Run) -> None:
    why = 'The table of domain "support" cannot be used: rows.npy is short.'
    broken = {"state": "damaged", "damage": why}
    damaged = [a_domain("support", "general", **broken), a_domain("billing", "support", **broken)]
    engine.on("GET", "/v1/domains", {"data": [one.model_dump() for one in [TREE[0], *damaged]]})
    engine.on("GET", "/v1/domains/support", damaged[0])
    listed = run("domain", "ls")
    assert listed.stdout.count("damaged") == 2
    assert listed.stderr == f"{why}\n"
    assert f"damaged: {why}" in run("domain", "show", "support").stdout


def test_a_domain_is_moved_below_another(engine: FakeEngine, run: Run) -> None:
    engine.on("PATCH", "/v1/domains/billing", a_domain("billing", "clinic"))
    assert run("domain", "mv", "billing", "clinic").stdout == "billing\n"
    assert engine.asked[-1].json == {"parent": "clinic"}


def test_creating_sends_all_corpora_decompressed_in_order(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_text("first, without a line end")
    packed.write_bytes(gzip.compress(b"second\n"))
    _creates(engine)
    files = ["--corpus", str(plain), "--corpus", str(packed)]
    result = run("domain", "create", "reviews", "--parent", "general", *files)
    assert result.stdout == "reviews\n"
    assert "2 lines" in result.stderr
    sent = engine.calls("PUT", "/v1/domains/reviews/corpus")[0].body
    assert sent == b"first, without a line end\nsecond\n"


def test_a_corpus_that_is_refused_leaves_no_domain(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("x\n")
    _creates(engine)
    engine.on("PUT", "/v1/domains/reviews/corpus", Problem(422, "bad_input", "Line 1 is bad."))
    result = run("domain", "create", "reviews", "--corpus", str(file), code=1)
    assert "Line 1 is bad." in result.stderr
    assert engine.calls("DELETE", "/v1/domains/reviews")


def test_what_to_expect_of_a_tiny_corpus_is_told_beside_the_data(
    engine: FakeEngine, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("x\n")
    _creates(engine)
    receipt = {"domain": "reviews", "lines": 1, "bytes": 2, "sha256": "00"}
    engine.on("PUT", "/v1/domains/reviews/corpus", {**receipt, "warnings": ["It is tiny."]})
    result = run("domain", "create", "reviews", "--corpus", str(file))
    assert result.stdout == "reviews\n"
    assert "warning: It is tiny." in result.stderr
    assert "warning: It is tiny." in run("domain", "corpus", "reviews", str(file)).stderr


def test_a_refused_line_is_told_by_its_file(engine: FakeEngine, run: Run, tmp_path: Path) -> None:
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for file in files:
        file.write_text("x\ny\n")
    _creates(engine)
    problem = Problem(422, "bad_input", "Line 3 is bad.", line=3)
    engine.on("PUT", "/v1/domains/reviews/corpus", problem)
    given = [word for file in files for word in ("--corpus", str(file))]
    result = run("domain", "create", "reviews", *given, code=1)
    assert f"Line 1 of {files[1]} is bad." in result.stderr


def test_a_missing_corpus_is_told_before_the_domain_is_made(engine: FakeEngine, run: Run) -> None:
    run("domain", "create", "reviews", "--corpus", "nowhere.txt", code=1)
    assert engine.asked == []


def test_rebuilding_waits_and_shows_the_new_table(engine: FakeEngine, run: Run) -> None:
    _creates(engine)
    job: dict[str, Any] = {"type": "rebuild", "subject": "reviews", "accuracy": [], "loss": []}
    stream: list[BaseModel] = [a_job("running", 0.5, **job), a_job(**job)]
    engine.on("POST", "/v1/domains/reviews/rebuild", {"id": "j1"})
    engine.on("GET", "/v1/jobs/j1/events", stream)
    result = run("domain", "rebuild", "reviews", "--budget", "1M", "--alpha", "0.3")
    asked = engine.calls("POST", "/v1/domains/reviews/rebuild")[0].json
    assert (asked["budget_bytes"], asked["alpha"]) == (1 << 20, 0.3)
    assert "rebuild reviews  running   50%" in result.stderr
    assert "reviews" in result.stdout


def test_what_traffic_counts_for_can_be_said(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/domains/reviews/rebuild", {"id": "j1"})
    run("domain", "rebuild", "reviews", "--traffic-weight", "0", "--no-wait")
    assert engine.asked[-1].json["traffic_weight"] == 0
    run("domain", "rebuild", "reviews", "--traffic-weight", "2", code=2)


def test_set_sends_what_is_given_and_shows_the_policy(engine: FakeEngine, run: Run) -> None:
    policy = {"update": "miss_rate", "miss_rate": 0.3, "min_lookups": 500, "cooldown_s": 60.0}
    changed = a_domain("reviews", "general", policy=policy)
    engine.on("PATCH", "/v1/domains/reviews", changed)
    result = run("domain", "set", "reviews", "--update", "miss_rate", "--miss-rate", "0.3")
    assert engine.asked[-1].json == {"update": "miss_rate", "miss_rate": 0.3}
    told = "when more than 30 % of lookups miss, after 500 lookups; at most every 1 m 00 s"
    assert told in result.stdout
    run("domain", "set", "reviews", "--min-lookups", "9", "--cooldown", "2.5")
    assert engine.asked[-1].json == {"min_lookups": 9, "cooldown_s": 2.5}


def test_set_without_anything_to_set_is_a_usage_error(engine: FakeEngine, run: Run) -> None:
    assert "Nothing to change" in run("domain", "set", "reviews", code=2).stderr
    run("domain", "set", "reviews", "--update", "sometimes", code=2)
    run("domain", "set", "reviews", "--miss-rate", "1", code=2)
    assert engine.asked == []


def test_show_tells_how_a_domain_learns(engine: FakeEngine, run: Run) -> None:
    engine.on(
        "GET",
        "/v1/domains/reviews",
        a_domain("reviews", "general", recent_lookups=1200, recent_miss_rate=0.25),
    )
    shown = run("domain", "show", "reviews").stdout
    assert "1200 lookups, 25.0 % of them misses" in shown
    assert "by hand" in shown
    engine.on("GET", "/v1/domains/films", a_domain("films", "general", policy={"update": "idle"}))
    assert "when idle, after 20000 lookups" in run("domain", "show", "films").stdout


def test_rebuilding_without_waiting_prints_the_job(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/domains/reviews/rebuild", {"id": "j1"})
    assert run("domain", "rebuild", "reviews", "--no-wait").stdout == "j1\n"


def test_ngrams_tell_where_their_rows_come_from(engine: FakeEngine, run: Run) -> None:
    entry = {"text": "of the film", "ids": [1, 2, 3], "count": 9, "hits": 4, "source": "general"}
    engine.on("GET", "/v1/domains/reviews/ngrams", {"data": [entry], "total": 1})
    assert "general" in run("domain", "ngrams", "reviews", "--filter", "film").stdout
    assert engine.asked[-1].query["q"] == "film"


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["ls"], "/v1/domains"),
        (["show", "reviews"], "/v1/domains/reviews"),
        (["epochs", "reviews"], "/v1/domains/reviews/epochs"),
        (["ngrams", "reviews"], "/v1/domains/reviews/ngrams"),
    ],
)
def test_what_is_known_for_generators_is_asked_for_by_kind(
    engine: FakeEngine, run: Run, command: list[str], path: str
) -> None:
    engine.on("GET", path, {"data": [], "total": 0})
    engine.on("GET", "/v1/domains/reviews", a_domain("reviews", "general", kind="generator"))
    run("domain", *command, "--kind", "generator")
    assert engine.asked[-1].path == path
    assert engine.asked[-1].query["kind"] == "generator"
    run("domain", *command, "--kind", "decoder", code=2)


def test_a_rebuild_says_for_whom_and_shows_the_table_of_that_kind(
    engine: FakeEngine, run: Run
) -> None:
    _creates(engine)
    job: dict[str, Any] = {"type": "rebuild", "subject": "reviews", "accuracy": [], "loss": []}
    engine.on("POST", "/v1/domains/reviews/rebuild", {"id": "j1", "kind": "generator"})
    engine.on("GET", "/v1/jobs/j1/events", [a_job(**job)])
    run("domain", "rebuild", "reviews")
    # Left to the engine, which says whom it chose.
    assert "kind" not in engine.calls("POST", "/v1/domains/reviews/rebuild")[0].json
    assert engine.asked[-1].query == {"kind": "generator"}
    run("domain", "rebuild", "reviews", "--kind", "classifier", "--no-wait")
    assert engine.asked[-1].json["kind"] == "classifier"


def test_a_budget_that_is_no_size_is_a_usage_error(run: Run) -> None:
    assert "is not a size" in run("domain", "rebuild", "x", "--budget", "lots", code=2).stderr


def _creates(engine: FakeEngine) -> None:
    receipt = {"domain": "reviews", "lines": 2, "bytes": 33, "sha256": "00"}
    engine.on("POST", "/v1/domains", a_domain("reviews", "general"))
    engine.on("PUT", "/v1/domains/reviews/corpus", receipt)
    engine.on("GET", "/v1/domains/reviews", a_domain("reviews", "general"))
    engine.on("DELETE", "/v1/domains/reviews", None)


def test_a_rebuild_says_what_it_would_cost_and_does_nothing(engine: FakeEngine, run: Run) -> None:
    cost = {
        "domain": "support",
        "epoch": 3,
        "tokens": 900,
        "lookups": 0,
        "entries": 50,
        "bytes": 2048,
        "seconds": 1.5,
        "train_seconds": 60,
        "disk_free_bytes": 1 << 30,
        "warnings": ["It has no corpus."],
    }
    engine.on("POST", "/v1/domains/support/rebuild/cost", cost)
    told = run("domain", "rebuild", "support", "--train-minutes", "1", "--dry-run").stdout
    assert "about 50" in told
    assert "2.0 KiB, 1.0 GiB are free" in told
    assert "It has no corpus." in told
    assert engine.calls("POST", "/v1/domains/support/rebuild") == []


def test_epochs_are_listed(engine: FakeEngine, run: Run) -> None:
    one = {"entries": 9, "bytes": 99, "alpha": 0.5, "coverage": 0.6, "encoder": "own"}
    counted = {"seconds": 1, "hits": 1, "lookups": 4, "hit_rate": 0.25}
    when = {"published_at": 1.0, "replaced_at": None}
    engine.on(
        "GET", "/v1/domains/support/epochs", {"data": [{"epoch": 2, **one, **counted, **when}]}
    )
    lines = run("domain", "epochs", "support").stdout.splitlines()
    assert lines[1].split()[:6] == ["2", "9", "99", "B", "0.5", "60.0"]
    assert "25.0 %" in lines[1]
    assert run("domain", "epochs", "support", "-q").stdout == "2\n"
