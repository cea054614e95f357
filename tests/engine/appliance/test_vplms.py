from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.errors import BadInput, Damaged, Refused
from engine.schema import Quota, TenantPatch, VplmBulkCreate, VplmCreate, VplmPatch
from store.adapter_rows import Built
from store.blobs import BlobStore
from store.errors import Exists, InUse, NotFound
from tests.engine.appliance.small import (
    DEADLINE_S,
    TEXTS,
    classify,
    core_of,
    make_domain,
    make_tenant,
    make_vplm,
    probs,
    same,
    tolerance_of,
)


def bulk(appliance: Appliance, count: int, name: str = "bot", rank: int = 2) -> list[str]:
    request = VplmBulkCreate(tenant="acme", name=name, count=count, labels=["a", "b"], rank=rank)
    return appliance.create_vplms(request).created


def blobs(appliance: Appliance) -> list[str]:
    return list(core_of(appliance).blobs.ids())


def test_a_new_vplm_says_what_it_is_and_answers(appliance: Appliance) -> None:
    made = make_vplm(appliance, "acme/mood", ["bad", "good"], rank=5)
    assert (made.id, made.rank, made.version, made.tier) == ("acme/mood", 5, 1, "disk")
    assert made.stored_bytes == appliance.adapter_file(made.adapter).stat().st_size
    backbone = core_of(appliance).backbone
    assert made.dedicated_bytes == backbone.dedicated_bytes + 2 * (backbone.shape.hidden + 1) * 4
    assert made.accuracy is None
    got = classify(appliance, "acme/mood", list(TEXTS))
    assert got.labels == ["bad", "good"]
    assert [row.index for row in got.data] == list(range(len(TEXTS)))
    for row in got.data:
        assert sum(row.probs) == pytest.approx(1)
        assert row.label == got.labels[row.probs.index(max(row.probs))]
    assert got.timing.tier == "disk"
    assert got.timing.hit_rate == 0
    seen = appliance.vplm("acme/mood")
    assert (seen.tier, seen.requests) == ("device", 1)
    assert classify(appliance, "acme/mood", "dull", "exact").timing.hit_rate is None


def test_a_text_longer_than_the_backbone_reads_is_cut_and_the_answer_says_so(
    appliance: Appliance,
) -> None:
    make_vplm(appliance)
    got = classify(appliance, "acme/a", ["good " * 500, "a good film"])
    assert [row.truncated for row in got.data] == [True, False]
    assert got.usage.prompt_tokens == core_of(appliance).backbone.max_tokens + 5
    one_word = classify(appliance, "acme/a", "x" * 1_000_000)
    assert one_word.data[0].truncated


def test_a_vplm_whose_adapter_file_is_lost_says_so_and_the_others_answer(
    appliance: Appliance,
) -> None:
    lost, whole = make_vplm(appliance, "acme/lost"), make_vplm(appliance, "acme/whole")
    path = appliance.adapter_file(lost.adapter)
    path.unlink()
    with pytest.raises(Damaged, match=str(path)) as error:
        classify(appliance, lost.id, "good")
    assert (error.value.code, error.value.status) == ("adapter_missing", 500)
    assert "hmi vplm rm" in error.value.remedy
    assert classify(appliance, whole.id, "good").data


def test_an_unknown_model_is_said_so(appliance: Appliance) -> None:
    with pytest.raises(Exception, match='There is no vPLM "acme/none"') as error:
        classify(appliance, "acme/none", "dull")
    assert getattr(error.value, "code", "") == "not_found"


def test_many_at_once_are_numbered_and_each_its_own(appliance: Appliance) -> None:
    ids = bulk(appliance, 12)
    assert ids == [f"acme/bot-{i:05d}" for i in range(1, 13)]
    assert len(blobs(appliance)) == 12
    answers = {tuple(map(tuple, probs(appliance, model))) for model in ids}
    assert len(answers) == 12


def test_a_name_that_is_taken_refuses_all_and_leaves_nothing(appliance: Appliance) -> None:
    make_vplm(appliance, "acme/bot-00003", ["a", "b"])
    before = blobs(appliance)
    with pytest.raises(Exists, match="bot-00003"):
        bulk(appliance, 5)
    assert blobs(appliance) == before
    assert appliance.vplms("", None, None, 10, None).total == 1


