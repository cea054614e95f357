from __future__ import annotations

import pytest

from engine.appliance import Appliance
from engine.errors import BadInput, NotFound, Refused
from engine.schema import (
    Card,
    Created,
    Quota,
    Starter,
    StarterPublish,
    TenantPatch,
    VplmBulkCreate,
    VplmCreate,
)
from store.errors import NotFound as NotFoundInStore
from tests.engine.appliance.small import core_of, make_domain, make_tenant, make_vplm, probs
from tests.engine.appliance.test_versions import publish_another


def copy(appliance: Appliance, id: str, **more: object) -> Created:
    tenant, name = id.split("/")
    return appliance.create_vplm(
        VplmCreate.model_validate({"tenant": tenant, "name": name, **more})
    )


def offer(appliance: Appliance, vplm: str, name: str, owner: str | None = None) -> Starter:
    return appliance.publish_starter(
        StarterPublish(name=name, vplm=vplm, owner=owner, card=Card(task="is it praise"))
    )


def test_a_copy_answers_as_what_it_was_copied_from(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    first = make_vplm(appliance, "acme/a", ("no", "yes"), domain="reviews", mode="exact")
    made = copy(appliance, "acme/b", from_vplm="acme/a")
    assert (made.labels, made.domain, made.mode) == (["no", "yes"], "reviews", "exact")
    assert (made.started_from, made.head, made.adapter) == ("acme/a:1", "kept", first.adapter)
    assert probs(appliance, "acme/b") == probs(appliance, "acme/a")
    assert appliance.versions("acme/b").data[0].source == "acme/a:1"


def test_a_copy_may_be_of_an_earlier_version(appliance: Appliance) -> None:
    first = make_vplm(appliance)
    publish_another(appliance, "acme/a", 1)
    assert copy(appliance, "acme/b", from_vplm="acme/a:1").adapter == first.adapter
    assert copy(appliance, "acme/c", from_vplm="acme/a").started_from == "acme/a:2"
    with pytest.raises(NotFoundInStore, match="has no version 7"):
        copy(appliance, "acme/d", from_vplm="acme/a:7")


def test_a_copy_lives_on_when_its_origin_is_removed(appliance: Appliance) -> None:
    make_vplm(appliance)
    before = probs(appliance, "acme/a")
    copy(appliance, "acme/b", from_vplm="acme/a")
    appliance.remove_vplm("acme/a")
    assert probs(appliance, "acme/b") == before


def test_a_copy_with_other_labels_keeps_the_bottlenecks_and_gets_a_fresh_head(
    appliance: Appliance,
) -> None:
    first = make_vplm(appliance)
    made = copy(appliance, "acme/b", from_vplm="acme/a", labels=["x", "y", "z"])
    assert (made.head, made.labels, made.rank) == ("fresh", ["x", "y", "z"], first.rank)
    tiers = core_of(appliance).tiers
    old, new = tiers.read(first.adapter), tiers.read(made.adapter)
    for part in ("down", "down_bias", "up", "up_bias"):
        assert getattr(old, part).equal(getattr(new, part))
    assert new.labels == 3
    assert len(probs(appliance, "acme/b")[0]) == 3


def test_many_copies_with_other_labels_have_heads_of_their_own(appliance: Appliance) -> None:
    make_vplm(appliance)
    made = appliance.create_vplms(
        VplmBulkCreate(
            tenant="acme", name="b", count=3, first=8, from_vplm="acme/a", labels=["x", "y", "z"]
        )
    )
    assert made.created == ["acme/b-00008", "acme/b-00009", "acme/b-00010"]
    assert made.head == "fresh"
    assert len({appliance.vplm(one).adapter for one in made.created}) == 3


def test_the_same_labels_in_another_order_bring_the_head_along(appliance: Appliance) -> None:
    make_vplm(appliance)
    made = copy(appliance, "acme/b", from_vplm="acme/a", labels=["yes", "no"])
    assert made.head == "reordered"
    mirrored = [row[::-1] for row in probs(appliance, "acme/b")]
    for left, right in zip(mirrored, probs(appliance, "acme/a"), strict=True):
        assert left == pytest.approx(right, abs=1e-2)


def test_a_tenant_copies_only_its_own(appliance: Appliance) -> None:
    make_vplm(appliance)
    make_tenant(appliance, "globex")
    with pytest.raises(NotFound, match='"globex" has no vPLM "acme/a"'):
        copy(appliance, "globex/b", from_vplm="acme/a")


def test_the_operators_starting_point_is_for_every_tenant(appliance: Appliance) -> None:
    make_vplm(appliance)
    before = probs(appliance, "acme/a")
    published = offer(appliance, "acme/a", "praise")
    assert (published.id, published.owner, published.source) == ("praise:1", None, "acme/a:1")
    make_tenant(appliance, "globex")
    made = copy(appliance, "globex/b", from_starter="praise")
    assert (made.started_from, made.head) == ("starter praise:1", "kept")
    assert probs(appliance, "globex/b") == before


def test_a_tenants_starting_point_is_its_own(appliance: Appliance) -> None:
    make_vplm(appliance)
    make_tenant(appliance, "globex")
    offer(appliance, "acme/a", "praise", "acme")
    offer(appliance, "acme/a", "praise")

    def seen(tenant: str | None) -> list[str]:
        return [one.id for one in appliance.starters("", tenant, None, 10, None).data]

    assert seen(None) == seen("acme") == ["praise:1", "acme/praise:1"]
    assert seen("globex") == ["praise:1"]
    assert copy(appliance, "acme/b", from_starter="acme/praise").head == "kept"
    for name in ("acme/praise", "acme/praise:1", "acme/nothing"):
        with pytest.raises(NotFound, match=f'no starting point "{name}"'):
            copy(appliance, "globex/b", from_starter=name)
    with pytest.raises(BadInput, match='not "globex"\'s to publish'):
        offer(appliance, "acme/a", "praise", "globex")


def test_a_name_is_published_again_as_its_next_version(appliance: Appliance) -> None:
    first = make_vplm(appliance)
    offer(appliance, "acme/a", "praise")
    second = publish_another(appliance, "acme/a", 1, 0.75)
    assert offer(appliance, "acme/a", "praise").accuracy == 0.75
    assert copy(appliance, "acme/b", from_starter="praise").adapter == second
    assert copy(appliance, "acme/c", from_starter="praise:1").adapter == first.adapter
    assert appliance.starter("praise", None).version == 2


def test_a_starting_point_outlives_the_vplm_that_it_was_taken_from(appliance: Appliance) -> None:
    first = make_vplm(appliance)
    offer(appliance, "acme/a", "praise")
    appliance.remove_vplm("acme/a")
    blobs = core_of(appliance).blobs
    assert blobs.exists(first.adapter)
    copy(appliance, "acme/b", from_starter="praise")
    appliance.remove_starter("praise:1")
    assert blobs.exists(first.adapter)
    appliance.remove_vplm("acme/b")
    assert list(blobs.ids()) == []


def test_a_starting_point_whose_domain_is_gone_starts_in_the_root(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews")
    offer(appliance, "acme/a", "praise")
    appliance.remove_domain("reviews")
    assert copy(appliance, "acme/b", from_starter="praise").domain == "general"


@pytest.mark.parametrize("reference", ["", "a/b/c", "praise:", "praise:x", ":1", "/x"])
def test_what_names_nothing_is_refused(appliance: Appliance, reference: str) -> None:
    with pytest.raises(BadInput) as error:
        copy(appliance, "acme/b", from_starter=reference)
    assert error.value.code == "bad_reference"


def test_one_start_is_enough() -> None:
    with pytest.raises(ValueError, match="give one of adapter, from_vplm and from_starter"):
        VplmCreate(tenant="acme", name="b", from_vplm="acme/a", from_starter="praise")
    with pytest.raises(ValueError, match="labels are needed"):
        VplmCreate(tenant="acme", name="b")


def test_a_copy_counts_against_the_quota(appliance: Appliance) -> None:
    make_vplm(appliance)
    appliance.change_tenant("acme", TenantPatch(quota=Quota(vplms=1)))
    with pytest.raises(Refused):
        copy(appliance, "acme/b", from_vplm="acme/a")
