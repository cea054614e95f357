from __future__ import annotations

import gzip
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.appliance.rebuild as rebuilding
from engine.appliance import Appliance
from engine.errors import BadInput, Conflict
from engine.knowledge.build import build_table, entry_bytes
from engine.schema import Domain, DomainCreate, RebuildRequest
from engine.training.job import JobContext
from store.errors import BadText, Exists, InUse, NoSpace, NotFound
from store.lines import MAX_LINE_BYTES
from tests.engine.appliance.small import (
    CORPUS,
    classify,
    core_of,
    ended,
    make_domain,
    make_vplm,
    probs,
    same,
    tolerance_of,
    until,
)


def tree(appliance: Appliance) -> dict[str, Domain]:
    return {d.name: d for d in appliance.domains().data}


def rebuild(appliance: Appliance, name: str, **plan: Any) -> dict[str, Any]:
    job = ended(appliance, appliance.rebuild_domain(name, RebuildRequest(**plan)).id)
    assert job.state == "succeeded", job.error
    return job.result


def test_the_tree_begins_with_its_root(appliance: Appliance) -> None:
    (root,) = appliance.domains().data
    assert (root.name, root.parent, root.depth, root.state) == ("general", None, 0, "empty")
    assert root.encoder == "inherited"


def test_domains_hang_below_each_other_parents_first(appliance: Appliance) -> None:
    for name, parent in (("b", "general"), ("bb", "b"), ("a", "general"), ("bbb", "bb")):
        appliance.create_domain(DomainCreate(name=name, parent=parent))
    assert [(d.name, d.depth) for d in appliance.domains().data] == [
        ("general", 0),
        ("a", 1),
        ("b", 1),
        ("bb", 2),
        ("bbb", 3),
    ]
    with pytest.raises(Exists):
        appliance.create_domain(DomainCreate(name="a"))
    with pytest.raises(NotFound, match="nowhere"):
        appliance.create_domain(DomainCreate(name="c", parent="nowhere"))
    with pytest.raises(NotFound):
        appliance.domain("nowhere")


def test_a_corpus_is_received_and_can_be_replaced(appliance: Appliance) -> None:
    appliance.create_domain(DomainCreate(name="reviews"))
    receipt = appliance.put_corpus("reviews", iter([b"a good", b" film\n\nb", b"ad film"]))
    assert (receipt.lines, receipt.bytes) == (2, 21)
    assert appliance.put_corpus("reviews", iter([CORPUS])).lines == 4
    found = appliance.domain("reviews")
    assert (found.corpus_lines, found.corpus_bytes) == (4, len(CORPUS))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n \n",
        b"caf\xe9\n",
        "café\n".encode("utf-16"),
        b"a\0b\n",
        gzip.compress(CORPUS),
        b"x" * (MAX_LINE_BYTES + 1),
    ],
    ids=["empty", "blank", "latin-1", "utf-16", "binary", "gzip", "endless"],
)
def test_a_bad_corpus_leaves_the_one_before(appliance: Appliance, data: bytes) -> None:
    appliance.create_domain(DomainCreate(name="reviews"))
    appliance.put_corpus("reviews", iter([CORPUS]))
    with pytest.raises(BadText):
        appliance.put_corpus("reviews", iter([data]))
    assert appliance.domain("reviews").corpus_lines == 4
    assert next(core_of(appliance).corpora.lines("reviews")) == "a good film"
    with pytest.raises(NotFound):
        appliance.put_corpus("nowhere", iter([CORPUS]))