@pytest.mark.parametrize("spec", [{"id": "nobody/x"}, {"domain": "nowhere"}, {"adapter": "0" * 64}])
def test_what_a_vplm_refers_to_must_be_there(appliance: Appliance, spec: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        make_vplm(appliance, **spec)
    assert blobs(appliance) == []


def test_a_rank_beyond_the_arenas_is_refused(appliance: Appliance) -> None:
    make_vplm(appliance, "acme/largest", rank=64)
    with pytest.raises(BadInput, match="Rank 65") as error:
        make_vplm(appliance, "acme/larger", rank=65)
    assert error.value.code == "rank_too_high"


def test_a_vplm_may_have_its_adapter_at_one_place_for_half_the_bytes(
    appliance: Appliance,
) -> None:
    spec = {"tenant": "acme", "labels": ["no", "yes"], "rank": 8}
    one, both = (
        appliance.create_vplm(VplmCreate.model_validate(spec | more))
        for more in ({"name": "one", "places": ["feed_forward"]}, {"name": "both"})
    )
    assert appliance.adapter(one.adapter).places == ["feed_forward"]
    assert appliance.adapter(both.adapter).places == ["attention", "feed_forward"]
    assert one.stored_bytes < 0.65 * both.stored_bytes
    assert classify(appliance, one.id, TEXTS[0]).data[0].label in ("no", "yes")
    exported = appliance.adapter_file(one.adapter).read_bytes()
    appliance.remove_vplm(one.id)
    assert appliance.import_adapter(iter([exported])).places == ["feed_forward"]


def test_a_quota_bounds_single_and_bulk_creation(appliance: Appliance) -> None:
    appliance.change_tenant("acme", TenantPatch(quota=Quota(vplms=3)))
    make_vplm(appliance)
    with pytest.raises(Refused, match="has 1 vPLMs and may have 3; 3 more") as error:
        bulk(appliance, 3)
    assert (error.value.code, error.value.status) == ("quota_vplms", 429)
    bulk(appliance, 2)
    with pytest.raises(Refused):
        make_vplm(appliance, "acme/one-more")
    assert len(blobs(appliance)) == 3


def test_an_adapter_in_use_can_start_another_vplm(appliance: Appliance) -> None:
    first = make_vplm(appliance, "acme/first", ["a", "b", "c"])
    second = make_vplm(appliance, "acme/second", ["x", "y", "z"], adapter=first.adapter)
    assert second.adapter == first.adapter
    assert appliance.adapter(first.adapter).users == ["acme/first", "acme/second"]
    assert same(
        probs(appliance, "acme/first"), probs(appliance, "acme/second"), tolerance_of(appliance)
    )
    appliance.remove_vplm("acme/first")
    assert probs(appliance, "acme/second")
    appliance.remove_vplm("acme/second")
    assert blobs(appliance) == []


def test_an_adapter_must_have_as_many_labels_as_are_given(appliance: Appliance) -> None:
    first = make_vplm(appliance, "acme/first", ["a", "b", "c"])
    with pytest.raises(BadInput, match="3 labels apart; 2 were") as error:
        make_vplm(appliance, "acme/second", ["a", "b"], adapter=first.adapter)
    assert error.value.code == "label_count"


def test_an_adapter_reused_under_a_taken_name_stays(appliance: Appliance) -> None:
    first = make_vplm(appliance, "acme/first")
    with pytest.raises(Exists):
        make_vplm(appliance, "acme/first", adapter=first.adapter)
    assert probs(appliance, "acme/first")


def test_adapters_are_listed_and_those_in_use_cannot_be_removed(appliance: Appliance) -> None:
    made = make_vplm(appliance)
    page = appliance.adapters(made.adapter[:8], "-created_at", 10, None)
    assert (page.total, page.bytes) == (1, made.stored_bytes)
    (adapter,) = page.data
    assert (adapter.users, adapter.created_by, adapter.labels) == (["acme/a"], "random", 2)
    with pytest.raises(InUse, match="acme/a"):
        appliance.remove_adapter(made.adapter)
    for call in (appliance.adapter, appliance.adapter_file, appliance.remove_adapter):
        with pytest.raises(NotFound):
            call("f" * 64)


def test_an_adapter_that_nobody_uses_can_be_removed(appliance: Appliance) -> None:
    made = make_vplm(appliance)
    core_of(appliance).catalogue.vplms.remove("acme/a")
    appliance.remove_adapter(made.adapter)
    assert blobs(appliance) == []


def test_mode_domain_and_pin_can_be_changed(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance)
    plot, exact = probs(appliance, "acme/a"), probs(appliance, "acme/a", mode="exact")
    changed = appliance.change_vplm("acme/a", VplmPatch(mode="exact", domain="reviews", pin=True))
    assert (changed.mode, changed.domain, changed.pinned) == ("exact", "reviews", True)
    assert probs(appliance, "acme/a") == exact
    appliance.change_vplm("acme/a", VplmPatch(mode="plot"))
    got = classify(appliance, "acme/a", list(TEXTS))
    assert got.timing.hit_rate
    # A hit equals a computed miss, so the domain's table changes no answer.
    assert same([row.probs for row in got.data], plot, tolerance_of(appliance))
    for model, patch in (
        ("acme/none", VplmPatch(pin=True)),
        ("acme/a", VplmPatch(domain="nowhere")),
    ):
        with pytest.raises(NotFound):
            appliance.change_vplm(model, patch)
    assert appliance.vplm("acme/a").domain == "reviews"


def test_an_adapter_stays_pinned_until_its_last_pinned_vplm_goes(appliance: Appliance) -> None:
    first = make_vplm(appliance, "acme/first")
    make_vplm(appliance, "acme/second", adapter=first.adapter)
    make_vplm(appliance, "acme/third", adapter=first.adapter)
    pinned = core_of(appliance).tiers._pinned
    for model in ("acme/first", "acme/second"):
        appliance.change_vplm(model, VplmPatch(pin=True))
    appliance.change_vplm("acme/first", VplmPatch(pin=False))
    assert pinned == {first.adapter}
    appliance.remove_vplm("acme/second")
    assert pinned == set()


def test_a_removed_vplm_is_gone_with_its_adapter(appliance: Appliance) -> None:
    make_vplm(appliance)
    probs(appliance, "acme/a")
    appliance.remove_vplm("acme/a")
    assert blobs(appliance) == []
    assert core_of(appliance).tiers.use()["device"].resident == 0
    with pytest.raises(NotFound):
        appliance.remove_vplm("acme/a")
    again = make_vplm(appliance)
    assert (again.version, again.requests) == (1, 0)


def test_a_vplm_whose_file_is_lost_can_be_removed(appliance: Appliance) -> None:
    made = make_vplm(appliance)
    appliance.adapter_file(made.adapter).unlink()
    appliance.remove_vplm("acme/a")
    assert appliance.adapters("", None, 10, None).total == 0


def test_vplms_are_listed_by_tenant_filter_and_page(appliance: Appliance) -> None:
    make_tenant(appliance, "globex")
    make_vplm(appliance, "globex/bot-x")
    bulk(appliance, 5)
    page = appliance.vplms("bot", None, "-id", 4, None)
    assert page.total == 6
    assert [v.id for v in page.data][:2] == ["globex/bot-x", "acme/bot-00005"]
    rest = appliance.vplms("bot", None, "-id", 4, page.next_cursor)
    assert [v.id for v in rest.data] == ["acme/bot-00002", "acme/bot-00001"]
    assert rest.next_cursor is None
    assert appliance.vplms("", "globex", None, 10, None).total == 1
    assert {m.id for m in appliance.models().data} >= {"globex/bot-x", "acme/bot-00001"}
    assert appliance.models().data[-1].owned_by == "globex"


def test_a_page_asks_the_catalogue_once_for_all_sizes(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bulk(appliance, 20)
    sizes = core_of(appliance).catalogue.adapters.built
    asked: list[int] = []

    def counted(adapters: Iterable[str]) -> dict[str, Built]:
        asked.append(1)
        return sizes(adapters)

    monkeypatch.setattr(core_of(appliance).catalogue.adapters, "built", counted)
    page = appliance.vplms("", None, None, 100, None)
    assert [one.id for one in page.data] == made
    assert all(one.stored_bytes == appliance.vplm(one.id).stored_bytes > 0 for one in page.data)
    assert len(asked) == 1 + 20


def test_others_are_answered_while_vplms_are_made_and_the_new_ones_at_once(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vplm(appliance)
    half_made, go_on = threading.Event(), threading.Event()
    write = BlobStore._write

    def held_up(store: BlobStore, data: bytes) -> Any:
        written = write(store, data)
        half_made.set()
        assert go_on.wait(DEADLINE_S)
        return written

    monkeypatch.setattr(BlobStore, "_write", held_up)
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(bulk, appliance, 5)
        assert half_made.wait(DEADLINE_S)
        assert classify(appliance, "acme/a", list(TEXTS)).timing.batch_size > 0
        assert appliance.status().vplms == 1
        assert not making.done()
        go_on.set()
        made = making.result(DEADLINE_S)
    for new in made:
        assert classify(appliance, new, "a good film").data[0].num_classes == 2
