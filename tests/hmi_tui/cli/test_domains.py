from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def test_rebuilding_without_waiting_prints_the_job(engine: FakeEngine, run: Run) -> None:
    engine.on("POST", "/v1/domains/reviews/rebuild", {"id": "j1"})
    assert run("domain", "rebuild", "reviews", "--no-wait").stdout == "j1\n"


def test_ngrams_tell_where_their_rows_come_from(engine: FakeEngine, run: Run) -> None:
    entry = {"text": "of the film", "ids": [1, 2, 3], "count": 9, "hits": 4, "source": "general"}
    engine.on("GET", "/v1/domains/reviews/ngrams", {"data": [entry], "total": 1})
    assert "general" in run("domain", "ngrams", "reviews", "--filter", "film").stdout
    assert engine.asked[-1].query["q"] == "film"


def test_a_budget_that_is_no_size_is_a_usage_error(run: Run) -> None:
    assert "is not a size" in run("domain", "rebuild", "x", "--budget", "lots", code=2).stderr


def _creates(engine: FakeEngine) -> None:
    receipt = {"domain": "reviews", "lines": 2, "bytes": 33, "sha256": "00"}
    engine.on("POST", "/v1/domains", a_domain("reviews", "general"))
    engine.on("PUT", "/v1/domains/reviews/corpus", receipt)
    engine.on("GET", "/v1/domains/reviews", a_domain("reviews", "general"))
    engine.on("DELETE", "/v1/domains/reviews", None)