def test_a_rebuild_publishes_an_epoch_while_answers_stay_the_same(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews")
    texts = ["a good film", "my order is late", "the parcel was great"]
    before = classify(appliance, "acme/a", texts)
    result = rebuild(appliance, "reviews", alpha=0.3)
    assert result["epoch"] == 2
    assert 0 < result["entries"] <= result["distinct"]
    after = classify(appliance, "acme/a", texts)
    assert before.timing.hit_rate
    assert after.timing.hit_rate
    assert before.timing.hit_rate > after.timing.hit_rate
    assert same(
        [r.probs for r in before.data], [r.probs for r in after.data], tolerance_of(appliance)
    )
    found = appliance.domain("reviews")
    assert (found.epoch, found.state, found.entries) == (2, "ready", result["entries"])
    assert found.hits > 0
    assert found.misses > 0
    assert found.hit_rate == pytest.approx(found.hits / (found.hits + found.misses))
    assert core_of(appliance).tables.epochs("reviews") == [2]


def test_a_sub_domain_stores_only_what_it_does_not_inherit(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_domain(appliance, "films", "reviews")
    found = tree(appliance)
    assert found["films"].entries == 0
    assert found["films"].view_entries == found["reviews"].view_entries > 0
    assert found["general"].view_entries == 0


def test_ngrams_are_shown_most_used_first_with_their_source(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_domain(appliance, "films", "reviews")
    make_vplm(appliance, domain="films")
    for _ in range(3):
        classify(appliance, "acme/a", "my order is late")
    page = appliance.ngrams("films", "", 5)
    assert len(page.data) == 5
    assert page.total == tree(appliance)["films"].view_entries
    assert all(e.hits == 3 and e.source == "reviews" for e in page.data)
    found = appliance.ngrams("films", "ORDER IS", 50)
    assert {e.text for e in found.data} >= {"my order is", "order is late"}
    assert found.total == len(found.data)
    edge = appliance.ngrams("films", "| [CLS]", 5).data[0]
    assert core_of(appliance).tree.general.encoder.boundary in edge.ids
    assert appliance.ngrams("films", "no such words", 5).total == 0
    assert appliance.ngrams("general", "", 5).total == 0
    with pytest.raises(Exception, match="There is no domain"):
        appliance.ngrams("nowhere", "", 5)


def test_what_domains_share_moves_up_and_is_stored_once(appliance: Appliance) -> None:
    for name, text in (("films", CORPUS), ("shop", CORPUS + b"refund my card\n")):
        make_domain(appliance, name)
        appliance.put_corpus(name, iter([text]))
        rebuild(appliance, name, alpha=1.0)
    make_vplm(appliance, domain="films")
    before = classify(appliance, "acme/a", "a good film")
    alone = {domain.name: domain.entries for domain in appliance.domains().data}
    up = rebuild(appliance, "general")
    assert up["entries"] == up["shared"] == alone["films"] > 0
    down = {name: rebuild(appliance, name, alpha=1.0) for name in ("films", "shop")}
    assert down["films"]["entries"] == 0
    assert down["shop"]["entries"] == alone["shop"] - alone["films"]
    # It stays so, though the nodes below store nothing of it any more.
    assert rebuild(appliance, "general")["shared"] == up["shared"]
    assert rebuild(appliance, "films", alpha=1.0)["entries"] == 0
    after = classify(appliance, "acme/a", "a good film")
    assert after.timing.hit_rate == before.timing.hit_rate == 1.0
    first, second = ([answer.data[0].probs] for answer in (after, before))
    assert same(first, second, tolerance_of(appliance))


def test_a_rebuild_needs_a_corpus_and_a_budget(appliance: Appliance) -> None:
    appliance.create_domain(DomainCreate(name="reviews"))
    with pytest.raises(BadInput) as error:
        appliance.rebuild_domain("reviews", RebuildRequest())
    assert error.value.code == "no_corpus"
    appliance.put_corpus("reviews", iter([CORPUS]))
    with pytest.raises(BadInput) as error:
        appliance.rebuild_domain("reviews", RebuildRequest(budget_bytes=10))
    assert error.value.code == "budget_too_small"
    with pytest.raises(NotFound):
        appliance.rebuild_domain("nowhere", RebuildRequest())


def test_a_budget_bounds_the_table(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    result = rebuild(appliance, "reviews", alpha=1.0, budget_bytes=2500)
    assert 0 < result["entries"] <= 2500 // entry_bytes(32)


def test_a_rebuild_without_room_leaves_the_epoch_before(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(appliance, "reviews")
    core = core_of(appliance)
    change = core.catalogue.domains.change

    def full(name: str, backbone: str, **changes: Any) -> Any:
        if "epoch" in changes:
            raise NoSpace("No space is left for the catalogue.")
        return change(name, backbone, **changes)

    with monkeypatch.context() as patch:
        patch.setattr(core.catalogue.domains, "change", full)
        job = ended(appliance, appliance.rebuild_domain("reviews", RebuildRequest()).id)
    assert (job.state, str(job.error)[:8]) == ("failed", "No space")
    assert core.tables.epochs("reviews") == [1]
    assert (appliance.domain("reviews").epoch, appliance.domain("reviews").state) == (1, "ready")
    assert rebuild(appliance, "reviews")["epoch"] == 2


def test_a_job_that_ends_while_it_is_looked_at_has_its_result(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(appliance, "reviews")
    done = ended(appliance, appliance.rebuild_domain("reviews", RebuildRequest()).id)
    # What ran it is there for a moment after the job is seen to have ended.
    before = JobContext(done.id, message="building", progress=0.5)
    monkeypatch.setattr(core_of(appliance).jobs, "context", lambda _: before)
    found = appliance.job(done.id)
    assert (found.state, found.progress) == ("succeeded", 1.0)
    assert found.result["epoch"] == 2
    assert found.message.startswith("epoch 2:")


@pytest.mark.parametrize(
    ("owner", "method", "error", "said"),
    [
        ("tables", "remove", OSError("I/O error"), "the table before it is not removed"),
        ("ledger", "save", RuntimeError("changed"), "what traffic asked for is not saved: changed"),
        ("epochs", "publish", NoSpace("No space is left."), "it is not noted for comparisons: No"),
    ],
)
def test_a_rebuild_that_is_published_succeeds_whatever_fails_after_it(
    appliance: Appliance,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: str,
    method: str,
    error: Exception,
    said: str,
) -> None:
    make_domain(appliance, "reviews")
    core = core_of(appliance)
    stack = core.stack

    def failing(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(getattr(core if owner == "tables" else stack, owner), method, failing)
        job = ended(appliance, appliance.rebuild_domain("reviews", RebuildRequest()).id)
    assert (job.state, job.result["epoch"]) == ("succeeded", 2)
    assert f"; but {said}" in job.message
    assert f"epoch 2 of reviews is published, but {said.partition(':')[0]}" in caplog.text
    assert appliance.domain("reviews").epoch == 2
    assert stack.tree.own("reviews") is not None
    assert core.tables.epochs("reviews") == ([1, 2] if owner == "tables" else [2])
    assert rebuild(appliance, "reviews")["epoch"] == 3


def test_a_cancelled_rebuild_leaves_the_epoch_before(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(appliance, "reviews")
    reached = threading.Event()
    build = build_table

    def held(*arguments: Any) -> Any:
        reached.set()
        until(arguments[-1], "cancelling")
        return build(*arguments)

    monkeypatch.setattr(rebuilding, "build_table", held)
    job = appliance.rebuild_domain("reviews", RebuildRequest()).id
    assert reached.wait(10)
    assert appliance.domain("reviews").state == "rebuilding"
    with pytest.raises(Conflict, match=job) as error:
        appliance.remove_domain("reviews")
    assert "being rebuilt" in error.value.detail
    appliance.cancel_job(job)
    assert ended(appliance, job).state == "cancelled"
    found = appliance.domain("reviews")
    assert (found.epoch, found.state) == (1, "ready")
    folder = core_of(appliance).settings.paths.tables / "reviews"
    assert [p.name for p in folder.iterdir()] == ["000001"]


def test_a_removed_domain_hands_vplms_and_children_to_its_parent(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_domain(appliance, "films", "reviews")
    make_vplm(appliance, "acme/here", domain="reviews")
    make_vplm(appliance, "acme/below", domain="films")
    before = {model: probs(appliance, model) for model in ("acme/here", "acme/below")}
    appliance.remove_domain("reviews")
    assert [(d.name, d.parent) for d in appliance.domains().data] == [
        ("general", None),
        ("films", "general"),
    ]
    assert appliance.vplm("acme/here").domain == "general"
    for model, answers in before.items():
        assert same(probs(appliance, model), answers, tolerance_of(appliance))
    paths = core_of(appliance).settings.paths
    assert not (paths.tables / "reviews").exists()
    kept = sorted(p.name for p in Path(paths.corpora).iterdir())
    assert kept == ["films.txt", "films.txt.sum"]
    with pytest.raises(InUse, match="root"):
        appliance.remove_domain("general")
    with pytest.raises(NotFound):
        appliance.remove_domain("reviews")


def test_a_domain_made_anew_has_nothing_of_the_old(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    appliance.remove_domain("reviews")
    # As if the engine had been killed between the catalogue and the file.
    core_of(appliance).corpora.put("reviews", [CORPUS])
    appliance.create_domain(DomainCreate(name="reviews"))
    found = appliance.domain("reviews")
    assert (found.epoch, found.entries, found.corpus_lines, found.hits) == (0, 0, 0, 0)
    with pytest.raises(BadInput):
        appliance.rebuild_domain("reviews", RebuildRequest())


def test_a_queued_rebuild_of_a_removed_domain_fails_and_says_so(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(appliance, "first")
    make_domain(appliance, "second")
    go = threading.Event()
    build = build_table

    def held(*arguments: Any) -> Any:
        assert go.wait(10)
        return build(*arguments)

    monkeypatch.setattr(rebuilding, "build_table", held)
    one = appliance.rebuild_domain("first", RebuildRequest()).id
    two = appliance.rebuild_domain("second", RebuildRequest()).id
    appliance.remove_domain("second")
    go.set()
    assert ended(appliance, one).state == "succeeded"
    job = ended(appliance, two)
    assert job.state == "failed"
    assert "second" in str(job.error)
    assert np.array_equal([d.name for d in appliance.domains().data], ["general", "first"])
